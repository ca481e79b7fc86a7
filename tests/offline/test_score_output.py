"""What `score` finds where it is to write: what it goes on with, and what it leaves as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from reward_server.offline.score_output import CannotResume, left_of, line_of, rows_in
from reward_server.types import Outcome, Score

CONFIG = "0123456789ab"
INPUT = [
    '{"completion": "\\\\boxed{4}",  "n": 1.50}\n',
    "\n",
    '{"completion": "é \\ud800", "n": 1e2, "config": "theirs"}\n',
    '{"n": 3, "m": {"n": 4}}\n',
    '{"completion": "the last has no end"}',
]


def output_of(lines: list[str], config: str = CONFIG) -> str:
    score = Score(Outcome.CORRECT, 1.0, shown=1.0, parts={"clean": 1.0})
    return "".join(line_of(line, score, config) for _, line in rows_in(map(str.encode, lines)))


def left(output: Path, lines: list[str]) -> tuple[int, list[int]]:
    done, rows = left_of(rows_in(map(str.encode, lines)), output, CONFIG)
    return done, [number for number, _ in rows]


WHOLE = output_of(INPUT)


@pytest.mark.parametrize("cut", range(0, len(WHOLE) + 1, 7))
def test_wherever_it_was_cut_the_rows_of_whole_lines_are_done(tmp_path: Path, cut: int) -> None:
    (tmp_path / "out").write_text(WHOLE[:cut])
    whole = WHOLE[:cut].count("\n")
    assert left(tmp_path / "out", INPUT) == (whole, [1, 3, 4, 5][whole:])
    assert (tmp_path / "out").read_text() == "".join(WHOLE.splitlines(keepends=True)[:whole])


def test_rows_may_have_been_added_to_the_input(tmp_path: Path) -> None:
    (tmp_path / "out").write_text(WHOLE)
    assert left(tmp_path / "out", [*INPUT[:4], INPUT[4] + "\n", '{"completion": "new"}\n']) == (4, [6])


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (output_of(INPUT[:1]) + output_of(INPUT[3:]), "another row where the input has line 3"),
        (output_of(INPUT) + output_of(INPUT[:1]), "more rows than the input, which has 4"),
        (output_of(INPUT, "another_one_"), "config another_one_, this run has 0123456789ab"),
        ("".join(INPUT), "another row where the input has line 1"),
        ("notes", "another row where the input has line 1"),
        ('{"a": 1}', "another row where the input has line 1"),
        (output_of(INPUT[:3]) + "notes", "another row where the input has line 4"),
    ],
)
def test_what_is_not_made_of_these_rows_is_refused_and_stays(tmp_path: Path, content: str, why: str) -> None:
    (tmp_path / "out").write_text(content)
    with pytest.raises(CannotResume, match=why):
        left(tmp_path / "out", INPUT)
    assert (tmp_path / "out").read_text() == content


def test_a_device_is_not_read() -> None:
    assert left(Path("/dev/full"), INPUT) == (0, [1, 3, 4, 5])
