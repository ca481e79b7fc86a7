"""Values of closed forms, and ground truths that they round to."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_server.grading.numbers.closed_form import value_of
from reward_server.grading.numbers.exact_number import read_ground_truth
from reward_server.grading.numbers.rounding import is_rounded
from reward_server.grading.tiers import judge_cheaply
from reward_server.types import Outcome


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"18\pi", 18 * math.pi),
        (r"\frac{1+\sqrt{5}}{2}", (1 + math.sqrt(5)) / 2),
        (r"\sqrt[3]{10}", 10 ** (1 / 3)),
        (r"2\sin 2\pi+1", 1.0),
        (r"\sin^2 1", math.sin(1) ** 2),
        (r"\cos^{-1} (0.5)", math.acos(0.5)),
        (r"\sin 50^\circ", math.sin(math.radians(50))),
        (r"\log_{2} 3", math.log2(3)),
        ("5^{1/2}", math.sqrt(5)),
        ("e^{-2}", math.exp(-2)),
        (r"-\frac{3}{4}\cdot 2", Fraction(-3, 2)),
        (r"\sqrt{6.25}", Fraction(5, 2)),
    ],
)
def test_a_closed_form_has_a_value(text: str, value: float) -> None:
    found = value_of(text)
    assert found is not None
    assert math.isclose(found, value, rel_tol=1e-12)
    assert isinstance(found, Fraction) == isinstance(value, Fraction)


UNREAD = [
    "x",
    "4!",
    r"\log 5",
    r"\frac{1}{0}",
    r"\sqrt{-1}",
    "0^0",
    "10^{9999}",
    "e^{9999}",
    "(" * 30,
    "2^12",
    "",
    "1/",
    "٣",
]


@pytest.mark.parametrize("text", [*UNREAD, r"\sum_{n=1}^{9} n", r"\int_0^1 x dx", r"\ln 0", r"\binom{5}{2}"])
def test_what_is_not_read(text: str) -> None:
    assert value_of(text) is None


@given(st.text(alphabet="\\{}()[]^_+-*/.0123456789episqrtfaclnd ", max_size=40))
def test_any_text_has_a_value_or_none(text: str) -> None:
    value_of(text)


@pytest.mark.parametrize(
    ("ground_truth", "answer", "is_right"),
    [
        ("56.5", r"18\pi", True),
        ("56.6", r"18\pi", False),
        ("56", r"18\pi", False),  # no decimal
        ("0.66", r"\frac{\sqrt{7}}{4}", False),  # two digits
        (r"54.7^\circ", r"\arccos\frac{1}{\sqrt{3}}", True),
        ("54.7", r"\arccos\frac{1}{\sqrt{3}}", False),
        (r"31.4\text{ cm}", r"\frac{\pi}{10}\text{ m}", True),
        (r"31.4\text{ cm}", r"10\pi\text{ kg}", False),
        ("3.00", r"\log_{2} 8", False),  # exactly: not worked out
        ("38.75", r"12.5 \cdot 3.1", False),
    ],
)
def test_only_irrational_values_round(ground_truth: str, answer: str, is_right: bool) -> None:
    number = read_ground_truth(ground_truth)
    assert number is not None
    assert is_rounded(number, answer) is is_right


ODD = [r"\approx", r"\approx\approx", r"5 \approx 10^{900}", r"99999^{200} \approx 5", "2 \\approx 2." + "0" * 400]


@pytest.mark.parametrize("text", ODD)
def test_odd_approximations_are_judged_and_raise_nothing(text: str) -> None:
    judge_cheaply("5", text)
    judge_cheaply(text, "5")


def test_an_approximation_may_have_more_places_than_a_float() -> None:
    verdict = judge_cheaply(r"\frac{1}{3}", r"\frac{1}{3} \approx 0.3333333333333333333333")
    assert verdict is not None
    assert verdict.outcome is Outcome.CORRECT
