"""Group-relative policy gradient of softmax policies, several independent runs side by side.

Axes: _S runs (seeds), _B questions of a step, _G samples of a question, _M strategies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from experiments.bandit.canned import QUESTIONS, STRATEGIES
from experiments.bandit.rewards import Asked, Floats, Ints

GROUP = 8
SHARED_START = (-0.5, 0.0, 0.0, 2.6)
EPSILON = 1e-6


@dataclass(frozen=True)
class Setting:
    """How a policy learns.

    `shared`: one softmax for all questions, started near .05; else one a question, started at .25. `batch`: questions a
    step, none twice. `group`: samples a question. `whiten`: divide advantages by the group's standard deviation.
    `clip`: the longest gradient, whose direction is kept. `fresh`: the visit is the step, else 0 always.
    `until`: end as soon as the mean accuracy reaches it.
    """

    lr: float
    steps: int
    seeds: int
    shared: bool = True
    batch: int = QUESTIONS
    group: int = GROUP
    adam: bool = False
    clip: float = float("inf")
    whiten: bool = True
    fresh: bool = True
    until: float = 2.0


@dataclass
class Adam:
    """Adam (.9, .999, 1e-8), upwards."""

    lr: float
    _mean: Floats | float = 0.0
    _square: Floats | float = 0.0
    _step: int = field(default=0)

    def __call__(self, gradient: Floats) -> Floats:
        self._step += 1
        self._mean = 0.9 * self._mean + 0.1 * gradient
        self._square = 0.999 * self._square + 0.001 * gradient**2
        mean, square = self._mean / (1 - 0.9**self._step), self._square / (1 - 0.999**self._step)
        step: Floats = self.lr * mean / (np.sqrt(square) + 1e-8)
        return step


def train(
    setting: Setting,
    is_right: NDArray[np.bool_],
    rewards_of: Callable[[Asked], Floats],
    on_step: Callable[[], None] = lambda: None,
) -> Floats:
    """Exact accuracy of each run before each step and at the end, [S, steps + 1] (shorter when `until` is reached)."""
    rngs = [np.random.default_rng(1000 + seed) for seed in range(setting.seeds)]
    start = np.array(SHARED_START if setting.shared else [0.0] * STRATEGIES)
    logits = np.tile(start, (setting.seeds, 1 if setting.shared else len(is_right), 1))
    ascend = Adam(setting.lr) if setting.adam else lambda gradient: setting.lr * gradient
    curve = [_accuracy(logits, is_right)]
    for step in range(setting.steps):
        if curve[-1].mean() >= setting.until:
            break
        questions_SB = np.stack([_chosen(rng, setting.batch, len(is_right)) for rng in rngs])
        gradient = _gradient(setting, logits, questions_SB, step, rngs, rewards_of)
        logits = logits + ascend(_clipped(gradient, setting.clip))
        curve.append(_accuracy(logits, is_right))
        on_step()
    return np.stack(curve, axis=1)


def _gradient(
    setting: Setting,
    logits: Floats,
    questions_SB: Ints,
    step: int,
    rngs: list[np.random.Generator],
    rewards_of: Callable[[Asked], Floats],
) -> Floats:
    """Of the policy's logits [S, 1 or QUESTIONS, M]."""
    runs_S = np.arange(setting.seeds)[:, None]
    policy_SBM = _softmax(logits)[runs_S, questions_SB * (not setting.shared)]
    uniform_SBG = np.stack([rng.random((setting.batch, setting.group)) for rng in rngs])
    thresholds_SBM = np.cumsum(policy_SBM, axis=-1)[..., :-1]
    strategies_SBG = (uniform_SBG[..., None] > thresholds_SBM[..., None, :]).sum(-1)
    rewards_SBG = _asked(questions_SB, strategies_SBG, step if setting.fresh else 0, rewards_of)
    advantages_SBG = advantages(rewards_SBG, setting.whiten)
    chosen_SBGM = np.eye(STRATEGIES)[strategies_SBG]
    gradient_SBM = (advantages_SBG[..., None] * (chosen_SBGM - policy_SBM[:, :, None])).mean(2)
    if setting.shared:
        of_all: Floats = gradient_SBM.mean(1, keepdims=True)
        return of_all
    gradient = np.zeros_like(logits)
    gradient[runs_S, questions_SB] = gradient_SBM
    return gradient


def _clipped(gradient: Floats, longest: float) -> Floats:
    """Of each run, no longer than that."""
    length = np.sqrt((gradient**2).sum((1, 2), keepdims=True))
    scaled: Floats = gradient * np.minimum(1, longest / np.maximum(length, 1e-300))
    return scaled


def advantages(rewards_SBG: Floats, whiten: bool) -> Floats:
    """Rewards less their group's mean, divided by its standard deviation if `whiten`."""
    centred: Floats = rewards_SBG - rewards_SBG.mean(-1, keepdims=True)
    return centred / (rewards_SBG.std(-1, keepdims=True) + EPSILON) if whiten else centred


def _asked(questions_SB: Ints, strategies_SBG: Ints, visit: int, rewards_of: Callable[[Asked], Floats]) -> Floats:
    """Rewards [S, B, G], each distinct sample asked once."""
    runs = np.arange(len(questions_SB))[:, None, None]
    all_questions = int(questions_SB.max()) + 1
    keys_SBG = (runs * all_questions + questions_SB[..., None]) * STRATEGIES + strategies_SBG
    keys, where = np.unique(keys_SBG, return_inverse=True)
    rest, strategies = np.divmod(keys, STRATEGIES)
    runs, questions = np.divmod(rest, all_questions)
    return rewards_of(Asked(runs, questions, strategies, visit))[where].reshape(keys_SBG.shape)


def _chosen(rng: np.random.Generator, batch: int, questions: int) -> Ints:
    return np.arange(questions) if batch == questions else rng.permutation(questions)[:batch]


def _softmax(logits: Floats) -> Floats:
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    policy: Floats = weights / weights.sum(-1, keepdims=True)
    return policy


def _accuracy(logits: Floats, is_right: NDArray[np.bool_]) -> Floats:
    """Mean over questions of the chance of a right answer, [S]."""
    accuracy: Floats = (_softmax(logits) * is_right).sum(-1).mean(-1)
    return accuracy
