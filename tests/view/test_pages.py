from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from running_server import RunningServer
from typer.testing import CliRunner
from view.shown import View, shown, text_of

from reward_server.cli import app
from reward_server.records.files import files, rows
from reward_server.view.guard import POLICY
from reward_server.view.labels import NAME as LABELS
from reward_server.view.store import NAME

VIEWS = (
    "/",
    "/run/cut",
    "/run/restarted?per=5",
    "/samples?run=notation&preset=in-text",
    "/sample/r1-40-3?run=notation&outcome=incorrect",
    "/group/q-3?run=cut",
    "/compare?run=cut",
    "/calibration?run=judge",
    "/calibration?run=cut",
)


@pytest.fixture(scope="module")
def view(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[View]:
    copy = tmp_path_factory.mktemp("shown") / "record"
    shutil.copytree(made, copy, ignore=shutil.ignore_patterns(NAME))
    with shown(copy) as view:
        yield view


@pytest.mark.parametrize("path", VIEWS)
def test_every_view_has_a_title_and_the_policy_and_loads_nothing_from_elsewhere(view: View, path: str) -> None:
    reply = view.get(path)
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-security-policy"] == POLICY
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert re.search(r"<title>.+ · reward-server view</title>", reply.text)
    loaded = re.findall(r'(?:src|href|action)="([^"]*)"', reply.text)
    assert loaded
    assert all(url.startswith(("/", "#", "?")) and not url.startswith("//") for url in loaded)
    assert not re.search(r"\sstyle=|\son[a-z]+=|javascript:", reply.text)
    scripts = re.findall(r"<script([^>]*)>", reply.text)
    assert all("src=" in script or "application/json" in script for script in scripts)
    for asset in {url for url in loaded if url.startswith(("/static", "/favicon"))}:
        assert view.get(asset).status_code == 200


def test_the_numbers_behind_the_charts_are_in_the_page_and_in_its_table(view: View) -> None:
    html = view.get("/run/restarted").text
    told = json.loads(html.partition('id="curves">')[2].partition("</script>")[0])
    assert told["x"] == list(range(60))
    assert told["rules"] == [30]
    assert told["link"] == "/samples?run=restarted&rows=train&bucket="
    flips = next(chart for chart in told["charts"] if any(each["form"] == "edge" for each in chart))
    assert [round(value, 9) for value in next(each for each in flips if each["form"] == "dash")["values"][29:31]] == [
        0.4,
        0.1,
    ]
    assert "from here on ?flip_prob=0.1&seed=17" in text_of(html)
    assert html.count("<tr>") == 61


def test_a_bucket_leads_to_its_samples(view: View) -> None:
    text = text_of(view.get("/samples?run=restarted&rows=train&bucket=30").text)
    assert "32 samples" in text
    text = text_of(view.get("/samples?run=stale&bucket=2").text)
    assert "64 samples" in text


def test_filters_leave_what_they_say(view: View) -> None:
    incorrect = view.get("/samples?run=cut&outcome=incorrect&flipped=yes&rows=train").text
    row = re.search(r'href="/sample/([^"?]+)\?', incorrect)
    assert row is not None
    found = next(each for _, each in rows(view.folder, "cut") if each.id == row[1])
    assert (found.outcome, found.parts["flipped"], found.flip) == ("incorrect", 1.0, True)
    assert "No sample is like that" in view.get("/samples?run=cut&outcome=timeout").text
    assert "1 sample" in text_of(view.get("/samples?run=cut&group=q-1000&bucket=0").text)
    assert "found in" in view.get("/samples?run=cut&text=double-check").text


def test_the_list_is_walked_by_next_and_previous(view: View) -> None:
    query = "run=cut&outcome=unanswered"
    first = re.search(r'<a class="row" href="([^"]+)"', view.get(f"/samples?{query}").text)
    assert first is not None
    at, seen = first[1].replace("&amp;", "&"), [first[1].replace("&amp;", "&")]
    for _ in range(3):
        after = re.search(r'rel="next" href="([^"]+)"', view.get(at).text)
        assert after is not None
        at = after[1].replace("&amp;", "&")
        seen.append(at)
    assert len(set(seen)) == 4
    back = re.search(r'rel="prev" href="([^"]+)"', view.get(at).text)
    assert back is not None
    assert back[1].replace("&amp;", "&") == seen[-2]
    assert f'rel="up" href="/samples?{query.replace("&", "&amp;")}"' in view.get(at).text


def test_a_sample_is_derived_as_explain_of_a_server_derives_it(view: View, server: RunningServer) -> None:
    for path in ("/sample/r0-0-3", "/sample/r0-40-1", "/sample/r1-35-2", "/sample/r4-3-1", "/sample/r5-7-2"):
        html = view.get(path).text
        body = view.get(f"{path}/row.json").content
        url = re.search(r"curl -s '?http://127.0.0.1:8000([^ ']*)'? --data", text_of(html))
        assert url is not None
        explained = server.post(text_of(url[1]), body).json()
        text = text_of(html)
        for value in (explained["outcome"], *explained["parts"].values()):
            assert (f"{value:.4g}" if isinstance(value, float) else str(value)) in text
        assert f"paid {explained['value']:.4g}" in text
        assert "Recorded, and today" not in text
        answer = explained["answer"]
        marked = re.findall(r'<mark class="answer"[^>]*>([^<]*)</mark>', html.partition('id="completion"')[2])
        assert "".join(map(text_of, marked)) == (answer["text"] if answer else "")


def test_a_repeated_draw_is_named_on_the_page_of_its_question(view: View) -> None:
    fresh, stale = (text_of(view.get(f"/group/q-3?run={run}").text) for run in ("cut", "stale"))
    assert "was there before" not in fresh
    assert "8 visits" in fresh or "visits" in fresh
    assert "ground truth 85" in stale


def test_a_judgement_is_kept_and_only_a_form_of_the_page_may_give_one(view: View) -> None:
    form = {"id": "r1-40-3", "says": "wrong", "back": "run=notation"}
    for headers in ({}, {"origin": "http://evil.example"}, {"origin": "null"}):
        assert view.post("/label", form, **headers).status_code == 403
    large = {**form, "back": "x" * 20_000}
    assert "too large" in view.post("/label", large, origin=view.url).text
    assert not (view.folder / LABELS).exists()
    reply = view.post("/label", form, origin=view.url)
    assert (reply.status_code, reply.headers["location"]) == (303, "/sample/r1-40-3?run=notation#verdict")
    (line,) = (view.folder / LABELS).read_text().splitlines()
    label = json.loads(line)
    assert (label["id"], label["verifier"], label["correct"]) == ("r1-40-3", "wrong", True)
    assert {"completion", "prompt"} <= label.keys()
    assert 'value="wrong" aria-pressed="true"' in view.get("/sample/r1-40-3").text
    assert (view.folder / LABELS).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8100", "127.0.0.1.evil.example", ""])
def test_another_name_in_the_host_header_is_refused(view: View, host: str) -> None:
    assert view.get("/", headers={"host": host}).status_code in (400, 403)
    assert view.get("/", headers={"host": "localhost:1"}).status_code == 200


def test_what_is_not_there_is_said(view: View) -> None:
    for path, reason in (
        ("/run/none", "there is no run 'none'"),
        ("/sample/none", "there is no sample 'none'"),
        ("/group/none?run=cut", "has no question 'none'"),
        ("/nothing", "there is no such page"),
        ("/static/../app.py", "there is no such page"),
    ):
        reply = view.get(path)
        assert reply.status_code == 404
        assert reason in text_of(reply.text)


def test_a_page_shows_what_was_written_since_it_started(view: View) -> None:
    (file,) = files(view.folder, "stale")
    lines = file.read_bytes().splitlines(keepends=True)
    before = text_of(view.get("/run/stale").text)
    with file.open("ab") as sink:
        sink.writelines(lines[:64])
        sink.write(lines[64][:-20])
    after = text_of(view.get("/run/stale").text)
    assert (f"{len(lines):,} samples" in before, f"{len(lines) + 64:,} samples" in after) == (True, True)
    assert "has no end" in after


def test_an_empty_folder_says_how_to_record(tmp_path: Path) -> None:
    with shown(tmp_path) as view:
        text = text_of(view.get("/").text)
        assert f"reward-server serve --record-dir {tmp_path}" in text


def test_a_folder_that_is_not_there_is_said_in_one_sentence(tmp_path: Path) -> None:
    reply = CliRunner().invoke(app, ["view", str(tmp_path / "none")])
    assert reply.exit_code == 2
    assert "no such folder; `reward-server serve --record-dir" in reply.output


def test_a_port_that_is_taken_is_said_before_the_record_is_read(view: View) -> None:
    port = view.url.rpartition(":")[2]
    reply = CliRunner().invoke(app, ["view", str(view.folder), "--port", port])
    assert reply.exit_code == 2
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use; name another with --port" in reply.output
