"""Clean outcome, then noise, then RPR where nothing was earned, then the grid: the outcome table of the contract."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_server.parameters import FlipParameters, RprParameters, VerifierParameters
from reward_server.rewards.rpr import Rpr
from reward_server.rewards.settlement import settle_flip, settle_rpr, settle_verifier
from reward_server.types import Outcome

NEVER, ALWAYS = 0.999999, 0.0
"""Draws that a flip at 0.4 never, always, turns."""
FLIP = FlipParameters(flip_prob=0.4)


def reasoning(value: float) -> Rpr:
    return Rpr(value=value, hits=3, repetition=0.0, user_turns=0)


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
    assert settle_verifier(outcome, None, VerifierParameters()).reward == clean
    assert settle_flip(outcome, NEVER, True, None, FLIP).reward == clean
    assert settle_flip(outcome, ALWAYS, True, None, FLIP).reward == noisy
    assert settle_flip(outcome, ALWAYS, False, None, FLIP).reward == clean  # evaluation


def test_unanswered_is_flipped_only_on_request() -> None:
    parameters = FlipParameters(flip_prob=0.4, flip_unanswered=True)
    assert settle_flip(Outcome.UNANSWERED, ALWAYS, True, None, parameters).reward == 1.0
    assert settle_flip(Outcome.TIMEOUT, ALWAYS, True, None, parameters).reward == 0.0


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
    score = settle_verifier(outcome, reasoning(0.3), VerifierParameters(alpha=1))
    assert score.reward == reward
    assert score.parts["rpr"] == 0.3  # unrounded


def test_evaluation_rows_get_neither_noise_nor_rpr() -> None:
    parameters = FlipParameters(flip_prob=0.4, alpha=1)
    for outcome in (Outcome.INCORRECT, Outcome.CORRECT, Outcome.UNPARSEABLE):
        assert settle_flip(outcome, ALWAYS, False, reasoning(0.5), parameters).reward == outcome.clean
        score = settle_verifier(outcome, reasoning(0.5), VerifierParameters(alpha=1), wanted=False)
        assert (score.reward, score.parts["rpr"]) == (outcome.clean, 0.5)


def test_rpr_comes_after_the_flip() -> None:
    parameters = FlipParameters(flip_prob=0.4, alpha=0.5)
    turned_down = settle_flip(Outcome.CORRECT, ALWAYS, True, reasoning(0.5), parameters)
    assert (turned_down.reward, turned_down.shown) == (0.25, 0.0)
    turned_up = settle_flip(Outcome.INCORRECT, ALWAYS, True, reasoning(0.5), parameters)
    assert (turned_up.reward, turned_up.shown) == (1.0, 1.0)


def test_the_correction_is_for_exposed_samples_only() -> None:
    parameters = FlipParameters(false_positive_prob=0.1, false_negative_prob=0.4, correction="backward")
    # (1 - 0.1) / 0.5 = 1.8 = 1843.2/1024 and (0 - 0.1) / 0.5 = -0.2 = -204.8/1024
    assert settle_flip(Outcome.CORRECT, NEVER, True, None, parameters).reward == 1843 / 1024
    assert settle_flip(Outcome.CORRECT, ALWAYS, True, None, parameters).reward == -205 / 1024
    assert settle_flip(Outcome.UNANSWERED, ALWAYS, True, None, parameters).reward == 0.0
    assert settle_flip(Outcome.CORRECT, ALWAYS, False, None, parameters).reward == 1.0


def test_rpr_pays_nothing_without_an_answer_unless_told_to() -> None:
    unanswered = settle_rpr(reasoning(0.5), False, RprParameters())
    assert (unanswered.reward, unanswered.outcome, unanswered.parts["rpr"]) == (0.0, Outcome.UNANSWERED, 0.5)
    assert settle_rpr(reasoning(0.5), False, RprParameters(require_answer=False)).reward == 0.5
    assert settle_rpr(reasoning(0.5), True, RprParameters()).reward == 0.5


@given(
    st.sampled_from([outcome for outcome in Outcome if outcome is not Outcome.SCORED]),
    st.floats(0, 1, exclude_max=True),
    st.booleans(),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 2),
)
def test_every_reward_is_null_exactly_when_unscored_and_else_on_the_grid_in_0_to_1(
    outcome: Outcome, draw: float, wanted: bool, rpr: float, p: float, alpha: float
) -> None:
    score = settle_flip(outcome, draw, wanted, reasoning(rpr), FlipParameters(flip_prob=p, alpha=alpha))
    assert (score.reward is None) == outcome.is_unscored
    if score.reward is not None:
        assert 0 <= score.reward <= 1
        assert (score.reward * 1024).is_integer()
    assert set(score.parts) == {"clean", "flipped", "flip_draw", "rpr"}
