"""Questions that one asks of a strange curve, each as a condition on the index."""

from __future__ import annotations

from dataclasses import dataclass

from reward_server.types import Outcome
from reward_server.view.facts import EATEN, NO_ANSWER, TAKEN

WRONG = "outcome IN (SELECT name FROM names WHERE kind = 'outcome' AND text IN ('incorrect', 'unparseable'))"


@dataclass(frozen=True, slots=True)
class Preset:
    """`where`: the condition. `rank`: what the rows are ordered by, the least first. `join`: a table that is needed."""

    title: str
    meaning: str
    where: str
    rank: str = "0"
    join: str = ""


PRESETS = {
    "in-text": Preset(
        "wrong, but the ground truth is in the text",
        "Not paid, although the ground truth stands in the answer, near the end, or somewhere in the text, in this"
        " order. A right answer in a notation that is refused is among the first.",
        "suspect > 0",
        rank="-suspect",
    ),
    "agreed": Preset(
        "wrong, but most say the same",
        "Not paid, although more than half of all rollouts of the question give this very answer. Either they share a"
        " mistake, or the ground truth is wrong.",
        WRONG,
        rank="-share",
        join="JOIN agreed USING (run, question, answer)",
    ),
    "taken": Preset(
        "right, but paid 0 by noise",
        "The verifier found the answer right, and the noise turned it.",
        f"signs & {TAKEN}",
    ),
    "no-answer": Preset(
        "no box",
        "There is no answer in the place where it is looked for, or it is empty.",
        f"signs & {NO_ANSWER}",
    ),
    "timeout": Preset(
        "timeouts",
        "The answer used up its budget for grading.",
        f"outcome IN (SELECT name FROM names WHERE kind = 'outcome' AND text = '{Outcome.TIMEOUT}')",
    ),
    "eaten": Preset(
        "eaten backslashes",
        "A JSON escape ate a backslash on the way: \\b of \\boxed, \\f of \\frac. The client writes JSON by hand.",
        f"signs & {EATEN}",
    ),
}
