"""A reward model of a known accuracy, without a model: what it says of an answer is decided by a hash.

    mu = Phi^-1(accuracy)
    z  = mu · (2 · clean - 1) + Phi^-1(u)                  u keyed by seed, question and answer
    s  = sigmoid(2 · sharpness · mu · (z - tilt))

z is a normal variable with mean mu for a right answer and -mu for a wrong one, and s > 0.5 where z > tilt. So at tilt
0 both kinds of error have the rate 1 - accuracy, exactly. Its errors belong to (question, answer), as a model's do:
the same answer gets the same score, in whatever words and at every visit. `sharpness` 1.7 gives scores with the
variances of the paper's models (Lv et al. 2025, arXiv 2505.22653): 0.068, 0.130 and 0.184 at 65, 75 and 85 %, where
those have 0.0672, 0.1161 and 0.1937. `tilt` > 0 is a stingy judge, < 0 a generous one.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from reward_server.rewards.transform import sigmoid

_NORMAL = NormalDist()
_LEAST = 2.0**-54
"""In the place of a draw of 0, whose quantile is minus infinity: half of the next draw."""


def judged(clean: float, draw: float, *, accuracy: float, sharpness: float, tilt: float) -> float:
    """The score s in 0 … 1 of an answer whose clean score is 0 or 1, by its draw u in [0, 1).

    `accuracy` in [0.5, 1): at 0.5 the judge knows nothing, and says 0.5 to everything.

    >>> judged(1.0, 0.5, accuracy=0.5, sharpness=1.7, tilt=0.0)
    0.5
    """
    mu = _NORMAL.inv_cdf(accuracy)
    z = mu * (2 * clean - 1) + _NORMAL.inv_cdf(max(draw, _LEAST))
    x = 2 * sharpness * mu * (z - tilt)
    return 0.5 if math.isnan(x) else sigmoid(x)  # infinity times 0, where the product of what is finite is 0
