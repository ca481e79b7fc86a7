"""Lines that no server of ours wrote: a copied record may hold anything, and no line may take a page away."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape

import pytest
from view.shown import View, shown, text_of

LINE = {
    "v": 1, "id": "c", "time": "2026-11-26T22:40:01.123Z", "run": "crafted", "step": 0, "request_id": "r",
    "dialect": "native", "reward": "flip", "query": "flip_prob=0.4", "config": "82d1", "version": "0.1.0",
    "completion": "so \\boxed{4}", "prompt": "2+2?", "ground_truth": "4", "group": "q", "visit": 0, "flip": True,
    "chars": 12, "turn_chars": 12, "answer": "4", "paid": 0.0, "outcome": "correct",
    "parts": {"clean": 1.0, "flipped": 1.0, "flip_draw": 0.133}, "noise": {"threshold": 0.4, "exposed": True},
    "tier": "text",
}  # fmt: skip
NO_ROWS: tuple[dict[str, object], ...] = (
    {"visit": 10**30},
    {"step": 10**30},
    {"chars": 10**30},
    {"chars": -5},
    {"turn_chars": -3},
)
"""Numbers that no index holds."""
ROWS: tuple[dict[str, object], ...] = (
    {"step": -5},
    {"visit": -(2**63)},
    {"paid": 1e308},
    {"paid": 1e308},
    {"time": ""},
    {"time": "9999-99-99"},
    {"time": "0001-01-01T00:00:00+23:59"},
    {"run": "a/b"},
    {"run": "x\"'><b> ; $(true)"},
    {"config": "a\nb\nc"},
    {"query": "a\nb"},
    {"reward": "no\nne"},
    {"outcome": "<b>"},
    {"tier": "<i>\0"},
    {"id": "../../x"},
    {"id": "%2e%2e"},
    {"group": "../x"},
    {"group": ""},
    {"noise": {"threshold": 5.0, "exposed": True}},
    {"noise": {}},
    {"parts": {"flip_draw": 1e300, "clean": 2.5, "rm": -7.0, "calibrated": 1e9}},
    {"turn_chars": 10**9},
    {"ground_truth": {}},
    {"ground_truth": [["a"], 1]},
    {"answer": None, "completion": None},
    {"reward": "rm_sim", "query": "threshold=nan", "parts": {"rm": 0.3, "calibrated": 0.4, "clean": 1.0}},
    {"source": "s" * 5000},
    {"variant": {"x": 1}},
    {"variant": {"base": "flip", "x": {"y": 1}}},
)
FILE = "2026-11-18T08-node-1-0001.jsonl"


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> Iterator[View]:
    folder = tmp_path_factory.mktemp("crafted")
    lines = [json.dumps({**LINE, "id": f"c-{n}", **changes}) for n, changes in enumerate((*NO_ROWS, *ROWS))]
    (folder / "crafted").mkdir()
    (folder / "crafted" / FILE).write_text("".join(f"{line}\n" for line in lines))
    with shown(folder) as view:
        yield view


def test_a_line_with_a_number_that_no_index_holds_is_counted_and_skipped(view: View) -> None:
    assert f"{len(NO_ROWS)} lines are no recorded rows" in text_of(view.get("/").text)


def test_every_link_of_every_page_leads_to_a_page(view: View) -> None:
    waiting, seen = ["/"], set[str]()
    while waiting and len(seen) < 120:
        path = waiting.pop(0)
        seen.add(path)
        reply = view.get(path)
        assert reply.status_code == 200, (path, text_of(reply.text))
        links = map(unescape, re.findall(r'href="(/[^"#]*)', reply.text))
        waiting += [link for link in links if link not in seen and link not in waiting]
    assert any(path.startswith("/sample/") for path in seen)
