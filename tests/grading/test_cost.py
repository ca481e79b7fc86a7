"""The rules that run in the server take milliseconds whatever the texts are: the CPU time of pairs made to be slow."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from reward_server.grading import tiers
from reward_server.grading.math_verify_tier import judge_with_math_verify
from reward_server.grading.symbolic import algebra
from reward_server.grading.tiers import judge_cheaply
from reward_server.types import Outcome

LIMIT_S = 0.03
"""Of CPU time, the least of three tries: a loaded machine takes longer. Seen here: 9 ms."""
PAIRS = 6000


def words(text: str) -> list[str]:
    return text.split()


FORMS = words(
    r"%d %dx \sqrt{%d} %d^{999} x^{%d} x_{%d} \frac{%d}{999} (%d,999) %d! \ln%d %d\text{km} %dkm (x-%d) \{%d\} %d\% "
    r"\frac{1}{x+%d} 0.%d a%d (x+%d)^{999} (%d+i)^{999} x^{%d}y \sin%d^\circ \binom{%d}{2} \overline{%d} 1,%d |x-%d|"
)
SEPARATORS = [*words(r", ; + - \cdot * / : = \cup ^ _ \\ & < \pm"), " ", " and "]
OPENINGS = words(
    r"\{ ( [ ] \frac{ \sqrt{ \text{ x= \begin{pmatrix} \begin{cases} - 1 x\in \left( \operatorname{ 2^{ | y=( $ "
    r"\mathrm{ 1-("
)
CLOSINGS = words(r"\} ) ] [ }{2} } \end{pmatrix} \end{cases} \right) | $ \text{km} \% ^\circ")
PIECES = words(
    r"1 2 7 999 x y i e \pi 0.5 3/4 , ; : + - * / ^ _ = < > ( ) [ ] { } \{ \} \, \! ~ $ \$ % \% ' ! . .. \\ & | "
    r"\sqrt \frac \text{ \text{and} \text{or} \text{km} m/s per square or to \times \cdot \cup \in \pm \le \infty "
    r"\left( \right) \mathbb ^\circ ° × π √ ² 10^ ^{99} 10^{999} base _5 \overline{3} \dot3 \log_ \sin \binom \choose "
    r"\pmod \operatorname{ million \color{red} {,} {-} 1,000 A B Option the \mid \prime 中 é 0 00 f(x) y= \bar{ \gcd( "
    r"\max \lim \mathrm{ \quad [4pt]"
)


def many(draw: random.Random, chars: int) -> str:
    """Numbered members: a list, a sum, a chain."""
    form, separator, start = draw.choice(FORMS), draw.choice(SEPARATORS), draw.choice((0, 10, 990_000, 10**9, 10**20))
    members = [form.replace("%d", str(start + number)) for number in range(1 + chars // (len(form) + len(str(start))))]
    return separator.join(members)


def repeated(draw: random.Random, chars: int) -> str:
    """A few pieces over and over: what makes a regular expression try again."""
    unit = "".join(draw.choice(PIECES) for _ in range(draw.choice((1, 1, 2, 2, 3, 4, 6))))
    return unit * (1 + chars // len(unit))


def mixed(draw: random.Random, chars: int) -> str:
    return "".join(draw.choice(PIECES) for _ in range(chars // 3))


def nested(draw: random.Random, chars: int) -> str:
    opening, closing = draw.choice(OPENINGS), draw.choice(CLOSINGS)
    levels = draw.choice((3, 11, 12, 24, chars // (len(opening) + len(closing))))
    return opening * levels + draw.choice(("1", "x", "1,2", "")) + closing * draw.choice((levels, 0))


MAKERS: list[Callable[[random.Random, int], str]] = [many, many, many, repeated, repeated, mixed, nested]


def text(draw: random.Random, chars: int) -> str:
    made = draw.choice(MAKERS)(draw, chars)
    if draw.random() < 0.5:
        return (draw.choice(OPENINGS) + made)[: chars - 20] + draw.choice(CLOSINGS)
    return made[:chars]


def shuffled(draw: random.Random, answer: str) -> str:
    separator = draw.choice([each for each in SEPARATORS if each in answer] or [" "])
    members = answer.split(separator)
    draw.shuffle(members)
    return separator.join(members)


def pair(draw: random.Random) -> tuple[str, str]:
    answer = text(draw, draw.choice((1000, 1000, 300)))
    how = draw.random()
    if how < 0.3:
        return shuffled(draw, answer), answer
    if how < 0.4:
        return draw.choice(
            ["x", "1", r"\{1,2\}", "A", r"5\text{ km}", "204_5", "(1,2)", "y=2x+1", r"\ln 2", r"25\%"]
        ), answer
    return text(draw, draw.choice((10_000, 4000, 3000, 1000, 300))), answer


def cpu_s(ground_truth: str, answer: str) -> float:
    for module in (algebra, tiers):
        for kept in vars(module).values():
            if hasattr(kept, "cache_clear"):
                kept.cache_clear()
    before = time.process_time()
    judge_cheaply(ground_truth, answer)
    return time.process_time() - before


def test_no_pair_holds_up_the_event_loop() -> None:
    draw = random.Random(20261127)
    slow = [made for made in (pair(draw) for _ in range(PAIRS)) if cpu_s(*made) > LIMIT_S]
    still = [(cpu_s(*made), made) for made in slow if min(cpu_s(*made) for _ in range(3)) > LIMIT_S]
    assert still == []


SETS = [
    [chr(0x4E00 + k) for k in range(490)],
    [str(k) for k in range(230)],
    [f"{k}x" for k in range(180)],
    [f"({k},x)" for k in range(120)],
    [f"\\ln {k}" for k in range(2, 110)],
]


@pytest.mark.parametrize("members", SETS)
def test_a_list_that_is_too_long_for_the_server_is_judged_alike_by_a_worker(members: list[str]) -> None:
    answer, other = (r"\{" + ",".join(each) + r"\}" for each in (members[::-1], [*members[:0:-1], "17y"]))
    assert len(answer) <= tiers.MAX_ANSWER_CHARS
    ground_truth = r"\{" + ",".join(members) + r"\}"
    assert judge_cheaply(ground_truth, answer) is judge_cheaply(ground_truth, other) is None
    assert judge_with_math_verify(ground_truth, answer, 60.0).outcome is Outcome.CORRECT
    assert judge_with_math_verify(ground_truth, other, 60.0).outcome is Outcome.INCORRECT


def test_a_long_ground_truth_is_judged_by_a_worker_too() -> None:
    ground_truth = " + ".join(f"x^{{{k}}}\\cdot 1" for k in range(300))
    answer = "+".join(f"x^{{{k}}}" for k in range(110, 0, -1))
    assert len(ground_truth) > tiers.MAX_WORK
    assert judge_cheaply(ground_truth, answer) is None
    assert judge_with_math_verify(ground_truth, answer, 60.0).outcome is Outcome.INCORRECT
    padded = "x" + " " * tiers.MAX_WORK + "+1"
    assert judge_with_math_verify(padded, "1+x", 60.0).outcome is Outcome.CORRECT


@pytest.mark.parametrize("separator", [*SEPARATORS, "|", r"\mid ", r"\in ", r"\to ", r"\setminus ", "!", "'"])
@pytest.mark.parametrize("around", ["%s", "x=%s", r"\{%s\}", "(%s)", "[%s]", r"x\in %s"])
def test_no_rule_calls_itself_for_each_of_hundreds_of_pieces(separator: str, around: str) -> None:
    """A RecursionError would be an `error` without a reward, where the answer is wrong."""
    answer = around % separator.join("B" * (900 // (len(separator) + 1)))
    for ground_truth in ("x", r"\{1,2\}", "x=5", "(1,2)", "x>3"):
        assert min(cpu_s(ground_truth, answer) for _ in range(3)) < LIMIT_S
        judge_cheaply(ground_truth, answer)
    assert judge_with_math_verify("x", answer, 10.0).outcome in (Outcome.INCORRECT, Outcome.UNPARSEABLE)
