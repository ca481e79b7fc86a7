"""What the packages need: every import is declared, no floor lets a known hole in, the images' packages have hashes."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import requires
from pathlib import Path

import pytest
import tomllib
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from reward_server.__main__ import EXTRA_SERVER
from reward_server.reward_model.loading import BROUGHT_BY_EXTRAS

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
OURS = {"reward_server", "trainer_client"}
HOLES = {  # the first version without the hole
    "jinja2": {"CVE-2025-27516": "3.1.6", "CVE-2024-56326": "3.1.5", "CVE-2024-56201": "3.1.5"},
    "pydantic-settings": {"GHSA-4xgf-cpjx-pc3j": "2.14.2"},
    "starlette": {"CVE-2026-48710": "1.0.1", "CVE-2025-62727": "0.49.1", "CVE-2024-47874": "0.40.0"},
    "torch": {"CVE-2026-24747": "2.10", "CVE-2025-32434": "2.6"},
    "transformers": {"CVE-2026-9856": "5.9", "CVE-2026-5241": "5.5", "CVE-2026-4372": "5.3"},
}
NEEDED = {
    "transformers": "5.21",
    "fastapi": "0.133",
    "typer": "0.19",
}  # by the code, as pyproject.toml says beside each
NOT_IMPORTED = {"uvloop"}  # uvicorn takes it by itself
NOT_MISSED = NOT_IMPORTED | {"google-re2"}  # an expression is refused without it; all else runs
OTHER_NAMES = {"re2": "google-re2"}
"""Modules that have another name than their distribution."""
LOCKED = {"requirements.txt": ("server", "gateway"), "requirements-rm.txt": ("server", "rm")}
CUDA = re.compile(r"cuda-|nvidia-|triton$")  # torch from PyPI pins them, and other builds of torch need others


def declared(*extras: str) -> dict[str, Requirement]:
    """Requirements of the base install and of extras, by name, those of `reward-server[…]` included.

    The extra's own line counts where both have one.
    """
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in PROJECT["optional-dependencies"][extra])]
    here = (one for one in map(Requirement, lines) if not one.marker or one.marker.evaluate())
    found: dict[str, Requirement] = {canonicalize_name(one.name): one for one in here}
    itself = found.pop(PROJECT["name"], None)
    return declared(*itself.extras) | found if itself else found


def pins(text: str) -> dict[str, str]:
    return {canonicalize_name(name): pin for name, pin in re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.M)}


PINS = pins((ROOT / "constraints.txt").read_text())


def modules(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Modules that statements and calls of `import_module` name."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "import_module":
            yield from (arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str))


def third_party(paths: Iterable[Path], late: bool) -> set[str]:
    """Distributions of what files import; their names are those of their modules. late: within functions too."""
    trees = [ast.parse(path.read_text()) for path in paths]
    roots = {name.split(".")[0] for tree in trees for name in modules(ast.walk(tree) if late else tree.body)}
    return {canonicalize_name(OTHER_NAMES.get(root, root)) for root in roots - set(sys.stdlib_module_names) - OURS}


SERVER = sorted((ROOT / "reward_server").rglob("*.py"))
VIEW = sorted((ROOT / "reward_server" / "view").rglob("*.py"))  # its command alone imports it
TESTS = sorted(path for path in (ROOT / "tests").rglob("test_*.py") if "trainers" not in path.parts)
CLIENT = sorted((ROOT / "trainer_client").glob("*.py"))  # its subfolders run where a trainer is installed


def test_what_the_server_imports_is_declared_and_nothing_else() -> None:
    assert third_party(set(SERVER) - set(VIEW), late=False) <= set(declared("server"))
    assert third_party(VIEW, late=True) <= set(declared("server", "view"))
    assert third_party(SERVER, late=True) == set(declared("server", "rm", "view")) - NOT_IMPORTED


def test_what_the_tests_import_is_declared_or_ours() -> None:
    ours = [*ROOT.iterdir(), *(ROOT / "tests").rglob("*.py"), *(ROOT / "tests").iterdir()]  # programs, helpers, folders
    beside = {canonicalize_name(name) for name in ("yaml", *(path.stem for path in ours))}  # pyyaml's has its own name
    assert third_party(TESTS, late=True) - beside <= set(declared("dev"))


def test_an_extra_is_one_that_somebody_is_told_to_install() -> None:
    told = "".join((ROOT / name).read_text() for name in ("README.md", "Makefile"))
    assert [
        extra for extra in PROJECT["optional-dependencies"] if not re.search(rf"EXTRA={extra}\b|\b{extra}\]", told)
    ] == []


def test_the_door_looks_for_what_the_server_needs() -> None:
    brought = set(declared("server")) - set(declared()) - NOT_MISSED
    assert {canonicalize_name(name) for name in EXTRA_SERVER} == brought


def test_a_reward_model_is_missed_by_the_names_that_its_extras_bring() -> None:
    assert {canonicalize_name(name) for name in BROUGHT_BY_EXTRAS} == set(declared("server", "rm")) - set(
        declared("server")
    )


def test_pip_refuses_the_server_where_python_is_too_old_for_it_and_not_the_client() -> None:
    """The client's 3.10 is pip's limit for the whole; for the extra, a requirement that nothing meets."""
    assert PROJECT["requires-python"] == ">=3.10"
    lines = [Requirement(line) for line in PROJECT["optional-dependencies"]["server"]]
    for python, refuses in {"3.10": True, "3.11": False, "3.13": False}.items():
        asked = [one for one in lines if not one.marker or one.marker.evaluate({"python_version": python})]
        assert any(str(one.specifier) == "<0" for one in asked) == refuses


def test_the_client_needs_the_base_install_only() -> None:
    taken_instead_of_httpx_where_it_is_installed = {"httpx2"}
    assert third_party(CLIENT, late=True) <= set(declared()) | taken_instead_of_httpx_where_it_is_installed


def test_a_remote_reward_model_needs_no_torch() -> None:
    assert set(declared("server", "rm")) - set(declared("server", "gateway")) == {"torch", "safetensors"}


def floor(requirement: Requirement) -> Version:
    return max(Version(one.version) for one in requirement.specifier if one.operator in (">=", "=="))


@pytest.mark.parametrize("name", sorted(declared("server", "rm")))
def test_a_floor_is_no_higher_than_the_pin_which_is_allowed(name: str) -> None:
    requirement = declared("server", "rm")[name]
    assert floor(requirement) <= Version(PINS[name])
    assert requirement.specifier.contains(PINS[name])


@pytest.mark.parametrize("extra", ["rm", "gateway"])
def test_a_floor_is_above_the_known_holes(extra: str) -> None:
    for name, requirement in declared("server", extra).items():
        for advisory, mended in HOLES.get(name, {}).items():
            assert floor(requirement) >= Version(mended), (name, advisory)


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_a_floor_is_what_the_code_needs(name: str) -> None:
    assert floor(declared("server", "rm")[name]) >= Version(NEEDED[name])


def test_the_private_methods_of_uvicorn_are_those_of_one_version() -> None:
    assert str(declared("server")["uvicorn"].specifier) == "<0.55,>=0.54"


def test_the_build_back_end_is_pinned_everywhere_to_one_version() -> None:
    assert PYPROJECT["build-system"]["requires"] == [f"hatchling=={PINS['hatchling']}"]
    assert "hatchling" in pins((ROOT / "docker/requirements-build.txt").read_text())


def closure(names: Iterable[str]) -> set[str]:
    """Names and all that they need here, by the metadata of what is installed; no extras of theirs."""
    found: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            wanted = map(Requirement, requires(name) or ())
            todo += [canonicalize_name(one.name) for one in wanted if not one.marker or one.marker.evaluate()]
    return found


@pytest.mark.parametrize("file", [*LOCKED, "requirements-build.txt"])
def test_the_images_have_the_pinned_versions(file: str) -> None:
    locked = {name: pin for name, pin in pins((ROOT / "docker" / file).read_text()).items() if not CUDA.match(name)}
    assert locked == {name: PINS.get(name) for name in locked}, "make lock"


@pytest.mark.skipif(sys.platform != "linux", reason="the images are of Linux")
@pytest.mark.parametrize(("file", "extras"), LOCKED.items())
def test_the_images_have_all_that_is_declared_and_nothing_else(file: str, extras: tuple[str, ...]) -> None:
    locked = {name for name in pins((ROOT / "docker" / file).read_text()) if not CUDA.match(name)}
    needed = {name for name in closure(declared(*extras)) if not CUDA.match(name)}
    assert locked == needed, "make lock"


@pytest.mark.parametrize("file", [*LOCKED, "requirements-build.txt"])
def test_every_package_of_an_image_has_a_hash(file: str) -> None:
    text = (ROOT / "docker" / file).read_text()
    assert "://" not in text
    blocks = re.sub(r"\\\n\s*", " ", re.sub(r"^#.*\n", "", text, flags=re.M)).splitlines()
    assert blocks
    assert [one for one in blocks if not re.fullmatch(r"[\w.-]+==.*?(\s+--hash=sha256:[0-9a-f]{64})+\s*", one)] == []


@pytest.mark.parametrize("file", ["docker/Dockerfile", "docker/Dockerfile.rm"])
def test_an_image_takes_only_hashed_packages_and_builds_with_what_it_has(file: str) -> None:
    text = re.sub(r"\\\n", " ", (ROOT / file).read_text())
    installs = re.findall(r"pip (?:install|wheel) [^;&\n]*", text)
    loose = [one for one in installs if "--require-hashes" not in one and "--no-deps" not in one]
    assert [
        one for one in loose if "${PIP_OPTIONS}" not in one
    ] == []  # another index's torch, when somebody asks for it
    assert all("--no-build-isolation" in one for one in installs if one.startswith("pip wheel"))
    assert all("--only-binary :all:" in one for one in installs if "--no-deps" not in one)
