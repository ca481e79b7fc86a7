"""The questions that the page is for, asked of its numbers and its pages."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner
from view.made_record import Course, Rollout, plain, record
from view.shown import View, shown, text_of

from reward_server.cli import app
from reward_server.offline.audit.tables import fresh
from reward_server.records.files import files, rows
from reward_server.records.text import encode
from reward_server.view.batch import SCORE_BINS
from reward_server.view.store import NAME

REFUSED = (
    r"\text{the answer is } {}",
    r"{} \text{, I think}",
    r"{} \text{ (see above)}",
    r"{}\text{ or so}",
    r"{}, \text{ not } 1",
)
"""Ways to write a right number that the verifier does not take for one."""


def seldom_refused(rollout: Rollout) -> str:
    """Right in one of those notations, in 1 % of all completions."""
    place = rollout.step * 40 + rollout.question % 10 * 4 + rollout.number
    if place % 100 != 7:
        return plain(rollout)
    answer = REFUSED[place // 100 % len(REFUSED)].replace("{}", str(rollout.truth))
    return f"{rollout.text}$\\boxed{{{answer}}}$<|im_end|>"


@pytest.fixture(scope="module")
def view(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[View]:
    copy = tmp_path_factory.mktemp("stories") / "record"
    shutil.copytree(made, copy, ignore=shutil.ignore_patterns(NAME))
    course = Course(run="seldom", reward="verifier", query="", steps=50, questions=10, pool=10, evaluate=0)
    asyncio.run(record(copy, replace(course, fault=seldom_refused, fault_step=0)))
    reply = CliRunner().invoke(
        app, ["replay", str(copy), "--run", "cut", "-r", "verifier", "-o", str(copy / "verifier.jsonl")]
    )
    assert reply.exit_code == 0, reply.output
    with shown(copy) as view:
        yield view


def test_two_presets_list_what_is_right_in_a_refused_notation_on_their_first_page(view: View) -> None:
    kept = [row for _, row in rows(view.folder, "seldom")]
    hidden = {row.id for row in kept if row.outcome != "correct" and not (row.answer or "").isdigit()}
    assert (len(kept), len(hidden)) == (2000, 20)
    listed = {
        id
        for preset in ("in-text", "agreed")
        for id in re.findall(r'href="/sample/([^"?]+)\?', view.get(f"/samples?run=seldom&preset={preset}").text)
    }
    assert len(hidden & listed) >= 18


def test_a_run_says_whether_its_noise_was_fresh_as_the_audit_does(view: View) -> None:
    for run, is_stale in (("cut", False), ("stale", True), ("restarted", False)):
        told = json.loads(CliRunner().invoke(app, ["audit", str(view.folder), "--run", run, "--json"]).stdout)
        html = view.get(f"/run/{run}").text
        says = [fresh(each["freshness"]) for each in told["noise"]]
        assert all(each in text_of(html) for each in says)
        assert ('class="note bad"' in html) is is_stale
    stale = text_of(view.get("/run/stale").text)
    assert "Not fresh: 100% of the 64 questions that came back had an old visit" in stale
    course = Course(run="young", has_visits=False, steps=2, evaluate=0)
    asyncio.run(record(view.folder, course))
    html = view.get("/run/young").text
    assert '<p class="note">No visit was ever sent' in html


def test_fixed_noise_of_each_answer_is_not_called_stale(view: View) -> None:
    course = Course(run="fixed", query="flip_prob=0.4&flip_scope=answer", has_visits=False, steps=16, evaluate=0)
    asyncio.run(record(view.folder, course))
    html = view.get("/run/fixed").text
    assert "Noise of scope answer belongs to the answer" in text_of(html).replace("`", "")
    assert 'class="note bad"' not in html


def test_compare_counts_what_a_replay_pays_and_leads_to_the_rows(view: View) -> None:
    old = [row for _, row in rows(view.folder, "cut")]
    more = [row for row in old if row.parts["clean"] is not None and row.parts["clean"] > (row.paid or 0)]
    less = [row for row in old if row.parts["clean"] is not None and row.parts["clean"] < (row.paid or 0)]
    html = view.get("/compare?run=cut").text
    text = text_of(html)
    assert f"{len(old):,} rows of cut" in text
    assert f"paid more {len(more):,} paid less {len(less):,} paid the same" in text
    outcomes = Counter(row.outcome for row in old)
    assert all(f">{count:,}</a>" in html for count in outcomes.values())
    listed = view.get("/compare?run=cut&change=less").text
    assert re.findall(r'href="/sample/([^"?]+)"', listed) == [row.id for row in less[:50]]
    after = re.search(r'rel="next" href="([^"]+)"', listed)
    assert after is not None
    rest = view.get(after[1].replace("&amp;", "&")).text
    assert re.findall(r'href="/sample/([^"?]+)"', rest) == [row.id for row in less[50:100]]
    assert "What would it have been paid?" in view.get("/compare?run=notation").text


def test_a_replay_that_was_made_anew_is_read_anew(view: View) -> None:
    output = view.folder / "again.jsonl"
    for query in ("flip?flip_prob=0", "flip?flip_prob=1"):
        output.unlink(missing_ok=True)
        reply = CliRunner().invoke(
            app, ["replay", str(view.folder), "--run", "notation", "-r", query, "-o", str(output)]
        )
        assert reply.exit_code == 0, reply.output
        kept = [row for _, row in rows(output)]
        paid = sum(row.paid or 0 for row in kept) / len(kept)
        assert f"mean, replayed {paid:.3f}" in text_of(view.get("/compare?run=notation&file=again.jsonl").text)


def test_calibration_is_that_of_the_recorded_scores(view: View) -> None:
    kept = [row for _, row in rows(view.folder, "judge") if row.parts["rm"] is not None]
    bins: dict[int, list[tuple[float, float]]] = {}
    for row in kept:
        score, clean = row.parts["rm"], row.parts["clean"]
        assert score is not None and clean is not None
        bins.setdefault(min(SCORE_BINS - 1, int(score * SCORE_BINS)), []).append((score, clean))
    error = sum(abs(sum(clean - score for score, clean in pairs)) for pairs in bins.values()) / len(kept)
    text = text_of(view.get("/calibration?run=judge").text)
    assert f"rows with a verdict {len(kept):,} expected calibration error {error:.3f} threshold 0.5" in text
    assert view.get("/calibration?run=judge").text.count('class="dot"') == len(bins)


def test_calibration_takes_the_verdicts_of_a_replay_and_labels(view: View) -> None:
    (file,) = files(view.folder, "judge")
    kept = [row for _, row in rows(file)]
    bare = view.folder / "model" / file.name
    bare.parent.mkdir()
    without = [
        msgspec.structs.replace(row, id=f"m-{n}", run="model", parts={**row.parts, "clean": None})
        for n, row in enumerate(kept)
    ]
    bare.write_bytes(b"".join(map(encode, without)))
    assert "No scores with a verdict yet" in view.get("/calibration?run=model").text
    output = str(view.folder / "graded.jsonl")
    reply = CliRunner().invoke(app, ["replay", str(view.folder), "--run", "model", "-r", "verifier", "-o", output])
    assert reply.exit_code == 0, reply.output
    text = text_of(view.get("/calibration?run=model").text)
    assert f"rows with a verdict in graded.jsonl {len(kept):,}" in text
    assert view.post("/label", {"id": "m-3", "says": "right"}, origin=view.url).status_code == 303
    assert "rows with a label 1 " in text_of(view.get("/calibration?run=model").text)


def test_where_today_pays_otherwise_both_stand_side_by_side(view: View) -> None:
    (file,) = files(view.folder, "notation")
    row = next(row for _, row in rows(view.folder, "notation"))
    changed = msgspec.structs.replace(row, id="changed", paid=0.25, version="0.0.9", config="000000000000")
    with file.open("ab") as sink:
        sink.write(encode(changed))
    text = text_of(view.get("/sample/changed").text)
    assert "Recorded, and today" in text
    assert f"paid 0.25 {row.paid:g}" in text
    assert "recorded by version 0.0.9" in text


def test_what_a_mix_is_made_of_is_shown_and_a_row_without_texts_has_its_numbers(view: View) -> None:
    query = "flip=0.8&rpr=0.2&gate=flip&flip.flip_prob=0.4"
    course = Course(run="mixed", reward="mix", query=query, steps=2, evaluate=0, has_visits=False)
    asyncio.run(record(view.folder, course))
    kept = [row for _, row in rows(view.folder, "mixed")]
    html = view.get(f"/sample/{kept[0].id}").text
    assert "Made of flip" in text_of(html)
    assert "Noise: " in html and "Compared by rule" in html
    assert f'<mark class="answer" title="read as the answer">{kept[0].answer}</mark>' in html
    (file,) = files(view.folder, "cut")
    bare = msgspec.structs.replace(next(row for _, row in rows(file)), id="bare", completion=None, prompt=None)
    with file.open("ab") as sink:
        sink.write(encode(bare))
    text = text_of(view.get("/sample/bare").text)
    assert "The texts were not recorded" in text
    assert "threshold 0.4" in text
    assert "Is the verifier right here?" not in text


def test_a_question_whose_ground_truth_changed_says_from_where_on(view: View) -> None:
    (file, *_) = files(view.folder, "restarted")
    last = [row for _, row in rows(view.folder, "restarted") if row.group == "q-3"][-1]
    assert "is not always the same" not in view.get("/group/q-3?run=restarted").text
    with file.open("ab") as sink:
        sink.write(encode(msgspec.structs.replace(last, id="moved", step=77, ground_truth="999")))
    text = text_of(view.get("/group/q-3?run=restarted").text)
    assert f"not always the same: {last.ground_truth} from step 0 on, 999 from step 77 on" in text


def test_a_row_without_a_reward_says_so_and_its_command_names_no_run(view: View) -> None:
    (file, *_) = files(view.folder, "restarted")
    (row, *_) = (row for _, row in rows(view.folder, "restarted"))
    with file.open("ab") as sink:
        sink.write(encode(msgspec.structs.replace(row, id="un paid", paid=None, query=row.query + "&run=x&step=3")))
    text = text_of(view.get("/sample/un%20paid").text)
    assert "no reward" in text
    assert f"curl -s {view.url}/sample/un%20paid/row.json | curl" in text
    assert "run=x" not in text
