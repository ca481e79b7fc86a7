"""What the log line of a request says of its samples: numbers, never a text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from reward_server.types import Sample, Score


def summary(samples: Sequence[Sample], scores: Sequence[Score]) -> dict[str, object]:
    """Of the samples of a request, (N,), and their scores.

    `paid`: the mean of the rewards, None where there is none. `outcomes`: how often each came. `rows`: `train`, `eval`
    (`flip: false`), or `mixed`.

    >>> from reward_server.types import Outcome
    >>> summary([Sample("4")], [Score(Outcome.CORRECT, 1.0, None, {})])
    {'rows': 'train', 'paid': 1.0, 'outcomes': {'correct': 1}}
    """
    if not samples:
        return {}
    if len(samples) == 1:  # the common case, in a third of the time
        (sample,), (score,) = samples, scores
        return {"rows": _rows(sample.flip), "paid": score.reward, "outcomes": {str(score.outcome): 1}}
    kinds = {sample.flip for sample in samples}
    paid = [score.reward for score in scores if score.reward is not None]
    outcomes = Counter([score.outcome for score in scores])
    return {
        "rows": "mixed" if len(kinds) > 1 else _rows(*kinds),
        "paid": round(sum(paid) / len(paid), 6) if paid else None,
        "outcomes": {str(outcome): number for outcome, number in outcomes.items()},
    }


def _rows(flip: bool) -> str:
    return "train" if flip else "eval"
