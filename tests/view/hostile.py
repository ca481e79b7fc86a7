"""Texts that a policy might write to break the page that shows them, and what must be marked in them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reward_server.offline.score_file import offline_scorer
from reward_server.records.row import Facts, row_of
from reward_server.records.text import encode
from reward_server.settings import Settings
from reward_server.types import Sample

BOX = "\\boxed{4}"
SCRIPTS = (
    "<script>alert(1)</script>",
    "</div></section></main><script>alert(1)</script>",
    "<svg onload=alert(1)>",
    "</mark><img src=x onerror=alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "{{ 7 * 7 }}{% for x in y %}${1}#{1}",
    "</title><script>alert(1)</script>",
    "<iframe src=//evil.example></iframe>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "\"' onmouseover='alert(1)",
    "<!--", "]]>", "&lt;b&gt; &amp;amp; &#x41;",
    "<style>*{display:none}</style>",
    "<base href=//evil.example>",
    "</script><script>alert(1)</script>",
)  # fmt: skip
CHARACTERS = (
    "😀 astral 𝔸 before",
    "combining e\u0301 a\u0300\u0316 o\u0308\u0304",
    "right to left: مرحبا שלום \u202eevil\u202c \u2067x\u2069",
    "NUL \x00 and others \x01\x08\x0b\x1b\x7f\x85\r\n",
    "lone surrogates \ud83d and \ude00 apart",
    "no width \u200b\u2060\ufeff\u00ad",
    "zalgo z̸̢̛͉̈́ à̸̧",
    "\u2028 line \u2029 paragraph",
)
LONG = "x" * 1_000_000
ABUSE = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "abuse.jsonl").read_text("utf-8").splitlines()
]  # fmt: skip
ABUSE_QUERY = "flip_prob=0.4&alpha=0.5"
TEXTS = (*SCRIPTS, *CHARACTERS, LONG)


def completion(text: str) -> str:
    """The text before, in and behind the answer, with a phrase and the end of the turn."""
    inside = text if len(text) < 100 and "{" not in text and "\\" not in text else ""
    return f"{text} Wait, {text} \\boxed{{4 {inside}}}<|im_end|>{text}"


async def record_hostile(folder: Path) -> None:
    """One row a text, in every field that a caller can fill."""
    samples = [
        Sample(completion(text), prompt=text[:2000], ground_truths=(text[:500],), group=f"{n} {text[:200]}", visit=0)
        for n, text in enumerate(TEXTS)
    ]
    await _record(folder, "hostile", "flip_prob=0.4&alpha=0.5&check=string", samples)


async def record_abuse(folder: Path, given: Sequence[dict[str, Any]]) -> None:
    """One row each of what a policy might write to be paid."""
    samples = [Sample(row["completion"], prompt=row["prompt"], ground_truths=(row["ground_truth"],)) for row in given]
    await _record(folder, "abuse", ABUSE_QUERY, samples)


async def _record(folder: Path, run: str, query: str, samples: list[Sample]) -> None:
    path = folder / run / "2026-11-18T08-node-1-0001.jsonl"
    path.parent.mkdir(parents=True)
    async with offline_scorer(Settings(verifier_workers=1), "flip", query) as (scorer, plan):
        derivations = await scorer.derive(plan, samples)
        facts = Facts(1_795_000_000.0, run, run, "native", query)
        lines = [
            encode(row_of(f"{run[0]}-{number}", facts, plan, *row))
            for number, row in enumerate(zip(samples, derivations, strict=True))
        ]
    path.write_bytes(b"".join(lines))
