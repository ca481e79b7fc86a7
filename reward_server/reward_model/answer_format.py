"""Which part of a completion is the answer, and whether it has the shape that was asked for.

`tags` is the paper's format (Lv et al. 2025): the prompt ends with an opened `<think>`, so the completion need not open
it. `paper` is the rule of its code. `think` is that of DeepSeek-R1. `plain` has none. Not covered: whether the thoughts
or the answer make sense.
"""

from __future__ import annotations

from typing import Literal

AnswerFormat = Literal["tags", "paper", "think", "plain"]


def answer_in(turn: str, answer_format: AnswerFormat) -> str | None:
    """The answer, without white space round it; None where the format is invalid or the answer is empty.

    `turn`: the policy's own turn, already cut at the first end-of-turn token.
    `tags`: at most one `<think>`, then `</think>`, `<answer>`, `</answer>`, each once and in this order, and only white
    space after them. `paper`: the last of each tag, in the order `<think>`, `</think>`, `<answer>`, `</answer>`,
    something between each pair, and whatever round them. `think`: at most one `<think>`, then one `</think>`; the
    answer follows it. `plain`: all of it.
    """
    if answer_format == "plain":
        return turn.strip() or None
    if answer_format == "paper":
        return _published(turn)
    thoughts, *rest = turn.split("</think>")
    if len(rest) != 1 or thoughts.count("<think>") > 1 or "<think>" in rest[0]:
        return None
    return rest[0].strip() or None if answer_format == "think" else _tagged(thoughts, rest[0])


def _published(turn: str) -> str | None:
    opened, thought = turn.rfind("<think>"), turn.rfind("</think>")
    start, end = turn.rfind("<answer>"), turn.rfind("</answer>")
    begins = start + len("<answer>")
    if opened < 0 or thought <= opened + len("<think>") or start <= thought or end <= begins:
        return None
    return turn[begins:end].strip() or None


def _tagged(thoughts: str, rest: str) -> str | None:
    _, opened, body = rest.partition("<answer>")
    answer, closed, after = body.partition("</answer>")
    repeated = any(tag in part for tag in ("<answer>", "</answer>") for part in (thoughts, answer, after))
    if not (opened and closed) or repeated or after.strip() or "</answer>" in rest[: rest.index("<answer>")]:
        return None
    return answer.strip() or None
