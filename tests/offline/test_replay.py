"""Recorded rows, paid again: byte for byte under their own configuration, and by any other reward."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_record import FACTS, made_rows, write_record
from msgspec.structs import replace
from typer.testing import CliRunner

from reward_server.cli import app
from reward_server.offline.replay.comparing import state_of
from reward_server.offline.replay.plans import Choice
from reward_server.records.row import Row
from reward_server.records.text import encode
from reward_server.types import JsonTruth, Sample

CONFIGS = (
    ("verifier", ""),
    ("flip", "flip_prob=0.4&seed=17"),
    ("flip", "label_noise=0.5"),
    ("rpr", ""),
    ("rm_sim", "accuracy=0.7"),
)
COMPLETIONS = (
    *("\\boxed{0}", "Wait, \\boxed{1}", "no box", "\\boxed{}", "\\boxed{" + "x" * 1200 + "}"),
    *("\\boxed{1} \ud800", "nul \0 \\boxed{1}", "\U0001f600\\boxed{1}"),
)


def rows_of(reward: str, query: str, *, run: str = "noisy", text: bool = True) -> list[Row]:
    """Four steps of sixteen questions, four completions each; the first question is for evaluation."""
    samples = [
        Sample(
            COMPLETIONS[(question + rollout * (step + 1)) % len(COMPLETIONS)],
            prompt=f"what is {question}?",
            ground_truths=(str(question % 2),),
            wrong_ground_truths=("7",),
            group=f"q{question}",
            visit=step,
            step=step,
            flip=question > 0,
        )
        for step in range(4)
        for question in range(16)
        for rollout in range(4)
    ]
    rows = made_rows(samples, reward, query, replace(FACTS, run=run), text=text)
    return [replace(row, id=f"{reward}-{query}-{row.id}") for row in rows]


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every reward that needs no model, in one run."""
    folder = tmp_path_factory.mktemp("record")
    for number, config in enumerate(CONFIGS, 1):
        write_record(folder, rows_of(*config), number)
    return folder


def command(*arguments: object, code: int = 0) -> str:
    """What the command prints; it has to end with the code."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, f"{result.output} {result.exception!r}"
    return result.stdout


def report(*arguments: object, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(command("replay", *arguments, "--json", code=code))
    return found


def changed_by_hand(
    record: Path, folder: Path, change: Callable[[dict[str, Any]], dict[str, Any]], line: int = 30
) -> Path:
    """A copy of the record's second file in which one line is another."""
    file = sorted(record.glob("*/*.jsonl"))[1]
    lines = file.read_text().splitlines()
    lines[29] = json.dumps(change(json.loads(lines[29])))
    copy = folder / file.parent.name / file.name
    copy.parent.mkdir()
    copy.write_text("\n".join(lines) + "\n")
    return copy


def test_every_byte_is_the_same_under_the_recorded_configuration(record: Path) -> None:
    found = report(record)
    total = 256 * len(CONFIGS)
    assert (found["total"], found["rows"]["same"]) == (total, total)
    assert {each["now"] == each["config"] for each in found["configs"]} == {True}
    assert (
        found["verdict"]
        == f"{total} of {total} rows paid again under their own configuration are the same, byte for byte"
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda row: row | {"paid": 1 - row["paid"]},
        lambda row: row | {"paid": None},
        lambda row: row | {"parts": row["parts"] | {"flip_draw": row["parts"]["flip_draw"] + 2**-53}},
        lambda row: row | {"outcome": "unanswered"},
    ],
)
def test_what_was_changed_by_hand_is_found_and_named(record: Path, tmp_path: Path, change: Any) -> None:
    copy = changed_by_hand(record, tmp_path, change)
    found = report(tmp_path, code=1)
    assert (found["rows"]["differs"], found["rows"]["same"]) == (1, 255)
    (row,) = found["examples"]["differs"]
    assert row["where"] == f"{copy}:30"
    assert f"{copy}:30" in command("replay", tmp_path, code=1)
    assert json.loads(command("replay", tmp_path, "--list", "differs", "--json", code=1)) == row


@pytest.mark.parametrize(("outcome", "name"), [("timeout", "edge"), ("error", "error")])
def test_rows_that_prove_nothing_are_listed_apart(record: Path, tmp_path: Path, outcome: str, name: str) -> None:
    changed_by_hand(record, tmp_path, lambda row: row | {"outcome": outcome, "paid": 0.0 if name == "edge" else None})
    found = report(tmp_path)
    assert (found["rows"][name], found["rows"]["differs"], len(found["examples"][name])) == (1, 0, 1)


def test_the_verifier_pays_a_flip_record_its_clean_scores(record: Path, tmp_path: Path) -> None:
    flip = sorted(record.glob("*/*.jsonl"))[1]
    output = tmp_path / "replayed.jsonl"
    found = report(flip, "-r", "verifier", "-o", output)
    rows = [json.loads(line) for line in flip.read_text().splitlines()]
    again = [json.loads(line) for line in output.read_text().splitlines()]
    assert [row["paid"] for row in again] == [row["parts"]["clean"] for row in rows]
    assert {row["reward"] for row in again} == {"verifier"}
    assert [row["was"].get("paid", row["paid"]) for row in again] == [row["paid"] for row in rows]
    assert found["changed"] == sum(row["paid"] != row["parts"]["clean"] for row in rows) > 0
    for step in range(4):
        train = [row for row in rows if row["step"] == step and row["flip"]]
        (bucket,) = [each for each in found["buckets"] if each["step"] == step]
        assert bucket["old_mean"] == pytest.approx(sum(row["paid"] for row in train) / len(train))
        assert bucket["new_mean"] == pytest.approx(sum(row["parts"]["clean"] for row in train) / len(train))
    report(flip, "-r", "verifier", "--check", code=1)
    assert report(output)["rows"]["same"] == 256  # it is a record itself


KINDS = ("sign", "gains-variance", "loses-variance", "teaching-before", "teaching-after")


def signs_of(rewards: list[float]) -> list[int]:
    mean = sum(rewards) / len(rewards)
    return [(reward > mean) - (reward < mean) for reward in rewards]


def by_hand(rows: list[dict[str, Any]], place: Callable[[dict[str, Any]], int]) -> dict[int, dict[str, set[str]]]:
    """Ids of the rows behind each number of each step, of a `flip` that is paid by `verifier`, in plain Python."""
    groups: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in rows:
        if row["flip"]:
            groups.setdefault((row["group"], place(row)), []).append(row)
    found: dict[int, dict[str, set[str]]] = {}
    for (_, step), some in groups.items():
        old, new = signs_of([row["paid"] for row in some]), signs_of([row["parts"]["clean"] for row in some])
        taught, teaches = any(old), any(new)
        held = (
            any(a * b < 0 for a, b in zip(old, new, strict=True)),
            teaches > taught,
            taught > teaches,
            taught,
            teaches,
        )
        of_step = found.setdefault(step, {kind: set() for kind in KINDS})
        for kind, holds in zip(KINDS, held, strict=True):
            of_step[kind] |= {row["id"] for row in some} if holds else set()
    return found


def test_groups_that_teach_or_change_an_advantage_are_counted_by_step_and_listed(record: Path) -> None:
    flip = sorted(record.glob("*/*.jsonl"))[1]
    wanted = by_hand([json.loads(line) for line in flip.read_text().splitlines()], lambda row: row["step"])
    found = report(flip, "-r", "verifier")
    for each in found["buckets"]:
        counts = {kind: len(ids) / 4 for kind, ids in wanted[each["step"]].items()}
        assert each["groups"] == {"groups": 15, **counts}
    assert found["groups"] == {
        name: sum(each["groups"][name] for each in found["buckets"]) for name in ("groups", *KINDS)
    }
    assert found["groups"]["sign"] and found["groups"]["teaching-after"]
    assert found["training"]["rows"] == 240
    for kind in KINDS:
        for place, ids in (
            (f"{kind}@2", wanted[2][kind]),
            (kind, set().union(*(each[kind] for each in wanted.values()))),
        ):
            lines = command("replay", flip, "-r", "verifier", "--list", place, "--json").splitlines()
            assert sorted(json.loads(line)["id"] for line in lines) == sorted(ids)
    assert len(command("replay", flip, "-r", "verifier", "--list", "rows@evaluation").splitlines()) == 16
    assert len(command("replay", flip, "-r", "verifier", "--list", "rows@3").splitlines()) == 60
    gained = report(flip, "-r", "rpr")["groups"]["gains-variance"]
    assert len(command("replay", flip, "-r", "rpr", "--list", "gains-variance").splitlines()) == 4 * gained > 0


def test_a_question_that_comes_back_in_a_run_without_steps_is_another_group(record: Path, tmp_path: Path) -> None:
    """Nobody sent a step or a visit. Each 60 training rows are one; a question is back after 57."""
    rows = [replace(row, step=None, visit=None) for row in rows_of("flip", "flip_prob=0.4&seed=17")]
    write_record(tmp_path, rows)
    read = [json.loads(encode(row)) for row in rows]
    wanted = by_hand(read, lambda row: read.index(row) // 64)
    found = report(tmp_path, "-r", "verifier", "--per", 40)
    assert [each["bucket"] for each in found["buckets"]] == [0, 1, 2, 3, 4, 5]
    assert found["groups"]["groups"] == 60
    for kind in KINDS:
        assert found["groups"][kind] == sum(len(each[kind]) for each in wanted.values()) / 4


def test_a_run_of_many_steps_is_shown_in_twenty_lines_or_in_all(tmp_path: Path) -> None:
    rows = [replace(row, step=n // 4) for n, row in enumerate(rows_of("verifier", "") * 2)]
    write_record(tmp_path, rows)
    short = command("replay", tmp_path, "-r", "rpr")
    assert "6 steps a line (--by-step: each step)" in short and "│ 116 … 121  │" in short
    assert "│ 119 " in command("replay", tmp_path, "-r", "rpr", "--by-step")


def test_an_interrupted_replay_goes_on_where_its_output_ends(record: Path, tmp_path: Path) -> None:
    output = tmp_path / "replayed.jsonl"
    whole = report(record, "-r", "rpr", "-o", output)
    text = output.read_bytes()
    output.write_bytes(text[: len(text) // 2])  # in the middle of a line, as a kill leaves it
    assert report(record, "-r", "rpr", "-o", output) == whole
    assert output.read_bytes() == text
    assert report(record, "-r", "rpr", "-o", output) == whole  # nothing left to do
    refused = CliRunner().invoke(app, ["replay", str(record), "-r", "verifier", "-o", str(output)])
    assert (refused.exit_code, "choose another output" in refused.output) == (2, True)


def test_a_variant_is_paid_again_without_its_rewards_toml(tmp_path: Path) -> None:
    rows = rows_of("flip", "flip_prob=0.4&seed=17&flip_unanswered=true&alpha=0.5")
    variant: dict[str, object] = {"base": "flip", "false_positive_prob": 0.1, "false_negative_prob": 0.2}
    variant |= {"flip_unanswered": True, "alpha": 0.5}
    told = [replace(row, reward="mine", query="flip_prob=0.4&seed=17", variant=variant) for row in rows]
    write_record(tmp_path, told)
    assert report(tmp_path)["rows"]["same"] == len(rows)


def test_what_cannot_be_made_again_is_said_and_compared_as_another(record: Path, tmp_path: Path) -> None:
    rows = [replace(row, version="0.0.9", config="0" * 12) for row in rows_of("verifier", "")]
    write_record(tmp_path, rows, 1)
    write_record(tmp_path, [replace(row, reward="gone") for row in rows[:5]], 2)
    write_record(tmp_path, rows_of("verifier", "", text=False)[:7], 3)
    found = report(tmp_path)
    assert (found["rows"]["another"], found["rows"]["not-paid"]) == (256, 12)
    whys = " | ".join(each["why"] for each in [*found["configs"], *found["not_paid"]])
    assert "recorded by version 0.0.9" in whys
    assert "no reward is called 'gone'" in whys
    assert "recorded without its texts" in whys
    report(tmp_path, "--check", code=1)


def test_rows_as_score_reads_them_are_paid_too(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows: list[dict[str, Any]] = [
        {"completion": "\\boxed{4}", "ground_truth": 4, "group": "q", "reward": 0.0, "outcome": "incorrect"},
        {"completion": "\\boxed{5}", "ground_truth": 4, "group": "q", "paid": 0},
        {"completion": "\\boxed{4}", "ground_truth": "4", "group": "q"},
        {"query": "2+2? so \\boxed{4}", "prompt": "2+2?", "ground_truth": "4"},
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows))  # the last one without an end
    found = report(path, "-r", "verifier")
    assert (found["total"], found["rows"]["unknown"], found["changed"]) == (4, 2, 1)
    assert "2 do not say what they were paid" in found["verdict"]
    told = report(path, code=1)
    assert "give one with -r" in told["not_paid"][0]["why"]


def test_rows_that_say_nothing_of_their_reward_show_what_they_are_paid(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    labels = ({"ground_truth": answer, "step": answer % 2} for answer in range(8))
    path.write_text("".join(json.dumps({"completion": "\\boxed{4}", "ground_truth": label}) + "\n" for label in labels))
    found = report(path, "-r", "verifier")
    assert [(each["step"], each["rows"], each["old_mean"], each["new_mean"]) for each in found["buckets"]] == [
        (0, 4, None, 0.25),
        (1, 4, None, 0.0),
    ]
    assert {(each["old"], each["new"], each["rows"]) for each in found["outcomes"]} == {
        ("", "correct", 1),
        ("", "incorrect", 7),
    }


def test_what_a_service_elsewhere_graded_otherwise_is_no_difference() -> None:
    old, new = rows_of("verifier", "")[:2]
    assert (old.paid, new.paid) == (1.0, 0.0)
    told = [state_of(old, new, Choice(None, True, asks_a_service=asks), is_paid=True).name for asks in (True, False)]
    assert told == ["SERVICE", "DIFFERS"]


def test_a_record_without_rows_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["replay", str(tmp_path)])
    assert (result.exit_code, f"{tmp_path}: holds no rows" in result.stderr.replace("\n", "")) == (2, True)


def test_rows_that_lack_what_the_reward_needs_do_not_end_the_others(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        "".join(json.dumps({"completion": "\\boxed{4}"} | more) + "\n" for more in ({}, {"ground_truth": "4"}) * 5)
    )
    found = report(path, "-r", "verifier")
    assert (found["rows"]["not-paid"], found["rows"]["unknown"]) == (5, 5)
    assert "needs a ground truth" in found["not_paid"][0]["why"]


def test_a_torn_line_is_passed_over_and_said(record: Path, tmp_path: Path) -> None:
    file = write_record(tmp_path, rows_of("verifier", "")[:8])
    file.write_bytes(file.read_bytes() + encode(rows_of("verifier", "")[8])[:50])
    result = CliRunner().invoke(app, ["replay", str(tmp_path), "--json"])
    assert (result.exit_code, json.loads(result.stdout)["total"]) == (0, 8)
    assert f"{file}: the last line has no end" in result.stderr


def test_lines_and_files_that_cannot_be_read_are_passed_over_and_said(tmp_path: Path) -> None:
    rows = rows_of("verifier", "")[:8]
    file = write_record(tmp_path, rows)
    file.write_bytes(b"\0" * 40 + b"\n" + encode(rows[0])[:50] + b"\n" + file.read_bytes())
    packed = file.with_name(file.name.replace("-0001", "-0002") + ".zst")
    packed.write_bytes(b"")
    result = CliRunner().invoke(app, ["replay", str(tmp_path), "--json"])
    told = json.loads(result.stdout)
    assert (result.exit_code, told["total"], told["lines_passed_over"]) == (1, 8, 2)
    assert (
        f"2 lines are no rows and are passed over, the first: {file}:1: not valid JSON: Expecting value"
        in result.stderr
    )
    assert f"1 files are compressed and are passed over, the first: {packed}" in result.stderr
    refused = CliRunner().invoke(app, ["replay", str(packed)])
    assert (refused.exit_code, "is compressed: decompress it first" in refused.stderr) == (2, True)
    file.write_bytes(encode(rows[0]).replace(b'"v":1', b'"v":2'))
    refused = CliRunner().invoke(app, ["replay", str(tmp_path)])
    assert (refused.exit_code, "use a newer reward-server" in refused.stderr) == (2, True)


def test_where_no_row_can_be_paid_it_says_so(tmp_path: Path) -> None:
    write_record(tmp_path, rows_of("verifier", "", text=False)[:7])
    assert report(tmp_path, code=1)["verdict"] == "No row could be paid again: 7 cannot be paid again here"
    assert report(tmp_path, "-r", "rpr")["verdict"].startswith("No row could be paid again")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["audit", "/dev/null"], "/dev/null"),
        (["replay", "absent"], "absent: no such folder"),
        (["replay", "/dev/null"], "/dev/null"),
        (["replay", ".", "-r", "nobody"], "no reward is called 'nobody'"),
        (["replay", ".", "--alpha", "1"], "name the reward with -r"),
        (["replay", ".", "-r", "http://host/health"], "no URL of a reward"),
        (["replay", ".", "--run", "other"], "has no run 'other'; it has noisy"),
        (["replay", "absent", "--list", "all"], "no such change; there are same, differs"),
        (["replay", "absent", "--list", "sign@x"], "behind the @ stands a step"),
        (["replay", ".", "-r", "rm"], "no reward model"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(record: Path, arguments: list[str], complaint: str) -> None:
    result = CliRunner().invoke(app, [str(record) if part == "." else part for part in arguments])
    assert (result.exit_code, complaint in " ".join(result.stderr.split())) == (2, True), result.output


RECEIPT = r"""
import json, sys
from hashlib import blake2b


def hashed(text, size):
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size)


def texts(value):
    if isinstance(value, dict) or any(isinstance(item, (dict, list)) for item in value or []):
        return [json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)]
    return [value] if isinstance(value, str) else value or []


entries = set()
for row in map(json.loads, sys.stdin):
    label = row["ground_truth"] if isinstance(row.get("ground_truth"), dict) else row
    truths = texts(label["ground_truth"]) if "ground_truth" in label else None
    wrong = texts(label["wrong_ground_truth"]) if "wrong_ground_truth" in label else None
    sample = [row.get("completion"), row.get("prompt"), truths, wrong, row.get("group"), row.get("visit"), row["flip"]]
    sample += [row.get("lost", False), label.get("ordered"), row.get("source")]
    text = json.dumps(sample, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    sample_digest = row.get("digest") or hashed(text, 16).hexdigest()
    entry = [sample_digest, json.dumps(row.get("step")), row["config"], json.dumps(row["paid"])]
    entries.add(hashed("\0".join(entry), 32).digest())
print(blake2b(b"".join(sorted(entries)), digest_size=32).hexdigest())
""".strip()
"""The program of docs/replay.md."""


def receipt_by_hand(files: list[Path]) -> str:
    lines = "".join(file.read_text() for file in files)
    return subprocess.run(
        [sys.executable, "-c", RECEIPT], input=lines, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_a_receipt_is_the_same_in_any_order_after_retries_and_without_texts(record: Path, tmp_path: Path) -> None:
    files = sorted(record.glob("*/*.jsonl"))
    found = report(record, "--receipt")["receipts"]
    assert found["recorded"] == found["now"]
    assert found["recorded"]["receipt"] == receipt_by_hand(files)
    assert found["recorded"]["contradicted"] == 0
    lines = [line for file in files for line in file.read_text().splitlines()]
    (tmp_path / "rows.jsonl").write_text("\n".join([*reversed(lines), *lines[:100]]) + "\n")
    assert report(tmp_path / "rows.jsonl", "--receipt")["receipts"]["recorded"] == found["recorded"]
    for number, config in enumerate(CONFIGS, 1):
        write_record(tmp_path, rows_of(*config, text=False), number)
    assert report(tmp_path, "--receipt", code=1)["receipts"]["recorded"] == found["recorded"]


def test_a_receipt_by_hand_knows_ground_truths_that_are_json(tmp_path: Path) -> None:
    truths = [JsonTruth.of({"words": 3.5, "a": "é"}), JsonTruth.of([["1"], 2]), "[1, 2]", "{x", "4"]
    samples = [
        Sample("\\boxed{4}", group="q", ground_truths=(truth,), wrong_ground_truths=wrong)
        for truth in truths
        for wrong in (None, (JsonTruth.of({"words": 2}),), ("5", "6"))
    ]
    file = write_record(tmp_path, made_rows(samples))
    assert report(file, "--receipt")["receipts"]["recorded"]["receipt"] == receipt_by_hand([file])


def test_two_rewards_of_one_sample_are_both_in_the_receipt(record: Path, tmp_path: Path) -> None:
    changed_by_hand(record, tmp_path, lambda row: row | {"paid": 1 - row["paid"]})
    copy = sorted(record.glob("*/*.jsonl"))[1]
    both = tmp_path / "both.jsonl"
    both.write_text(copy.read_text() + next(tmp_path.glob("*/*.jsonl")).read_text())
    found = report(both, "--receipt", code=1)["receipts"]
    assert (found["recorded"]["contradicted"], found["now"]["contradicted"]) == (1, 0)
    assert found["recorded"]["receipt"] == receipt_by_hand([both])
    assert found["now"] == report(copy, "--receipt")["receipts"]["now"]


def test_of_whom_a_second_opinion_was_asked_is_no_difference(tmp_path: Path) -> None:
    """It goes by the other rollouts in the request, and a recorded request may have been a single sample."""
    rows = rows_of("verifier", "check=string&reference=math")
    assert {row.parts["reference"] for row in rows} == {None}
    write_record(tmp_path, rows)
    found = report(tmp_path, "-o", tmp_path / "again.jsonl")
    assert (found["rows"]["same"], found["rows"]["differs"]) == (len(rows), 0)
    assert '"reference":1.0' in (tmp_path / "again.jsonl").read_text().replace(" ", "")
