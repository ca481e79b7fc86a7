"""The view *Sample*: what is marked in a completion, and the derivation as a page shows it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from itertools import filterfalse
from typing import Any
from urllib.parse import parse_qsl, quote

from reward_server.offline.replay.comparing import is_of_request
from reward_server.offline.replay.plans import Config
from reward_server.records.noise import DRAW, behind, draws_in, flipped_in
from reward_server.records.row import Row
from reward_server.view.facts import truths_in
from reward_server.view.marks import Mark, pieces
from reward_server.view.today import Today

KNOWN_PARTS = {
    "clean": "the verifier's own score",
    "flipped": "1: noise turned it",
    "flip_draw": "the draw u; below the threshold it flips",
    "rpr": "reasoning-pattern reward",
    "hits": "distinct phrases found",
    "repetition": "share of repeated 20-grams",
    "user_turns": "invented turns of the user",
    "model_score": "the reward model's own number",
    "rm": "the score, transformed",
    "calibrated": "the score, lifted by RPR below the threshold",
    "wrong_label": "1: graded against the wrong ground truth",
}


def shown_sample(row: Row, today: Today, *, whole: bool) -> dict[str, Any]:
    """What the template needs of one sample."""
    derived = _with_parts(today.derived or {})
    text = row.completion or ""
    marks = _marks(derived, text)
    cut = pieces(text, marks, whole=whole)
    return {
        "row": row,
        "today": today,
        "derived": derived,
        "pieces": cut,
        "is_cut": any(piece.left_out for piece in cut),
        "kinds": list(dict.fromkeys(mark.kind for mark in marks)),
        "prompt": pieces(_prompt(row), []),
        "truths": list(truths_in(row)),
        "compared": _compared(derived),
        "model_text": pieces(derived["model"]["text"], []) if "model" in derived else None,
        "parts": [(name, value, KNOWN_PARTS.get(name.rpartition("/")[2], "")) for name, value in row.parts.items()],
        "changes": _changes(row, derived) if today.derived is not None else [],
        "noises": list(_noises(today.derived or {}, row, "")) or list(_recorded_noises(row)),
        "components": list(derived.get("components", {}).items()),
        "asked": _asked(row),
        "why": derived.get("why") or derived.get("meaning") or "",
        "url": shlex.quote(f"http://127.0.0.1:8000/explain/{quote(row.reward)}?{Config.of(row).query}".rstrip("?")),
    }


def _with_parts(derived: dict[str, Any]) -> dict[str, Any]:
    """Of a reward that is made of others, what its first part that has it says: answer, verdict, and so on."""
    found = dict(derived)
    for part in derived.get("made_of", {}).values():
        inner = _with_parts(part)
        for name in ("answer", "ground_truths", "verdict", "rpr", "model"):
            if inner.get(name) is not None and found.get(name) is None:
                found[name] = inner[name]
    return found


def _noises(derived: dict[str, Any], row: Row, part: str) -> Iterator[dict[str, Any]]:
    """Each draw, with the `part` of a mix that it is of, and that one's `clean` score."""
    if "noise" in derived:
        yield {**derived["noise"], "part": part, "clean": row.parts.get(behind(part, "clean"))}
    for name, inner in derived.get("made_of", {}).items():
        yield from _noises(inner, row, part if "route" in derived else behind(part, name))


def _recorded_noises(row: Row) -> Iterator[dict[str, Any]]:
    """What the line says of its draws, where they cannot be derived again."""
    flipped = flipped_in(row.parts)
    for part in draws_in(row.parts):
        noise = row.noise if not part else (row.part_noise or {}).get(part)
        if noise is not None:
            told = {"draw": row.parts[behind(part, DRAW)], "clean": row.parts.get(behind(part, "clean"))}
            yield {**noise, **told, "flipped": part in flipped, "part": part}


def _marks(derived: dict[str, Any], text: str) -> list[Mark]:
    marks = []
    turn = derived.get("turn")
    if turn and turn["characters"] < len(text):
        marks.append(Mark("ignored", turn["characters"], len(text), "after the end of the turn: does not count"))
    for phrase in derived.get("rpr", {}).get("phrases", ()):
        marks.append(Mark("phrase", phrase["start"], phrase["end"], f"phrase: {phrase['phrase']}"))
    answer = derived.get("answer")
    if answer:
        marks.append(Mark("answer", answer["start"], answer["end"], "read as the answer"))
    return marks


def _asked(row: Row) -> list[tuple[str, object]]:
    """The parameters that were set, by the variant and by the URL."""
    sets = {name: value for name, value in (row.variant or {}).items() if name != "base"}
    return list((sets | dict(parse_qsl(Config.of(row).query, keep_blank_values=True))).items())


def _prompt(row: Row) -> str:
    if isinstance(row.prompt, list):
        return "\n\n".join(f"{message.get('role', '')}: {message.get('content', '')}" for message in row.prompt)
    return row.prompt or ""


def _compared(derived: dict[str, Any]) -> dict[str, Any] | None:
    """The two texts as the rule compared them."""
    verdict = derived.get("verdict")
    if verdict is None:
        return None
    forms = {name: pieces(str(verdict[f"{name}_form"]), []) for name in ("answer", "ground_truth")}
    return {**verdict, **forms}


def _changes(row: Row, derived: dict[str, Any]) -> list[tuple[str, object, object]]:
    """What is not as it was recorded: name, then, now."""
    pairs: list[tuple[str, object, object]] = [
        ("paid", row.paid, derived["value"]),
        ("outcome", row.outcome, str(derived["outcome"])),
        ("config", row.config, derived["config"]),
        ("version", row.version, derived["version"]),
    ]
    names = filterfalse(is_of_request, dict.fromkeys((*row.parts, *derived["parts"])))
    pairs += [(name, row.parts.get(name), derived["parts"].get(name)) for name in names]
    return [pair for pair in pairs if pair[1] != pair[2]]
