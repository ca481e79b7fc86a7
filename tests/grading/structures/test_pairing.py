"""The order of a set's members, on either side, never changes a verdict."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from reward_server.grading.tiers import judge_cheaply
from reward_server.types import Outcome

MEMBERS = st.sampled_from(["40", r"40\%", "0.4", "0.40", r"\frac{2}{5}", "x", "1x", "400", r"0.4\%"])
SETS = st.lists(MEMBERS, min_size=2, max_size=4)


def outcome(ground_truth: list[str], answer: list[str]) -> Outcome:
    verdict = judge_cheaply("\\{" + ", ".join(ground_truth) + "\\}", "\\{" + ", ".join(answer) + "\\}")
    assert verdict is not None
    return verdict.outcome


@given(SETS, SETS, st.randoms(use_true_random=False))
def test_shuffling_members_never_changes_the_verdict(wanted: list[str], given_: list[str], random: Random) -> None:
    shuffled_wanted, shuffled_given = wanted[:], given_[:]
    random.shuffle(shuffled_wanted)
    random.shuffle(shuffled_given)
    assert outcome(shuffled_wanted, shuffled_given) is outcome(wanted, given_)


def test_a_percent_sign_may_be_missing_in_one_member_of_two() -> None:
    assert outcome(["40", "0.4"], [r"40\%", "40"]) is Outcome.CORRECT
    assert outcome(["40", "0.4"], ["40", r"40\%"]) is Outcome.CORRECT
    assert outcome(["40", "0.4"], [r"40\%", r"40\%"]) is Outcome.INCORRECT  # one member, written twice
