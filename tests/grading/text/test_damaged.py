"""Ground truths that lost characters are read as they were meant, where there is one way to read them."""

from __future__ import annotations

import pytest

from reward_server.grading.text.backslashes import COMMANDS, ESCAPES, undoubled
from reward_server.grading.text.damaged import repaired
from reward_server.grading.tiers import judge_cheaply
from reward_server.types import Outcome

REPAIRED = [
    ("\text{cone}", r"\text{cone}"),
    ("125.6 \text{ litres}", r"125.6 \text{ litres}"),
    ("-\frac{1}{4}", r"-\frac{1}{4}"),
    ("\frac12", r"\frac12"),
    ("\binom{5}{2}", r"\binom{5}{2}"),
    ("\\left(3,\frac12\right)", r"\left(3,\frac12\right)"),
    ("\\left(3,4\night)", r"\left(3,4\right)"),  # a reader of text made a newline of the carriage return
    ("3\times 10^5", r"3\times 10^5"),
    ("2\theta+\tan x", r"2\theta+\tan x"),
    ("x\to\\infty", r"x\to\infty"),
    ("\forall x", r"\forall x"),
    ("\rho", r"\rho"),
    ("\\langle 1,2\rangle", r"\langle 1,2\rangle"),
    ("\beta+\bar{x}", r"\beta+\bar{x}"),
    ("\alpha-\angle ABC", r"\alpha-\angle ABC"),
    ("x\neq 5", r"x\neq 5"),
    ("x\ne 5", r"x\ne 5"),
    ("x\ne0", r"x\ne0"),
    ("h\nu", r"h\nu"),
    ("\nabla f", r"\nabla f"),
    ("\vec{a}", r"\vec{a}"),
    ("\varnothing", r"\varnothing"),
    ("1,2,\vdots", r"1,2,\vdots"),
    ("5\rm{ cm}", r"5\rm{ cm}"),
    ("72^\textcirc", r"72^\circ "),
    (r"60^{\textcirc}", r"60^\circ "),
    (r"60^\textcirc}", r"60^\circ "),
    (r"60^{\text{circ}}", r"60^\circ "),
    (r"\\frac{5}{8}", r"\frac{5}{8}"),
    (r"\\text{east}", r"\text{east}"),
    (r"1+\\sqrt{5}+\frac12", r"1+\sqrt{5}+\frac12"),
    (r"\\{1,2\\}", r"\{1,2\}"),
    (r"\\begin{pmatrix} 1 \\\\ \\frac12 \\end{pmatrix}", r"\begin{pmatrix} 1 \\ \frac12 \end{pmatrix}"),
    (r"x=\\frac12 \\ y=3", r"x=\frac12 \\ y=3"),
    (r"\\\\frac12", r"\frac12"),
    (r"x=1\\y=\\frac12", r"x=1\\y=\frac12"),
    (r"50\\%", r"50\%"),
    (r"\\$5+\frac12", r"\$5+\frac12"),
    (r"10\\,000", r"10\,000"),
    (r"\begin{pmatrix} 1 \ 2 \ 3 \end{pmatrix}", r"\begin{pmatrix} 1 \\ 2 \\ 3 \end{pmatrix}"),
    (r"\begin{bmatrix}1&2\3&4\end{bmatrix}", r"\begin{bmatrix}1&2\\3&4\end{bmatrix}"),
    (r'"\\frac12"', r"\frac12"),
    (r'"\frac12"', r"\frac12"),
    (r'"\sqrt2"', r"\sqrt2"),
    (r"90\u00B0", "90°"),
    ("90Â°", "90°"),
    ("2âˆš3", "2√3"),
    ("\ufeff90\u200b", "90"),
    (r"x=3\n", "x=3"),
    ("5\\", "5"),
    ("90&deg;", "90°"),
    ("2&pi;", "2π"),
    ("x&#178;", "x²"),
    ("x=3<br>", "x=3"),
    ("x=3<BR/>y=4", "x=3, y=4"),
    ("x<sup>2</sup>+<i>y</i><sub>1</sub>", "x^{2}+y_{1}"),
    ("x &lt; 3", "x < 3"),
    ("98,", "98"),
    ("1:1, ", "1:1"),
    ("3;", "3"),
    (r"(0,2-\sqrt{2}]}", r"(0,2-\sqrt{2}]"),
    (r"3\frac{1}{2}}", r"3\frac{1}{2}"),
    (r"\frac{1}{2", r"\frac{1}{2}"),
    (r"\{1,2}", r"\{1,2\}"),
    (r"8\text{ — even function.", r"8\text{ — even function.}"),
]
UNKNOWABLE = [
    "90^\n",
    "90^",
    "90^}",
    "x^} ",
    "a\x00b",
    "x\x1b[0m",
    "\bqq",
    "\apple",
    r"\sqrt{2}+1}",
    r"\sqrt{2+1",
    "[0,1}",
    "{{1,2",
    "90\ufffd",
    "90\x92",
]
AS_THEY_STAND = [
    "42",
    "It is\tan ellipse",
    "5\tg",
    "3\t4",
    "yes\nno",
    "The lines are\nparallel",
    "x = 3\nu = 5",
    "x = 3\ne = 2",
    "5\r\n",
    "one\nnot two",
    "\rm = 5",
    r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}",
    r"\begin{pmatrix} 1 \\\frac12 \end{pmatrix}",
    r"\begin{cases} x+1 & x>0 \\-x & x\le 0 \end{cases}",
    r"\begin{aligned} a &= 1 \\text{or } b &= 2 \end{aligned}",  # a row may begin so
    r"x=1\\y=2",
    r"x=1 \\ \text{or } y=2",
    r"\begin{pmatrix} 1 & 2 \ 3 \end{pmatrix}",
    r"\begin{cases} x+1, & x>0 \ \text{or } x=2 \end{cases}",
    r"\begin{matrix} 1 & 2 \\ 3\ 4 & 5 \end{matrix}",
    r"1 \ 2",
    r"1 \\n",
    "Ângulo",
    "café",
    'a "b" c',
    r"\nu",
    r"\{1,2\}",
    r"\left\{x \mid x>3\right.",
    "]0,1[",
    "2<b",
    "1,2",
    r"5\,",
    r"\$3",
]


@pytest.mark.parametrize(("ground_truth", "meant"), REPAIRED)
def test_what_was_lost_is_put_back(ground_truth: str, meant: str) -> None:
    assert repaired(ground_truth) == meant
    assert repaired(meant) == meant
    assert judge_cheaply(ground_truth, meant) == judge_cheaply(meant, meant)


@pytest.mark.parametrize("ground_truth", UNKNOWABLE)
def test_what_cannot_be_known_is_unusable_and_never_a_wrong_answer(ground_truth: str) -> None:
    assert repaired(ground_truth) is None
    for answer in ("1", ground_truth.strip(), r"90^\circ"):
        verdict = judge_cheaply(ground_truth, answer)
        assert verdict is not None
        assert verdict.outcome is Outcome.UNGRADABLE


@pytest.mark.parametrize("ground_truth", AS_THEY_STAND)
def test_what_may_be_meant_as_it_stands_is_left_alone(ground_truth: str) -> None:
    assert repaired(ground_truth) == ground_truth


@pytest.mark.parametrize("control", [control for control in ESCAPES if control not in "\n\r\t"])
def test_every_common_command_is_put_back_where_no_word_can_stand(control: str) -> None:
    names = [name for name in COMMANDS if name[0] == ESCAPES[control]]
    assert len(names) >= 6
    for name in names:
        if name in ("begin", "textcirc"):
            continue
        assert repaired(f"2{control}{name[1:]} x") == f"2\\{name} x"


def test_answers_are_read_as_they_stand_but_for_doubled_backslashes() -> None:
    def outcome(ground_truth: str, answer: str) -> Outcome | None:
        verdict = judge_cheaply(ground_truth, answer)
        return None if verdict is None else verdict.outcome

    assert outcome(r"\frac{5}{8}", r"\\frac{5}{8}") is Outcome.CORRECT
    assert outcome(r"\{1,2\}", r"\\{1,2\\}") is Outcome.CORRECT
    assert outcome(r"\frac{5}{8}", "\frac{5}{8}") is not Outcome.CORRECT
    assert outcome(r"60^\circ", r"60^\textcirc}") is not Outcome.CORRECT
    assert outcome("98", "98<br>") is not Outcome.CORRECT
    assert outcome("\text{even}", "odd") is Outcome.INCORRECT
    assert undoubled(r"\begin{matrix} 1 \\frac12 \end{matrix}") == r"\begin{matrix} 1 \\frac12 \end{matrix}"
