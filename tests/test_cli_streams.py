"""Commands in a shell: what comes from a pipe, what goes into one, and files that are named twice."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from running_server import HANG_S

ROWS = "".join(
    json.dumps({"completion": f"\\boxed{{{k}}}", "ground_truth": str(k), "group": f"q{k}"}) + "\n" for k in range(3000)
)
SERVER = f"{sys.executable} -m reward_server"
NOISE = f"{SERVER} noise 'flip?flip_prob=0.4'"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rows.jsonl").write_text(ROWS)
    return tmp_path


def bash(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    bash = shutil.which("bash") or pytest.skip("no bash")
    return subprocess.run(
        [bash, "-o", "pipefail", "-c", script], cwd=folder, capture_output=True, text=True, timeout=HANG_S, check=False
    )


def test_a_pipe_is_read_to_its_end(folder: Path) -> None:
    done = bash(folder, f"{SERVER} score <(cat rows.jsonl) -o scored.jsonl")
    assert (done.returncode, (folder / "scored.jsonl").read_text().count("\n")) == (0, 3000)
    assert "3000/3000" in done.stderr


def test_a_compressed_file_is_refused_with_what_to_write(folder: Path) -> None:
    done = bash(folder, f"gzip rows.jsonl; {SERVER} score rows.jsonl.gz")
    assert (done.returncode, "in bash give <(zcat rows.jsonl.gz)" in done.stderr) == (2, True)


def test_a_pipe_is_written_into(folder: Path) -> None:
    done = bash(
        folder, f"mkfifo pipe; timeout 60 cat pipe > sunk 2> /dev/null & {SERVER} score rows.jsonl -o pipe && wait"
    )
    assert (done.returncode, (folder / "sunk").read_text().count("\n")) == (0, 3000)


@pytest.mark.parametrize("command", [f"{SERVER} score rows.jsonl", f"{NOISE} rows.jsonl --visits 0:9"])
def test_who_has_read_enough_ends_a_command_without_a_word(folder: Path, command: str) -> None:
    done = bash(folder, f"{command} | head -1")
    assert done.stdout.count("\n") == 1
    assert "roken pipe" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command", [f"{SERVER} score rows.jsonl", f"{SERVER} check-golds rows.jsonl", f"{NOISE} rows.jsonl"]
)
def test_what_is_read_is_not_written_over(folder: Path, command: str) -> None:
    done = bash(folder, f"ln -s rows.jsonl other; {command} -o other")
    assert (done.returncode, done.stderr) == (2, "reward-server: other is what is read: choose another output\n")
    assert (folder / "rows.jsonl").read_text() == ROWS


def test_a_record_that_is_a_pipe_is_refused_with_the_reason(folder: Path) -> None:
    done = bash(folder, f"{SERVER} audit <(cat rows.jsonl)")
    assert done.returncode == 2
    assert "is a stream, and a record is read more than once" in done.stderr
