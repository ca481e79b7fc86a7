"""A vLLM server that was started with a key, or with several models, behind a real server of ours."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from running_server import HANG_S, RunningServer, running_server
from vllm_stand_in import StandIn, model, running_stand_in

from reward_server.reward_model.loading import load_model
from reward_server.settings import Settings

KEY = "sk-vllm-1f0e"
RM = "/score/rm?format=plain"
BODY = {"completions": ["five"], "prompts": ["2 + 3?"]}


@pytest.fixture
def vllm() -> Iterator[StandIn]:
    with running_stand_in() as running:
        running.key = KEY
        yield running


def options(vllm: StandIn, folder: Path) -> tuple[str, ...]:
    return ("--rm-engine", "vllm", "--rm-url", vllm.url, "--rm-model", str(folder), "--verifier-workers", "1")


def refusal(*arguments: str, key: str | None = KEY) -> str:
    """What a server says that ends by itself; the key is nowhere in it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("REWARD_")}
    command = [sys.executable, "-m", "reward_server", "serve", "--port", "0", *arguments]
    environment = inherited | ({} if key is None else {"REWARD_RM_API_KEY": key})
    ended = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S, check=False, env=environment)
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    assert key is None or not key.strip() or key.strip() not in ended.stdout + ended.stderr
    return ended.stderr.splitlines()[-1]


def pages(server: RunningServer) -> Iterator[str]:
    for path in ("/rewards", "/openapi.json", "/ready", "/health", "/metrics"):
        yield server.get(path).text
    yield server.post("/explain/rm?format=plain", {"completion": "five", "prompt": "2 + 3?"}).text


def test_a_vllm_server_with_a_key_scores_and_the_key_is_shown_nowhere(
    vllm: StandIn, folder: Path, tmp_path: Path
) -> None:
    with running_server(
        tmp_path / "log",
        *options(vllm, folder),
        "--log-level",
        "debug",
        environment={"REWARD_RM_API_KEY": f" {KEY}\n"},  # as it comes out of a file
    ) as ours:
        ours.wait_ready()
        reply = ours.post(RM, BODY)
        assert reply.json()["outcomes"] == ["scored"]
        assert set(vllm.headers) == {f"Bearer {KEY}"}
        vllm.key = "another"  # changed under way
        gone = ours.post(RM, {"completions": ["six"], "prompts": ["2 + 3?"]})
        assert (gone.status_code, "rm_api_key" in gone.text) == (503, True)
        for page in (reply.text, str(reply.headers), gone.text, *pages(ours)):
            assert KEY not in page
        assert ours.stop() == 0
    assert KEY not in (tmp_path / "log").read_text()


def test_a_model_that_is_printed_does_not_show_the_key(vllm: StandIn, folder: Path) -> None:
    settings = Settings(rm_engine="vllm", rm_url=vllm.url, rm_model=folder, rm_api_key=SecretStr(KEY))
    assert KEY not in repr(load_model(settings, folder))


@pytest.mark.parametrize("key", [None, "sk-vllm-wrong"])
def test_without_the_key_the_start_is_refused_and_the_setting_named(
    vllm: StandIn, folder: Path, key: str | None
) -> None:
    said = refusal(*options(vllm, folder), key=key)
    assert "refuses /v1/models: 401" in said
    assert "rm_api_key must be the key that it was started with" in said


def test_of_two_served_models_one_must_be_named(vllm: StandIn, folder: Path, tmp_path: Path) -> None:
    vllm.models.append(model("policy", root="/policy"))
    assert "several models (rm, policy): name the reward model by rm_served_name" in refusal(*options(vllm, folder))
    named = ("--rm-served-name", "policy", "--rm-api-key", KEY)
    with running_server(tmp_path / "log", *options(vllm, folder), *named) as ours:
        ours.wait_ready()
        assert ours.post(RM, BODY).json()["outcomes"] == ["scored"]
        assert {body["model"] for body in vllm.bodies} == {"policy"}


def test_the_key_and_the_name_of_a_single_model_change_no_digest(vllm: StandIn, folder: Path, tmp_path: Path) -> None:
    def config(*more: str) -> str:
        with running_server(tmp_path / "log", *options(vllm, folder), *more) as ours:
            ours.wait_ready()
            return str(ours.post(RM, BODY).json()["config"])

    with_both = config("--rm-api-key", KEY, "--rm-served-name", "rm")
    vllm.key = None
    assert config() == with_both


@pytest.mark.parametrize("key", ["", " ", "sk vllm", "sk\nvllm", "schlüssel"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(vllm: StandIn, folder: Path, key: str) -> None:
    assert "rm_api_key: " in refusal(*options(vllm, folder), key=key)


def test_a_key_or_a_name_without_a_vllm_server_is_refused(folder: Path) -> None:
    model_here = ("--rm-model", str(folder))
    assert "rm_engine=vllm" in refusal(*model_here)
    assert "rm_engine=vllm" in refusal(*model_here, "--rm-served-name", "rm", key=None)


def test_a_password_in_the_url_is_shown_nowhere_and_not_sent_in_the_place_of_the_key(
    vllm: StandIn, folder: Path
) -> None:
    with_user = vllm.url.replace("//", "//user:pass-word@") + "/nowhere"
    here = ("--rm-engine", "vllm", "--rm-url", with_user, "--rm-model", str(folder), "--verifier-workers", "1")
    assert "rm_url holds a user" in refusal(*here)
    said = refusal(*here, key=None)
    assert "refuses /v1/models: 401" in said and "pass-word" not in said
