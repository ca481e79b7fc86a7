"""Two small runs as a trainer would send them, for docs/debugging.md: what goes wrong in them is known.

`noisy-40`: 32 questions, 8 completions each, 12 steps, `flip_prob=0.4`, a visit a step. From step 7 on half of the
completions are cut off. 3 in 100 answers are right in words that are not paid. `no-visits`: the same questions for 4
steps without visits. Every draw is a hash, so both are the same at every making.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

QUESTIONS, ROLLOUTS, FAULT_AT = 32, 8, 7
PATH = "/score/flip?flip_prob=0.4&seed=17&run={run}"
Body = dict[str, list[object]]


def send_runs(post: Callable[[str, Body], object]) -> None:
    """Posts both, a step a request."""
    for step in range(1, 13):
        post(PATH.format(run="noisy-40"), body(step, is_cut=step >= FAULT_AT) | {"visits": _all(step)})
    for step in range(1, 5):
        post(PATH.format(run="no-visits"), body(step, is_cut=False))


def body(step: int, *, is_cut: bool) -> Body:
    rows = [(question, rollout) for question in range(QUESTIONS) for rollout in range(ROLLOUTS)]
    return {
        "completions": [_completion(step, *row, is_cut) for row in rows],
        "ground_truths": [str(_truth(question)) for question, _ in rows],
        "groups": [f"q-{question}" for question, _ in rows],
        "prompts": [f"What is {question} + 100?" for question, _ in rows],
        "steps": _all(step),
    }


def _completion(step: int, question: int, rollout: int, is_cut: bool) -> str:
    key = (step, question, rollout)
    thought = "Wait, let me check. " * (1 + int(3 * _draw("length", *key)))
    if is_cut and _draw("cut", *key) < 0.5:
        return thought + f"{question} plus"
    answer = _truth(question) + (_draw("right", *key) >= 0.75)
    return f"{thought}So \\boxed{{{_written(answer, _draw('form', *key))}}}"


def _written(answer: int, form: float) -> str:
    return f"\\text{{the answer is }} {answer}" if form < 0.03 else f"x = {answer}" if form < 0.1 else str(answer)


def _truth(question: int) -> int:
    return question + 100


def _all(value: object) -> list[object]:
    return [value] * (QUESTIONS * ROLLOUTS)


def _draw(*key: object) -> float:
    return int.from_bytes(blake2b(repr(key).encode(), digest_size=8).digest(), "big") / 2**64
