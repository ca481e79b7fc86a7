"""What there is in a record: its runs, and the rewards of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from reward_server.view.curves import Axis, axis_of
from reward_server.view.filters import Filter, configs, whole
from reward_server.view.index import Index
from reward_server.view.sums import Field, summed


@dataclass(slots=True)
class Run:
    """One run. `rewards`: training rows by reward, the most frequent first. Times are seconds since 1970."""

    number: int
    name: str
    rows: int = 0
    evaluation: int = 0
    paid: float = 0.0
    paid_rows: int = 0
    rewards: Counter[str] = field(default_factory=Counter)
    begin: float = 0.0
    end: float = 0.0

    @property
    def mean(self) -> float | None:
        """What its training rows were paid."""
        return self.paid / self.paid_rows if self.paid_rows else None

    @property
    def reward(self) -> str:
        """The reward of most rows."""
        return self.rewards.most_common(1)[0][0] if self.rewards else ""


def runs(index: Index, only: Iterable[str] | None = None) -> list[Run]:
    """All runs, the newest first."""
    found = {number: Run(number, name) for number, name in index.names("run").items()}
    wanted = {number: run for number, run in found.items() if only is None or run.name in only}
    rewards = {number: text.split("\n")[2] for number, text in index.names("config").items()}
    marks = ",".join("?" * len(wanted))
    sums = index.query(f"SELECT run, config, train, numbers FROM sums WHERE run IN ({marks})", *wanted)
    for (number, config, is_train, _), vector in zip(sums, summed([row[3] for row in sums]), strict=True):
        run, rows = wanted[number], int(vector[Field.ROWS])
        run.rows += rows
        run.rewards[rewards[config]] += rows
        if is_train:
            run.paid, run.paid_rows = run.paid + vector[Field.PAID], run.paid_rows + int(vector[Field.PAID_ROWS])
        else:
            run.evaluation += rows
    for run in wanted.values():
        for place in ("min", "max"):
            ((time,),) = index.query(
                f"SELECT time FROM samples WHERE n = (SELECT {place}(n) FROM samples WHERE run = ?)", run.number
            )
            setattr(run, "begin" if place == "min" else "end", time)
    return sorted(wanted.values(), key=lambda run: -run.end)


def run_named(index: Index, name: str) -> Run | None:
    """One run, None where there is none of that name."""
    return next(iter(runs(index, (name,))), None)


def axis_for(index: Index, run: Run, filter: Filter) -> Axis:
    """How the run is cut into buckets where a filter names one."""
    reward = filter.reward or run.reward
    chosen = set(configs(index, reward))
    rows = index.query("SELECT config, numbers FROM sums WHERE run = ? AND train = 1", run.number)
    total = sum(
        vector[Field.ROWS]
        for (config, _), vector in zip(rows, summed([r[1] for r in rows]), strict=True)
        if config in chosen
    )
    return axis_of(index, run.number, int(total), whole(filter.per) or None)
