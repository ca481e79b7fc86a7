"""Did a question that came back come with a new visit? If not, it met its old draw: a wrong label, and no noise.

A question is back when it is seen in another step. Where nobody recorded steps, it is back in another request, if the
requests hold whole batches; and where each request holds one sample, when more than `per` rows came between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec

from reward_server.offline.audit.draws import Draws

STALE = 0.05
"""More old visits than this share of all returns are a mistake, and not a question that a request's end cut in two."""
_ROWS = """
select run, question, visit, step, request, many, arrival from (
    select *, row_number() over (partition by run order by time, n) as arrival,
    count(*) over (partition by run, request) as many
    from draw where config = ? and part = ? and is_train and question is not null
) order by run, question, arrival
"""


class Meetings(msgspec.Struct):
    """When one question was met, and with which visits. `returns`: how often it came back, `old_returns`: with an old
    visit. A `gap` is where more than `per` rows came between two of its own.
    """

    returns: int = 0
    old_returns: int = 0
    visits: set[int] = msgspec.field(default_factory=set)
    occasions: set[tuple[str, int]] = msgspec.field(default_factory=set)
    last: int = 0
    gaps: int = 0

    def add(self, visit: int, step: int | None, request: int | None, many: int, arrival: int, per: int) -> None:
        """One row, the `arrival`th of all. `many`: rows of its request."""
        self.gaps += bool(self.last) and arrival - self.last > per
        self.last = arrival
        occasion = _occasion(step, request, many, self.gaps)
        if self.occasions and occasion not in self.occasions:
            self.returns += 1
            self.old_returns += visit in self.visits
        self.occasions.add(occasion)
        self.visits.add(visit)


@dataclass
class Freshness:
    """`returned`: questions that came back, `old` of them at least once with a visit that was there before.

    `returns`, `old_returns`: the same, each return counted. `visits`: how many different ones were sent, from
    `first_visit` to `last_visit`; 0 where nobody sent any, and noise takes 0. `runs`: which it is of.
    """

    questions: int = 0
    returned: int = 0
    old: int = 0
    returns: int = 0
    old_returns: int = 0
    visits: int = 0
    first_visit: int = 0
    last_visit: int = 0
    runs: tuple[str, ...] = field(default=(), kw_only=True)

    @property
    def is_stale(self) -> bool:
        """True where noise is not fresh."""
        return self.old_returns > STALE * self.returns


@dataclass
class OfRun:
    """One run, counted question by question."""

    run: str
    counts: Counter[str] = field(default_factory=Counter)
    visits: set[int] = field(default_factory=set)

    def add(self, rows: Iterable[tuple[Any, ...]], per: int) -> None:
        """All rows of a question, in the order of their arrival."""
        met = Meetings()
        for _, _, visit, step, request, many, arrival in rows:
            met.add(visit or 0, step, request, many, arrival, per)
            if visit is not None:
                self.visits.add(visit)
        counted = {"questions": 1, "returned": met.returns > 0, "old": met.old_returns > 0}
        self.counts.update({**counted, "returns": met.returns, "old_returns": met.old_returns})


def freshness(draws: Draws, config: int, part: str, per: int) -> list[OfRun]:
    """Of the training rows of one configuration, run by run: a question that another run has too is not back."""
    found = []
    for run, rows in groupby(draws.ask(_ROWS, config, part), itemgetter(0)):
        found.append(OfRun(run))
        for _, of_question in groupby(rows, itemgetter(1)):
            found[-1].add(of_question, per)
    return found


def joined(runs: Sequence[OfRun]) -> Freshness:
    """Of one run, or of several together."""
    counts = sum((each.counts for each in runs), Counter[str]())
    visits = set().union(*(each.visits for each in runs))
    ends = {"first_visit": min(visits, default=0), "last_visit": max(visits, default=0)}
    return Freshness(**counts, **ends, visits=len(visits), runs=tuple(each.run for each in runs))


def _occasion(step: int | None, request: int | None, many: int, gaps: int) -> tuple[str, int]:
    """When the question was seen. Requests that hold one sample each say nothing of it."""
    if step is not None:
        return "step", step
    return ("request", request) if request is not None and many > 1 else ("gap", gaps)
