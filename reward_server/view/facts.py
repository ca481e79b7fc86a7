"""What the index keeps of one recorded line: numbers, no text. Pure.

`signs` are bits: what is to be seen in a completion, and what noise did to its reward, or to a part of it. `suspect`
says how likely a wrong answer is right after all, by its text alone: 3 where a ground truth stands in the answer as a
whole, 2 where it stands in the last 300 characters, 1 where it stands anywhere. Not covered: the same value in another
notation, which shares no text with its ground truth.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b

import msgspec
from msgspec import UNSET

from reward_server.grading.reading import Reading, is_cut_off
from reward_server.grading.turn import has_eaten_escape
from reward_server.offline.audit.draws import request_key
from reward_server.records.noise import DRAW, behind, draws_in, flipped_in
from reward_server.records.row import Row
from reward_server.types import Outcome

NO_ANSWER, CUT_OFF, EATEN, TAKEN, GIVEN = 1, 2, 4, 8, 16
"""No answer in its place; it looks cut off; a backslash eaten; 1 paid as 0, 0 paid as 1."""
WRONG = frozenset({Outcome.INCORRECT, Outcome.UNPARSEABLE, Outcome.UNANSWERED})
UNREAD = frozenset({Outcome.UNANSWERED, Outcome.BAD_FORMAT})
LAST_CHARS = 300
MOST_SECONDS = 253_000_000_000
"""Since 1970: the year 9987."""
MAX_TRUTH_CHARS = 200
"""A longer ground truth is looked for nowhere."""


class Facts(msgspec.Struct, gc=False):
    """Of one line. Times are seconds since 1970.

    `has_draw`: noise was drawn for it, or for a part of its reward, and it has a question. `request`: only where a draw
    has to be placed in time, and no step does it.
    """

    id: int
    time: float
    run: str
    step: int | None
    config: tuple[str, str, str, str]
    """Digest, version, reward, query string without `run` and `step`."""
    question: int
    visit: int | None
    outcome: str
    tier: str | None
    is_train: bool
    paid: float | None
    clean: float | None
    flipped: bool
    draw: float | None
    threshold: float | None
    exposed: bool
    has_draw: bool
    request: int | None
    score: float | None
    answer: int
    chars: int
    signs: int
    suspect: int
    has_text: bool


def facts_of(row: Row) -> Facts:
    """The numbers of one line."""
    parts, noise = row.parts, row.noise or {}
    part, flipped = "", flipped_in(parts)
    if row.part_noise is not None and len(row.part_noise) == 1:  # of several parts that draw, no curve is the mix's
        ((part, noise),) = row.part_noise.items()
    draw, question = parts.get(behind(part, DRAW)), row.question
    has_draw = bool(question) and (draw is not None or any(True for _ in draws_in(parts)))
    signs = _signs(row) | _turned(row, flipped)
    return Facts(
        number(row.id),
        _seconds(row.time),
        row.run,
        row.step,
        (row.config, row.version, row.reward, _asked(row.query)),
        kept_number(question),
        row.visit,
        row.outcome,
        row.tier,
        row.flip,
        row.paid,
        parts.get("clean"),
        bool(flipped),
        draw,
        noise.get("threshold"),
        bool(noise.get("exposed")),
        has_draw,
        _request(row.request_id) if has_draw and row.step is None else None,
        parts.get("rm") if "calibrated" in parts else None,  # a part of a mix may be called so too
        kept_number(row.answer or ""),
        row.chars,
        signs,
        _suspect(row) if row.outcome in WRONG else 0,
        row.completion is not None,
    )


def _turned(row: Row, flipped: Iterable[str]) -> int:
    signs = 0
    for part in flipped:
        signs |= TAKEN if row.parts.get(behind(part, "clean")) == 1 else GIVEN
    return signs


def number(text: str) -> int:
    """A text as the 64-bit integer that stands for it in the index."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big", signed=True)


_request = lru_cache(maxsize=256)(request_key)
kept_number = lru_cache(maxsize=2**14)(number)
"""The rollouts of a question share it, and often their answers."""


def truths_in(row: Row) -> Iterable[str]:
    """The ground truths of a row, as texts."""
    label = row.ground_truth
    if isinstance(label, dict):
        label = label.get("ground_truth")  # type: ignore[assignment]  # a text or a list of texts, by `row.py`
    if label is UNSET or label is None:
        return ()
    return (label,) if isinstance(label, str) else [str(each) for each in label]


@lru_cache(maxsize=1024)
def _asked(query: str) -> str:
    """What can change a reward: a step in the URL would make another configuration of every step."""
    return "&".join(each for each in query.split("&") if each.partition("=")[0] not in ("run", "step"))


def _signs(row: Row) -> int:
    signs = NO_ANSWER if row.outcome in UNREAD else 0
    text = row.completion
    if text is None:
        return signs
    if not (row.answer and row.answer.strip()) and is_cut_off(text, Reading(text[: row.turn_chars], None, False)):
        signs |= CUT_OFF
    return signs | EATEN if has_eaten_escape(text) else signs


def _suspect(row: Row) -> int:
    """How likely the wrong answer is right, 0 … 3."""
    text = row.completion or ""
    return max((_stands_in(truth, row.answer or "", text) for truth in truths_in(row)), default=0)


def _stands_in(truth: str, answer: str, text: str) -> int:
    truth = truth.strip()
    if not truth or len(truth) > MAX_TRUTH_CHARS:
        return 0
    if truth in answer and _whole(truth).search(answer):
        return 3
    if truth not in text:
        return 0
    pattern = _whole(truth)
    return 2 if pattern.search(text[-LAST_CHARS:]) else 1 if pattern.search(text) else 0


@lru_cache(maxsize=1024)
def _whole(truth: str) -> re.Pattern[str]:
    """The text where it is no part of a longer number or word."""
    return re.compile(rf"(?<![\w./^−-]){re.escape(truth)}(?![\w/^]|[.,]\d)")


@lru_cache(maxsize=1)
def _seconds(time: str) -> float:
    """0 of what is no time, or none that can be shown."""
    try:
        found = datetime.fromisoformat(time).timestamp()
    except (ValueError, OverflowError):
        return 0.0
    return found if 0 <= found < MOST_SECONDS else 0.0
