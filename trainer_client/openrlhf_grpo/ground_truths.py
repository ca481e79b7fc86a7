"""What the data set's ground truths would be paid for, tried on the server before the run.

`reward-server check-golds` tells more, of all of them: there the changed answers are compared by exact arithmetic too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from trainer_client import BadConfiguration, RewardClient

UNCHECKED = "unchecked"
"""Of a question whose reward, by its data set, looks at no ground truth."""
JUNK = "1=2"
"""An answer that is right nowhere."""
AT_ONCE = 128
"""Answers a request: grading some of them takes seconds, and a request has a time limit."""


def ground_truth_warnings(client: RewardClient, ground_truths: list[Any], sources: Sequence[str] = ()) -> list[str]:
    """Ground truths that are not their own right answer, that look like a whole rationale, that pay something else, or
    that give no reward to what differs from them. Raises BadConfiguration when not one can be used.

    `sources`: the data set of each, which only a route asks for.
    """
    named: list[str | None] = [*sources] or [None] * len(ground_truths)
    texts = [str(truth[0] if isinstance(truth, list) and truth else truth) for truth in ground_truths]
    outcomes = _outcomes(client, ground_truths, texts, named)
    checked = [row for row, outcome in enumerate(outcomes) if outcome != UNCHECKED]
    outcomes, texts = [outcomes[row] for row in checked], [texts[row] for row in checked]
    named = [named[row] for row in checked]
    count = len(texts)
    unusable = [row for row, outcome in enumerate(outcomes) if outcome != "correct"]
    long = [row for row, text in enumerate(texts) if "\n" in text.strip() and row not in unusable]
    found = []
    for rows, what in ((unusable, "would not be paid as an answer"), (long, "have several lines; whole rationales?")):
        if rows:
            example = f"{texts[rows[0]]!r:.100}, {outcomes[rows[0]]}"
            found.append(f"{len(rows)} of the first {count} ground truths {what}; one: {example}")
    if count and len(unusable) == count:
        raise BadConfiguration(f"{found[0]} (--answer-key names another column)")
    usable = {text: named[row] for row, text in enumerate(texts) if row not in {*unusable, *long}}
    return found + _changed_warnings(client, usable, count)


def _changed_warnings(client: RewardClient, texts: Mapping[str, str | None], count: int) -> list[str]:
    """What is paid for answers that differ: one digit changed, and JUNK. `texts`: each with its data set."""
    pairs = [(text, answer) for text in texts for answer in (*changed(text), JUNK)]
    sources = [texts[text] for text, _ in pairs]
    outcomes = _outcomes(client, [text for text, _ in pairs], [answer for _, answer in pairs], sources)
    paid = {text: answer for (text, answer), outcome in zip(pairs, outcomes, strict=True) if outcome == "correct"}
    unscored = {
        text: answer for (text, answer), outcome in zip(pairs, outcomes, strict=True) if outcome == "ungradable"
    }
    found = []
    for texts_of, what in (
        (paid, f"pay an answer with one digit changed, or {JUNK}, which is wrong unless both are equal"),
        (unscored, "give no reward to an answer that differs from them"),
    ):
        if texts_of:
            text, answer = next(iter(texts_of.items()))
            found.append(
                f"{len(texts_of)} of the first {count} ground truths {what}; one: {text!r:.100} with {answer!r:.100} "
                "(reward-server check-golds looks at all of them)"
            )
    return found


def changed(ground_truth: str) -> list[str]:
    """The ground truth with its first digit changed, and with its last."""
    places = [match.start() for match in re.finditer("[0-9]", ground_truth)]
    return [
        f"{ground_truth[:place]}{'8' if ground_truth[place] == '9' else int(ground_truth[place]) + 1}"
        f"{ground_truth[place + 1 :]}"
        for place in sorted({*places[:1], *places[-1:]})
    ]


def _outcomes(
    client: RewardClient, ground_truths: Sequence[Any], answers: Sequence[str], sources: Sequence[str | None]
) -> list[str]:
    """The outcome of each answer, in a box, without noise: `correct` only where it is right."""
    outcomes: list[str] = []
    for start in range(0, len(answers), AT_ONCE):
        completions = [f"</think> <answer>\\boxed{{{answer}}}</answer>" for answer in answers[start : start + AT_ONCE]]
        count = len(completions)
        scored = client.score(
            completions,
            ground_truths=list(ground_truths[start : start + AT_ONCE]),
            groups=["ground truths"] * count,
            flips=[False] * count,
            sources=sources[start : start + AT_ONCE] if any(sources) else None,
        )
        outcomes += map(_outcome, scored.outcomes, scored.rewards, scored.parts.get("clean", [None] * count))
    return outcomes


def _outcome(outcome: str, reward: float | None, clean: float | None) -> str:
    """Of a mix it may be that of a part that grades no answer."""
    if reward is None:
        return outcome
    return UNCHECKED if clean is None else "correct" if clean == 1 else "incorrect" if outcome == "scored" else outcome
