"""Noise without visits is said once: it is the same in every epoch, a wrong label and no noise."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from trainer_client._types import Rewards
from trainer_client._url import RewardUrl

log = logging.getLogger("trainer_client")

_LABEL = 'label objects, {"ground_truth": "4", "visit": 1}'
WHERE = {
    "": "visits=[…]",
    "trl": "the data set's column `visit` (no trainer_state was passed, whose step is sent otherwise: so it is in TRL's"
    " AsyncGRPO and with axolotl's reward_num_workers > 1)",
    "ms-swift": "the data set's column `visit` (no trainer_state was passed, whose step is sent otherwise: so it is in"
    " ms-swift's Ray trainer)",
    "verl": "`visit` in extra_info",
    "slime": "`visit` in the sample's metadata",
    "areal": "`visit` in the row",
    "skyrl": "`visit` in the row",
    "nemo-gym": "`visit` in the row",
    "openrlhf": _LABEL,
    "easyr1": _LABEL,
    "roll": f"{_LABEL} (the batch had no global_step, which is sent otherwise)",
}
"""Where each adapter, by its name, finds a visit; the client itself has no name."""


def is_renewed(url: RewardUrl) -> bool:
    """Does another visit draw other noise? Not in scope `answer`. A variant's scope is not seen."""
    return "flip_scope=answer" not in url.query


def look_at(adapter: str, rewards: Rewards, columns: Mapping[str, Sequence[object]], rows: Sequence[int]) -> None:
    """Warns where noise inverted a score that has no visit, neither in its column nor in its label. `rewards` are those
    of the batch's `rows`."""
    flipped = flipped_in(rewards.parts)
    if flipped:
        visits, labels = columns.get("visits"), columns.get("ground_truths")
        visited = ((visits and visits[row] is not None) or (labels and has_visit(labels[row])) for row in rows)
        warn(adapter, flipped, (bool(known) for known in visited))


def flipped_in(parts: Mapping[str, Sequence[float | None]]) -> list[float]:
    """Of each sample, was its score inverted, or that of a part (`right/flipped`)? Empty where nothing is."""
    columns = [column for name, column in parts.items() if name.rpartition("/")[2] == "flipped"]
    return [max(flip or 0.0 for flip in row) for row in zip(*columns, strict=True)] if columns else []


def warn(adapter: str, flipped: Iterable[float | None], visited: Iterable[bool]) -> None:
    """Warns, once a process for each adapter, where an inverted score has no visit."""
    if any(flip and not known for flip, known in zip(flipped, visited, strict=False)):
        _say(adapter)


def has_visit(label: object) -> bool:
    """Of a label object, or of a text that holds one."""
    if isinstance(label, Mapping):
        return label.get("visit") is not None
    return isinstance(label, str) and label.lstrip().startswith("{") and '"visit"' in label


@cache
def _say(adapter: str) -> None:
    log.warning(
        "noise without visits%s: scores were inverted of samples that have no visit, so this noise is fixed for each"
        " question (in scope `sample`: for each completion), and in every epoch the same wrong label. For more than one"
        " epoch send the epoch or the step as the visit: %s. See docs/trainers/visits.md",
        f" ({adapter})" if adapter else "",
        WHERE.get(adapter, f"a column `visit`, or {_LABEL}"),
    )
