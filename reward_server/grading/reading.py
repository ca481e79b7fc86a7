"""What a completion says: the policy's own turn, and the answer in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from msgspec import Struct

from reward_server.grading.answer import Answer, last_box
from reward_server.grading.places import Place, finder
from reward_server.grading.string_check import string_box
from reward_server.grading.text.damaged import repaired
from reward_server.grading.tiers import MAX_GROUND_TRUTH_CHARS
from reward_server.grading.turn import Turn, has_eaten_escape, own_turn
from reward_server.types import JsonTruth

Check: TypeAlias = str
"""By which rule an answer is graded: mathematics (`math`), the paper's string equality (`string`), or a check of one's
own, by its name in rewards.toml. Boxes are found by the paper's rule for `string`."""
BUILT_IN_CHECKS = ("math", "string")
CLOSING = tuple(".!?…。！？)]}>\"'”’»$*`")
"""What whole texts end in."""


class Reading(Struct, frozen=True, gc=False):
    """What was read from one completion: the policy's own turn, the answer in it, and whether a backslash was eaten."""

    text: str
    answer: Answer | None
    has_eaten_escape: bool

    @property
    def is_answered(self) -> bool:
        """True when there is an answer with something in it."""
        return self.answer is not None and bool(self.answer.text.strip())


def read(completions: Sequence[str], check: Check | None, place: Place = "box", turn: Turn = "own") -> list[Reading]:
    """What counts of each completion, and the answer in it."""
    find = finder(place, string_box if check == "string" else last_box)
    readings = []
    for completion in completions:
        text = completion if turn == "all" else own_turn(completion)
        readings.append(Reading(text, find(text), has_eaten_escape(text)))
    return readings


def is_cut_off(completion: str, reading: Reading) -> bool:
    """Does the completion look as if a limit of tokens had cut it off?

    It has no answer and no end-of-turn token, and does not end as a sentence, a bracket or a formula does. Not told: a
    cut right behind such a character, and an unanswered text that ends without one.
    """
    if reading.is_answered or len(reading.text) < len(completion):
        return False
    end = reading.text[-64:].rstrip()
    return bool(end) and not end.endswith(CLOSING)


def repairs(ground_truths: Sequence[str] | None, check: Check | None) -> list[str]:
    """The ground truths that are read otherwise than they stand, as they are read; `check=string` repairs none."""
    if check != "math":
        return []
    found = []
    for truth in ground_truths or ():
        if len(truth) <= MAX_GROUND_TRUTH_CHARS and not isinstance(truth, JsonTruth):
            meant = repaired(truth)
            if meant is not None and meant != truth:
                found.append(meant)
    return found
