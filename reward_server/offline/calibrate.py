"""`reward-server calibrate`: what a model's scores mean on labelled samples, and the map that makes 0.5 mean 0.5.

A row is a JSON object with `completion`, `prompt`, and `correct`: whether the completion is right (true, false, 1, 0).
Where rows have an `id`, as those of `view` have, an opinion that the same person (`by`) changed counts once: the last.
The figures are of the rows that were fitted: two numbers are fitted, so with some hundreds of rows that matters little.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from rich.console import Console
from rich.table import Table

from reward_server.dialects.json_text import read_object
from reward_server.errors import InvalidRequest
from reward_server.offline.affine_fit import Affine, CannotFit, Quality, fit_affine, quality
from reward_server.offline.score_file import BadRow, derived_rows
from reward_server.offline.score_output import rows_in
from reward_server.rewards.plan import Plan
from reward_server.rewards.rm import RmReward
from reward_server.rewards.transform import transformed
from reward_server.scoring import Scorer
from reward_server.types import Outcome

FEW = 200


@dataclass
class Labelled:
    """Samples of a file: its lines, whether each is right, and later the raw scores of those that have one.

    `unscored`: how many have none, by outcome. `changed`: opinions that were changed later, and do not count. Raises
    BadRow where a row has no label.
    """

    lines: list[bytes]
    scores: list[float] = field(default_factory=list)
    is_right: list[bool] = field(default_factory=list)
    unscored: Counter[Outcome] = field(default_factory=Counter)
    changed: int = 0

    def __post_init__(self) -> None:
        labels: dict[tuple[object, ...], tuple[int, bool]] = {}
        for number, line in enumerate(self.lines, 1):
            if line.strip():
                opinion, is_right = _label(number, line)
                if opinion in labels:
                    self.lines[labels[opinion][0] - 1] = b"\n"  # so that the others keep their numbers
                    self.changed += 1
                labels[opinion] = number, is_right
        self._labels = [is_right for _, is_right in sorted(labels.values())]

    @property
    def rows(self) -> int:
        return len(self._labels)

    async def score(self, scorer: Scorer, plan: Plan) -> AsyncIterator[int]:
        """Yields how many more are done. Raises BadRow."""
        labels = iter(self._labels)
        async for _, derivations in derived_rows(scorer, plan, rows_in(self.lines)):
            for derivation, is_right in zip(derivations, labels, strict=False):  # the rest of the labels comes later
                score = derivation.score.parts["model_score"]
                if score is None:
                    self.unscored[derivation.score.outcome] += 1
                else:
                    self.scores.append(score)
                    self.is_right.append(is_right)
            yield len(derivations)


def _label(number: int, line: bytes) -> tuple[tuple[object, ...], bool]:
    """Whose opinion of what it is, and the opinion. Rows without an id are each an opinion of their own."""
    try:
        row = read_object(line)
        value = row.get("correct")
    except InvalidRequest as error:
        raise BadRow(f"line {number}: {error.message}") from None
    if not isinstance(value, bool | int | float) or value not in (0, 1):
        raise BadRow(f"line {number}: correct: must be true or false, 1 or 0")
    told = [json.dumps(row.get(name)) for name in ("id", "by", "completion", "prompt")]
    return (number, *told) if row.get("id") is None else (0, *told), bool(value)


def report(labelled: Labelled, plan: Plan, given: dict[str, Any], console: Console) -> str:
    """Prints figures before and after the fit; returns the query string to paste. Raises CannotFit."""
    reward = plan.reward
    if not isinstance(reward, RmReward):  # the one place that asks which reward it is: only this one has a map to fit
        raise CannotFit(f"{plan.name} has no map of a model's scores: calibrate fits rm")
    threshold = reward.threshold
    if labelled.changed:
        console.print(f"{labelled.changed} opinions were changed later: of a row and person the last one counts")
    for outcome, number in labelled.unscored.items():
        console.print(f"{number} samples are {outcome} and left out: the map does not change what they earn")
    fit = fit_affine(labelled.scores, labelled.is_right)
    options = {"mean": reward.mean, "sigma": reward.sigma}
    before = [transformed(x, reward.transform, **options) for x in labelled.scores]
    after = [transformed(x, "affine", mean=fit.mean, sigma=fit.sigma) for x in labelled.scores]
    qualities = {
        f"before: {reward.transform}": quality(before, labelled.is_right, threshold),
        "after: affine": quality(after, labelled.is_right, threshold),
    }
    console.print(_table(qualities, len(labelled.scores), threshold))
    for warning in _warnings(labelled, fit):
        console.print(f"warning: {warning}", soft_wrap=True)
    return _query(fit, threshold, given)


def _table(qualities: dict[str, Quality], samples: int, threshold: float) -> Table:
    table = Table("", *qualities, title=f"{samples} samples, threshold {threshold:g}", title_justify="left")
    for name, attribute, form in (
        ("accuracy", "accuracy", ".4f"),
        ("Brier score", "brier", ".4f"),
        ("expected calibration error", "calibration_error", ".4f"),
        ("right, at or above it", "true_positives", "d"),
        ("wrong, at or above it", "false_positives", "d"),
        ("right, below it", "false_negatives", "d"),
        ("wrong, below it", "true_negatives", "d"),
        ("mean score of the right ones", "mean_right", ".4f"),
        ("mean score of the wrong ones", "mean_wrong", ".4f"),
    ):
        table.add_row(name, *(format(getattr(each, attribute), form) for each in qualities.values()))
    return table


def _warnings(labelled: Labelled, fit: Affine) -> list[str]:
    warnings = []
    if len(labelled.scores) < FEW:
        warnings.append(f"{len(labelled.scores)} samples are few; the fit is steadier with {FEW} or more")
    if fit.separable:
        warnings.append("one score separates right from wrong here, so sigma depends on how many samples there are")
    return warnings


def _query(fit: Affine, threshold: float, given: dict[str, Any]) -> str:
    """What was given on the command line, with the fitted map."""
    fitted = {"transform": "affine", "mean": f"{fit.mean:.6g}", "sigma": f"{fit.sigma:.6g}", "threshold": threshold}
    kept = {name: value for name, value in given.items() if value is not None and name not in fitted}
    return "?" + urlencode({**fitted, **kept})
