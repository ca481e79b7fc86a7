"""docs/debugging.md: each of its commands runs on a record of a live server, and prints what stands below it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from running_server import HANG_S, RunningServer, running_server, until
from story_runs import QUESTIONS, ROLLOUTS, send_runs

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "debugging.md").read_text()
BLOCKS = re.findall(r"```bash\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)
HERE = "http://127.0.0.1:8000"
STEPS = 12 + 4


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("debugging")
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return folder


@pytest.fixture(scope="module")
def recorded(workplace: Path) -> Iterator[RunningServer]:
    """A server whose record has both runs."""
    with running_server(workplace / "log", "--record-dir", str(workplace / "record")) as server:
        send_runs(lambda path, body: server.post(path, body).raise_for_status())
        until(lambda: server.metric("reward_record_lines_total") == STEPS * QUESTIONS * ROLLOUTS)
        yield server


def test_the_page_has_an_output_below_every_command() -> None:
    assert len(BLOCKS) == PAGE.count("```bash") >= 8


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_command_prints_what_stands_below_it(number: int, workplace: Path, recorded: RunningServer) -> None:
    command, shown = BLOCKS[number]
    if shutil.which("jq") is None and "jq" in command:
        pytest.skip("needs jq")
    script = f"set -o pipefail\n{command.replace(HERE, recorded.url)}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=workplace, capture_output=True, text=True, timeout=HANG_S, check=False
    )
    assert done.returncode in (0, 141), done.stderr  # 141: `head` had enough
    printed = done.stdout.splitlines()
    assert all(line in printed for line in shown.splitlines()), done.stdout


def test_every_symptom_says_where_it_was_seen() -> None:
    rows = PAGE.partition("| symptom |")[2].splitlines()[2:]
    assert len(rows) >= 10
    assert all(row.count("https://github.com/") >= 1 for row in rows if row.startswith("|"))
