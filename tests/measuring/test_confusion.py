"""Estimates of how often a verdict is wrong: by hand, at the edges, and their intervals on simulated traffic."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from reward_server.measuring.choice import chosen_text
from reward_server.measuring.confusion import Counts, counted, estimate, too_few
from reward_server.measuring.sequence import informativeness_bounds, share_bounds

Table = NDArray[np.bool_]
PLANTED = (0.10, 0.25)
"""rho_0 and rho_1."""


def test_the_rates_are_those_of_the_formulas() -> None:
    # v = 0.4, a1 = 0.9, a0 = 0.2: q = 0.36 + 0.12 = 0.48, rho_1 = 0.12 / 0.48 = 0.25, rho_0 = 0.04 / 0.52 = 0.0769
    found = estimate(Counts(400, 600, 50, 45, 50, 10))
    assert found is not None
    assert found.accuracy.value == pytest.approx(0.48)
    assert found.false_negative_prob.value == pytest.approx(0.25)
    assert found.false_positive_prob.value == pytest.approx(0.04 / 0.52)
    assert found.informativeness.value == pytest.approx(1 - 0.25 - 0.04 / 0.52)
    for interval in (found.false_positive_prob, found.false_negative_prob, found.informativeness, found.accuracy):
        assert interval.low < interval.value < interval.high


def test_where_all_traffic_is_audited_the_rates_are_those_of_the_table() -> None:
    # 90 right and paid, 10 right and not, 30 wrong and paid, 70 wrong and not
    rows = [(True, True)] * 90 + [(False, True)] * 10 + [(True, False)] * 30 + [(False, False)] * 70
    found = estimate(counted([*rows]))
    assert found is not None
    assert found.false_negative_prob.value == pytest.approx(0.1)
    assert found.false_positive_prob.value == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("counts", "rho_0", "rho_1"),
    [
        (Counts(100, 100, 60, 60, 60, 0), 0.0, 0.0),  # never wrong
        (Counts(100, 100, 60, 0, 60, 60), 1.0, 1.0),  # always
        (Counts(100, 0, 60, 30, 0, 0), 1.0, 0.0),  # all is paid
        (Counts(0, 100, 0, 0, 60, 30), 0.0, 1.0),  # nothing is
    ],
)
def test_the_edges_have_their_rates_and_honest_intervals(counts: Counts, rho_0: float, rho_1: float) -> None:
    found = estimate(counts)
    assert found is not None
    assert (found.false_positive_prob.value, found.false_negative_prob.value) == pytest.approx((rho_0, rho_1))
    for interval in (found.false_positive_prob, found.false_negative_prob, found.accuracy):
        assert 0 <= interval.low <= interval.value <= interval.high <= 1
    assert too_few(counts) is None


def test_a_verdict_that_was_never_audited_has_no_estimate_and_few_audits_are_said_to_be_few() -> None:
    assert estimate(Counts()) is estimate(Counts(10, 10, 10, 5, 0, 0)) is None
    assert too_few(Counts()) == "nothing was graded yet"
    assert "10 audited of the 90 that the verdict called wrong" in str(too_few(Counts(90, 90, 40, 40, 10, 1)))
    assert estimate(Counts(90, 90, 40, 40, 10, 1)) is not None


def test_the_same_counts_give_the_same_interval() -> None:
    counts = Counts(400, 600, 50, 45, 50, 10)
    first = estimate(counts)
    estimate.cache_clear()
    assert estimate(counts) == first


# --- on simulated traffic: 3,000 questions, 8 rollouts each, half of the questions with one error for all of them ---


def traffic(rng: np.random.Generator) -> tuple[Table, Table]:
    """What is right, and what the verdict says of it: (3000, 8) each."""
    right = rng.random((3000, 8)) < rng.beta(1.2, 1.2, (3000, 1))
    draws = np.where(rng.random((3000, 1)) < 0.5, rng.random((3000, 1)), rng.random((3000, 8)))
    verdicts: Table = right ^ (draws < np.where(right, PLANTED[1], PLANTED[0]))
    return right, verdicts


def counts_of(verdicts: Table, audited: Table, right: Table) -> Counts:
    """`audited`, `right`: (400,), the verdicts that were audited and what was right."""
    return Counts(
        int(verdicts.sum()),
        int((~verdicts).sum()),
        int(audited.sum()),
        int((audited & right).sum()),
        int((~audited).sum()),
        int((~audited & right).sum()),
        questions=3000,
    )


def one_a_group(rng: np.random.Generator, right: Table, verdicts: Table) -> Counts:
    at = rng.choice(3000, 400, replace=False), rng.integers(0, 8, 400)
    return counts_of(verdicts, verdicts[at], right[at])


def whole_groups(rng: np.random.Generator, right: Table, verdicts: Table) -> Counts:
    at = rng.choice(3000, 50, replace=False)
    return counts_of(verdicts, verdicts[at].ravel(), right[at].ravel())


def simulated(seed: int, *, whole: bool) -> tuple[list[bool], float, bool]:
    """Do the intervals of rho_0, rho_1, J hold the truth? The error of the accuracy. Does the bound of J hold?"""
    rng = np.random.default_rng(seed)
    right, verdicts = traffic(rng)
    counts = (whole_groups if whole else one_a_group)(rng, right, verdicts)
    found = estimate(counts)
    assert found is not None
    rows = ((found.false_positive_prob, 0.10), (found.false_negative_prob, 0.25), (found.informativeness, 0.65))
    error = found.accuracy.value - float(right.mean())
    return [at.low <= truth <= at.high for at, truth in rows], error, informativeness_bounds(counts).low <= 0.65


def test_one_rollout_a_group_covers_the_planted_rates_and_corrects_the_accuracy() -> None:
    covered, errors, bounded = zip(*(simulated(seed, whole=False) for seed in range(300)), strict=True)
    assert (np.mean(covered, axis=0) >= 0.93).all()
    assert all(bounded)
    # The verdict's own accuracy is 0.10 · 0.5 + 0.75 · 0.5 = 0.425, and 0.5 is right.
    assert abs(np.mean(errors)) <= 0.003
    assert np.sqrt(np.mean(np.square(errors))) <= 0.02  # one standard error is 0.018


def test_whole_groups_do_not_cover_so_they_are_not_audited() -> None:
    covered, _, _ = zip(*(simulated(seed, whole=True) for seed in range(300)), strict=True)
    assert (np.mean(covered, axis=0) < 0.75).all()


def test_the_bounds_hold_at_every_time_at_once() -> None:
    ever_left = 0
    for seed in range(200):
        ones = np.random.default_rng(seed).random(1000) < 0.3
        bounds = [share_bounds(int(k), n) for n, k in enumerate(np.cumsum(ones), 1) if n % 10 == 0]
        ever_left += any(not at.low <= 0.3 <= at.high for at in bounds)
    assert ever_left <= 10  # 5 % of 200


def test_j_is_above_0_just_where_what_is_paid_is_more_often_right() -> None:
    assert informativeness_bounds(Counts(500, 500, 100, 85, 100, 20)).low > 0
    assert informativeness_bounds(Counts(500, 500, 100, 50, 100, 50)).low < 0
    assert informativeness_bounds(Counts(500, 500, 100, 10, 100, 90)).high < 0
    assert informativeness_bounds(Counts()).low == -1


# --- which rollout ---


def test_each_rollout_is_as_likely_as_any_other_and_equal_ones_count_together() -> None:
    texts = ["a", "b", "c", "c"]
    chosen = [chosen_text(texts, seed=0, group=f"q-{n}", visit=0) for n in range(4000)]
    assert [chosen.count(text) / 4000 for text in "abc"] == pytest.approx([0.25, 0.25, 0.5], abs=0.03)
    assert chosen == [chosen_text(texts[::-1], seed=0, group=f"q-{n}", visit=0) for n in range(4000)]
    assert len({chosen_text(texts, seed=0, group="q", visit=visit) for visit in range(50)}) == 3
    assert chosen_text(["\ud800"], seed=0, group="\0", visit=-1) == "\ud800"
