"""What docs/checks.md shows runs as it stands: its functions, its grader, its judge's prompt, and the replies."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from graders import grading
from running_server import RunningServer, running_server, until
from trainer_programs import printed

from reward_server.checks.spec import GraderCheck, JudgeCheck, PythonCheck

PAGE = (Path(__file__).parents[2] / "docs" / "checks.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
SHOWN = [(ask, reply) for (kind, ask), (_, reply) in zip(BLOCKS, BLOCKS[1:], strict=False) if "curl" in ask]
FILES = {block.splitlines()[0].removeprefix("# "): block for kind, block in BLOCKS if kind == "python"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def is_up(url: str) -> bool:
    try:
        return httpx.post(url, json={"answer": "", "ground_truth": {"tests": ["x"]}}).is_success
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """With all tables of the page, but for the ports."""
    folder, port = tmp_path_factory.mktemp("page"), free_port()
    for name in ("my_checks.py", "grader.py"):
        (folder / name).write_text(FILES[name])
    (folder / "judge.txt").write_text(next(block for kind, block in BLOCKS if kind == "text"))
    grader = subprocess.Popen([sys.executable, folder / "grader.py", str(port)], stderr=subprocess.DEVNULL)
    try:
        with grading() as judge:
            tables = "\n".join(block for kind, block in BLOCKS if kind == "toml" and "choice_check" not in block)
            tables = tables.replace("http://127.0.0.1:9000", f"http://127.0.0.1:{port}")
            (folder / "rewards.toml").write_text(tables.replace("http://127.0.0.1:8001", judge.url))
            until(lambda: is_up(f"http://127.0.0.1:{port}"))
            environment = {"PYTHONPATH": str(folder)}
            options = ("--config", str(folder / "rewards.toml"))
            with running_server(folder / "log", *options, environment=environment) as running:
                yield running
    finally:
        grader.kill()
        grader.wait()


@pytest.mark.parametrize("number", range(3))
def test_every_reply_is_what_the_page_says(server: RunningServer, number: int) -> None:
    command, reply = SHOWN[number]
    _, _, url, _, body = shlex.split(command)
    got = server.post(url.removeprefix("http://127.0.0.1:8000"), body.encode()).json()
    assert got | {"config": "…"} == json.loads(reply)


def test_the_functions_do_what_the_page_says_of_ifeval(tmp_path: Path) -> None:
    (tmp_path / "ifeval_check.py").write_text(FILES["ifeval_check.py"])
    assert printed("RECIPES_PYTHON", "recipe_ifeval.py", str(tmp_path), url="") == [{"scores": [0.5, 1.0, 1.0]}]


def test_multiple_choice_pays_what_the_page_says_and_its_examples_come_out(tmp_path: Path) -> None:
    (tmp_path / "choice_check.py").write_text(FILES["choice_check.py"])
    (tmp_path / "rewards.toml").write_text(next(block for _, block in BLOCKS if block.startswith("[checks.letter]")))
    found, about = printed("RECIPES_PYTHON", "recipe_choice.py", str(tmp_path), url="")
    rows = re.findall(r"^\| (.+?) +\| (\d+) +\| (\d+) +\|$", PAGE.partition("## Multiple choice")[2], re.MULTILINE)
    shown = [int(ours) for _, ours, _ in rows]
    assert (found["texts"], sorted(found["paid"].values())) == (281, sorted([*shown, 281]))  # one row more is not shown
    assert found["paid"]["as written"] == found["paid"]["before it another answer"] == 281
    assert found["paid"]["without its last sentence"] == found["paid"]["in a box"] == 0
    theirs = found["gpqa"]
    assert (theirs["as written"], theirs["then another letter"]) == (found["few"], 0)
    assert 0 < theirs["the question alone"] < theirs["without its last sentence"] < found["few"]
    assert about["heavy"] == []
    command = [sys.executable, "-m", "reward_server", "checks", "--config", str(tmp_path / "rewards.toml")]
    path = os.pathsep.join([str(tmp_path), about["place"]])
    ran = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, cwd=tmp_path)
    assert (ran.returncode, "letter" in ran.stdout) == (0, True), ran.stderr


def test_the_table_of_keys_has_every_key() -> None:
    keys = {name for kind in (PythonCheck, GraderCheck, JudgeCheck) for name in kind.model_fields}
    table = PAGE.partition("## Keys of [checks]")[2].partition("##")[0]
    assert keys - {"name", "folder"} == set(re.findall(r"`(\w+)`(?=[^|]*\| (?:all|Python|grader|judge))", table))
