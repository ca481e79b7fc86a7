"""Every flip before a run, and the proof afterwards that this is what was paid."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from made_record import made_rows, write_record
from typer.testing import CliRunner

from reward_server.cli import app
from reward_server.records.row import Row
from reward_server.types import Sample

URL = "http://user:key@host:8000/score/flip?{}&reply=object"


def command(*arguments: object, code: int = 0, stdin: str | None = None) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)
    assert result.exit_code == code, f"{result.output} {result.exception!r}"
    return result.stdout if code < 2 else " ".join(result.stderr.split())


def paid(query: str, *, text: bool = True) -> list[Row]:
    """Forty questions, three visits, a right and a wrong answer; some questions are their own key."""
    samples = [
        Sample(
            f"\\boxed{{{answer}}}",
            prompt=f"what is {question}?",
            ground_truths=("4",),
            wrong_ground_truths=("5",),
            group=None if question % 4 == 0 else f"q {question}" if question % 4 == 1 else f"q{question}",
            visit=visit,
            flip=question > 1,
        )
        for visit in range(3)
        for question in range(40)
        for answer in (4, 5)
    ]
    return made_rows(samples, "flip", query, text=text)


def questions(folder: Path) -> Path:
    """As a data set has them: no completions, one row a question."""
    path = folder / "questions.jsonl"
    with path.open("w") as file:
        for row in paid("flip_prob=0.4")[:80:2]:
            told = {"group": row.group, "prompt": row.prompt, "ground_truth": "4", "level": 3}
            file.write(json.dumps({key: value for key, value in told.items() if value is not None}) + "\n")
    return path


@pytest.mark.parametrize("text", [True, False])
@pytest.mark.parametrize(
    "query",
    [
        "flip_prob=0.4&seed=17",
        "false_positive_prob=0.1&false_negative_prob=0.6&seed=3",
        "flip_prob=0.9@0,0.1@2",
        "flip_prob=0.4&seed=17&label_noise=0.5",
        "flip_prob=0.4&correction=backward",
        "flip_prob=0.5&flip_scope=answer&seed=5",
        "flip_prob=0.5&rpr_until_visit=1",
    ],
)
def test_what_was_predicted_is_what_was_paid(tmp_path: Path, query: str, text: bool) -> None:
    rows = paid(query, text=text)
    write_record(tmp_path, rows)
    told = tmp_path / "predictions.jsonl"
    command("noise", URL.format(query), questions(tmp_path), "--visits", "0:3", "-o", told)
    found = json.loads(command("reconcile", tmp_path, told, "--json"))
    train = sum(row.flip for row in rows)
    predicted = train // 2 if "answer" in query else train  # of answers the right one alone
    assert (found["predicted"], found["unpredicted"], found["different"]) == (predicted, train - predicted, 0)
    assert found["without_noise"] == len(rows) - train
    lines = [json.loads(line) for line in told.read_text().splitlines()]
    by_key = {(line["group"], line.get("visit")): line for line in lines}
    for row in rows:
        line = by_key[row.group or row.prompt, None if "answer" in query else row.visit] if text else None
        if (
            line
            and row.flip
            and row.parts["clean"] == 1
            and not row.parts.get("wrong_label")
            and line.get("exposed", True)
        ):
            assert line["flipped_if_1"] == (row.parts["flipped"] == 1)
            assert line["draw"] == row.parts["flip_draw"]


def changed(row: Row, **fields: object) -> Row:
    return msgspec.structs.replace(row, **fields)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda row: changed(row, paid=1 - row.paid), "paid"),
        (lambda row: changed(row, parts={**row.parts, "flip_draw": 0.5}), "draw"),
        (lambda row: changed(row, query="flip_prob=0.3&seed=17"), "rate"),
        (lambda row: changed(row, visit=2), "draw"),
    ],
)
def test_a_row_that_was_paid_otherwise_is_named(tmp_path: Path, change: Callable[[Row], Row], kind: str) -> None:
    rows = paid("flip_prob=0.4&seed=17")
    rows[20] = change(rows[20])
    file = write_record(tmp_path, rows)
    told = tmp_path / "predictions.jsonl"
    command("noise", "flip?flip_prob=0.4&seed=17", questions(tmp_path), "--visits", "0:3", "-o", told)
    found = json.loads(command("reconcile", tmp_path, told, "--json", code=1))
    assert (found["different"], found[kind]) == (1, 1)
    assert found["examples"][kind] == [f"{file}:21  {rows[20].id}"]
    assert f"{file}:21" in command("reconcile", tmp_path, told, code=1)


def test_rows_that_nobody_predicted_are_counted(tmp_path: Path) -> None:
    write_record(tmp_path, paid("flip_prob=0.4"))
    (tmp_path / "none.jsonl").write_text("")
    assert "no row was predicted" in command("reconcile", tmp_path, tmp_path / "none.jsonl", code=1)
    told = tmp_path / "predictions.jsonl"
    told.write_text(command("noise", "flip?flip_prob=0.4", "-", "--visits", "1", stdin='{"group": "q2"}\n'))
    found = json.loads(command("reconcile", tmp_path, told, "--json"))
    assert (found["predicted"], found["predictions"], found["predictions_met"]) == (2, 1, 1)


def test_a_mix_is_predicted_by_its_parts(tmp_path: Path) -> None:
    line = command("noise", "mix?flip=0.8&flip.flip_prob=0.4&flip.seed=3&rpr=0.2", "-", stdin='{"group": "q"}')
    alone = command("noise", "flip?flip_prob=0.4&seed=3", "-", stdin='{"group": "q"}')
    told: dict[str, Any] = json.loads(line)
    assert told.pop("part") == "flip"
    assert {**told, "config": ""} == {**json.loads(alone), "config": ""}


def test_of_a_route_the_sources_that_are_paid_without_noise_are_passed_over() -> None:
    rows = "".join(json.dumps({"group": source, "source": source}) + "\n" for source in ("clean", "noisy", "clean"))
    told = command("noise", f"{ROUTE}&noisy.flip_prob=0.4", "-", stdin=rows).splitlines()
    assert [json.loads(line)["group"] for line in told] == ["noisy"]


ROUTE = "route?clean=verifier&noisy=flip"


@pytest.mark.parametrize(
    ("arguments", "stdin", "complaint"),
    [
        (["verifier", "-"], '{"group": "q"}', "verifier draws no noise"),
        (["rm_sim", "-"], '{"group": "q"}', "cannot be told before the run"),
        (["flip?flip_prob=0.4&flip_scope=sample", "-"], '{"group": "q"}', "which nobody knows before the run"),
        (["flip?flip_prob=0.4&flip_scope=answer", "-"], '{"group": "q"}', "the question 'q' has none"),
        (["flip", "-"], "", "give flip_prob"),
        ([f"{ROUTE}&noisy.flip_prob=1", "-"], '{"group": "q", "source": "clean"}', "for source 'clean', is a flip"),
        ([f"{ROUTE}&noisy.flip_prob=1", "-"], '{"group": "q", "source": "niosy"}', "for source 'niosy', is a flip"),
        ([f"{ROUTE}&noisy.flip_prob=1", "-"], '{"group": "q"}', "for source None, is a flip"),
        (["flip?flip_prob=0.4", "-", "--visits", "9:3"], "", "holds no visit"),
        (["flip?flip_prob=0.4", "-", "--visits", "all"], "", "expected a number, or FIRST:END"),
        (["flip?flip_prob=0.4", "-"], '{"group": "q"}\n{"ground_truth": "4"}', "-:2: noise needs a group or a prompt"),
        (["flip?flip_prob=0.4", "-"], "[1]", "-:1: "),
        (["flip?flip_prob=0.4", "absent.jsonl"], "", "absent.jsonl"),
    ],
)
def test_what_cannot_be_told_before_a_run_is_said(arguments: list[str], stdin: str, complaint: str) -> None:
    assert complaint in command("noise", *arguments, code=2, stdin=stdin)


def test_a_line_that_is_no_prediction_is_refused(tmp_path: Path) -> None:
    write_record(tmp_path, paid("flip_prob=0.4"))
    told = tmp_path / "told.jsonl"
    told.write_text('{"group": "q"}\n')
    assert f"{told}:1: no line of `reward-server noise`" in command("reconcile", tmp_path, told, code=2)
