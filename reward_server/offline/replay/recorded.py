"""The rows that are paid again: of a record, or of any JSONL file that `reward-server score` reads.

A row of a plain file may know nothing of what it was paid. What was paid is `paid`, or `reward` where that is a number
(so the output of `score` is read too); `outcome`, `parts` and `config` are taken where they are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from reward_server.dialects.json_body import JsonBody
from reward_server.dialects.json_text import JsonNumber, read_object
from reward_server.dialects.label import checked_visit
from reward_server.dialects.row import sample_of
from reward_server.errors import CommandError, InvalidRequest
from reward_server.records.files import FILE, Place, files, row_in
from reward_server.records.row import DEFAULT_RUN, VERSION, Row, texts_of
from reward_server.records.text import BadLine, NewerLine
from reward_server.types import Outcome

TOLD = ("paid", "reward", "outcome", "parts", "config", "run", "step")
"""What a row of a plain file may say beside its sample."""


class UnreadableRow(CommandError, ValueError):
    """A line is no row: which, and why."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One row. `line`: from 1. `is_paid`: it says what was paid, which may be null."""

    file: Path
    line: int
    row: Row
    is_paid: bool = True

    @property
    def where(self) -> str:
        """file:line"""
        return f"{self.file}:{self.line}"


@dataclass
class Source:
    """All rows of a record, of one of its runs, or of a file. Iterating twice gives the same rows again.

    Of a record, a line that is no row is passed over: a disk that was full, or a machine that went down, may leave one.
    A wrong row of any other file is refused. Raises NoRecord, UnreadableRow. Since the last time it was read, `torn`:
    last lines that have no end; `bad`: how many lines are no rows, and `first_bad`: what is wrong with the first;
    `gone`: files that were deleted meanwhile, as `record_max_gb` does.
    """

    path: Path
    run: str | None = None
    torn: list[Path] = field(default_factory=list)
    gone: list[Path] = field(default_factory=list)
    bad: int = 0
    first_bad: str = ""

    def __iter__(self) -> Iterator[Recorded]:
        self.torn.clear()
        self.gone.clear()
        self.bad = 0
        for file in files(self.path, self.run):
            try:
                yield from self._of(file)
            except FileNotFoundError:
                self.gone.append(file)

    def only(self, id: str, line: int | None = None) -> Iterator[Recorded]:
        """The rows of that id, or those of that line of each file. No other line is read as JSON."""
        told = id.encode("utf-8", "surrogatepass")
        for file in files(self.path, self.run):
            found = self._of(file, lambda number, raw: told in raw if line is None else number == line)
            yield from (each for each in found if line is not None or each.row.id == id)

    def _of(self, file: Path, wanted: Callable[[int, bytes], bool] = lambda _line, _raw: True) -> Iterator[Recorded]:
        is_named = FILE.fullmatch(file.name) is not None
        is_record = True if is_named else None
        for line, (place, raw) in enumerate(_lines(file, self.torn), 1):
            if not raw.strip() or not wanted(line, raw):
                continue
            try:
                is_record = _is_record(raw) if is_record is None else is_record
                found = Recorded(file, line, row_in(place, raw)) if is_record else _plain(file, line, raw)
            except (BadLine, InvalidRequest) as error:
                reason = f"{file}:{line}: {str(error).removeprefix(f'{place}: ')}"
                if not is_named or isinstance(error, NewerLine):
                    raise UnreadableRow(reason) from None
                self.bad += 1
                self.first_bad = reason if self.bad == 1 else self.first_bad
                continue
            if self.run is None or found.row.run == self.run:
                yield found


def _lines(file: Path, torn: list[Path]) -> Iterator[tuple[Place, bytes]]:
    """Each with its place. A last line without an end counts where it is whole nevertheless, as editors leave it."""
    with file.open("rb") as opened:
        start = 0
        for raw in opened:
            if not raw.endswith(b"\n") and raw.strip() and not _is_object(raw):
                torn.append(file)
                return
            yield Place(file, start), raw
            start += len(raw)


def _is_object(raw: bytes) -> bool:
    try:
        read_object(raw)
    except InvalidRequest:
        return False
    return True


def _is_record(raw: bytes) -> bool:
    """A line of a record, and not a row of somebody else's. Raises InvalidRequest."""
    row = read_object(raw)
    return "v" in row and "paid" in row


def _plain(file: Path, line: int, raw: bytes) -> Recorded:
    body = JsonBody(raw)
    sample = sample_of(body)
    told = {name: body.label(name) if name in body else None for name in TOLD}
    paid = told["paid"] if "paid" in body else told["reward"]
    parts = told["parts"] if isinstance(told["parts"], dict) else {}
    row = Row(
        v=VERSION,
        id=f"{file.name}-{line}",
        time="",
        run=_text(told["run"]) or DEFAULT_RUN,
        step=sample.step if told["step"] is None else checked_visit(told["step"]),
        request_id="",
        dialect="row",
        reward="",
        query="",
        config=_text(told["config"]),
        version="",
        **texts_of(sample),  # type: ignore[arg-type]  # of several fields
        visit=sample.visit,
        flip=sample.flip,
        source=sample.source,
        lost=sample.is_lost,
        chars=len(sample.completion),
        turn_chars=len(sample.completion),
        paid=_number(paid),
        outcome=outcome if (outcome := _text(told["outcome"])) in set(Outcome) else "",
        parts={name: _number(value) for name, value in parts.items()},
    )
    is_null = paid is None and not body.keys.isdisjoint(("paid", "reward"))
    return Recorded(file, line, row, is_paid=is_null or isinstance(paid, JsonNumber))


def _text(value: object) -> str:
    is_text = isinstance(value, str) and not isinstance(value, JsonNumber)
    return str(value).encode("utf-8", "replace").decode() if is_text else ""


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, JsonNumber) else None
