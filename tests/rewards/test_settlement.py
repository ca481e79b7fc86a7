"""Clean outcome, then noise, then RPR where nothing was earned, then the grid: the outcome table of the contract."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from reward_server.grading.answer import Answer
from reward_server.grading.reading import Reading
from reward_server.rewards.flip import FlipReward
from reward_server.rewards.found import Found
from reward_server.rewards.noise import NoiseRates, backward_corrected, flip_draw
from reward_server.rewards.reasoning import Rpr
from reward_server.rewards.reward import Reward
from reward_server.rewards.rm_sim import RmSimReward
from reward_server.rewards.rpr import RprReward
from reward_server.rewards.verify import VerifierReward
from reward_server.types import Outcome, Sample, Score, Verdict

DRAWS = {str(group): flip_draw(seed=0, group=str(group), visit=0) for group in range(100)}
NEVER = max(DRAWS, key=DRAWS.__getitem__)
ALWAYS = min(DRAWS, key=DRAWS.__getitem__)
"""Questions whose draws, 0.99 and 0.003, a flip at 0.1 to 0.9 never, always, turns."""
FLIP = FlipReward(flip_prob=0.4)


def reasoning(value: float) -> Rpr:
    return Rpr(value=value, hits=3, repetition=0.0, user_turns=0)


def verdict(outcome: Outcome | float) -> Verdict:
    if isinstance(outcome, float):
        return Verdict(Outcome.PARTIAL, "text", "", "", score=outcome)
    return Verdict(outcome, "text", "", "", score=0.25 if outcome is Outcome.PARTIAL else None)


def settled(
    reward: Reward,
    outcome: Outcome | float,
    group: str = NEVER,
    *,
    wanted: bool = True,
    rpr: float | None = None,
) -> Score:
    """What a sample earns when its answer was graded so; a number is the score of a partial one."""
    reading = Reading("", None, has_eaten_escape=False)
    found = Found(reading, verdict(outcome), None if rpr is None else reasoning(rpr))
    return reward.settle(Sample("", group=group, flip=wanted), found)


@pytest.mark.parametrize(
    ("outcome", "clean", "noisy"),
    [
        (Outcome.CORRECT, 1.0, 0.0),
        (Outcome.INCORRECT, 0.0, 1.0),
        (Outcome.UNPARSEABLE, 0.0, 1.0),
        (Outcome.UNANSWERED, 0.0, 0.0),
        (Outcome.TIMEOUT, 0.0, 0.0),
        (Outcome.UNGRADABLE, None, None),
        (Outcome.ERROR, None, None),
    ],
)
def test_the_outcome_table(outcome: Outcome, clean: float | None, noisy: float | None) -> None:
    assert settled(VerifierReward(), outcome).reward == clean
    assert settled(FLIP, outcome, NEVER).reward == clean
    assert settled(FLIP, outcome, ALWAYS).reward == noisy
    assert settled(FLIP, outcome, ALWAYS, wanted=False).reward == clean  # evaluation


def test_a_partial_score_is_paid_on_the_grid_and_noise_pays_the_rest() -> None:
    assert settled(VerifierReward(), 0.3).reward == 307 / 1024  # 307.2/1024
    score = settled(FLIP, 0.3, ALWAYS)
    assert (score.reward, score.shown, score.outcome) == (717 / 1024, 0.7, Outcome.PARTIAL)  # 716.8/1024
    assert (score.parts["clean"], score.parts["flipped"]) == (0.3, 1.0)
    assert settled(FLIP, 0.3, NEVER).reward == settled(FLIP, 0.3, ALWAYS, wanted=False).reward == 307 / 1024
    # RPR is for what earned nothing, and a partial answer earned something
    assert settled(VerifierReward(alpha=1), 0.25, rpr=0.9).reward == 0.25
    assert settled(FlipReward(flip_prob=0.4, alpha=1), 0.25, ALWAYS, rpr=0.9).reward == 0.75


@pytest.mark.parametrize(("clean", "rate"), [(0.25, 0.2), (0.4999, 0.2), (0.5, 0.7), (0.75, 0.7)])
def test_a_partial_score_has_the_rate_of_the_side_of_one_half_that_it_is_on(clean: float, rate: float) -> None:
    reward = FlipReward(false_positive_prob=0.2, false_negative_prob=0.7)
    noise = settled(reward, clean, ALWAYS).noise
    assert noise is not None and (noise.threshold, noise.flipped) == (rate, True)


@given(st.floats(0, 1), st.floats(0, 0.49), st.floats(0, 0.49))
def test_backward_is_right_on_average_for_partial_scores_too(clean: float, low: float, high: float) -> None:
    rates = NoiseRates(low, high)
    rate = rates.of(clean)
    mean = (1 - rate) * backward_corrected(clean, rates) + rate * backward_corrected(1 - clean, rates)
    assert mean == pytest.approx(clean, abs=1e-9)


def test_a_partial_score_and_wrong_labels_or_a_simulated_judge() -> None:
    reading = Reading("", None, has_eaten_escape=False)
    found = Found(reading, verdict(0.75), wrong_verdict=verdict(0.25))
    score = FlipReward(label_noise=0.5).settle(Sample("", group=ALWAYS), found)
    assert (score.reward, score.parts["clean"], score.outcome) == (0.25, 0.75, Outcome.PARTIAL)
    judge = RmSimReward(accuracy=0.85)
    judged = {clean: settled(judge, clean, rpr=0.0).parts for clean in (0.49, 0.51)}
    assert judged[0.49]["clean"] == 0.49
    assert judged[0.49]["rm"] == settled(judge, Outcome.INCORRECT, rpr=0.0).parts["rm"]
    assert judged[0.51]["rm"] == settled(judge, Outcome.CORRECT, rpr=0.0).parts["rm"]


@pytest.mark.parametrize("visit", [-1, -(2**63)])
def test_a_visit_below_0_has_noise_and_its_correctness_is_paid(visit: int) -> None:
    flip = FlipReward(flip_prob=1.0)
    found = Found(Reading("", None, has_eaten_escape=False), verdict(Outcome.CORRECT), reasoning(0.5))
    assert flip.settle(Sample("", group=ALWAYS, visit=visit), found).reward == 0.0
    assert VerifierReward(alpha=0.5).settle(Sample("", group=ALWAYS, visit=visit), found).reward == 1.0
    assert VerifierReward(rpr_until_visit=2).settle(Sample("", group=ALWAYS, visit=visit), found).reward == 0.5


def test_unanswered_is_flipped_only_on_request() -> None:
    reward = FlipReward(flip_prob=0.4, flip_unanswered=True)
    assert settled(reward, Outcome.UNANSWERED, ALWAYS).reward == 1.0
    assert settled(reward, Outcome.TIMEOUT, ALWAYS).reward == 0.0


@pytest.mark.parametrize(
    ("outcome", "reward"),
    [
        (Outcome.CORRECT, 1.0),
        (Outcome.INCORRECT, 307 / 1024),  # 1 · 0.3 = 307.2/1024
        (Outcome.UNPARSEABLE, 307 / 1024),
        (Outcome.UNANSWERED, 0.0),
        (Outcome.TIMEOUT, 0.0),
        (Outcome.UNGRADABLE, None),
    ],
)
def test_alpha_1_is_the_published_format_reward_when_wrong(outcome: Outcome, reward: float | None) -> None:
    score = settled(VerifierReward(alpha=1), outcome, rpr=0.3)
    assert score.reward == reward
    assert score.parts["rpr"] == 0.3  # unrounded


def test_evaluation_rows_get_neither_noise_nor_rpr() -> None:
    reward = FlipReward(flip_prob=0.4, alpha=1)
    for outcome in (Outcome.INCORRECT, Outcome.CORRECT, Outcome.UNPARSEABLE):
        clean = verdict(outcome).clean
        assert settled(reward, outcome, ALWAYS, wanted=False, rpr=0.5).reward == clean
        score = settled(VerifierReward(alpha=1), outcome, wanted=False, rpr=0.5)
        assert (score.reward, score.parts["rpr"]) == (clean, 0.5)


def test_rpr_comes_after_the_flip() -> None:
    reward = FlipReward(flip_prob=0.4, alpha=0.5)
    turned_down = settled(reward, Outcome.CORRECT, ALWAYS, rpr=0.5)
    assert (turned_down.reward, turned_down.shown) == (0.25, 0.0)
    turned_up = settled(reward, Outcome.INCORRECT, ALWAYS, rpr=0.5)
    assert (turned_up.reward, turned_up.shown) == (1.0, 1.0)


def test_the_correction_is_for_exposed_samples_only() -> None:
    reward = FlipReward(false_positive_prob=0.1, false_negative_prob=0.4, correction="backward")
    # (1 - 0.1) / 0.5 = 1.8 = 1843.2/1024 and (0 - 0.1) / 0.5 = -0.2 = -204.8/1024
    assert settled(reward, Outcome.CORRECT, NEVER).reward == 1843 / 1024
    assert settled(reward, Outcome.CORRECT, ALWAYS).reward == -205 / 1024
    assert settled(reward, Outcome.UNANSWERED, ALWAYS).reward == 0.0
    assert settled(reward, Outcome.CORRECT, ALWAYS, wanted=False).reward == 1.0


def test_the_forward_weight_is_the_noisy_score_shifted_and_its_mean_where_noise_may_not_invert() -> None:
    reward = FlipReward(false_positive_prob=0.125, false_negative_prob=0.375, correction="forward")
    assert settled(reward, Outcome.CORRECT, NEVER).reward == 0.375
    assert settled(reward, Outcome.CORRECT, ALWAYS).reward == -0.625
    assert settled(reward, Outcome.INCORRECT, ALWAYS).reward == 0.375
    assert settled(reward, Outcome.INCORRECT, NEVER).reward == -0.625
    # 0.875 · -0.625 + 0.125 · 0.375: what a wrong answer has on average, so that none is better than a wrong one
    assert settled(reward, Outcome.UNANSWERED, ALWAYS).reward == settled(reward, Outcome.TIMEOUT, ALWAYS).reward == -0.5
    assert settled(reward, Outcome.CORRECT, ALWAYS, wanted=False).reward == 1.0
    assert settled(reward, Outcome.INCORRECT, ALWAYS, wanted=False).reward == 0.0
    assert settled(reward, Outcome.ERROR, ALWAYS).reward is None
    assert "cancels it" in " ".join(reward.warnings(Sample("", visit=1)))


def test_a_mislabelled_question_is_paid_by_its_wrong_ground_truth_and_clean_stays_true() -> None:
    reward = FlipReward(label_noise=0.5)

    def paid(true: Outcome, wrong: Outcome | None, reward: FlipReward = reward) -> Score:
        other = None if wrong is None else Verdict(wrong, "text", "", "")
        reading = Reading("", None, has_eaten_escape=False)
        found = Found(reading, Verdict(true, "text", "", ""), wrong_verdict=other)
        return reward.settle(Sample("", group=ALWAYS), found)

    other = paid(Outcome.INCORRECT, Outcome.CORRECT)
    assert (other.reward, other.outcome) == (1.0, Outcome.INCORRECT)
    assert (other.parts["clean"], other.parts["wrong_label"], other.parts["flipped"]) == (0.0, 1.0, 0.0)
    assert paid(Outcome.CORRECT, Outcome.INCORRECT).reward == 0.0
    assert paid(Outcome.CORRECT, None).parts["wrong_label"] == 0.0
    turned = paid(Outcome.CORRECT, Outcome.INCORRECT, FlipReward(label_noise=0.5, flip_prob=0.4))
    assert (turned.reward, turned.parts["flipped"], turned.parts["clean"]) == (1.0, 1.0, 1.0)
    assert paid(Outcome.CORRECT, Outcome.UNGRADABLE).reward is paid(Outcome.UNGRADABLE, Outcome.CORRECT).reward is None
    assert paid(Outcome.CORRECT, Outcome.UNGRADABLE).outcome is Outcome.UNGRADABLE


def test_what_does_nothing_is_a_warning() -> None:
    sample = Sample("", group="q", visit=1)

    def said(reward: VerifierReward) -> str:
        return " ".join(reward.warnings(sample))

    assert "not what label_noise does" in said(FlipReward(label_noise=0.5, flip_prob=0.1, correction="backward"))
    assert "label_noise" not in said(FlipReward(flip_prob=0.1, correction="backward"))
    assert "only repeats it" in said(VerifierReward(reference="math"))
    assert said(VerifierReward(reference="string")) == said(VerifierReward()) == ""


def test_labels_are_wrong_by_question_and_never_of_evaluation_rows() -> None:
    reward = FlipReward(label_noise=0.3)
    chosen = [reward.mislabels(Sample("x", group=f"q-{n}", visit=n % 5)) for n in range(2000)]
    assert abs(sum(chosen) / 2000 - 0.3) < 0.035
    assert chosen == [reward.mislabels(Sample("y", group=f"q-{n}")) for n in range(2000)]
    assert not any(reward.mislabels(Sample("x", group=f"q-{n}", flip=False)) for n in range(200))
    assert not any(FlipReward(flip_prob=1.0).mislabels(Sample("x", group=f"q-{n}")) for n in range(200))


def test_label_noise_needs_a_wrong_label_but_in_evaluation_rows() -> None:
    reward, row = FlipReward(label_noise=0.3), Sample("x", ground_truths=("4",), group="q")
    assert "wrong_ground_truth" in str(reward.lacks(row))
    assert reward.lacks(replace(row, flip=False)) is reward.lacks(replace(row, wrong_ground_truths=("5",))) is None


def test_rpr_pays_nothing_without_an_answer_unless_told_to() -> None:
    def paid(reward: RprReward, answer: Answer | None) -> Score:
        return reward.settle(Sample(""), Found(Reading("", answer, has_eaten_escape=False), rpr=reasoning(0.5)))

    unanswered = paid(RprReward(), None)
    assert (unanswered.reward, unanswered.outcome, unanswered.parts["rpr"]) == (0.0, Outcome.UNANSWERED, 0.5)
    assert paid(RprReward(require_answer=False), None).reward == 0.5
    assert paid(RprReward(), Answer("4", 0, 1)).reward == 0.5


@given(
    st.sampled_from([outcome for outcome in Outcome if outcome is not Outcome.SCORED]),
    st.text(min_size=1),
    st.booleans(),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 2),
)
def test_every_reward_is_null_exactly_when_unscored_and_else_on_the_grid_in_0_to_1(
    outcome: Outcome, group: str, wanted: bool, rpr: float, p: float, alpha: float
) -> None:
    score = settled(FlipReward(flip_prob=p, alpha=alpha), outcome, group, wanted=wanted, rpr=rpr)
    assert (score.reward is None) == outcome.is_unscored
    if score.reward is not None:
        assert 0 <= score.reward <= 1
        assert (score.reward * 1024).is_integer()
    assert set(score.parts) == {"clean", "flipped", "flip_draw", "rpr"}
