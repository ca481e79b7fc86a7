"""The door: what `reward-server` says where the server cannot run, and that it hides no other error."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from running_server import HANG_S

from reward_server import __main__ as door
from reward_server import __version__
from reward_server.reward_model.loading import BROUGHT_BY_EXTRAS

ROOT = Path(door.__file__).parents[1]
AS_A_MODULE = ("-m", "reward_server")
AS_A_COMMAND = ("-c", "from reward_server.__main__ import main; main()")  # what the installed script does


def run(*arguments: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    """-B: a `__pycache__` of another Python stays out of the tree."""
    return subprocess.run(
        [python, "-B", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=HANG_S, check=False
    )


def without(module: str) -> str:
    """The command line, where a module cannot be imported."""
    return f"import sys; sys.modules[{module!r}] = None; from reward_server.__main__ import main; main()"


def pythons(minor: int) -> list[str]:
    """Interpreters 3.`minor` on the path, or beside our own as version managers put them, that run."""
    beside = sorted(Path(sys.base_prefix).parent.glob(f"*/bin/python3.{minor}"))
    found = [*filter(None, [shutil.which(f"python3.{minor}")]), *map(str, beside)]
    return [
        one for one in found if subprocess.run([one, "-c", ""], stderr=subprocess.DEVNULL, check=False).returncode == 0
    ]


@pytest.mark.parametrize("door", [AS_A_MODULE, AS_A_COMMAND])
@pytest.mark.parametrize("arguments", [("serve",), ("--help",), ()])
def test_the_base_install_says_in_one_sentence_what_to_install(
    door: tuple[str, str], arguments: tuple[str, ...]
) -> None:
    said = run("-S", *door, *arguments)  # -S: no site-packages, so nothing but the standard library
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr == (
        f"reward-server: the extra `server` is needed, and {sys.executable} has no ahocorasick_rs, fastapi, httptools "
        "…: in the folder of its source run `pip install '.[server]'` or `make serve`\n"
    )


@pytest.mark.parametrize("module", door.EXTRA_SERVER)
def test_one_missing_package_is_named_also_one_that_is_imported_late(module: str) -> None:
    said = run("-c", without(module))
    assert said.returncode == 2
    assert f"has no {module}: " in said.stderr and said.stderr.count("\n") == 1


@pytest.mark.parametrize("module", ["reward_server.errors", "pydantic_core", "pydantic.main"])
def test_a_missing_file_of_ours_or_of_a_package_is_shown_as_it_is(module: str) -> None:
    said = run("-c", without(module))
    assert said.returncode == 1
    assert "Traceback" in said.stderr and module in said.stderr and "the extra" not in said.stderr


@pytest.mark.parametrize("module", ["torch", "transformers"])
def test_a_reward_model_without_its_extra_is_refused_with_what_to_install(module: str, tmp_path: Path) -> None:
    said = run("-c", without(module), "serve", "--port", "0", "--rm-model", str(tmp_path))
    assert said.returncode == 2
    assert said.stderr.splitlines()[-1] == (
        f"reward-server: rm_model needs the extra `rm`, and {module} is missing: "
        "in the folder of its source run `pip install '.[rm]'` or `make serve EXTRA=rm`"
    )


def test_a_damaged_package_of_the_reward_model_is_not_taken_for_a_missing_extra(tmp_path: Path) -> None:
    broken = "transformers.dependency_versions_check"
    said = run("-c", without(broken), "serve", "--port", "0", "--rm-model", str(tmp_path))
    assert said.returncode != 0
    assert broken in said.stderr and "the extra" not in said.stderr
    assert broken.split(".")[0] in BROUGHT_BY_EXTRAS


@pytest.mark.parametrize(
    ("system", "command", "said"),
    [
        ("win32", ["serve"], "Windows lacks what it needs: use WSL, or a container (`docker compose up`)"),
        ("darwin", ["serve", "--port", "0"], "grading needs Linux, and this is darwin: "),
        ("darwin", ["score", "/dev/null"], "an answer that hangs would get another reward"),
        ("darwin", ["check-golds", "/dev/null"], "The client, trainer_client, runs anywhere"),
    ],
)
def test_another_system_is_told_what_grading_needs(system: str, command: list[str], said: str) -> None:
    program = f"import sys, reward_server.cli; sys.platform = {system!r}; sys.argv[1:] = {command!r}; "
    refused = run("-c", program + "from reward_server.__main__ import main; main()")
    assert (refused.returncode, refused.stdout) == (2, "")
    said_last = refused.stderr.splitlines()[-1]
    assert said_last.startswith("reward-server: ") and said in said_last and "Traceback" not in refused.stderr


def test_it_tells_its_version_and_nothing_else() -> None:
    asked = run(*AS_A_MODULE, "--version")
    assert (asked.returncode, asked.stdout, asked.stderr) == (0, f"reward-server {__version__}\n", "")


@pytest.mark.parametrize("minor", range(6, 11))
def test_an_older_python_is_told_which_one_it_takes(minor: int) -> None:
    found = pythons(minor)
    if not found:
        pytest.skip(f"no python3.{minor} here")
    for how in (AS_A_MODULE, AS_A_COMMAND):
        said = run(*how, "serve", python=found[0])
        assert (said.returncode, said.stdout) == (2, "")
        assert said.stderr.startswith("reward-server: Python 3.11 or newer is needed, and ")
        assert f" is 3.{minor}." in said.stderr and said.stderr.count("\n") == 1


def test_the_door_is_written_for_python_3_6() -> None:
    for name in ("__init__.py", "__main__.py"):
        ast.parse((ROOT / "reward_server" / name).read_text(), feature_version=(3, 6))


@pytest.mark.parametrize("minor", [12, 13, 14])
def test_a_newer_python_only_lacks_the_packages(minor: int) -> None:
    found = pythons(minor)
    if not found:
        pytest.skip(f"no python3.{minor} here")
    assert "the extra `server` is needed" in run("-S", *AS_A_MODULE, python=found[0]).stderr
