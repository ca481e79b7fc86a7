"""A run on a shared server: what happened that misled the dashboard of 2026-11, on a clock of its own.

Every minute a step of 64 questions × 8 completions, three quarters of them right, at flip_prob=0.4 with fresh visits;
every fourth step 512 evaluation rows, 9 of 10 right; from minute 7 to 14 a run of another team beside it
(flip_prob=0.1, 3 of 10 right); from minute 14 on half of our completions are cut off. Prometheus comes by every 15 s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from dashboard_queries import filled, panel_queries
from real_prometheus import Page, Prometheus
from running_server import RunningServer

STEP_S, SCRAPE_S, MINUTES = 60, 15, 20
OTHER_FROM, CUT_FROM = 7, 14
OURS, THEIRS = "flip_prob=0.4&seed=17", "flip_prob=0.1&seed=3"
GROUP = 8
SAMPLES = 64 * GROUP
RUN = "{{reward}} {{config}}"
"""The legend of a panel with a line a config."""
CUT = "First we add the two numbers and then we take the square of what"


@dataclass
class Told:
    """What became of it: the pages by time, and the rewards of each of our steps."""

    begin: float
    pages: list[Page] = field(default_factory=list)
    rewards: list[list[float]] = field(default_factory=list)
    configs: dict[str, str] = field(default_factory=dict)
    """Of `ours` and `theirs`."""

    def at(self, minute: int) -> float:
        """When Prometheus came by for the last time in that minute."""
        return self.begin + minute * STEP_S + STEP_S - SCRAPE_S

    def paid(self, minute: float, minutes: int) -> float:
        """What our run was truly paid, on average, in the steps of the `minutes` before."""
        values = [
            value for step, all_of in enumerate(self.rewards) if minute - minutes < step <= minute for value in all_of
        ]
        return sum(values) / len(values)


def tell(server: RunningServer, begin: float) -> Told:
    """Lives through it on a server, as if it began at `begin` (seconds since the epoch)."""
    told = Told(begin)
    quiet = server.get("/metrics").text  # nobody has asked yet
    told.pages += [(begin - after, quiet) for after in range(STEP_S, 0, -SCRAPE_S)]
    for minute in range(MINUTES):
        for name, query, body in _requests(minute):
            reply = server.post(f"/score/flip?{query}", body).json()
            told.configs[name] = reply["config"]
            if name == "ours":
                told.rewards.append(reply["rewards"])
        page = server.get("/metrics").text
        told.pages += [(begin + minute * STEP_S + after, page) for after in range(0, STEP_S, SCRAPE_S)]
    return told


def ours(prometheus: Prometheus, told: Told, title: str, legend: str, minute: int) -> float:
    """What the panel of that title says of our run at that minute, over its window of five minutes."""
    found = prometheus.ask(filled(panel_queries(title)[legend]), told.at(minute))
    return found[f"config={told.configs['ours']}", "reward=flip"]


def _requests(minute: int) -> Iterator[tuple[str, str, dict[str, object]]]:
    yield "ours", OURS, rows(minute, right=3, of=4, cut=minute >= CUT_FROM)
    if minute % 4 == 1:
        yield "ours, evaluation", OURS, rows(minute, right=9, of=10, flip=False)
    if OTHER_FROM <= minute < CUT_FROM:
        yield "theirs", THEIRS, rows(minute, right=3, of=10)


def rows(visit: int, *, right: int, of: int, cut: bool = False, flip: bool = True) -> dict[str, object]:
    """A batch in which `right` of `of` completions are right, the right ones spread over the groups."""
    completions = [f"So it is \\boxed{{{4 if sample % of < right else 5}}}." for sample in range(SAMPLES)]
    if cut:
        completions = [CUT if sample // 4 % 2 else text for sample, text in enumerate(completions)]
    labels = [
        {"ground_truth": "4", "flip": flip, "group": f"q{sample // GROUP}", "visit": visit} for sample in range(SAMPLES)
    ]
    return {"completions": completions, "ground_truths": labels}
