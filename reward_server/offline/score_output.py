"""The output of `score`: its lines, and how far one that is there already goes.

It is resumed where each of its lines is a row of the input, in order, under this configuration, and the last may be
unfinished. Anything else is refused, and stays as it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from reward_server.dialects.json_text import read_object
from reward_server.errors import CommandError, InvalidRequest
from reward_server.types import Score

Row = tuple[int, bytes]
"""Line number, from 1, and the line."""


class CannotResume(CommandError, ValueError):
    """The output was made with another configuration, of other rows, or is no output of ours."""


def rows_in(lines: Iterable[bytes]) -> Iterator[Row]:
    """Those lines that are not blank."""
    return ((number, line) for number, line in enumerate(lines, 1) if line.strip())


def line_of(line: bytes, score: Score, config: str) -> str:
    """The row with what it earned at its end."""
    row = read_object(line)
    earned = {"reward": score.reward, "outcome": score.outcome, "parts": score.parts, "config": config}
    while not row.keys().isdisjoint(earned):
        earned = {f"scored_{name}": value for name, value in earned.items()}
    return json.dumps({**row, **earned}) + "\n"


def left_of(rows: Iterator[Row], output: Path, config: str) -> tuple[int, Iterator[Row]]:
    """How many rows the output holds, and the rows that it lacks. Cuts off a line that was not finished.

    A pipe or a device holds none. Raises CannotResume.
    """
    if not output.is_file():
        return 0, rows
    with output.open("rb+") as file:
        done, end = 0, 0
        for line in file:
            row = next(rows, None)
            if row is None:
                raise CannotResume(f"{output} has more rows than the input, which has {done}: choose another output")
            _check_row(output, line, row)
            if not line.endswith(b"\n"):
                rows = chain([row], rows)
                break
            _check_config(output, line, config)
            done, end = done + 1, end + len(line)
        file.truncate(end)
    return done, rows


def _check_row(output: Path, line: bytes, row: Row) -> None:
    """Is the line, or what there is of it, that of the row?"""
    number, given = row
    try:
        begins = json.dumps(read_object(given))[:-1].encode()
    except InvalidRequest:
        return  # it has no line, and the message that says so is another's
    size = min(len(begins), len(line))
    if line[:size] != begins[:size]:
        raise CannotResume(f"{output} has another row where the input has line {number}: choose another output")


def _check_config(output: Path, line: bytes, config: str) -> None:
    try:
        name, found = next(reversed(read_object(line).items()), ("", None))
    except InvalidRequest:
        name, found = "", None
    if found != config or not name.endswith("config"):
        raise CannotResume(f"{output} holds rewards of config {found}, this run has {config}: choose another output")
