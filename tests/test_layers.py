"""Imports only ever point one way, from the door down to the nouns. This test holds the table: a row is a room."""

from __future__ import annotations

import ast
from pathlib import Path

import reward_server

PACKAGE = Path(reward_server.__file__).parent
LAYERS = (  # a module may import from its own row and from the rows below
    {"__main__", "cli", "commands"},
    {"view"},
    {"offline"},
    {"web", "logs"},
    {"explaining", "records"},
    {"dialects"},
    {"scoring"},
    {"answer_grader"},
    {"work"},
    {"catalog", "counting"},
    {"rewards"},
    {"measuring"},
    {"reward_model"},
    {"checks"},
    {"grading"},
    {"processes"},
    {"steps"},
    {"kit"},
    {"admission", "settings", "system"},
    {"types", "errors"},
)
KNOWS = {"reward_model": {"kit", "settings", "errors", "types"}, "processes": {"kit"}, "kit": set()}
"""Rooms that know nothing of rewards, and all that each may import beside itself."""
GRADING = ("text", "numbers", "symbolic", "structures")
"""The rooms of `grading`: each imports from itself and from those before it."""
NOT_IN_REWARDS = {"anyio", "asyncio", "fastapi", "httpx", "logging", "pydantic_settings", "starlette", "uvicorn"}
NOT_PURE = {"math_verify_tier.py": {"logging"}, "verdicts.py": {"logging", "asyncio"}}
"""Math-Verify's log is silenced; verdicts wait for the workers."""


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


def test_the_rooms_of_grading_stand_in_one_line() -> None:
    for place, room in enumerate(GRADING):
        for path in (PACKAGE / "grading" / room).glob("*.py"):
            for name in imports(path):
                _, _, rest = name.partition("reward_server.grading.")
                assert not rest or rest.split(".")[0] in GRADING[: place + 1], f"{room}/{path.name} imports {name}"


def test_rewards_and_grading_are_pure() -> None:
    for path in [*(PACKAGE / "rewards").rglob("*.py"), *(PACKAGE / "grading").rglob("*.py")]:
        roots = {name.split(".")[0] for name in imports(path)}
        assert not roots & NOT_IN_REWARDS - NOT_PURE.get(path.name, set()), path.name


def test_the_reward_model_the_processes_and_the_tools_know_nothing_of_rewards() -> None:
    for room, others in KNOWS.items():
        for path in (PACKAGE / room).rglob("*.py"):
            rooms = {name.split(".")[1] for name in imports(path) if name.startswith("reward_server.")}
            assert rooms <= {room, *others}, path.name


def test_client_and_server_share_no_code() -> None:
    client = PACKAGE.parent / "trainer_client"
    assert not any("reward_server" in name for path in client.rglob("*.py") for name in imports(path))
    assert not any("trainer_client" in name for path in PACKAGE.rglob("*.py") for name in imports(path))
