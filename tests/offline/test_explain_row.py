"""A row of a record, explained by the command line as it was paid, and beside what it was paid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from made_record import made_rows, write_record
from typer.testing import CliRunner

from reward_server.cli import app
from reward_server.types import Sample

QUERY = "flip_prob=0.4&seed=17&alpha=0.5"
SAMPLES = [
    Sample(f"Wait, \\boxed{{{answer}}}", "2+2?", ("4",), group=f"q-{question}", visit=2, step=2)
    for question in range(4)
    for answer in (4, 5)
]


@pytest.fixture
def record(tmp_path: Path) -> Path:
    write_record(tmp_path / "record", made_rows(SAMPLES, "flip", QUERY))
    return tmp_path / "record"


def explain(*arguments: object) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["explain", *map(str, arguments)])
    assert result.exit_code == 0, f"{result.output} {result.exception!r}"
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_a_row_is_explained_under_its_own_reward_and_query(record: Path) -> None:
    (file,) = record.glob("*/*.jsonl")
    wanted = [json.loads(line) for line in file.read_text().splitlines()][3]
    told = explain(record, "--row", wanted["id"])
    assert (told["reward"], told["value"], told["parts"]) == ("flip", wanted["paid"], wanted["parts"])
    assert told["noise"]["seed"] == 17 and told["noise"]["visit"] == 2
    assert told["recorded"]["where"] == f"{file}:4" and told["recorded"]["differs"] == {}
    assert told["recorded"]["says"].endswith("and is paid the same under its recorded configuration.")
    told.pop("milliseconds")
    for same in ((file, "--row", 4), (record, "--row", f"{file}:4"), (file, "--row", wanted["id"])):
        again = explain(*same)
        again.pop("milliseconds")
        assert again == told


def test_what_was_paid_otherwise_is_said_with_the_reason(record: Path) -> None:
    (file,) = record.glob("*/*.jsonl")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    right = next(row for row in rows if row["parts"]["clean"] == 1 and row["parts"]["flipped"] == 1)
    told = explain(record, "--row", right["id"], "-r", "verifier")["recorded"]
    assert told["says"] == f"It was paid {right['paid']:g}, and is paid 1 now under another one (-r was given)."
    assert told["differs"]["paid"] == {"recorded": right["paid"], "now": 1.0}
    file.write_text("".join(json.dumps(row | {"paid": 0.25}) + "\n" for row in rows))
    told = explain(file, "--row", 1)["recorded"]
    assert "It was paid 0.25, and is paid" in told["says"] and list(told["differs"]) == ["paid"]


def test_a_row_that_score_wrote_is_explained(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"completion": "\\\\boxed{4}", "ground_truth": "4", "group": "q"}\n' * 2)
    reward = ("-r", "flip?flip_prob=0.9")
    done = CliRunner().invoke(app, ["score", str(tmp_path / "rows.jsonl"), *reward, "-o", str(tmp_path / "out.jsonl")])
    assert done.exit_code == 0, done.output
    told = explain(tmp_path / "out.jsonl", "--row", 2, *reward)
    assert told["recorded"]["paid"] == told["value"] and "the same" in told["recorded"]["says"]
    assert set(told["recorded"]["differs"]) <= {"version"}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--row", "nobody"], "has no row of the id 'nobody'"),
        (["--row", "ID", "--ground-truth", "4"], "--ground-truth: a row has its own"),
        (["--row", "ID", "--alpha", "1"], "name the reward with -r"),
        (["--row", "TEXTLESS"], "recorded without its texts (record_text=false), so it cannot be derived again."),
        (["--row", "GONE"], "no reward is called 'gone'"),
    ],
)
def test_what_cannot_be_explained_is_said_in_one_line(record: Path, arguments: list[str], complaint: str) -> None:
    (row,) = made_rows(SAMPLES[:1], "flip", QUERY, text=False)
    (other,) = made_rows(SAMPLES[:1], "flip", QUERY)
    rows = [msgspec.structs.replace(row, id="TEXTLESS"), msgspec.structs.replace(other, id="GONE", reward="gone")]
    write_record(record, rows, 2)
    given = ["3f9c1a2b-1" if part == "ID" else part for part in arguments]
    result = CliRunner().invoke(app, ["explain", str(record), *given])
    assert (result.exit_code, complaint in " ".join(result.stderr.split())) == (2, True), result.output
