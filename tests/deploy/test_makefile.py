"""What `make serve` and `make test` install, and when: the real Makefile, and a pip that writes down its orders."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PIP = """#!/bin/sh
echo "$@" >> "{log}"
"""


class Environment:
    """A folder in place of .venv, with that pip in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        (folder / "bin").mkdir(parents=True)
        for name, text in {"pip": PIP.format(log=self.log), "reward-server": "#!/bin/sh\n"}.items():
            (folder / "bin" / name).write_text(text)
            (folder / "bin" / name).chmod(0o755)

    def make(self, *arguments: str) -> list[str]:
        """Runs make; what it installed: one list of extras for each pip."""
        self.log.write_text("")
        command = ["make", "--directory", str(ROOT), f"VENV={self.folder}", *arguments]
        subprocess.run(command, capture_output=True, check=True)
        return [line.split()[-1] for line in self.log.read_text().splitlines()]

    def tests(self) -> list[str]:
        return self.make(f"{self.folder}/installed")


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path / "venv")


@pytest.fixture(autouse=True)
def outside_of_make(monkeypatch: pytest.MonkeyPatch) -> None:
    """As from a shell: `make test` hands its level and its flags to what it runs."""
    for name in ("MAKELEVEL", "MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES"):
        monkeypatch.delenv(name, raising=False)


def test_serve_installs_the_server_alone_and_once(environment: Environment) -> None:
    assert environment.make("serve") == [".[server]"]
    assert environment.make("serve") == []


def test_a_reward_model_is_one_more_step_and_stays(environment: Environment) -> None:
    assert environment.make("serve") == [".[server]"]
    assert environment.make("serve", "EXTRA=gateway") == [".[server,gateway]"]
    assert environment.make("serve", "EXTRA=rm") == [".[server,rm]"]
    assert [environment.make("serve", f"EXTRA={extra}") for extra in ("server", "gateway", "rm")] == [[], [], []]


def test_the_tests_have_all_of_it(environment: Environment) -> None:
    assert environment.tests() == [".[dev]"]
    assert [environment.make("serve", f"EXTRA={extra}") for extra in ("server", "gateway", "rm")] == [[], [], []]
    assert environment.tests() == []


def test_the_tests_come_after_the_server(environment: Environment) -> None:
    environment.make("serve")
    assert environment.tests() == [".[dev]"]
    assert environment.make("serve") == [] == environment.tests()


def test_every_install_takes_the_pins_and_the_options(environment: Environment) -> None:
    environment.make("serve", "EXTRA=rm", "PIP_OPTIONS=--extra-index-url https://download.pytorch.org/whl/cpu")
    told = environment.log.read_text()
    assert "--extra-index-url https://download.pytorch.org/whl/cpu --constraint constraints.txt" in told


@pytest.mark.parametrize("python", ["", "/nowhere/python3.11", "false"])
def test_without_a_python_that_is_new_enough_make_says_so_and_makes_nothing(python: str, tmp_path: Path) -> None:
    command = ["make", "--directory", str(ROOT), f"VENV={tmp_path}/venv", f"PYTHON={python}", "serve"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 2
    first, last = said.stderr.splitlines()
    assert first.startswith("Python 3.11 or newer is needed, and ")
    assert last.startswith("make: ***")
    assert not (tmp_path / "venv").exists()


def test_the_first_python_that_runs_is_taken(tmp_path: Path) -> None:
    """A version manager's `python3.11` that only complains, a `python3` that is too old, and one that will do."""
    for name, code in {"python3.11": 127, "python3": 1, "python3.12": 0}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\nexit {code}\n")
        (tmp_path / name).chmod(0o755)
    for tool in ("make", "sh"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or "")
    command = ["make", "--directory", str(ROOT), f"VENV={tmp_path}/venv", "--dry-run", "serve"]
    said = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=True)
    assert f"python3.12 -m venv {tmp_path}/venv" in said.stdout


def test_documents_name_targets_and_variables_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    variables = set(re.findall(r"^([A-Z_]+) *[?:]?=", makefile, re.MULTILINE)) | {"ARGS"}
    for path in (ROOT / "Makefile", *ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("docker/Dockerfile*")):
        for target, words in re.findall(r"(?:^|`)make ([a-z-]+)([^`\n]*)", path.read_text(), re.MULTILINE):
            assert target in targets, f"{path.name}: make {target}"
            assert set(re.findall(r" ([A-Z_]+)=", words)) <= variables, f"{path.name}: make {target}{words}"
