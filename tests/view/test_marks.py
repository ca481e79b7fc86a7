from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from html import unescape

import pytest
from view.hostile import LONG, TEXTS, record_hostile
from view.shown import View, shown

from reward_server.records.files import rows
from reward_server.view.marks import LONG_CHARS, Mark, pieces, seen, sign


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> Iterator[View]:
    folder = tmp_path_factory.mktemp("hostile")
    asyncio.run(record_hostile(folder))
    with shown(folder) as view:
        yield view


def test_hostile_texts_are_escaped_on_every_page_that_shows_them(view: View) -> None:
    listed = view.get("/samples?run=hostile").text
    assert listed.count('class="row"') == len(TEXTS)
    for _, row in rows(view.folder, "hostile"):
        for path in (f"/sample/{row.id}?run=hostile", f"/group/{row.question}?run=hostile"):
            reply = view.get(path)
            assert reply.status_code == 200, path
            tags = set(re.findall(r"<(?:script|svg|img|iframe|meta|style|base|a)\b[^>]*>", reply.text + listed))
            assert not [tag for tag in tags if "evil" in tag.partition("href")[0] or "alert" in tag or "7 * 7" in tag]
        text = row.completion or ""
        if len(text) <= LONG_CHARS:
            shown_text = reply_text(view.get(f"/sample/{row.id}?run=hostile").text)
            assert shown_text == seen(text)
        plain = view.get(f"/sample/{row.id}/completion.txt")
        assert plain.content == text.encode("utf-8", "replace")
        assert plain.headers["content-type"].startswith("text/plain")


def reply_text(html: str) -> str:
    """The completion on a sample's page."""
    inside = html.partition('id="completion">')[2].partition("</div>")[0]
    return unescape(re.sub(r"<[^>]*>", "", inside))


def test_marks_cut_a_text_at_their_ends_and_lose_nothing() -> None:
    text = "a😀b\u0301c\x00d\ud83de"
    cut = pieces(text, [Mark("answer", 1, 4, ""), Mark("phrase", 3, 6, "")])
    assert [(piece.text, piece.kinds, piece.code) for piece in cut] == [
        ("a", "", ""),
        ("😀b", "answer", ""),
        ("\u0301", "answer phrase", ""),
        ("c", "phrase", ""),
        ("␀", "phrase", "U+0000"),
        ("d", "", ""),
        ("U+D83D", "", "U+D83D"),
        ("e", "", ""),
    ]


def test_a_long_text_shows_its_ends_and_its_marks_and_says_what_it_leaves_out() -> None:
    cut = pieces(LONG, [Mark("answer", 500_000, 500_003, "")])
    assert sum(len(piece.text) + piece.left_out for piece in cut) == len(LONG)
    assert [piece.text for piece in cut if piece.kinds] == ["xxx"]
    assert sum(len(piece.text) for piece in cut) < 50_000
    assert all(not piece.left_out for piece in pieces(LONG, [], whole=True))


@pytest.mark.parametrize(
    ("character", "shown_as"), [("\x00", "␀"), ("\x7f", "␡"), ("\u202e", "U+202E"), ("\ud800", "U+D800")]
)
def test_what_cannot_be_seen_has_a_sign(character: str, shown_as: str) -> None:
    assert sign(character) == shown_as
