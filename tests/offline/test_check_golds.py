"""`reward-server check-golds`: what is found in a file of ground truths, how it is said, and the exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_cli import lines, reward_server

from reward_server.offline.check_golds import Kind, _Graded, _judged, findings_table, ground_truths_in
from reward_server.types import Outcome

SOUND = [
    "42",
    r"\frac{3}{4}",
    r"2\sqrt{3}+1",
    r"\text{even}",
    "C",
    "x=5",
    "(1,2)",
    r"\ln 2",
    r"\binom{15}{7}",
    "0",
    "yes",
]
FAULTY = [
    "42",  # line 1: sound
    "\text{cone}",  # 2: repaired
    "90^\n",  # 3: nobody knows
    r"1^{2}x",  # 4: pays 1^{3}x, which is equal; no rule here can tell
    r"9^{9^{9^{9}}}+x",  # 5: too much for the budget
    "",  # 6
]


def written(path: Path, rows: list[Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_sound_ground_truths_end_with_0(tmp_path: Path) -> None:
    result = reward_server("check-golds", written(tmp_path / "a.jsonl", [{"answer": truth} for truth in SOUND]))
    assert (result.returncode, result.stdout) == (0, f"{len(SOUND)} ground truths: nothing found\n"), result.stdout
    assert f"{len(SOUND)}/{len(SOUND)}" in result.stderr


def test_what_is_found_is_shown_by_kind_and_written_a_line_each(tmp_path: Path) -> None:
    output = tmp_path / "found.jsonl"
    rows = [{"ground_truth": truth} for truth in [*FAULTY, FAULTY[1]]]
    result = reward_server("check-golds", written(tmp_path / "a.jsonl", rows), "-o", str(output))
    assert result.returncode == 1, result.stderr
    found = lines(output.read_text())
    assert [(each["row"], each["kind"]) for each in found] == [
        (2, Kind.REPAIRED),
        (3, Kind.UNGRADABLE),
        (4, Kind.UNSURE),
        (5, Kind.SLOW),
        (6, Kind.UNGRADABLE),
        (7, Kind.REPAIRED),
    ], found
    assert (found[0]["ground_truth"], found[0]["answer"]) == ("\text{cone}", r"\text{cone}")
    assert found[2]["answer"] == "1^{3}x"
    assert found[3]["cpu_s"] > 0.5
    for part in ("7 ground truths", r"line 2: \text{cone}", r"line 4: 1^{2}x <- 1^{3}x", "not be told"):
        assert part in result.stdout


def test_rows_come_from_standard_input_with_any_column_and_alternatives() -> None:
    rows = [
        {"reward_model": {"ground_truth": ["4", "\frac12"]}},
        {"reward_model": {"ground_truth": 0.5}},
        {"reward_model": {"ground_truth": None}},
    ]
    stdin = "\n\n".join(json.dumps(row) for row in rows)
    result = reward_server("check-golds", "-", "--key", "reward_model.ground_truth", "-o", "-", stdin=stdin)
    found = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    assert [(each["row"], each["kind"]) for each in found] == [(1, Kind.REPAIRED), (5, Kind.UNGRADABLE)]


def test_a_label_object_is_read_as_everywhere() -> None:
    rows = [{"label": json.dumps({"ground_truth": "98,", "visit": 1})}, {"label": '{"ground_truth": "4", "weight": 2}'}]
    result = reward_server("check-golds", "-", "-o", "-", stdin="\n".join(map(json.dumps, rows)))
    found = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    assert [(each["row"], each["kind"]) for each in found] == [(1, Kind.REPAIRED), (2, Kind.UNGRADABLE)]


@pytest.mark.parametrize(
    ("arguments", "stdin", "complaint"),
    [
        (
            ["-"],
            '{"answer": "4"}\n{"question": "?"}\n',
            "line 2: no ground_truth, expected_answer, answer, label (--key",
        ),
        (["-", "--key", "a.b"], '{"a": {"c": 1}}\n', "line 1: no a.b (--key names another column)"),
        (["-"], "[4]\n", "line 1: the body must be a JSON object"),
        (["absent.jsonl"], "", "absent.jsonl"),
    ],
)
def test_what_cannot_be_read_ends_with_2(arguments: list[str], stdin: str, complaint: str) -> None:
    result = reward_server("check-golds", *arguments, stdin=stdin)
    assert (result.returncode, result.stdout) == (2, "")
    assert complaint in result.stderr


def test_help_says_what_each_finding_means() -> None:
    text = " ".join(reward_server("check-golds", "--help").stdout.split())
    assert all(f'"{kind}"' in text for kind in Kind)
    assert "Exit code: 0 nothing was found, 1 something was" in text


CORRECT, INCORRECT = Outcome.CORRECT, Outcome.INCORRECT


@pytest.mark.parametrize(
    ("grades", "kinds"),
    [
        ([("42", CORRECT, 0.0), ("43", INCORRECT, 0.0)], []),
        ([("42", CORRECT, 0.0), ("43", CORRECT, 0.0), ("1=2", CORRECT, 0.0)], [Kind.WRONG, Kind.WRONG]),
        ([(r"\binom{5}{2}", CORRECT, 0.0), (r"\binom{5}{3}", CORRECT, 0.0)], []),
        ([("x+1", CORRECT, 0.0), ("x+2", CORRECT, 0.0)], [Kind.UNSURE]),
        ([("x+1", INCORRECT, 0.0)], [Kind.NOT_PAID]),
        ([("x+1", CORRECT, 0.0), ("x+2", Outcome.UNGRADABLE, 0.0)], [Kind.UNGRADABLE]),
        ([("x+1", CORRECT, 0.0), ("x+2", INCORRECT, 0.7)], [Kind.SLOW]),
        ([("x+1", CORRECT, 0.0), ("x+2", Outcome.TIMEOUT, 0.1)], [Kind.SLOW]),
    ],
)
def test_what_the_grades_say(grades: list[tuple[str, Outcome, float]], kinds: list[Kind]) -> None:
    assert [kind for kind, _ in _judged([_Graded(*grade) for grade in grades], slow_s=0.5)] == kinds


def test_nothing_found_is_one_line() -> None:
    assert findings_table(3, []) == "3 ground truths: nothing found"


def test_a_null_column_hides_no_other() -> None:
    rows = [b'{"ground_truth": null, "answer": "4"}', b'{"ground_truth": "", "answer": "4"}', b'{"answer": null}']
    assert list(ground_truths_in(rows, None)) == [(1, "4"), (2, ""), (3, "")]
