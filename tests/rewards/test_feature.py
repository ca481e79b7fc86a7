"""`flip_if`: noise only where a feature of the own turn holds."""

from __future__ import annotations

from importlib.util import find_spec
from time import process_time

import pytest
from pydantic import ValidationError

from reward_server.grading.answer import Answer
from reward_server.grading.reading import Reading, read
from reward_server.rewards.feature import MAX_CHARS, checked_feature, feature_of
from reward_server.rewards.flip import FlipReward
from reward_server.rewards.found import Found
from reward_server.rewards.verify import VerifierReward
from reward_server.types import Outcome, Sample, Score, Verdict

needs_re2 = pytest.mark.skipif(find_spec("re2") is None, reason="google-re2 is not installed here")


def reading(text: str, answer: str | None = None) -> Reading:
    return Reading(text, None if answer is None else Answer(answer, 0, len(answer)), has_eaten_escape=False)


def at(feature: str, text: str, answer: str | None = None) -> tuple[int, int] | None:
    return feature_of(feature).at(reading(text, answer))


@pytest.mark.parametrize(
    ("feature", "text", "where"),
    [
        ("phrase:wait", "No. WAIT, so", (4, 8)),
        ("phrase:Wait", "await", (1, 5)),  # a substring, as for RPR
        ("phrase:wait", "wai t", None),
        ("phrase: wait", "wait", None),  # blanks count
        ("phrase:b", "İab", (2, 3)),  # İ in lower case has two characters
        ("phrase:x:y>1", "say x:y>1", (4, 9)),
        ("length>3", "four", (0, 4)),
        ("length>4", "four", None),
        ("length>0", "", None),
    ],
)
def test_what_holds_and_where(feature: str, text: str, where: tuple[int, int] | None) -> None:
    assert at(feature, text) == where


def test_the_answer_is_measured_by_its_own_characters_and_none_has_none() -> None:
    assert at("answer_length>2", "so", "123") == (0, 3)
    assert at("answer_length>3", "so much text", "123") is None
    assert at("answer_length>0", "so much text") is None


@needs_re2
@pytest.mark.parametrize(
    ("pattern", "text", "where"),
    [
        ("wait", "Wait", None),
        ("(?i)WAIT", "so wait", (3, 7)),
        (r"\bso\b.*\d{2}", "also so 42", (5, 10)),
        ("é+", "caféé!", (3, 5)),
        ("^b", "a\nb", None),
        ("(?m)^b", "a\nb", (2, 3)),
        ("b", "\ud800\ud800b", (2, 3)),  # a lone surrogate ends nothing
        ("\\x00", "a\0", (1, 2)),
    ],
)
def test_an_expression_is_found_as_re2_reads_it(pattern: str, text: str, where: tuple[int, int] | None) -> None:
    assert at(f"regex:{pattern}", text) == where


@pytest.mark.parametrize(
    ("feature", "why"),
    [
        ("", "phrase:TEXT, regex:RE"),
        ("phrase:", "phrase:TEXT, regex:RE"),
        ("words>3", "phrase:TEXT, regex:RE"),
        ("length>-1", "length>N"),
        ("length>٣", "length>N"),
        ("phrase:" + "x" * (MAX_CHARS + 1), "at most 500 characters, and this has 501"),
        pytest.param("regex:" + "x" * (MAX_CHARS + 1), "at most 500", marks=needs_re2),
        pytest.param(r"regex:(a)\1", "no backreferences", marks=needs_re2),
        pytest.param("regex:(?=a)b", "no backreferences and no look-around", marks=needs_re2),
        pytest.param("regex:[", "missing ]", marks=needs_re2),
        pytest.param("regex:a{1001}", "repetition size", marks=needs_re2),
        pytest.param(r"regex:\pL\pL", "instructions, at most 1500", marks=needs_re2),
        pytest.param("regex:\ud800", "cannot compile", marks=needs_re2),
    ],
)
def test_what_is_no_feature_is_refused_with_the_reason(feature: str, why: str) -> None:
    with pytest.raises(ValueError, match="it|at most|instructions") as refused:
        checked_feature(feature)
    assert why in str(refused.value)
    with pytest.raises(ValidationError):
        FlipReward(flip_prob=0.4, flip_if=feature)


@needs_re2
def test_no_expression_is_slow_where_backtracking_would_be() -> None:
    text = "01" * 20_000
    for pattern in ("(0|1)*2", "(0*)*(1*)*2", "1[01]{200}2", "(?:[01]*[01]*){20}2"):
        started = process_time()
        assert at(f"regex:{pattern}", text) is None
        assert process_time() - started < 2  # 0.001 to 0.04 s; a backtracking engine never ends


def settled(reward: FlipReward, outcome: Outcome, text: str, *, flip: bool = True) -> Score:
    found = Found(reading(text, "4"), Verdict(outcome, "text", "", ""))
    return reward.settle(Sample(text, group="q", flip=flip), found)


def test_only_what_has_the_feature_is_exposed_and_others_are_paid_clean() -> None:
    reward = FlipReward(flip_prob=1.0, flip_if="phrase:wait")
    turned, left = settled(reward, Outcome.INCORRECT, "Wait! 5"), settled(reward, Outcome.INCORRECT, "5")
    assert (turned.reward, turned.parts["flipped"], turned.parts["flip_if"]) == (1.0, 1.0, 1.0)
    assert (left.reward, left.parts["flipped"], left.parts["flip_if"]) == (0.0, 0.0, 0.0)
    assert turned.noise and turned.noise.exposed and turned.noise.at == (0, 4)
    assert left.noise and not left.noise.exposed and left.noise.holds is False
    assert settled(reward, Outcome.CORRECT, "4").reward == 1.0
    assert settled(reward, Outcome.CORRECT, "wait 4").reward == 0.0
    assert settled(reward, Outcome.TIMEOUT, "wait").reward == 0.0
    evaluation = settled(reward, Outcome.INCORRECT, "wait", flip=False)
    assert (evaluation.reward, evaluation.parts["flip_if"]) == (0.0, 1.0)
    assert evaluation.noise and not evaluation.noise.exposed
    assert settled(reward, Outcome.ERROR, "wait").reward is None


def test_the_draw_is_that_of_the_same_reward_without_the_feature() -> None:
    plain, followed = FlipReward(flip_prob=0.4), FlipReward(flip_prob=0.4, flip_if="length>3")
    for text in ("four", "six"):
        one, other = settled(plain, Outcome.CORRECT, text), settled(followed, Outcome.CORRECT, text)
        assert one.parts["flip_draw"] == other.parts["flip_draw"]


def test_corrections_pay_what_lacks_the_feature_as_any_answer_that_noise_may_not_invert() -> None:
    def paid(correction: str, outcome: Outcome, text: str) -> float | None:
        values = {"false_positive_prob": 0.125, "false_negative_prob": 0.375, "flip_if": "phrase:wait"}
        reward = FlipReward.model_validate({**values, "correction": correction})
        return settled(reward, outcome, text).reward

    assert (paid("backward", Outcome.CORRECT, "4"), paid("backward", Outcome.INCORRECT, "4")) == (1.0, 0.0)
    # forward: (1 - 0.125 - 0.375) · (clean - 1), what the others have on average
    assert (paid("forward", Outcome.CORRECT, "4"), paid("forward", Outcome.INCORRECT, "4")) == (0.0, -0.5)


def test_a_feature_needs_a_rate_and_is_in_the_digest_only_where_it_is_set() -> None:
    with pytest.raises(ValidationError, match="give flip_prob"):
        FlipReward(label_noise=0.2, flip_if="length>3")
    assert "flip_if" not in FlipReward(flip_prob=0.4).counted()
    one, other = (FlipReward(flip_prob=0.4, flip_if=text).counted() for text in ("phrase:Wait", "phrase:wait"))
    assert one == other and one["flip_if"] == "phrase:wait"
    assert VerifierReward().work_of_a_char == FlipReward(flip_prob=0.4).work_of_a_char == 1


def test_what_follows_the_turn_and_the_prompt_are_not_read() -> None:
    (own,) = read(["so 4<|im_end|>wait"], "math")
    assert feature_of("phrase:wait").at(own) is None
