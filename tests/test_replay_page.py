"""Every command of docs/replay.md runs as it stands, and prints what the page says it prints."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from made_record import FACTS, made_rows, write_record
from msgspec.structs import replace
from offline.test_replay import RECEIPT
from typer.testing import CliRunner

from reward_server.cli import app
from reward_server.records.row import Row
from reward_server.types import Sample

PAGE = (Path(__file__).parents[1] / "docs/replay.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
OMITTED = "…\n"


def make_record(folder: Path) -> None:
    """Two runs under the same noise: of `noisy-40` the visits are the steps, of `old-visits` nobody sent any."""
    for run in ("noisy-40", "old-visits"):
        rows: list[Row] = []
        for step in range(4):
            samples = [
                Sample(
                    f"Wait, let me check. So \\boxed{{{question + (rollout + step) % 3}}}",
                    prompt=f"What is {question} + 0?",
                    ground_truths=(str(question),),
                    group=f"q-{question}",
                    visit=step if run == "noisy-40" else None,
                )
                for question in range(100)
                for rollout in range(4)
            ]
            query = f"flip_prob=0.4&seed=17&run={run}&step={step}"
            facts = replace(FACTS, run=run, step=step, request_id=f"request-{step}", time=FACTS.time + 60 * step)
            made = made_rows(samples, "flip", query, facts)
            rows += [replace(row, id=f"3f9c1a2b-{number}") for number, row in enumerate(made, len(rows))]
        write_record(folder / "record", rows)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    make_record(folder)
    (folder / "questions.jsonl").write_text("".join(json.dumps({"group": f"q-{n}"}) + "\n" for n in range(100)))
    rows = [json.loads(line) for line in next((folder / "record").glob("noisy-40/*")).read_text().splitlines()]
    labels = ({"id": row["id"], "correct": (row["parts"]["clean"] == 1) != (n % 7 == 0)} for n, row in enumerate(rows))
    (folder / "labels.jsonl").write_text("".join(json.dumps(label) + "\n" for label in labels))
    return folder


def printed(command: str) -> str:
    """What a command prints, and its exit code where that is not 0."""
    name, *arguments = shlex.split(command)
    if name != "reward-server":
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
        return done.stdout
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code in (0, 1), result.output
    return result.stdout + (f"exit code {result.exit_code}\n" if result.exit_code else "")


def test_the_page_shows_what_is_printed(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workplace)
    (workplace / "receipt.py").write_text(RECEIPT)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    text = commands = ""
    for kind, content in BLOCKS:
        if kind == "bash":
            commands = content
            text = re.sub(r"[ \t]+\n", "\n", "".join(map(printed, content.strip().splitlines())))
        elif kind == "text":
            start = 0
            for part in content.split(OMITTED):
                found = text.find(part, start)
                assert found >= 0, f"{part!r} is not in what {commands!r} prints:\n{text}"
                start = found + len(part)


def test_the_page_has_the_program_that_derives_a_receipt() -> None:
    assert RECEIPT in PAGE
    assert [kind for kind, _ in BLOCKS].count("text") >= 8
