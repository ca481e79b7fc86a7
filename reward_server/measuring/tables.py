"""What was counted since the start of one server, by config: verdicts of all traffic, and what the audit says of some.

Of each visit of a question one rollout is counted as audited. Requests may hold a whole group, a part of it, or one
sample, so audits wait a while, by question: when it is closed, one of its texts is chosen (`choice`), by how often it
came. A question is closed when `MAX_WAITING` audits wait; a report looks at all of them as if they were closed.

Memory: at most `MAX_TABLES` configs, the ones that were used last, 2 MB each.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from threading import Lock

from reward_server.measuring.choice import first_of
from reward_server.measuring.confusion import Counts
from reward_server.measuring.drift import Cusum

MAX_TABLES = 16
MAX_WAITING = 8192
MAX_QUESTIONS = 8192
"""So many questions are told apart when they are counted."""
AT_ONCE = 128
"""Questions that are looked at without letting a request in."""
NO_LOCK: AbstractContextManager[object] = nullcontext()
BLOCK = 500
"""Audits of a block. "Of late" are this block and the one before it."""
Stratum = tuple[str, str]
ALL: Stratum = ("all", "")
GRADED = "graded"


@dataclass(frozen=True, slots=True)
class Seen:
    """One sample. `question`: a digest of group and visit, `text` one of its own turn; `draw`: the text's, in `choice`.

    `verdicts`: by name, right or wrong. `answered`: `GRADED`, or the outcome of an answer that was not graded.
    `was_asked`: is there an audit? `audit`: what it says; None where it has no opinion.
    """

    question: bytes
    text: str
    draw: float
    verdicts: dict[str, bool]
    answered: str
    tier: str
    kind: str
    was_asked: bool = False
    audit: bool | None = None

    @property
    def strata(self) -> tuple[Stratum, ...]:
        """What is not answered is a stratum of its own, and in no other."""
        if self.answered != GRADED:
            return (("outcome", self.answered),)
        return ALL, ("tier", self.tier), ("kind", self.kind)


@dataclass(slots=True)
class _Cell:
    """As `Counts`, to be added to."""

    given: list[int] = field(default_factory=lambda: [0, 0])
    """Verdicts: wrong, right."""
    audited: list[int] = field(default_factory=lambda: [0, 0])
    right: list[int] = field(default_factory=lambda: [0, 0])

    def counts(self, questions: int = 0) -> Counts:
        (zeros, ones), (n0, n1), (k0, k1) = self.given, self.audited, self.right
        return Counts(ones, zeros, n1, k1, n0, k0, questions)


class Tallies:
    """Counts by stratum and verdict, those of late, and drift of each verdict."""

    def __init__(self) -> None:
        self._cells: dict[tuple[Stratum, str], _Cell] = {}
        self._blocks: list[dict[str, _Cell]] = [{}, {}]
        self.drift: dict[str, tuple[Cusum, Cusum]] = {}
        """Of the audited that a verdict calls wrong, and right."""
        self.audits = 0
        self.without_opinion = 0

    def given(self, seen: Seen) -> None:
        """One sample of the traffic."""
        for name, verdict in seen.verdicts.items():
            for cell in self._of(seen, name):
                cell.given[verdict] += 1

    def audited(self, seen: Seen, graded: Mapping[str, Sequence[int]]) -> None:
        """The one audit of a question. `graded`: all verdicts of its rollouts that were graded, wrong and right."""
        for name, (wrong, right) in graded.items():
            block = self._blocks[1].setdefault(name, _Cell())
            block.given = [block.given[0] + wrong, block.given[1] + right]
        if seen.audit is None:
            self.without_opinion += 1
            return
        is_graded = seen.answered == GRADED
        for name, verdict in seen.verdicts.items():
            late = [self._blocks[1].setdefault(name, _Cell())] if is_graded else []
            for cell in (*self._of(seen, name), *late):
                cell.audited[verdict] += 1
                cell.right[verdict] += seen.audit
            if is_graded:
                self.drift.setdefault(name, (Cusum(), Cusum()))[verdict].add(seen.audit != verdict)
        self.audits += is_graded
        if is_graded and self.audits % BLOCK == 0:
            self._blocks = [self._blocks[1], {}]

    def counts(self, stratum: Stratum, verdict: str, questions: int = 0) -> Counts:
        """Since the start."""
        return self._cells.get((stratum, verdict), _Cell()).counts(questions)

    def of_late(self, verdict: str) -> Counts:
        """Of the last 500 to 1,000 audits, and the traffic of their questions."""
        earlier, now = (block.get(verdict, _Cell()).counts() for block in self._blocks)
        return earlier + now

    def strata(self, kind: str) -> list[Stratum]:
        """Those of a kind that were seen."""
        return sorted({stratum for stratum, _ in self._cells if stratum[0] == kind})

    def _of(self, seen: Seen, verdict: str) -> Iterator[_Cell]:
        for stratum in seen.strata:
            yield self._cells.setdefault((stratum, verdict), _Cell())


@dataclass(slots=True)
class _Waiting:
    """A question whose audits wait: how often each audited text came, its draw, and one sample of it.

    `graded`: by verdict, how many of its rollouts it called wrong, and right."""

    times: dict[str, int] = field(default_factory=dict)
    draws: dict[str, float] = field(default_factory=dict)
    seen: dict[str, Seen] = field(default_factory=dict)
    graded: dict[str, list[int]] = field(default_factory=dict)

    def add(self, seen: Seen) -> bool:
        """One rollout. True where it has a new text that was audited."""
        if seen.answered == GRADED:
            for name, verdict in seen.verdicts.items():
                self.graded.setdefault(name, [0, 0])[verdict] += 1
        if not seen.was_asked:
            return False
        is_new = seen.text not in self.times
        self.times[seen.text] = self.times.get(seen.text, 0) + 1
        self.draws[seen.text] = seen.draw
        self.seen.setdefault(seen.text, seen)
        return is_new

    def copy(self) -> _Waiting:
        """One that stays as it is."""
        graded = {name: list(both) for name, both in self.graded.items()}
        return _Waiting(dict(self.times), dict(self.draws), dict(self.seen), graded)

    def close(self, tallies: Tallies) -> None:
        """Counts the one that is chosen."""
        tallies.audited(self.seen[first_of(self.times, self.draws)], self.graded)


class Table:
    """What was counted of one config. Its callers hold a lock."""

    def __init__(self, parameters: str, reference: str, share: float) -> None:
        self.parameters, self.reference, self.share = parameters, reference, share
        self.questions = 0
        self._tallies = Tallies()
        self._waiting: OrderedDict[bytes, _Waiting] = OrderedDict()
        self._waits = 0
        self._questions: OrderedDict[bytes, None] = OrderedDict()

    def add(self, several: Sequence[Seen]) -> None:
        """The samples of one request."""
        asked = {seen.question for seen in several if seen.was_asked}
        for seen in several:
            self._tallies.given(seen)
            self._count_question(seen.question)
            if seen.question in asked:
                self._waits += self._waiting.setdefault(seen.question, _Waiting()).add(seen)
        while self._waits > MAX_WAITING:
            _, waiting = self._waiting.popitem(last=False)
            self._waits -= len(waiting.seen)
            waiting.close(self._tallies)

    def tallies(self, lock: AbstractContextManager[object] = NO_LOCK) -> Tallies:
        """All that was counted, with what waits. `lock` is held for milliseconds at a time: requests wait for it."""
        with lock:
            tallies, waiting = deepcopy(self._tallies), list(self._waiting.values())
        for begin in range(0, len(waiting), AT_ONCE):
            with lock:
                copies = [each.copy() for each in waiting[begin : begin + AT_ONCE]]
            for each in copies:
                each.close(tallies)
        return tallies

    def _count_question(self, question: bytes) -> None:
        if question not in self._questions:
            self.questions += 1
            self._questions[question] = None
            if len(self._questions) > MAX_QUESTIONS:
                self._questions.popitem(last=False)


class Tables:
    """Those of one server, by (reward, config)."""

    def __init__(self) -> None:
        self._tables: OrderedDict[tuple[str, str], Table] = OrderedDict()
        self._lock = Lock()
        self.forgotten = 0

    def add(self, name: str, config: str, begin: Callable[[], Table], several: Sequence[Seen]) -> None:
        """Counts the samples of one request in the table of its config; `begin` makes it, where there is none."""
        with self._lock:
            key = name, config
            table = self._tables[key] = self._tables.get(key) or begin()
            self._tables.move_to_end(key)  # the last used is the last
            table.add(several)
            if len(self._tables) > MAX_TABLES:
                self._tables.popitem(last=False)
                self.forgotten += 1

    def of(self, name: str) -> dict[str, tuple[Table, Tallies]]:
        """The tables of a reward by config, with what was counted; the last used first."""
        with self._lock:
            found = [(config, table) for (of, config), table in self._tables.items() if of == name]
        return {config: (table, table.tallies(self._lock)) for config, table in reversed(found)}
