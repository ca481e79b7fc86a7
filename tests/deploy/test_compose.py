"""The compose files without an engine: every variable is a setting, every setting can be set, versions agree."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from reward_server import __version__
from reward_server.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
FILES = ("docker/common.yml", "docker-compose.yml", "docker-compose.scale.yml")
FIXED_IN_THE_IMAGE = {"REWARD_HOST", "REWARD_PORT", "REWARD_LOG_FORMAT"}
KNOWN = {PREFIX + name.upper() for name in Settings.model_fields}


def services() -> dict[str, dict[str, Any]]:
    return {
        f"{file}: {name}": service
        for file in FILES
        for name, service in yaml.safe_load((ROOT / file).read_text())["services"].items()
    }


def variables(service: dict[str, Any]) -> set[str]:
    return {name for name in service.get("environment", {}) if name.startswith(PREFIX)}


def test_every_variable_of_a_service_is_a_setting() -> None:
    for name, service in services().items():
        assert variables(service) <= KNOWN, name
    for dockerfile in ("docker/Dockerfile", "docker/Dockerfile.rm"):
        assert set(re.findall(rf"\b{PREFIX}[A-Z_]+", (ROOT / dockerfile).read_text())) <= KNOWN, dockerfile


def test_every_setting_reaches_a_server_when_it_is_set() -> None:
    passed = set().union(*(variables(service) for service in services().values()))
    assert passed | FIXED_IN_THE_IMAGE == KNOWN


def test_the_example_names_real_settings_and_what_the_files_read() -> None:
    named = set(re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.M))
    read = set().union(*(re.findall(r"\$\{([A-Z_]+)", (ROOT / file).read_text()) for file in FILES))
    assert {name for name in named if name.startswith(PREFIX)} <= KNOWN
    others = {name for name in named if not name.startswith(PREFIX)}
    assert others == read - {"IMAGE_TAG", "VLLM_TAG", "PROMETHEUS_TAG", "GRAFANA_TAG", "PROXY_FILES"}


def test_a_stop_waits_longer_than_a_request_may_take() -> None:
    common = services()["docker/common.yml: server"]
    assert common["stop_grace_period"] == "3m"
    assert Settings.model_fields["request_timeout_s"].default < 180
    timeout = re.search(r"timeout server (\d+)s", (ROOT / "docker/proxy/haproxy.cfg").read_text())
    assert timeout is not None
    assert int(timeout[1]) > Settings.model_fields["request_timeout_s"].default


def test_the_images_have_this_version() -> None:
    for name, service in services().items():
        if service.get("image", "").startswith("reward-server"):
            assert service["image"].endswith(f":${{IMAGE_TAG:-{__version__}}}"), name
    for dockerfile in ("docker/Dockerfile", "docker/Dockerfile.rm"):
        assert f"ARG VERSION={__version__}\n" in (ROOT / dockerfile).read_text(), dockerfile


def test_everything_that_is_mounted_from_the_repository_is_there() -> None:
    for file in FILES:
        folder = (ROOT / file).parent
        for source in re.findall(r"^\s+- (?:\$\{REWARDS_TOML:-)?(\./[\w/.-]+)\}?:/", (ROOT / file).read_text(), re.M):
            assert (folder / source).exists(), (file, source)
