"""Imports only ever point one way: routes → dialects → scoring → rewards → workers. This test holds the table."""

from __future__ import annotations

import ast
from pathlib import Path

import reward_server

PACKAGE = Path(reward_server.__file__).parent
LAYERS = (  # a module may import from its own row and from the rows below
    {"__main__", "cli", "options", "terminal"},
    {"offline"},
    {"web", "logs"},
    {"explanation"},
    {"dialects"},
    {"scoring", "reward_model", "grading", "admission", "derivation", "catalog", "metrics"},
    {"rewards"},
    {"processes"},
    {"parameters", "settings"},
    {"types", "errors"},
)
NOT_IN_REWARDS = {"anyio", "asyncio", "fastapi", "httpx", "logging", "pydantic_settings", "starlette", "uvicorn"}
MAY_SILENCE_LOGS = {"math_verify_tier.py"}


def level(module: str) -> int:
    return next(i for i, row in enumerate(LAYERS) if module in row)


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            found |= {f"{base}.{name.name}" for name in node.names} if base == "reward_server" else {base}
    return found


def test_every_module_imports_only_from_its_own_layer_and_those_below() -> None:
    for path in PACKAGE.rglob("*.py"):
        importer = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if importer == "__init__":
            continue
        for name in imports(path):
            package, _, rest = name.partition(".")
            if package == "reward_server" and rest and rest != "__version__":
                imported = rest.split(".")[0]
                assert level(importer) <= level(imported), f"{path.name} imports {name}"


def test_rewards_are_pure_and_the_processes_know_nothing_of_rewards() -> None:
    for path in (PACKAGE / "rewards").glob("*.py"):
        roots = {name.split(".")[0] for name in imports(path)}
        allowed = {"logging"} if path.name in MAY_SILENCE_LOGS else set()
        assert not roots & NOT_IN_REWARDS - allowed, path.name
    for path in (PACKAGE / "processes").glob("*.py"):
        foreign = {name for name in imports(path) if name.startswith("reward_server.")}
        assert not {name for name in foreign if not name.startswith("reward_server.processes")}, path.name


def test_client_and_server_share_no_code() -> None:
    client = PACKAGE.parent / "trainer_client"
    assert not any("reward_server" in name for path in client.rglob("*.py") for name in imports(path))
    assert not any("trainer_client" in name for path in PACKAGE.rglob("*.py") for name in imports(path))
