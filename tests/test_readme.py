"""Every command of the README and of two pages runs as it stands, and prints what they say it prints."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from running_server import HANG_S, RunningServer

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/rewards.md", "docs/reward-model.md", "CONTRIBUTING.md")
LINKED = [*PAGES, "SECURITY.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
BLOCKS = [block for page in PAGES for block in re.findall(r"```(\w+)\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)]
NOT_RUN_HERE = {
    "make test": "this is it",
    "make check": "CI runs it before the tests",
    "make bench": "takes about 15 minutes",
    "make serve": "run below, on a free port",
    "make docker-test": "needs a Docker engine",
    "make scan": "installs its own tools, some hundred megabytes",
    "docker compose up": "needs a Docker engine: make docker-test",
    "docker compose --profile monitoring up": "needs a Docker engine: make docker-test",
    "docker compose -f docker-compose.scale.yml up --scale reward-server=3": "needs a Docker engine: make docker-test",
}


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder with the repository's environment in it."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return folder


def run(script: str, server: RunningServer, workplace: Path) -> str:
    script = script.replace("http://127.0.0.1:8000", server.url)
    result = subprocess.run(
        ["bash", "-euc", script], cwd=workplace, capture_output=True, text=True, timeout=HANG_S, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("number", [i for i, (kind, _) in enumerate(BLOCKS) if kind == "bash"])
def test_a_block_of_commands_runs(number: int, server: RunningServer, workplace: Path) -> None:
    commands = "\n".join(line for line in BLOCKS[number][1].splitlines() if line not in NOT_RUN_HERE)
    if not commands.strip():
        return
    printed = run(commands, server, workplace)
    assert '{"error"' not in printed  # the metrics have a label of that name
    if BLOCKS[number + 1][1].startswith('{"reward"'):
        expected, found = json.loads(BLOCKS[number + 1][1]), json.loads(printed)
        assert found == expected | {"config": found["config"]}


def test_make_serve_prints_its_url_and_lines_that_work(workplace: Path) -> None:
    with subprocess.Popen(
        ["make", "serve", "ARGS=--port 0"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as make:
        assert make.stdout is not None
        try:
            printed = ""
            for line in make.stdout:
                printed += line
                if "/docs" in line:
                    break
            curls = [line.strip() for line in printed.splitlines() if line.strip().startswith("curl")]
            assert len(curls) == 3
            for curl in curls:
                reply = subprocess.run(["bash", "-c", curl], capture_output=True, text=True, check=True).stdout
                found = json.loads(reply)
                assert found.get("rewards", [found.get("value")]) == [1.0], reply
        finally:
            for child in Path(f"/proc/{make.pid}/task/{make.pid}/children").read_text().split():
                os.kill(int(child), signal.SIGTERM)


@pytest.mark.parametrize("page", LINKED)
def test_links_point_at_files_and_headings(page: str) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", (ROOT / page).read_text()):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text()), link


def anchors(text: str) -> set[str]:
    """The headings' anchors, as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_is_a_front_page() -> None:
    assert len((ROOT / "README.md").read_text().split()) <= 900
