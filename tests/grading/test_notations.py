"""Values in many notations, judged as the server does: the cheap tiers first, then the one that needs algebra."""

import pytest

from reward_server.grading.math_verify_tier import judge_with_math_verify, warm_up
from reward_server.grading.tiers import judge_cheaply
from reward_server.types import Outcome

SOFT_TIMEOUT_S = 30.0


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    warm_up()


def _is_correct(ground_truth: str, answer: str) -> bool:
    verdict = judge_cheaply(ground_truth, answer) or judge_with_math_verify(ground_truth, answer, SOFT_TIMEOUT_S)
    return verdict.outcome is Outcome.CORRECT


@pytest.mark.parametrize(
    ("ground_truth", "answers"),
    [
        ("63_8", ["63_{(8)}", r"63 \text{ base } 8", r"63_{\text{eight}}", "63_{8}"]),
        (r"\frac{17}{125}", ["{17}/{125}", "0.136", r"\cfrac{17}{125}", r"\left(\frac{17}{125}\right)"]),
        ("2.75", ["2{.}75", r"2\frac34", r"\frac{11}{4}", "2.750"]),
        (r"\frac{5}{9}", [r"0.\dot{5}", r"0.\overline{5}", r".\bar{5}"]),
        ("319", [r"\color{blue}{319}", r"\textcolor{blue}{319}", r"\underline{319}", r"\boldsymbol{319}", "{319}"]),
        (r"\$47,\!210", [r"\text{\$}47,210", r"47{,}210\text{ dollars}", "47210", r"\$47210.00"]),
        (r"21\mbox{ cm}^2", [r"21 \text{ cm}²", r"21 \operatorname{cm}^2", r"21\text{ square centimeters}"]),
        (r"65\text{ mph}", [r"65\text{ miles per hour}", r"65\text{ miles/hour}", "65"]),
        (r"80\text{ km/h}", [r"80\text{ km per hour}", r"80\ \mathrm{km/h}"]),
        (r"\frac{310}7\text{ degrees}", [r"\left(\frac{310}{7}\right)^\circ", r"\frac{310}{7}^{\circ}", "310/7"]),
        ("5:7", [r"5\colon 7", r"5 \text{ to } 7", "5 : 7"]),
        ("10^{-30}", [r"\frac{1}{10^{30}}", r"1\times 10^{-30}"]),
        (r"\text{hyperbola}", [r"\text{a hyperbola}", "Hyperbola", r"\text{The hyperbola.}"]),
        (r"\left(5,\frac{\pi}{3}\right)", [r"(r,\theta)=(5,\pi/3)", r"(5,\tfrac{\pi}{3})"]),
        ("(2,-7,9)", ["(A,B,C) = (2,-7,9)", "(x, y, z) = (2, -7, 9)"]),
        (
            r"\begin{pmatrix} 3 \\ -8 \end{pmatrix}",
            [
                r"\begin{Bmatrix} 3 \\ -8 \end{Bmatrix}",
                r"\begin{smallmatrix} 3 \\ -8 \end{smallmatrix}",
                r"\begin{pmatrix}3\cr-8\end{pmatrix}",
                r"\left[\begin{matrix} 3 \\ -8 \end{matrix}\right]",
                r"\mathbf{v} = \begin{pmatrix} 3 \\ -8 \end{pmatrix}",
            ],
        ),
        (r"\sqrt[3]{5}", [r"\sqrt[3] 5", "5^{1/3}"]),
        (r"\binom{n}{2}", [r"{n \choose 2}", r"\dbinom{n}{2}"]),
        (r"\emptyset", [r"\varnothing"]),
    ],
)
def test_a_notation_does_not_matter(ground_truth: str, answers: list[str]) -> None:
    assert [answer for answer in answers if not _is_correct(ground_truth, answer)] == []


@pytest.mark.parametrize(
    ("ground_truth", "answers"),
    [
        ("63_8", ["63_{(7)}", r"63 \text{ base } 9", "63_{10}", "63"]),
        (r"\frac{17}{125}", ["{125}/{17}", "0.14"]),
        (r"\frac{5}{9}", [r"0.\dot{6}", "0.56", "0.5"]),
        ("319", [r"\color{blue}{318}", r"\underline{3}19x", r"{3}+{19}"]),
        (r"\$47,\!210", [r"\text{\$}47,201", r"47210\text{ cents}"]),
        (r"21\mbox{ cm}^2", [r"21 \text{ cm}³", r"21\text{ cm}", r"21\text{ m}^2"]),
        (r"65\text{ mph}", [r"65\text{ km/h}", r"65\text{ miles}", r"65\text{ miles per minute}"]),
        (r"\frac{310}7\text{ degrees}", [r"\left(\frac{310}{9}\right)^\circ"]),
        ("5:7", [r"7 \text{ to } 5", r"5\text{ to }7\text{ to }9", "57"]),
        ("5", [r"5 \text{ to } 7", "5 to 5"]),
        ("10^{-30}", [r"\frac{1}{10^{31}}", "10^{30}", "0"]),
        (r"\text{hyperbola}", [r"\text{not a hyperbola}", r"\text{a parabola}"]),
        ("(2,-7,9)", ["(A,B,C) = (2,9,-7)"]),
        (r"\begin{pmatrix} 3 \\ -8 \end{pmatrix}", [r"\begin{vmatrix} 3 \\ -8 \end{vmatrix}"]),
        ("1234", ["(1,234)", "(1,2,3,4)"]),
        (r"\sqrt[3]{5}", [r"\sqrt 5", r"3\sqrt 5"]),
    ],
)
def test_another_value_stays_another(ground_truth: str, answers: list[str]) -> None:
    assert [answer for answer in answers if _is_correct(ground_truth, answer)] == []
