"""The noise channel: golden vectors, what the draw depends on, and its rates."""

from __future__ import annotations

import json
from hashlib import blake2b
from itertools import pairwise
from math import sqrt
from pathlib import Path
from typing import Any

import pytest

from reward_server.rewards.noise import (
    NoiseRates,
    answer_draw,
    backward_corrected,
    expected_weight,
    flip_draw,
    forward_weight,
    group_of_prompt,
    is_flipped,
    label_draw,
)

GOLDEN = [
    json.loads(line) for line in (Path(__file__).parent.parent / "data" / "noise_golden.jsonl").read_text().splitlines()
]
LAB = Path(__file__).parents[2].parent / "shared" / "data" / "noise_lab_golden.jsonl"
RATES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 1.0)
DRAWS = [flip_draw(seed=11, group=f"q-{question}", visit=visit) for question in range(1024) for visit in range(4)]


def flipped(rate: float) -> set[int]:
    return {index for index, draw in enumerate(DRAWS) if is_flipped(1.0, draw, NoiseRates(rate, rate))}


# --- the table ---


@pytest.mark.parametrize("vector", GOLDEN)
def test_the_draw_is_the_golden_one(vector: dict[str, Any]) -> None:
    completion = vector.get("completion")
    draw = flip_draw(seed=vector["seed"], group=vector["group"], visit=vector["visit"], completion=completion)
    assert draw == vector["u"]


def second_opinion(word: str, *parts: object) -> float:
    """The formula of the contract, written down once more."""
    digest = blake2b("\0".join(map(str, (word, *parts))).encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53


def test_an_answers_draw_is_the_golden_one_and_needs_no_visit() -> None:
    assert answer_draw(seed=0, group="q-1", answer="7") == 0.17442859917548714
    assert answer_draw(seed=0, group="q-1", answer="-3") == 0.31814625863019386
    assert answer_draw(seed=0, group="q-17", answer="\\frac{1}{2}") == 0.8007476894869728
    assert answer_draw(seed=3, group="q", answer="π") == second_opinion("answer", 3, "q", "π")


@pytest.mark.skipif(not LAB.is_file(), reason="no ../shared/data with the golden vectors of the noise laboratory")
def test_every_golden_draw_of_an_answer_and_of_a_label() -> None:
    vectors = [json.loads(line) for line in LAB.read_text().splitlines()]
    answers = [vector for vector in vectors if vector["structure"] == "answer"]
    labels = [vector for vector in vectors if vector["structure"] == "label"]
    assert (len(answers), len(labels)) == (72, 18)
    for vector in labels:
        assert label_draw(seed=vector["seed"], group=vector["group"]) == vector["u"]
    for vector in answers:
        assert answer_draw(seed=vector["seed"], group=vector["group"], answer=vector["answer"]) == vector["u"]


def test_scopes_share_no_draw() -> None:
    same = [
        flip_draw(seed=0, group="q", visit=0) == answer_draw(seed=0, group="q", answer=text) for text in ("", "0", "7")
    ]
    assert same == [False] * 3


def test_the_forward_weight_has_its_expected_value_over_the_flip() -> None:
    rates = NoiseRates(false_positive_prob=0.125, false_negative_prob=0.25)
    one, zero = forward_weight(1.0, rates), forward_weight(0.0, rates)
    assert (one, zero) == (0.25, -0.75)
    assert 0.125 * one + 0.875 * zero == expected_weight(0.0, rates) == -0.625
    assert 0.75 * one + 0.25 * zero == expected_weight(1.0, rates) == 0


@pytest.mark.parametrize(
    ("clean", "draw", "expected"),
    [(0.0, 0.09, True), (0.0, 0.1, False), (1.0, 0.1, True), (1.0, 0.24, True), (1.0, 0.25, False)],
)
def test_a_score_flips_when_its_draw_is_below_the_rate_of_its_kind(clean: float, draw: float, expected: bool) -> None:
    assert is_flipped(clean, draw, NoiseRates(false_positive_prob=0.1, false_negative_prob=0.25)) is expected


def test_rate_0_never_flips_and_rate_1_always_does() -> None:
    assert not is_flipped(1.0, 0.0, NoiseRates(0, 0))
    assert is_flipped(0.0, 1 - 2**-53, NoiseRates(1, 1))


def test_backward_correction_undoes_the_rates_on_average() -> None:
    rates = NoiseRates(false_positive_prob=0.125, false_negative_prob=0.25)
    # 1 - 0.125 - 0.25 = 0.625: a 0 becomes -0.125/0.625 = -0.2, a 1 becomes 0.875/0.625 = 1.4.
    zero, one = backward_corrected(0.0, rates), backward_corrected(1.0, rates)
    assert (zero, one) == (-0.2, 1.4)
    assert 0.875 * zero + 0.125 * one == pytest.approx(0)  # clean 0
    assert 0.25 * zero + 0.75 * one == pytest.approx(1)  # clean 1


@pytest.mark.parametrize("rates", [NoiseRates(0.5, 0.5), NoiseRates(0.6, 0.6), NoiseRates(1, 0)])
def test_rates_that_leave_no_information_cannot_be_corrected(rates: NoiseRates) -> None:
    with pytest.raises(ValueError, match="< 1"):
        backward_corrected(1.0, rates)


@pytest.mark.parametrize(
    ("prompt", "group"),
    [
        ("What is 2+2?", "What is 2+2?"),
        ("", ""),
        ([{"role": "user", "content": "質 é"}], '[{"content":"質 é","role":"user"}]'),
        ([{"content": "質 é", "role": "user"}], '[{"content":"質 é","role":"user"}]'),
        ([], "[]"),
    ],
)
def test_the_group_of_a_prompt_is_its_text_or_its_canonical_json(
    prompt: str | list[dict[str, object]], group: str
) -> None:
    assert group_of_prompt(prompt) == group


# --- edges ---


@pytest.mark.parametrize("group", ["", "\0", "\ud800", "質問", "q" * 1_000_000])
def test_any_text_is_a_group(group: str) -> None:
    assert 0 <= flip_draw(seed=-1, group=group, visit=2**70, completion="\udfff") < 1


def test_an_empty_completion_is_still_a_sample() -> None:
    assert flip_draw(seed=0, group="q", visit=0, completion="") != flip_draw(seed=0, group="q", visit=0)


# --- invariance ---


def test_every_part_of_the_key_changes_the_draw() -> None:
    keys: list[dict[str, Any]] = [{"seed": 0, "group": "q", "visit": 0, "completion": "a"}]
    keys += [keys[0] | change for change in ({"seed": 1}, {"group": "r"}, {"visit": 1}, {"completion": "b"})]
    assert len({flip_draw(**key) for key in keys}) == len(keys)


@pytest.mark.parametrize("rate", RATES)
def test_over_4096_visits_each_rate_is_met_within_four_standard_errors(rate: float) -> None:
    assert abs(len(flipped(rate)) / 4096 - rate) <= 4 * sqrt(rate * (1 - rate) / 4096)


def test_what_flips_at_a_rate_flips_at_every_higher_rate() -> None:
    assert all(flipped(lower) < flipped(higher) for lower, higher in pairwise(RATES))


# --- the adversary ---


def test_in_scope_question_the_policy_cannot_move_its_draw_and_in_scope_sample_copies_share_it() -> None:
    assert flip_draw(seed=3, group="q", visit=5) == flip_draw(seed=3, group="q", visit=5)
    copies = {flip_draw(seed=3, group="q", visit=5, completion="\\boxed{4}") for _ in range(8)}
    others = {flip_draw(seed=3, group="q", visit=5, completion="\\boxed{4}" + " " * n) for n in range(8)}
    assert (len(copies), len(others)) == (1, 8)
