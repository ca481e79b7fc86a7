"""Every structure of noise: a second implementation, nested rates, rates as promised, fates that stay."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from math import exp, lgamma, log

import pytest

from reward_server.grading.answer import Answer
from reward_server.grading.reading import Reading
from reward_server.rewards.flip import FlipReward
from reward_server.rewards.found import Found
from reward_server.rewards.noise import answer_draw, flip_draw, judge_draw, label_draw, reference_draw
from reward_server.rewards.reasoning import Rpr
from reward_server.rewards.reference import chosen_rows
from reward_server.rewards.rm_sim import RmSimReward
from reward_server.types import Outcome, Sample, Verdict

QUESTIONS = 10_000
RATES = (0.05, 0.2, 0.4)


def drawn(*parts: object) -> float:
    """The contract once more: blake2b of the parts with a NUL between them, the upper 53 bits."""
    digest = blake2b("\0".join(map(str, parts)).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53


@pytest.mark.parametrize("group", ["q-1", "", "質問", "\ud800", "a\0b", "x" * 1000])
@pytest.mark.parametrize("seed", [0, 17, -1, 2**70])
def test_every_draw_is_that_of_a_second_implementation(seed: int, group: str) -> None:
    answer, visit = "\\frac{1}{2}", 3
    assert flip_draw(seed=seed, group=group, visit=visit) == drawn(seed, group, visit)
    assert flip_draw(seed=seed, group=group, visit=visit, completion="é") == drawn(seed, group, visit, "é")
    assert answer_draw(seed=seed, group=group, answer=answer) == drawn("answer", seed, group, answer)
    assert label_draw(seed=seed, group=group) == drawn("label", seed, group)
    assert judge_draw(seed=seed, group=group, answer=answer) == drawn("rm_sim", seed, group, answer)
    assert reference_draw(seed=seed, group=group, visit=visit) == drawn("reference", seed, group, visit)


def flipped(reward: FlipReward, visit: int = 0) -> set[int]:
    """The questions whose wrong answer is paid."""
    paid = set()
    for question in range(QUESTIONS):
        text = f"{question} wait \\boxed{{5}}"
        found = Found(Reading(text, Answer("5", 0, 1), has_eaten_escape=False), Verdict(Outcome.INCORRECT, "", "", ""))
        if reward.settle(Sample(text, group=f"q-{question}", visit=visit), found).reward == 1:
            paid.add(question)
    return paid


def mislabelled(share: float) -> set[int]:
    reward = FlipReward(label_noise=share)
    return {n for n in range(QUESTIONS) if reward.mislabels(Sample("", group=f"q-{n}"))}


def referred(share: float) -> set[int]:
    samples = [Sample("", group=f"q-{n}") for n in range(QUESTIONS)]
    return set(chosen_rows(samples, [""] * QUESTIONS, seed=0, share=share))


def misjudged(rate: float) -> set[int]:
    """Wrong answers that the simulated judge scores above 0.5."""
    reward, wrong = RmSimReward(accuracy=1 - rate), Verdict(Outcome.INCORRECT, "", "", "")
    reading, rpr = Reading("", Answer("5", 0, 1), has_eaten_escape=False), Rpr(0.0, 0, 0.0, 0)
    scores = (reward.settle(Sample("", group=f"q-{n}"), Found(reading, wrong, rpr)) for n in range(QUESTIONS))
    return {n for n, score in enumerate(scores) if (score.parts["rm"] or 0) > 0.5}


STRUCTURES: dict[str, Callable[[float], set[int]]] = {
    "question": lambda rate: flipped(FlipReward(flip_prob=rate)),
    "sample": lambda rate: flipped(FlipReward(flip_prob=rate, flip_scope="sample")),
    "answer": lambda rate: flipped(FlipReward(flip_prob=rate, flip_scope="answer")),
    "flip_if": lambda rate: flipped(FlipReward(flip_prob=rate, flip_if="phrase:wait", seed=5)),
    "schedule": lambda rate: flipped(FlipReward(flip_prob=f"1@0,{rate}@7", seed=6), visit=9),
    "label": mislabelled,
    "reference": referred,
    "rm_sim": misjudged,
}


def interval(n: int, p: float) -> tuple[int, int]:
    """The counts between which Binomial(n, p) lies with 99.9 %, exactly: 0.05 % are cut off at either end."""
    chances = [
        exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(p) + (n - k) * log(1 - p)) for k in range(n + 1)
    ]
    low, below = 0, 0.0
    while below + chances[low] < 0.0005:
        below, low = below + chances[low], low + 1
    high, above = n, 0.0
    while above + chances[high] < 0.0005:
        above, high = above + chances[high], high - 1
    return low, high


@pytest.mark.parametrize("structure", STRUCTURES)
def test_rates_are_as_promised_and_a_lower_one_is_nested_in_a_higher(structure: str) -> None:
    found = [STRUCTURES[structure](rate) for rate in RATES]
    for rate, questions in zip(RATES, found, strict=True):
        low, high = interval(QUESTIONS, rate)
        assert low <= len(questions) <= high
    if structure != "rm_sim":  # an accuracy is no threshold of its draw alone, but moves the score's mean
        assert found[0] < found[1] < found[2]


def test_errors_of_the_simulated_judge_are_nested_too() -> None:
    assert misjudged(0.15) < misjudged(0.25) < misjudged(0.35)


def test_the_intervals_are_those_of_a_table() -> None:
    assert interval(10, 0.5) == (0, 10)  # 0.5^10 = 0.00098 is more than 0.0005
    assert interval(11, 0.5) == (1, 10)  # 0.5^11 = 0.00049 is not


def test_structures_at_one_seed_flip_other_questions() -> None:
    """Of 10,000 questions a fifth each: two structures share 400, within 4 standard errors of 19.6."""
    found = {name: STRUCTURES[name](0.2) for name in ("question", "sample", "answer", "label", "reference", "rm_sim")}
    for one in found:
        for other in found:
            assert one >= other or abs(len(found[one] & found[other]) - 400) <= 79, (one, other)
