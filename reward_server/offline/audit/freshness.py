"""Did a question that came back come with a new visit? If not, it met its old draw: a wrong label, and no noise.

A question is back when it is seen in another step. Where nobody recorded steps, it is back in another request, if the
requests hold whole batches; and where each request holds one sample, when more than `per` rows came between.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec

from reward_server.offline.audit.draws import Draws

STALE = 0.05
"""More old visits than this share of all returns are a mistake, and not a question that a request's end cut in two."""
_ROWS = """
select question, coalesce(visit, 0), step, request, many, arrival from (
    select *, row_number() over (order by time, n) as arrival, count(*) over (partition by request) as many
    from draw where config = ? and part = ? and is_train and question is not null
) order by question, arrival
"""
_VISITS = """
select count(distinct coalesce(visit, 0)), min(coalesce(visit, 0)), max(coalesce(visit, 0))
from draw where config = ? and part = ? and is_train
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
    `first_visit` to `last_visit`.
    """

    questions: int = 0
    returned: int = 0
    old: int = 0
    returns: int = 0
    old_returns: int = 0
    visits: int = 0
    first_visit: int = 0
    last_visit: int = 0

    @property
    def is_stale(self) -> bool:
        """True where noise is not fresh."""
        return self.old_returns > STALE * self.returns


def freshness(draws: Draws, config: int, part: str, per: int) -> Freshness:
    """Of the training rows of one configuration."""
    ((visits, first, last),) = draws.ask(_VISITS, config, part)
    found = Freshness(visits=visits, first_visit=first or 0, last_visit=last or 0)
    for _, rows in groupby(draws.ask(_ROWS, config, part), itemgetter(0)):
        returns, old = _returns(rows, per)
        found.questions += 1
        found.returned += returns > 0
        found.old += old > 0
        found.returns += returns
        found.old_returns += old
    return found


def _returns(rows: Iterable[tuple[Any, ...]], per: int) -> tuple[int, int]:
    """How often one question came back, and how often with an old visit. Rows are in the order of their arrival."""
    met = Meetings()
    for _, visit, step, request, many, arrival in rows:
        met.add(visit, step, request, many, arrival, per)
    return met.returns, met.old_returns


def _occasion(step: int | None, request: int | None, many: int, gaps: int) -> tuple[str, int]:
    """When the question was seen. Requests that hold one sample each say nothing of it."""
    if step is not None:
        return "step", step
    return ("request", request) if request is not None and many > 1 else ("gap", gaps)
