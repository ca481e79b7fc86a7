"""Every command of these pages runs as it stands, and prints what they say it prints."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from running_server import HANG_S, RunningServer, running_server
from typer.testing import CliRunner

from reward_server.cli import app

ROOT = Path(__file__).parents[1]
PAGES = (
    "README.md",
    "docs/rewards.md",
    "docs/compose.md",
    "docs/reward-model.md",
    "docs/reference.md",
    "docs/noise.md",
    "CONTRIBUTING.md",
)
LINKED = [*PAGES, "SECURITY.md", *(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
BLOCKS = {page: BLOCK.findall((ROOT / page).read_text()) for page in PAGES}
COMMANDS = [
    (page, number) for page, blocks in BLOCKS.items() for number, block in enumerate(blocks) if block[0] == "bash"
]
HERE = "http://127.0.0.1:8000"
A_MODEL = "/score/rm"
"""In a block of commands: they need a reward model."""
ANYTHING = "…"
"""In a reply: what is another at each time."""
NOT_RUN_HERE = {
    "make test": "this is it",
    "make check": "CI runs it before the tests",
    "make serve": "run below, on a free port",
    "make docker-test": "needs a Docker engine",
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


@pytest.fixture(scope="module")
def server_with_a_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Its model says 0.25 to everything: the head has a bias only."""
    pytest.importorskip("torch")
    from tiny_models import make_config, make_tokenizer
    from transformers import AutoModelForTokenClassification

    folder = tmp_path_factory.mktemp("model")
    model = AutoModelForTokenClassification.from_config(make_config(num_labels=1))  # type: ignore[no-untyped-call]
    model.score.weight.data.zero_()
    model.score.bias.data.fill_(0.25)
    model.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    options = ("--rm-model", str(folder), "--rm-device", "cpu", "--rm-threads", "1", "--verifier-workers", "1")
    with running_server(folder / "log", *options) as server:
        server.wait_ready()
        yield server


def run(script: str, workplace: Path) -> str:
    result = subprocess.run(
        ["bash", "-euc", script], cwd=workplace, capture_output=True, text=True, timeout=HANG_S, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize(("page", "number"), COMMANDS)
def test_a_block_of_commands_runs_and_prints_the_reply_below_it(
    page: str, number: int, workplace: Path, request: pytest.FixtureRequest
) -> None:
    block = BLOCKS[page][number][1]
    server = request.getfixturevalue("server_with_a_model" if A_MODEL in block else "server")
    commands = "\n".join(line for line in block.splitlines() if line not in NOT_RUN_HERE)
    printed = run(commands.replace(HERE, server.url), workplace)
    assert '{"error"' not in printed  # the metrics have a label of that name
    if number + 1 < len(BLOCKS[page]) and BLOCKS[page][number + 1][1].startswith('{"reward"'):
        assert is_like(json.loads(printed), json.loads(BLOCKS[page][number + 1][1])), printed


def is_like(found: object, shown: object) -> bool:
    """Equal, but for what is shown as `…`."""
    if isinstance(found, dict) and isinstance(shown, dict):
        return found.keys() == shown.keys() and all(is_like(found[key], shown[key]) for key in found)
    return shown == ANYTHING or found == shown


@pytest.mark.parametrize("page", PAGES)
def test_what_is_shown_as_json_is_json(page: str) -> None:
    for kind, text in BLOCKS[page]:
        if kind == "json":
            json.loads(text)


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
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(), flags=re.DOTALL)  # in code it is no link
    for link in re.findall(r"\]\(([^)]+)\)", text):
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


@pytest.mark.parametrize("page", LINKED)
def test_commands_that_are_not_run_have_flags_that_exist(page: str) -> None:
    text = (ROOT / page).read_text()
    commands = re.findall(r"\breward-server (serve|score|explain|calibrate|check-golds|rewards)\b([^`\n]*)", text)
    commands += [("serve", arguments) for arguments in re.findall(r'make serve [^`\n]*ARGS="([^"]*)"', text)]
    for command, arguments in commands:
        known = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output
        for flag in re.findall(r"(?<!\S)--?[a-z][a-z-]*", arguments):
            assert re.search(rf"(?<!\S){flag}(?![\w-])", known), f"{command} {flag}"
