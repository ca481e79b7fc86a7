"""A judge whose accuracy is known: its draws, its errors, its variance, and what is paid."""

from __future__ import annotations

import json
from hashlib import blake2b
from pathlib import Path
from statistics import NormalDist, fmean, pvariance

import pytest

from reward_server.grading.answer import Answer
from reward_server.grading.reading import Reading
from reward_server.rewards.found import Found
from reward_server.rewards.judge import judged
from reward_server.rewards.noise import answer_draw, judge_draw
from reward_server.rewards.reasoning import Rpr
from reward_server.rewards.rm_sim import RmSimReward
from reward_server.types import Outcome, Sample, Score, Verdict

LAB = Path(__file__).parents[2].parent / "shared" / "data" / "noise_lab_golden.jsonl"
PAIRS = 20_000


def settled(
    reward: RmSimReward, outcome: Outcome, answer: str, *, group: str = "q", rpr: float = 0.5, flip: bool = True
) -> Score:
    reading = Reading("", Answer(answer, 0, len(answer)), has_eaten_escape=False)
    found = Found(reading, Verdict(outcome, "text", "", ""), rpr=reasoning(rpr))
    return reward.settle(Sample("", group=group, flip=flip), found)


def reasoning(value: float) -> Rpr:
    return Rpr(value=value, hits=3, repetition=0.0, user_turns=0)


@pytest.mark.parametrize(("accuracy", "tilt"), [(0.5, 0.0), (0.9, 1e308), (0.9, -1e308), (1 - 2**-53, 0.0)])
def test_no_parameter_makes_a_score_that_is_no_number(accuracy: float, tilt: float) -> None:
    """One such sample was a 500 for its whole request."""
    for sharpness in (1e308, 1e-308):
        for draw in (0.0, 0.5, 1 - 2**-53):
            assert 0 <= judged(1.0, draw, accuracy=accuracy, sharpness=sharpness, tilt=tilt) <= 1
    assert judged(0.0, 0.3, accuracy=0.5, sharpness=1e308, tilt=tilt) == 0.5


def says(accuracy: float, tilt: float = 0.0) -> tuple[list[float], list[float]]:
    """Scores of as many right answers, and of as many wrong ones."""
    draws = [judge_draw(seed=5, group=f"q-{n}", answer=str(n % 7)) for n in range(2 * PAIRS)]
    right = [judged(1.0, u, accuracy=accuracy, sharpness=1.7, tilt=tilt) for u in draws[:PAIRS]]
    return right, [judged(0.0, u, accuracy=accuracy, sharpness=1.7, tilt=tilt) for u in draws[PAIRS:]]


def test_a_draw_is_the_golden_one_and_shares_nothing_with_another_structure() -> None:
    assert judge_draw(seed=0, group="q-1", answer="7") == 0.11546024295199342
    digest = blake2b(b"rm_sim\x003\x00q\x00x+1", digest_size=8).digest()
    assert judge_draw(seed=3, group="q", answer="x+1") == (int.from_bytes(digest, "big") >> 11) / 2**53
    assert judge_draw(seed=0, group="q", answer="7") != answer_draw(seed=0, group="q", answer="7")


@pytest.mark.skipif(not LAB.is_file(), reason="no ../shared/data with the golden vectors of the noise laboratory")
def test_every_golden_draw_of_the_judge() -> None:
    vectors = [json.loads(line) for line in LAB.read_text().splitlines()]
    judges = [vector for vector in vectors if vector["structure"] == "rm_sim"]
    assert len(judges) == 72
    for vector in judges:
        assert judge_draw(seed=vector["seed"], group=vector["group"], answer=vector["answer"]) == vector["u"]


@pytest.mark.parametrize("accuracy", [0.55, 0.65, 0.75, 0.85])
def test_both_kinds_of_error_have_the_rate_that_was_asked_for(accuracy: float) -> None:
    right, wrong = says(accuracy)
    assert fmean(score > 0.5 for score in right) == pytest.approx(accuracy, abs=0.01)
    assert fmean(score < 0.5 for score in wrong) == pytest.approx(accuracy, abs=0.01)


@pytest.mark.parametrize(("accuracy", "variance"), [(0.65, 0.0672), (0.75, 0.1161), (0.85, 0.1937)])
def test_variances_are_near_those_of_the_papers_models(accuracy: float, variance: float) -> None:
    right, wrong = says(accuracy)
    stated = {0.65: 0.068, 0.75: 0.130, 0.85: 0.184}[accuracy]
    found = pvariance(right + wrong)
    assert found == pytest.approx(stated, rel=0.05)
    assert found == pytest.approx(variance, rel=0.15)  # 12 % off at 75 %: one parameter for three models


def test_a_stingy_judge_rejects_more_right_answers_and_a_generous_one_accepts_more_wrong_ones() -> None:
    mu = NormalDist().inv_cdf(0.75)
    right, wrong = says(0.75, tilt=0.5)
    assert fmean(score > 0.5 for score in right) == pytest.approx(NormalDist().cdf(mu - 0.5), abs=0.01)
    assert fmean(score < 0.5 for score in wrong) == pytest.approx(NormalDist().cdf(mu + 0.5), abs=0.01)
    _, generous = says(0.75, tilt=-0.5)
    assert fmean(score > 0.5 for score in generous) > 0.4


def test_a_draw_of_nought_and_an_extreme_accuracy_have_a_score() -> None:
    assert 0 <= judged(0.0, 0.0, accuracy=0.999999, sharpness=1e6, tilt=0.0) < 1e-9
    assert judged(1.0, 1 - 2**-53, accuracy=0.999999, sharpness=1e6, tilt=0.0) == 1.0


def test_the_same_answer_has_the_same_score_in_whatever_words() -> None:
    reward = RmSimReward(accuracy=0.65)
    one, other = (settled(reward, Outcome.INCORRECT, text) for text in ("\\frac12", "\\dfrac{1}{2}"))
    assert one.parts == other.parts
    assert settled(reward, Outcome.INCORRECT, "3").parts != one.parts
    assert settled(RmSimReward(accuracy=0.65, seed=1), Outcome.INCORRECT, "\\frac12").parts != one.parts
    assert settled(reward, Outcome.INCORRECT, "\\frac12", group="r").parts != one.parts


def test_calibration_is_that_of_rm() -> None:
    reward = RmSimReward(accuracy=0.5, threshold=0.6)  # it says 0.5 to everything
    assert settled(reward, Outcome.CORRECT, "4").parts == {"clean": 1.0, "rm": 0.5, "rpr": 0.5, "calibrated": 0.55}
    assert settled(reward, Outcome.CORRECT, "4", flip=False).reward == 0.5
    lifted = settled(RmSimReward(accuracy=0.5, threshold=0.6, alpha=1.0, monotone=True), Outcome.CORRECT, "4")
    assert lifted.parts["calibrated"] == 0.6
    assert settled(RmSimReward(accuracy=0.5), Outcome.CORRECT, "4").reward == 0.5  # at the threshold: paid as it is


@pytest.mark.parametrize("outcome", [Outcome.UNANSWERED, Outcome.TIMEOUT])
def test_what_was_not_graded_as_an_answer_earns_nothing_not_even_a_bonus(outcome: Outcome) -> None:
    score = settled(RmSimReward(), outcome, "4", rpr=1.0)
    assert (score.reward, score.parts["rm"], score.parts["rpr"]) == (0.0, 0.0, 0.0)


def test_what_could_not_be_graded_keeps_its_null() -> None:
    score = settled(RmSimReward(), Outcome.UNGRADABLE, "4")
    assert (score.reward, score.parts["rm"], score.parts["calibrated"]) == (None, None, None)


def test_it_needs_a_ground_truth_and_a_question() -> None:
    reward = RmSimReward()
    assert "ground truth" in str(reward.lacks(Sample("x", group="q")))
    assert "group or a prompt" in str(reward.lacks(Sample("x", ground_truths=("4",))))
    assert reward.lacks(Sample("x", ground_truths=("4",), group="q")) is None


def test_a_judge_that_knows_nothing_is_said() -> None:
    assert any("0.5 to every answer" in text for text in RmSimReward(accuracy=0.5).warnings(Sample("")))
