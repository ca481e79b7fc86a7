"""Every tier says in a sentence why, with both texts as they were compared."""

from __future__ import annotations

import re

import pytest

from reward_server.grading import tiers
from reward_server.grading.math_verify_tier import TIER as MATH_VERIFY
from reward_server.grading.math_verify_tier import judge_with_math_verify
from reward_server.grading.places import Place
from reward_server.grading.reasons import CONTAINED, REASONS, reason
from reward_server.grading.verdicts import NO_ANSWER, NO_GROUND_TRUTH
from reward_server.types import Outcome, Verdict

EXAMPLES = [
    # ground truth, answer, tier, outcome, a part of the sentence
    ("4", "x" * 1001, "length", "unparseable", "more than 1,000 characters"),
    ("x" * 10_001, "4", "length", "ungradable", "more than 10,000 characters"),
    ("{", "4", "damaged", "ungradable", "cannot be known"),
    (" ", "4", "text", "ungradable", "is empty"),
    ("1000", "1{,}000", "text", "correct", "the same text once both are written in one way: `1000`"),
    ("x+1, x>0", "x+1, x<0", "qualifier", "incorrect", "contradicts it or the other side's: `x+1, x<0` for `x+1, x>0`"),
    ("June 3", "June 3rd", "instant", "correct", "a date, `June 3`, and the answer names the same one"),
    ("June 3", "July 3", "instant", "incorrect", "the answer `July 3` is another one, or none"),
    ("4", "\\frac{8}{2}", "number", "correct", "`4`, and the answer has its value, written out"),
    ("4", "5", "number", "incorrect", "a plain number, `4`, and the answer `5` is another one."),
    ("4", "2+2", "number", "incorrect", "the answer `2+2` is no number written out"),
    ("B", "B)", "choice", "correct", "a choice letter, `B`, and the answer chooses it"),
    ("B", "C", "choice", "incorrect", "the answer `C` does not choose it alone"),
    ("101_2", "(101)_2", "numeral", "correct", "`101_2`, and the answer has its digits and its base"),
    ("101_2", "101", "numeral", "incorrect", "the answer `101` has other digits, another base, or none"),
    ("Paris", "paris", "word", "correct", "`Paris`, and the answer has its letters and signs"),
    ("Paris", "London", "word", "incorrect", "the answer `London` has other letters or signs"),
    ("4", "(" * 13 + "4" + ")" * 13, "depth", "unparseable", "deeper than 12 brackets"),
    ("1,2", "2,1", "structure", "correct", "the answer `2,1` has the values of the ground truth `1,2`"),
    ("(1,2)", "(2,1)", "structure", "incorrect", "The answer `(2,1)` is built otherwise than the ground truth `(1,2)`"),
    ("\\ln y+3", "3+\\ln(y)", MATH_VERIFY, "correct", "Algebra shows that `3+\\ln(y)` and `\\ln y+3` have the same"),
    ("\\ln y+3", "3+\\ln(x)", MATH_VERIFY, "incorrect", "`3+\\ln(x)` and `\\ln y+3` differ"),
    ("x^3", "\\frac{", MATH_VERIFY, "unparseable", "cannot read the answer `\\frac{`"),
    ("x^3", "x^{9^{9^{9}}}", MATH_VERIFY, "timeout", "`x^3` used up the CPU time or the memory"),
]


@pytest.mark.parametrize(("wanted", "given", "tier", "outcome", "part"), EXAMPLES)
def test_a_tier_says_why(wanted: str, given: str, tier: str, outcome: str, part: str) -> None:
    verdict = tiers.judge_cheaply(wanted, given) or judge_with_math_verify(wanted, given, soft_timeout_s=2.0)
    assert (verdict.tier, verdict.outcome) == (tier, outcome)
    said = reason(verdict, "box")
    assert part in said
    assert said[0].isupper() and said.endswith(".") and not re.search("{(wanted|given|nowhere|otherwise)}", said)


def test_every_tier_that_is_documented_has_its_sentences() -> None:
    table = re.findall(r"^\| ([a-z_]+) +\|", tiers.__doc__ or "", re.MULTILINE)
    assert len(table) >= 13
    assert {"tier", *(tier for tier, _ in REASONS)} >= set(table)
    shown = {(tier, outcome) for _, _, tier, outcome, _ in EXAMPLES}
    others = {"ground_truth", "box", "killed", "string", "error"}  # below, or without a text of their own
    assert {tier for tier, _ in REASONS} - {tier for tier, _ in shown} == others


def test_what_decides_without_a_rule_says_why_too() -> None:
    assert "no ground truth that could be compared" in reason(NO_GROUND_TRUTH, "box")
    places: tuple[tuple[Place, str], ...] = (
        ("box", "\\boxed"),
        ("tags", "<answer>"),
        ("hash", "####"),
        ("auto", "\\boxed"),
        ("turn", "is empty"),
    )
    for place, part in places:
        assert part in reason(NO_ANSWER, place)
    assert "two texts: `4.0` for `4`" in reason(tiers.judge_string("4", "4.0"), "box")
    assert "had to be killed" in reason(Verdict(Outcome.TIMEOUT, "killed", "x", "y"), "box")
    assert "rule `theirs`" in reason(Verdict(Outcome.INCORRECT, "theirs", "x", "y"), "box")  # of a later check


@pytest.mark.parametrize(
    ("wanted", "given", "is_contained"),
    [
        ("42", "\\text{the answer is } 42", True),
        ("Paris", "It is Paris", True),
        ("2", "x=42", False),
        ("42", "42.5", False),
        ("4", "-4", False),
        ("4", "x^4", False),
    ],
)
def test_a_wrong_answer_that_holds_the_ground_truth_is_pointed_out(wanted: str, given: str, is_contained: bool) -> None:
    verdict = tiers.judge_cheaply(wanted, given)
    assert verdict is not None and verdict.outcome is Outcome.INCORRECT
    assert reason(verdict, "box").endswith(CONTAINED) == is_contained


def test_a_long_answer_is_shortened() -> None:
    verdict = tiers.judge_cheaply("4", "9" * 900)
    assert verdict is not None
    assert len(reason(verdict, "box")) < 300
