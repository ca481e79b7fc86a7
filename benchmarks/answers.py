"""Answers that only a worker can grade, each another one, and answers made to use the whole budget."""

from __future__ import annotations

from collections.abc import Iterable

FORMS = (
    ("{n}\\ln {x}+{m}", "{m}+{n}\\ln({x})"),
    ("\\sin({n}{x})+{m}", "{m}+\\sin({n}{x})"),
    ("{n}e^{{2{x}}}-{m}", "-{m}+{n}e^{{2{x}}}"),
    ("\\sqrt{{{x}+{n}}}+{m}", "{m}+({x}+{n})^{{1/2}}"),
)


def ordinary(number: int, variable: str = "x") -> tuple[str, str]:
    """(ground truth, an equal answer in another form); 5 to 20 ms of Math-Verify."""
    truth, answer = FORMS[number % len(FORMS)]
    numbers = {"n": 2 + number // 97, "m": 3 + number % 97}
    return truth.format(**numbers, x=variable), answer.format(**numbers, x=variable)


def bomb(number: int) -> tuple[str, str]:
    """(ground truth, an answer that runs until its CPU budget ends)."""
    return "x^2", f"x^{{9^{{9^{{9^{{{number + 7}}}}}}}}}"


def native(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """The native request of (ground truth, answer) pairs."""
    rows = list(pairs)
    return {
        "completions": [f"So it is \\boxed{{{answer}}}." for _, answer in rows],
        "ground_truths": [truth for truth, _ in rows],
    }
