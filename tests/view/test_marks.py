from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from html import unescape

import pytest
from running_server import RunningServer
from view.hostile import ABUSE, ABUSE_QUERY, LONG, TEXTS, record_abuse, record_hostile
from view.shown import View, shown, text_of

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
    return unescape(re.sub(r"<[^>]*>", "", completion_of(html)))


def completion_of(html: str) -> str:
    """The same as HTML."""
    return html.partition('id="completion">')[2].partition("</div>")[0]


def test_what_a_policy_might_write_to_be_paid_is_shown_as_explain_derives_it(view: View, server: RunningServer) -> None:
    given = [row for row in ABUSE if row["outcome"] != "timeout" and row["category"] != "bomb"][::3]
    assert len(given) >= 60
    asyncio.run(record_abuse(view.folder, given))
    for _, row in rows(view.folder, "abuse"):
        html = view.get(f"/sample/{row.id}").text
        body = view.get(f"/sample/{row.id}/row.json").content
        explained = server.post(f"/explain/flip?{ABUSE_QUERY}", body).json()
        text, completion = text_of(html), row.completion or ""
        assert f"paid {explained['value']:.4g}" in text
        verdict = explained["verdict"]
        assert f"Compared by rule {verdict['tier']}" in text
        for name in ("answer_form", "ground_truth_form"):
            assert " ".join(seen(verdict[name]).split()) in text
        noise = explained["noise"]
        assert f"u = {noise['draw']:.3f}" in text
        assert ("Noise: flipped" in text) is noise["flipped"]
        assert ("counted for RPR" in text) is bool(explained["rpr"]["phrases"])
        answer = explained["answer"]
        marked = "".join(
            re.findall(r'<mark class="[^"]*answer[^"]*"[^>]*>(.*?)</mark>', completion_of(html), re.DOTALL)
        )
        wanted = completion[answer["start"] : answer["end"]] if answer else ""
        assert unescape(re.sub(r"<[^>]*>", "", marked)) == seen(wanted)


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
