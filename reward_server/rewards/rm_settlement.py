"""From the raw score of a reward model to the reward: transform, calibration with RPR, grid.

    s = transform(model score), 0 if the format is invalid
    reward = s if s >= threshold, else min(1, s + alpha · rpr)

Source: Lv et al. 2025 (arXiv 2505.22653). A bad format has RPR 0 too, as published, and evaluation rows (`wanted`
False) are paid s. Usually 0 … 1; with transform=identity as far as the model's scores go.
"""

from __future__ import annotations

from reward_server.parameters import RmParameters
from reward_server.rewards.grid import calibrated, to_grid
from reward_server.rewards.rpr import Rpr
from reward_server.rewards.transform import transformed
from reward_server.types import Outcome, Score


def settle_rm(
    outcome: Outcome, model_score: float | None, rpr: Rpr, parameters: RmParameters, *, wanted: bool = True
) -> Score:
    """The score of `rm`; `model_score` is None where the model gave none."""
    if outcome is Outcome.SCORED and model_score is not None:
        score = transformed(model_score, parameters.transform, mean=parameters.mean, sigma=parameters.sigma)
        paid_rpr = rpr.value
    elif outcome is Outcome.BAD_FORMAT:
        score = paid_rpr = 0.0
    else:
        parts: dict[str, float | None] = {"model_score": None, "rm": None, "rpr": rpr.value, "calibrated": None}
        return Score(outcome, None, shown=None, parts=parts)
    alpha = parameters.alpha if wanted else 0.0
    value = calibrated(score, paid_rpr, threshold=parameters.threshold, alpha=alpha, monotone=parameters.monotone)
    reward = to_grid(value)
    parts = {"model_score": model_score, "rm": score, "rpr": paid_rpr, "calibrated": value}
    return Score(outcome, reward, shown=reward, parts=parts)
