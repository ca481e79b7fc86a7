"""The view *Run*: what its charts and its table show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from reward_server.view.curves import Curves, Values
from reward_server.view.sums import Field

LAST = 10
"""Buckets that a figure at the top is given for beside the whole run."""
COLOURS = {
    "correct": "good",
    "incorrect": "bad",
    "unanswered": "violet",
    "unparseable": "brown",
    "timeout": "warn",
    "bad_format": "violet",
    "partial": "accent",
    "scored": "accent",
}


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a chart. `colour`: of view.css. `form`: line, dash, points, or edge of a band (not in the legend).

    `is_share`: 0 … 1, else characters, on an axis of its own.
    """

    name: str
    values: Values
    colour: str
    form: str = "line"
    is_share: bool = True


@dataclass(frozen=True, slots=True)
class Chart:
    """`says`: what one reads off it. `axes`: what the left and the right one count."""

    title: str
    says: str
    series: list[Series]
    axes: tuple[str, str] = ("share", "")

    @property
    def legend(self) -> list[tuple[int, Series]]:
        """The series that are named, with their places."""
        return [(place, each) for place, each in enumerate(self.series) if each.form != "edge"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A number at the top: over the whole run, and over the last buckets where there are more."""

    name: str
    value: float | None
    last: float | None


@dataclass(frozen=True, slots=True)
class Fresh:
    """Of one configuration: whether questions that came back met new noise, in a sentence of the audit's.

    `is_at_risk`: they will not, since nobody sends visits.
    """

    is_stale: bool
    is_at_risk: bool
    says: str


def charts(found: Curves, fresh: Sequence[Fresh] = ()) -> list[Chart]:
    """Those that have something to show."""
    made = [_paid(found), _outcomes(found), _flips(found, fresh), _length(found), _flat(found)]
    kept = [replace(chart, series=[each for each in chart.series if _is_there(each)]) for chart in made]
    return [chart for chart in kept if chart.series]


def figures(found: Curves) -> list[Figure]:
    """Mean reward, clean accuracy, flips, cut off, questions that teach nothing."""
    asked = (
        ("paid", Field.PAID, Field.PAID_ROWS),
        ("clean", Field.CLEAN, Field.CLEAN_ROWS),
        ("flipped", Field.FLIPPED, Field.EXPOSED),
        ("cut off", Field.CUT_OFF, Field.TEXTS),
        ("no variance", Field.FLAT, Field.GROUPS),
    )
    last = found.train[-LAST:].sum(axis=0)
    return [
        Figure(
            name,
            float(found.total[top] / found.total[bottom]),
            _over(last[top], last[bottom]) if len(found.buckets) > LAST else None,
        )
        for name, top, bottom in asked
        if found.total[bottom]
    ]


def for_script(found: Curves, shown: list[Chart], link: str) -> dict[str, object]:
    """What view.js draws. `link`: of a bucket's samples, up to the bucket."""
    at = dict(zip(found.buckets, found.begins, strict=True))
    return {
        "x": found.begins,
        "buckets": found.buckets,
        "link": link,
        "rules": [at[rule.bucket] for rule in found.rules],
        "axes": [[found.axis.label, *chart.axes] for chart in shown],
        "charts": [
            [
                {"values": each.values, "colour": each.colour, "form": each.form, "share": each.is_share}
                for each in chart.series
            ]
            for chart in shown
        ],
    }


def _paid(found: Curves) -> Chart:
    return Chart(
        "Reward",
        "What the trainer was paid, and the verifier's own verdict before noise.",
        [
            Series("paid", found.mean(Field.PAID, Field.PAID_ROWS), "accent"),
            Series("clean", found.mean(Field.CLEAN, Field.CLEAN_ROWS), "ink"),
            Series("evaluation", _evaluation(found), "good", "points"),
        ],
        ("mean", ""),
    )


def _evaluation(found: Curves) -> Values:
    """Their clean score; what they are paid where they have none."""
    clean = found.mean(Field.CLEAN, Field.CLEAN_ROWS, evaluation=True)
    return clean if any(clean) else found.mean(Field.PAID, Field.PAID_ROWS, evaluation=True)


def _outcomes(found: Curves) -> Chart:
    says = "Unanswered that rises is the policy, or its length limit. Incorrect at the same length may be a notation."
    shares = found.outcomes().items()
    return Chart("Outcomes", says, [Series(name, values, COLOURS.get(name, "grey")) for name, values in shares])


def _flips(found: Curves, fresh: Sequence[Fresh]) -> Chart:
    expected, low, high = found.expected_flips()
    says = "The noise that was drawn, and the band that chance allows it: two standard deviations, by draws."
    return Chart(
        "Flipped",
        " ".join((says, *(f"{each.says}." for each in fresh if not (each.is_stale or each.is_at_risk)))),
        [
            Series("low", low, "grey", "edge"),  # before the lines, which are drawn over the band
            Series("high", high, "grey", "edge"),
            Series("expected", expected, "grey", "dash"),
            Series("flipped", found.mean(Field.FLIPPED, Field.EXPOSED), "accent"),
        ],
    )


def _length(found: Curves) -> Chart:
    return Chart(
        "Length",
        "Characters that half, and nine tenths, of the completions are shorter than. Cut off: no answer, and no end of"
        " a turn or a sentence.",
        [
            Series("half", found.length(0.5), "ink", is_share=False),
            Series("nine tenths", found.length(0.9), "grey", "dash", is_share=False),
            Series("cut off", found.mean(Field.CUT_OFF, Field.TEXTS), "violet"),
        ],
        ("characters", "share cut off"),
    )


def _flat(found: Curves) -> Chart:
    return Chart(
        "No variance",
        "Questions whose rollouts were all paid the same: they teach nothing.",
        [Series("no variance", found.mean(Field.FLAT, Field.GROUPS), "accent")],
    )


def _is_there(series: Series) -> bool:
    return any(value is not None for value in series.values)


def _over(top: float, bottom: float) -> float | None:
    return float(top / bottom) if bottom else None
