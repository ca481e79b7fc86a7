"""The tier that needs algebra, as a worker runs it."""

import logging
import multiprocessing
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest

from reward_server.grading.math_verify_tier import judge_with_math_verify, warm_up
from reward_server.types import Outcome

SOFT_TIMEOUT_S = 30.0
"""CPU seconds no case here comes near: where a budget is to end, it ends in a process of its own."""


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    warm_up()


@pytest.fixture(scope="module")
def worker() -> Iterator[ProcessPoolExecutor]:
    """One worker process. A budget that ends there cannot end inside a callback of pytest's own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=warm_up) as pool:
        yield pool


def _outcome(ground_truth: str, answer: str) -> Outcome:
    return judge_with_math_verify(ground_truth, answer, SOFT_TIMEOUT_S).outcome


@pytest.mark.parametrize(
    ("ground_truth", "answer"),
    [
        (r"3\sqrt{2}", r"\sqrt{18}"),
        (r"3\sqrt{2}", r"\frac{6}{\sqrt2}"),
        (r"3\sqrt{2}", r"3\sqrt{2}\text{ cm}"),
        (r"5\pi", r"\pi\cdot 5"),
        (r"0.5\sqrt{7}", r"\frac{\sqrt7}{2}"),
        ("t^2-9", "(t-3)(t+3)"),
        ("4+3i", r"3\mathrm{i}+4"),
        ("4+3i", r"4+3\cdot i"),
        (r"\{1\pm\sqrt{3},4\}", r"4, 1-\sqrt3, 1+\sqrt3"),
        (r"\frac{2\pm\sqrt{5}}{3}", r"\frac{2+\sqrt{5}}{3}, \frac{2-\sqrt{5}}{3}"),
        (r"(1,\frac{\pi}{4})", r"\left(1,\pi/4\right)"),
        (r"(-\sqrt{3},\sqrt{12}]", r"(-\sqrt 3, 2\sqrt 3]"),
        ("y=4x-7", "-7+4x"),
        ("y=4x-7", "4x-y=7"),
        ("2x+3y-6=0", "2x+3y=6"),
        (r"\begin{pmatrix} \sqrt{8} \\ t \end{pmatrix}", r"\begin{bmatrix} 2\sqrt2 \\ t \end{bmatrix}"),
        ("2^{-70}", r"\frac{1}{2^{70}}"),
        ("30!", "30!"),
    ],
)
def test_algebra_is_seen_through(ground_truth: str, answer: str) -> None:
    assert _outcome(ground_truth, answer) is Outcome.CORRECT


@pytest.mark.parametrize(
    ("ground_truth", "answer"),
    [
        (r"3\sqrt{2}", r"2\sqrt{3}"),
        (r"3\sqrt{2}", "4.242641"),  # right to six places
        (r"5\pi", "15.707963"),
        ("t^2-9", "t^2+9"),
        ("R^2", "r^2"),
        ("4+3i", "3+4i"),
        (r"\frac{1}{2^{70}}", r"\frac{1}{2^{71}}"),  # both round to 0
        (r"\frac{1}{30!}", r"\frac{1}{31!}"),
        (r"(1,\frac{\pi}{4})", r"(\frac{\pi}{4},1)"),
        ("2x+3y-6=0", "2x-3y-6=0"),
        ("2x+3y-6=0", "0=0"),
        ("2x+3y-6=0", "0"),
        ("2x", r"\frac{d}{dx}x^2"),
        (r"\frac{\pi^2}{6}", r"\sum_{k=1}^{\infty}\frac{1}{k^2}"),
    ],
)
def test_another_value_is_incorrect(ground_truth: str, answer: str) -> None:
    assert _outcome(ground_truth, answer) is Outcome.INCORRECT


@pytest.mark.parametrize(
    "answer",
    [
        r"5 = 3\sqrt{2}",
        r"{5=}3\sqrt{2}",
        r"5 \approx 3\sqrt{2}",
        r"3\sqrt{2} \text{ or } 5",
        r"5, 3\sqrt{2}",
        r"5 \Rightarrow 3\sqrt{2}",
        r"\pm 3\sqrt{2}",
        r"3\sqrt{2} \vee 5",
        r"\begin{cases} 3\sqrt{2} \\ 5 \end{cases}",
        r"\text{not } 3\sqrt{2}",
        r"3\sqrt{2}?",
    ],
)
def test_two_values_never_answer_one(answer: str) -> None:
    assert _outcome(r"3\sqrt{2}", answer) in {Outcome.INCORRECT, Outcome.UNPARSEABLE}


def test_an_answer_that_does_not_parse_is_unparseable() -> None:
    assert _outcome(r"3\sqrt{2}", r"\sqrt{") is Outcome.UNPARSEABLE


def test_a_ground_truth_that_does_not_parse_is_ungradable() -> None:
    assert _outcome(r"\sqrt{", r"3\sqrt{2}") is Outcome.UNGRADABLE


def test_an_answer_that_exhausts_the_budget_is_a_timeout(worker: ProcessPoolExecutor) -> None:
    verdict = worker.submit(judge_with_math_verify, r"3\sqrt{2}", "9^{9^{9^{9}}}", 0.3).result()
    assert verdict.outcome is Outcome.TIMEOUT


def test_a_ground_truth_that_exhausts_the_budget_is_ungradable(worker: ProcessPoolExecutor) -> None:
    ground_truth = "(" * 60 + "x" + ")^2" * 60
    assert worker.submit(judge_with_math_verify, ground_truth, "x", 0.3).result().outcome is Outcome.UNGRADABLE


def test_the_next_item_is_judged_as_if_nothing_had_happened(worker: ProcessPoolExecutor) -> None:
    worker.submit(judge_with_math_verify, r"3\sqrt{2}", "8^{8^{8^{8}}}", 0.2).result()
    verdict = worker.submit(judge_with_math_verify, r"3\sqrt{2}", r"\sqrt{18}", SOFT_TIMEOUT_S).result()
    assert verdict.outcome is Outcome.CORRECT


@pytest.mark.parametrize(
    "answer", ["\x00", "\ud800", "数", "\\", "{", "}", "", "$", "\\text{", "_", "__import__('os').abort()"]
)
def test_odd_texts_raise_nothing(answer: str) -> None:
    assert _outcome(r"3\sqrt{2}", answer) in {Outcome.INCORRECT, Outcome.UNPARSEABLE}


def test_answers_are_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        _outcome(r"3\sqrt{2}", r"\sqrt{")
    assert not caplog.records


def test_the_answer_is_never_evaluated() -> None:
    code = "__import__('sys').exit(3)"
    for answer in (code, rf"\text{{{code}}}", f"exec('{code}')", f"x^{{{code}}}"):
        assert _outcome(r"3\sqrt{2}", answer) in {Outcome.INCORRECT, Outcome.UNPARSEABLE}


def test_the_server_process_imports_no_sympy() -> None:
    code = "import sys; from reward_server.grading import math_verify_tier, tiers; sys.exit('sympy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
