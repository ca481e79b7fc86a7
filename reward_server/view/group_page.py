"""The view *Group*: a question over its visits, what was drawn for each, and what was answered."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from reward_server.records.noise import flipped_in
from reward_server.records.row import Row, text_digest
from reward_server.view.facts import number
from reward_server.view.index import Index
from reward_server.view.listing import read
from reward_server.view.rendering import truth
from reward_server.view.sums import GAP_ROWS

MOST_ROWS = 1000
"""Of one question; the last ones are shown."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One completion."""

    n: int
    id: str
    paid: float | None
    clean: float | None
    flipped: list[str]
    """The parts that noise flipped; one that is empty is the reward itself."""
    outcome: str
    answer: str


@dataclass(slots=True)
class Column:
    """One occurrence of the question: a visit, and where it came, `begin` to `arrival`. `draws`: how often each.

    `is_repeated`: its draw was there before, in another occurrence: old noise is a wrong label.
    """

    visit: int | None
    unit: int
    begin: int
    arrival: int
    config: int
    is_train: bool
    cells: list[Cell] = field(default_factory=list)
    draws: dict[float, int] = field(default_factory=dict)
    is_repeated: bool = False

    @property
    def step(self) -> int | None:
        return self.unit if self.unit >= 0 else None

    @property
    def name(self) -> str:
        """What it is called."""
        if self.step is not None:
            return f"step {self.step}"
        return f"row {self.begin:,}" if self.visit is None else f"visit {self.visit}"

    @property
    def draw(self) -> float | None:
        """The one draw of all its completions."""
        return next(iter(self.draws)) if len(self.draws) == 1 else None


@dataclass(frozen=True, slots=True)
class Question:
    """`name`: its group, or its prompt. `answers`: text, how often it was given, how often it was right.

    `truths`: each ground truth, with the visit that first had it. `left_out`: older rows.
    """

    name: str
    columns: list[Column]
    answers: list[tuple[str, int, int]]
    truths: dict[str, str]
    prompt: str
    rows: int
    left_out: int

    @property
    def repeated(self) -> int:
        return sum(column.is_repeated for column in self.columns)

    @property
    def change(self) -> str:
        """A sentence where its ground truth is not the same at all visits."""
        if len(self.truths) < 2:
            return ""
        told = [f"{truth} from {name} on" for truth, name in [*self.truths.items()][:5]]
        more = f" and {len(self.truths) - 5} others" if len(self.truths) > 5 else ""
        return f"Its ground truth is not always the same: {', '.join(told)}{more}. One of them may belong elsewhere."

    @property
    def doubt(self) -> str:
        """A sentence where most rollouts give one answer that is not the label."""
        if not self.answers:
            return ""
        answer, given, right = self.answers[0]
        if not answer or right or given < 3 or 2 * given <= self.rows:
            return ""
        label = f"the label says {[*self.truths][-1]}" if self.truths else "it was not paid"
        return f"{given} of {self.rows} say {answer}, {label}. It may be the label that is wrong."


_COLUMNS = "n, unit, arrival, config, visit, train, draw"


def group_of_question(index: Index, run: int, group: str) -> Question | None:
    """By the question's group, or by its digest; None where there is none."""
    numbers = number(group), number(text_digest(group))
    where = "run = ? AND question IN (?, ?)"
    ((rows,),) = index.query(f"SELECT count(*) FROM samples WHERE {where}", run, *numbers)
    found = index.query(
        f"SELECT {_COLUMNS} FROM samples WHERE {where} ORDER BY n DESC LIMIT {MOST_ROWS}", run, *numbers
    )[::-1]
    if not found:
        return None
    columns: list[Column] = []
    answers: Counter[str] = Counter()
    right: Counter[str] = Counter()
    truths: dict[str, str] = {}
    last: Row | None = None
    for values in found:
        row = read(index, values[0])
        if row is None:
            continue
        last = row
        column = _column(columns, *values[1:6])
        cell = _cell(values[0], row)
        column.cells.append(cell)
        truths.setdefault(truth(row), column.name)
        if values[6] is not None:
            column.draws[values[6]] = column.draws.get(values[6], 0) + 1
        answers[cell.answer] += 1
        right[cell.answer] += cell.clean == 1
    _note_repeated(columns)
    return Question(
        group if last is None else last.group or str(last.prompt or group),
        columns,
        [(answer, given, right[answer]) for answer, given in answers.most_common(20)],
        {text: name for text, name in truths.items() if text},
        last.prompt if last is not None and isinstance(last.prompt, str) else "",
        sum(answers.values()),
        rows - len(found),
    )


def _column(columns: list[Column], unit: int, arrival: int, config: int, visit: int | None, train: int) -> Column:
    """The open one, or a new one where the visit, the step or the configuration is another, or much came between."""
    if columns:
        open = columns[-1]
        is_same = (open.visit, open.config, open.is_train) == (visit, config, bool(train))
        is_near = unit == open.unit if unit >= 0 else arrival - open.arrival <= GAP_ROWS
        if is_same and is_near:
            open.arrival = arrival
            return open
    columns.append(Column(visit, unit, arrival, arrival, config, bool(train)))
    return columns[-1]


def _cell(n: int, row: Row) -> Cell:
    parts = row.parts
    return Cell(n, row.id, row.paid, parts.get("clean"), flipped_in(parts), row.outcome, row.answer or "")


def _note_repeated(columns: list[Column]) -> None:
    """A draw hashes seed, question and visit: the same one again is the same noise again."""
    seen: set[tuple[int, float]] = set()
    for column in columns:
        if not column.is_train:
            continue
        drawn = {(column.config, draw) for draw in column.draws}
        column.is_repeated = bool(drawn & seen)
        seen |= drawn
