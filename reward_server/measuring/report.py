"""Counts and estimates as a person reads them: JSON with words where there are too few to say."""

from __future__ import annotations

from dataclasses import astuple

from reward_server.measuring.confusion import Counts, Interval, estimate, too_few
from reward_server.measuring.drift import BASELINE, LIMIT, Cusum
from reward_server.measuring.sequence import informativeness_bounds
from reward_server.measuring.tables import ALL, Table, Tallies

ENOUGH_FOR_ALARM = 50
"""Audits of each verdict, before which no alarm is raised: the bound is below 0 whatever the truth."""
LEGEND = {
    "n": "audited samples, one rollout a question and visit: n1 that the verdict calls right, n0 wrong",
    "k1, k0": "how many of n1, of n0 the second opinion calls right",
    "v": "share that the verdict calls right, of all graded samples (audited or not)",
    "rho0": "false positives: share that the verdict calls right of what the second opinion calls wrong",
    "rho1": "false negatives: share that the verdict calls wrong of what the second opinion calls right",
    "J": "1 - rho0 - rho1: 1 where both agree always, 0 where the verdict says nothing",
    "accuracy": "of the policy, as the second opinion sees it; v is the accuracy as the verdict sees it",
    "a1, a0": "k1/n1 and k0/n0: of what the verdict calls right, of what it calls wrong, how much is right",
    "low, high": "a 95 % interval; J_bounds hold at all times at once, however often one looks",
}
Json = dict[str, object]


def report(table: Table, tallies: Tallies, verdicts: tuple[str, ...]) -> Json:
    """One config. `verdicts`: `check`, what the rule says, and `paid`, what noise made of it, where they differ."""
    return {
        "parameters": table.parameters,
        "reference": table.reference,
        "reference_share": table.share,
        "questions": table.questions,
        "without_opinion": tallies.without_opinion,
        **{verdict: _of_verdict(table, tallies, verdict) for verdict in verdicts},
    }


def _of_verdict(table: Table, tallies: Tallies, verdict: str) -> Json:
    since = tallies.counts(ALL, verdict, table.questions)
    found: Json = {"since_start": rates(since), "of_late": rates(tallies.of_late(verdict))}
    for kind, title in (("tier", "by_tier"), ("kind", "by_kind_of_ground_truth"), ("outcome", "not_graded")):
        strata = {stratum[1]: rates(tallies.counts(stratum, verdict)) for stratum in tallies.strata(kind)}
        found |= {title: strata} if strata or kind != "outcome" else {}
    return {**found, "alarms": alarms(since, tallies.of_late(verdict), tallies.drift.get(verdict))}


def rates(counts: Counts) -> Json:
    """What was counted, and the rates with their intervals; `says`: what is missing, in words."""
    v = counts.share_of_ones
    counted: Json = {
        "n": counts.audited,
        "n1": counts.audited_ones,
        "k1": counts.right_ones,
        "n0": counts.audited_zeros,
        "k0": counts.right_zeros,
        "graded": counts.ones + counts.zeros,
        "v": None if v is None else round(v, 6),
    }
    found, lacking = estimate(counts), too_few(counts)
    if found is not None:
        bounds = informativeness_bounds(counts)
        counted |= {
            "rho0": _interval(found.false_positive_prob),
            "rho1": _interval(found.false_negative_prob),
            "J": _interval(found.informativeness),
            "J_bounds": {"low": _rounded(bounds.low), "high": _rounded(bounds.high)},
            "accuracy": _interval(found.accuracy),
            "a1": found.precision and _interval(found.precision),
            "a0": found.false_omission and _interval(found.false_omission),
        }
        if lacking is None:
            rho0, rho1 = found.false_positive_prob.value, found.false_negative_prob.value
            counted["as_noise"] = f"false_positive_prob={rho0:.4g}&false_negative_prob={rho1:.4g}"
    return counted if lacking is None else {**counted, "says": lacking}


def alarms(since: Counts, late: Counts, drift: tuple[Cusum, Cusum] | None) -> Json:
    """Is it certain that the verdict still says something (J above 0), and has it become worse?"""
    informs = [(name, counts) for name, counts in (("since the start", since), ("of late", late)) if _suffices(counts)]
    failing = [name for name, counts in informs if informativeness_bounds(counts).low <= 0]
    words = f"J is not certainly above 0 ({', '.join(failing)}): the verdict may say nothing, or the opposite"
    fine = "J is above 0" if informs else f"too few audits: {ENOUGH_FOR_ALARM} of each verdict are needed"
    return {"J": {"alarm": bool(failing), "says": words if failing else fine}, "drift": _drift(drift)}


def _suffices(counts: Counts) -> bool:
    return min(counts.audited_ones, counts.audited_zeros) >= ENOUGH_FOR_ALARM


def _drift(cusums: tuple[Cusum, Cusum] | None) -> Json:
    zeros, ones = cusums or (Cusum(), Cusum())
    named = (("called right and wrong", ones), ("called wrong and right", zeros))
    raised = [f"more is {name} than in the first {BASELINE} audits" for name, cusum in named if cusum.is_raised]
    waits = [
        f"{cusum.first} of {BASELINE} audits of the beginning ({name})" for name, cusum in named if not cusum.is_ready
    ]
    says = "; ".join(raised or waits) or "as in the beginning"
    return {"alarm": bool(raised), "says": says, "cusum": [round(ones.value, 2), round(zeros.value, 2)], "limit": LIMIT}


def _interval(interval: Interval) -> Json:
    value, low, high = map(_rounded, astuple(interval))
    return {"value": value, "low": low, "high": high}


def _rounded(number: float) -> float:
    return round(number, 4) + 0.0  # never -0.0
