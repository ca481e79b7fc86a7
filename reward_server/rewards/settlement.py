"""From an outcome to the reward: noise, then RPR where nothing was earned, then the grid.

    clean → flip → where the result is 0 and an answer was given, min(1, alpha · rpr) → grid

Evaluation rows (`wanted` False) are paid the clean score: no noise and, as in the authors' code, no RPR. With alpha = 1
and no noise this is `add_format_reward_when_wrong` of that code. Range 0 … 1, but for `correction=backward`, which is
unbounded. An unscored sample keeps its null through every step.
"""

from __future__ import annotations

from reward_server.parameters import FlipParameters, RprParameters, VerifierParameters
from reward_server.rewards.flip import NoiseRates, backward_corrected, is_flipped
from reward_server.rewards.grid import to_grid, topped_up
from reward_server.rewards.rpr import Rpr
from reward_server.types import Outcome, Score


def settle_verifier(outcome: Outcome, rpr: Rpr | None, parameters: VerifierParameters, *, wanted: bool = True) -> Score:
    """The score of `verifier`; `rpr` is given when alpha > 0."""
    clean = outcome.clean
    reward = _earned(clean, outcome, rpr if wanted else None, parameters)
    return Score(outcome, reward, shown=reward, parts={"clean": clean, **_rpr_part(rpr)})


def settle_flip(outcome: Outcome, draw: float, wanted: bool, rpr: Rpr | None, parameters: FlipParameters) -> Score:
    """The score of `flip`; `draw` is u in [0, 1)."""
    clean = outcome.clean
    rates = NoiseRates(*parameters.noise_rates)
    exposed = wanted and is_exposed(outcome, parameters)
    flipped = exposed and clean is not None and is_flipped(clean, draw, rates)
    noisy = 1.0 - clean if flipped and clean is not None else clean
    parts: dict[str, float | None] = {"clean": clean, "flipped": float(flipped), "flip_draw": draw, **_rpr_part(rpr)}
    if noisy is not None and exposed and parameters.correction == "backward":
        return Score(outcome, to_grid(backward_corrected(noisy, rates)), shown=noisy, parts=parts)
    return Score(outcome, _earned(noisy, outcome, rpr if wanted else None, parameters), shown=noisy, parts=parts)


def settle_rpr(rpr: Rpr, answered: bool, parameters: RprParameters) -> Score:
    """The score of `rpr`; without a boxed answer 0, unless `require_answer` is off."""
    paid = answered or not parameters.require_answer
    reward = to_grid(rpr.value) if paid else 0.0
    parts: dict[str, float | None] = {
        "rpr": rpr.value,
        "hits": float(rpr.hits),
        "repetition": rpr.repetition,
        "user_turns": float(rpr.user_turns),
    }
    return Score(Outcome.SCORED if paid else Outcome.UNANSWERED, reward, shown=reward, parts=parts)


def is_exposed(outcome: Outcome, parameters: FlipParameters) -> bool:
    """True where noise may flip the outcome."""
    return outcome.is_exposed or (parameters.flip_unanswered and outcome is Outcome.UNANSWERED)


def _earned(result: float | None, outcome: Outcome, rpr: Rpr | None, parameters: VerifierParameters) -> float | None:
    if result == 0.0 and rpr is not None and outcome.is_exposed:
        result = topped_up(result, rpr.value, parameters.alpha)
    return None if result is None else to_grid(result)


def _rpr_part(rpr: Rpr | None) -> dict[str, float | None]:
    return {} if rpr is None else {"rpr": rpr.value}
