"""Equality by images in a finite field, against SymPy's own algebra."""

from __future__ import annotations

import subprocess
import sys

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from reward_server.grading.symbolic.algebra import is_equal, reading
from reward_server.grading.symbolic.field import P, root_of, times
from reward_server.grading.text.normalise import normalise


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("2\\sqrt{113}", "\\sqrt{452}"),
        ("\\sqrt{2}\\sqrt{3}", "\\sqrt{6}"),
        ("\\frac{\\sqrt{3}}{3}", "\\frac{1}{\\sqrt{3}}"),
        ("\\sqrt{\\frac{1}{2}}", "\\frac{\\sqrt{2}}{2}"),
        ("\\sqrt{-4}", "2i"),
        ("\\frac{1+i}{2}", "\\frac{1}{1-i}"),
        ("x^2+5x+6", "(x+2)(x+3)"),
        ("-\\frac{1}{x}", "\\frac{-1}{x}"),
        ("x^{-2}", "1/x^2"),
        ("0.5x", "\\frac{x}{2}"),
        ("18+2\\pi", "2(\\pi+9)"),
        ("\\frac{x^2-1}{x-1}", "x+1"),
        ("x_1+2", "2+x_1"),
        ("2^{10}y", "1024y"),
    ],
)
def test_equal_expressions_are_equal(left: str, right: str) -> None:
    assert is_equal(left, right) is True
    assert is_equal(right, left) is True


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("1+2\\sqrt{3}", "2+\\sqrt{3}"),
        ("\\sqrt{2}+\\sqrt{3}", "\\sqrt{5}"),
        ("12\\pi", "12"),
        ("x+1", "y+1"),
        ("x+1", "X+1"),
        ("x^2", "x^3"),
        ("2i", "-2i"),
        ("\\sqrt{2}", "-\\sqrt{2}"),
        ("\\pi", "3.14159265358979"),
        ("10^{-20}x", "10^{-21}x"),
    ],
)
def test_different_expressions_are_different(left: str, right: str) -> None:
    assert is_equal(left, right) is False


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", ".", "+", "x+", "(x", "x)", "{x", "\\frac{1}", "\\frac12", "\\sqrt", "\\sqrt3", "\\sqrt[3]{2}"),
        *("^2", "x^", "1/2x", "x^10", "x2", "2 3", "3\\frac{1}{2}", "f(x)", "\\sin x", "\\sqrt{x}", "x^{y}", "x^{1/2}"),
        *(
            "|x|",
            "x=1",
            "1/0",
            "\\frac{1}{x-x}",
            "0^0",
            "90^\\circ",
            "5!!",
            "\\infty",
            "1,2",
            "\\text{a}",
            "²",
            "x²",
            "७",
        ),
        *("\x00", "\ud800", "(" * 500 + "x" + ")" * 500, "\\sqrt{1000003}", "x^{y}"),
    ],
)
def test_what_is_not_covered_is_left_open(text: str) -> None:
    assert reading(text) is None
    assert is_equal(text, "x") is None


X, Y = sympy.symbols("x y")
LEAVES = st.sampled_from([X, Y, sympy.pi, sympy.I]) | st.integers(-30, 30).map(sympy.Integer)
ROOTS = st.integers(0, 60).map(sympy.sqrt)
FRACTIONS = st.builds(sympy.Rational, st.integers(-30, 30), st.integers(1, 30))
EXPRESSIONS = st.recursive(
    LEAVES | ROOTS | FRACTIONS,
    lambda inner: (
        st.builds(lambda a, b: a + b, inner, inner)
        | st.builds(lambda a, b: a * b, inner, inner)
        | st.builds(lambda a, n: a**n, inner, st.integers(1, 3))
    ),
    max_leaves=6,
)


def written(expression: sympy.Expr) -> str:
    """As SymPy writes LaTeX; 5^{2} and such come out in our notation after normalising."""
    return normalise(sympy.latex(expression, mul_symbol="dot"))


@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS, EXPRESSIONS)
def test_it_agrees_with_sympy(left: sympy.Expr, right: sympy.Expr) -> None:
    same = is_equal(written(left), written(sympy.expand(left)))
    assert same is not False, (written(left), written(sympy.expand(left)))
    verdict = is_equal(written(left), written(right))
    if verdict is not None:
        assert verdict == (sympy.simplify(sympy.expand(left - right)) == 0), (written(left), written(right))


@settings(max_examples=500)
@given(st.lists(st.sampled_from([*"12x+-*/^(){} .iπe_", "\\frac", "\\sqrt", "\\pi"]), max_size=30).map("".join))
def test_any_text_is_read_or_left_open(text: str) -> None:
    found = reading(text)
    assert found is None or all(0 <= part < P for part in (*found.top, *found.bottom))


def test_the_field_is_one() -> None:
    assert sympy.isprime(P)
    assert P % 4 == 3
    for prime in (2, 3, 5, 7, 999_983):
        root = root_of(prime)
        assert root is not None
        assert times(root, root) == (prime, 0)


def test_a_lone_surrogate_in_an_index_is_a_letter_like_any_other() -> None:
    """It once raised: the text of a completion need not be UTF-8."""
    assert is_equal("2t_{5\ud800}", "t_{5\ud800} + t_{5\ud800}") is True
    assert is_equal("2t_{5\ud800}", "2t_{5\ud801}") is False


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("1-\\frac{1}{2^{2024}}", "1-\\frac{1}{2^{2023}}", False),
        ("\\frac{2^{2009}-1}{3\\cdot 2^{2008}-1}", "\\frac{2^{2008}-1}{3\\cdot 2^{2007}-1}", False),
        ("2^{2024}-2", "2(2^{2023}-1)", True),
        ("2^{2^{10}}", "4^{512}", True),
        ("10^{10^{10}}", "100^{5000000000}", True),
        ("10^{10^{10}}", "10^{10^{11}}", False),
        ("x^{123456789012345678}", "x\\cdot x^{123456789012345677}", True),
        ("1-\\frac{1}{2024!}", "\\frac{2024!-1}{2024!}", True),
        ("1-\\frac{1}{2024!}", "1-\\frac{1}{2023!}", False),
        ("\\binom{15}{7}", "\\binom{15}{8}", True),
        ("\\binom{40}{20}", "\\frac{40!}{20!\\cdot 20!}", True),
        ("\\binom{40}{20}", "\\binom{40}{19}", False),
        ("\\sqrt{10^{40}}", "10^{20}", True),
    ],
)
def test_no_difference_is_too_small(left: str, right: str, expected: bool) -> None:
    assert is_equal(left, right) is expected


def test_nobody_can_compute_a_collision() -> None:
    """With a known prime and known elements these had the same images."""
    assert is_equal("x+1", "x+1+15737282068831450179 \\cdot 10000000000000000000 + 7628202513941958931") is False
    assert is_equal("x", "-\\frac{9721207561220067669}{3418025177397986336}") is False
    assert is_equal("x", "-\\frac{4594169795123088165}{1709012588698993168}") is False


def test_each_process_draws_its_own_field() -> None:
    code = "from reward_server.grading.symbolic.field import P, element; print(P, element('x', 0))"
    drawn = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(drawn) == 2


def test_what_would_take_long_is_not_read() -> None:
    assert reading("6000!") is None
    assert reading("+".join(f"{number}!" for number in range(4000, 4100))) is None
    assert reading("2^{2^{100}}") is None
