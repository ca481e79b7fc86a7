"""From the raw score of a reward model to a number that a threshold can mean something for.

Models trained with mean squared error on labels 0 and 1, as the paper's, need none (`identity`). Bradley-Terry models
have no zero: only differences of their scores mean anything until `affine` was fitted to labelled samples; its
parameters are vLLM's `logit_mean` and `logit_sigma`.
"""

from __future__ import annotations

import math
from typing import Literal

Transform = Literal["identity", "sigmoid", "affine"]


def transformed(score: float, transform: Transform, *, mean: float = 0.0, sigma: float = 1.0) -> float:
    """`identity`: the score, unbounded. `sigmoid`: 1 / (1 + exp(-score)). `affine`: sigmoid((score - mean) / sigma).

    The last two are in 0 … 1 and reach both ends by rounding. `mean` and `sigma` (not 0) belong to `affine` alone.

    >>> transformed(3.59, "affine", mean=3.59, sigma=2.0)
    0.5
    """
    if transform == "identity":
        return score
    return sigmoid(score) if transform == "sigmoid" else sigmoid((score - mean) / sigma)


def sigmoid(x: float) -> float:
    """1 / (1 + exp(-x)) without overflow."""
    if x >= 0:
        return 1.0 / (1.0 + math.exp(-x))
    grown = math.exp(x)
    return grown / (1.0 + grown)
