"""A live server records every reward. Each row is paid again, byte for byte, and shown as `/explain` says.

Some 1,000 rows of all rewards. 18,562 rows of the same kinds were tried by hand on 2026-11-27, and all were the same.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from running_server import HANG_S, RunningServer, running_server, until
from view.shown import shown, text_of

from reward_server.records.files import rows as rows_in
from reward_server.records.row import Row
from reward_server.view.marks import seen
from reward_server.view.rendering import number as shown_number

DATA = Path(__file__).parents[1] / "data"
URLS = (
    "verifier?run=all",
    "flip?flip_prob=0.4&seed=17&run=all&step=3",
    "math-noisy?run=all",
    "blend?run=all&step=4",
    "verifier?check=string&answer=auto&run=all",
    "rpr?rpr_scope=think&run=all",
    "rm_sim?accuracy=0.7&run=all",
    "flip?false_positive_prob=0.1&false_negative_prob=0.2&correction=backward&flip_scope=answer&run=all",
    "mix?verifier=1&flip=0.5&rpr=0.1&gate=verifier&flip.flip_prob=0.5&flip.flip_scope=sample&run=all",
)
TABLES = """
[math-noisy]
base = "flip"
flip_prob = "0.4@0,0.1@3"
seed = 5
alpha = 0.5
[blend]
base = "mix"
gate = "right"
[blend.parts.right]
reward = "flip"
weight = 0.8
flip_prob = 0.4
[blend.parts.think]
reward = "rpr"
weight = 0.2
[by-source]
base = "route"
[by-source.routes]
gsm8k = "verifier"
chat = "rpr"
"""
ONE_WORKER = {**os.environ, "REWARD_VERIFIER_WORKERS": "1"}
MODEL = ("--rm-dtype", "float32", "--rm-device", "cpu", "--rm-threads", "1")


def asked() -> dict[str, list[Any]]:
    """What policies write, to be paid and otherwise, and pairs that take every rule of the verifier."""
    abuse = [json.loads(line) for line in (DATA / "abuse.jsonl").read_text().splitlines()]
    abuse = [row for row in abuse[::2] if row["outcome"] != "timeout"]  # each takes two CPU seconds, and proves nothing
    pairs = [json.loads(line) for line in (DATA / "verifier_pairs.jsonl").read_text().splitlines()][::200]
    rows = [(row["completion"], row["prompt"], row["ground_truth"]) for row in abuse]
    rows += [(f"\\boxed{{{pair['answer']}}}", "which?", pair["ground_truth"]) for pair in pairs]
    completions, prompts, truths = map(list, zip(*rows, strict=True))
    numbers = range(len(rows))
    columns = {"completions": completions, "prompts": prompts, "ground_truths": truths}
    return columns | {
        "groups": [f"q-{number // 8}" for number in numbers],
        "visits": [number % 5 for number in numbers],
        "flips": [number % 9 > 0 for number in numbers],
    }


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """It goes on until all tests are done, and then ends by itself."""
    place = tmp_path_factory.mktemp("live")
    (place / "rewards.toml").write_text(TABLES)
    options = ("--config", str(place / "rewards.toml"), "--record-dir", str(place / "record"))
    columns = asked()
    with running_server(place / "log", "--rm-model", str(folder), *MODEL, *options) as server:
        server.wait_ready()
        for url in URLS:
            assert server.post(f"/score/{url}", columns).status_code == 200
        of_two = {"sources": ["gsm8k" if n % 2 else "chat" for n in range(60)]}
        some = {name: column[:60] for name, column in columns.items()}
        assert server.post("/score/by-source?run=all", some | of_two).status_code == 200
        texts = [f"so it is.</think><answer>The answer {number}.</answer>" for number in range(60)]
        prompts = [f"What is 2 + {number % 9}?" for number in range(60)]
        assert (
            server.post("/score/rm?threshold=0.2&run=all", {"completions": texts, "prompts": prompts}).status_code
            == 200
        )
        lost = {"query": ["2+2? so \\boxed{4}", "lost"], "prompts": ["2+2?"] * 2, "labels": ["4", "4"]}
        assert server.post("/score/verifier?run=all", lost).status_code == 200
        for path, body in of_other_dialects():
            assert server.post(f"/score/{path}", body).status_code == 200
        rows = len(URLS) * len(columns["completions"]) + 60 + 60 + 2 + len(OF_ONE)
        until(lambda: server.metric("reward_record_lines_total") == rows)
        yield server
        assert server.stop() == 0


@pytest.fixture(scope="module")
def record(server: RunningServer) -> Path:
    return server.log.parent / "record"


OF_ONE = (
    "so \\boxed{4}",
    "Wait, \\boxed{5} <|im_end|> and more",
    "none",
    "a 😀 \u202eb\u202c \ud800 \0 \\boxed{x^{2}}",
) * 3
"""Sent one by one, by each of three dialects in turn."""


def of_other_dialects() -> Iterator[tuple[str, dict[str, Any]]]:
    for number, text in enumerate(OF_ONE):
        label = {
            "ground_truth": ["4", "x^2"] if number < 9 else None,
            "group": f"q-{number}",
            "visit": number,
            "step": number,
        }
        if number % 3 == 0:
            body: dict[str, Any] = {"query": [f"2+2? {text}"], "prompts": ["2+2? "], "labels": [json.dumps(label)]}
            yield "flip?flip_prob=0.5&alpha=0.5&saturation=2&run=all", body
        elif number % 3 == 1:
            yield "flip?flip_prob=0.9&flip_if=length>5&run=all", {"response": text, "prompt": "2+2?", "label": label}
        else:
            output = [{"type": "message", "content": [{"type": "output_text", "text": text}]}]
            row = {"response": {"output": output}, "responses_create_params": {"input": "2+2?"}, "answer": "4"}
            yield "math-noisy/verify", {**row, "group": f"q-{number}", "visit": number}


def replay(record: Path, *options: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "reward_server", "replay", str(record), "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S, check=False, env=ONE_WORKER)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(done.stdout)


def test_every_row_of_every_reward_is_paid_the_same_again(record: Path, folder: Path, tmp_path: Path) -> None:
    """Without the `rewards.toml`: a row says what its variant sets. What proves nothing is no difference."""
    code, found = replay(record, "--rm-model", str(folder), *MODEL, "--receipt")
    rows = found["rows"]
    assert (code, rows["differs"], rows["another"], rows["not-paid"], rows["unknown"]) == (0, 0, 0, 0, 0)
    assert rows["same"] >= found["total"] - 20 > 900  # on a machine that is busy an answer may fail
    assert len(found["configs"]) == len(URLS) + 4
    lines = [json.loads(line) for file in record.glob("*/*.jsonl") for line in file.read_text().splitlines()]
    assert {row["reward"] for row in lines} >= {"verifier", "flip", "rpr", "rm", "rm_sim", "blend", "by-source"}
    rm = next(row for row in lines if row["reward"] == "rm" and row["paid"])
    changed = tmp_path / "all.jsonl"
    paid = rm["paid"] + 1 / 1024
    score = rm["parts"]["model_score"] + 2**-20
    moved = {**rm["parts"], "model_score": score, "rm": score, "calibrated": score}
    rounded = rm | {"parts": moved, "paid": round(score * 1024) / 1024}
    changed.write_text("".join(json.dumps(row) + "\n" for row in [*lines[:50], rm | {"paid": paid}, rounded]))
    code, found = replay(changed, "--rm-model", str(folder), *MODEL)
    assert (code, found["rows"]["differs"], found["rows"]["hardware"]) == (1, 1, 1)
    assert found["examples"]["differs"][0]["where"] == f"{changed}:51"


def test_rows_of_a_model_that_is_not_there_are_left_out_and_said(record: Path, tmp_path: Path) -> None:
    lines = [line for file in record.glob("*/*.jsonl") for line in file.read_text().splitlines()]
    some = tmp_path / "some.jsonl"
    some.write_text(
        "".join(line + "\n" for line in [*lines[:9], *(line for line in lines if '"reward":"rm",' in line)])
    )
    code, found = replay(some)
    assert (code, found["rows"]["not-paid"], found["rows"]["differs"]) == (0, 60, 0)
    assert "no reward model is configured" in found["not_paid"][0]["why"]
    assert replay(some, "--check")[0] == 1


def test_the_verifier_pays_every_row_of_a_flip_its_clean_score(record: Path, tmp_path: Path) -> None:
    lines = [json.loads(line) for file in record.glob("*/*.jsonl") for line in file.read_text().splitlines()]
    flip = tmp_path / "flip.jsonl"
    flip.write_text("".join(json.dumps(row) + "\n" for row in lines if row["query"].startswith("flip_prob=0.4")))
    replay(flip, "-r", "verifier", "-o", str(tmp_path / "again.jsonl"))
    again = [json.loads(line) for line in (tmp_path / "again.jsonl").read_text().splitlines()]
    before = [json.loads(line) for line in flip.read_text().splitlines()]
    for old, new in zip(before, again, strict=True):
        assert "timeout" in (old["outcome"], new["outcome"]) or new["paid"] == old["parts"]["clean"]


def chosen(record: Path, most: int) -> list[Row]:
    """Rows of every reward, dialect and outcome, some of each. Not: what is graded at the edge of its budget."""
    kinds: dict[tuple[str, ...], list[Row]] = {}
    for _, row in rows_in(record):
        if row.outcome not in ("timeout", "error"):
            kinds.setdefault((row.reward, row.query, row.dialect, row.outcome), []).append(row)
    picked = [row for place in range(most) for some in kinds.values() for row in some[place : place + 1]]
    return picked[:most]


def steps_of(told: dict[str, Any], part: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """An explanation, and those of the parts that it is made of, each by its name in a line."""
    yield part, told
    for name, inner in told.get("made_of", {}).items():
        yield from steps_of(inner, part if "route" in told else f"{part}/{name}".lstrip("/"))


def check_page(html: str, row: Row, told: dict[str, Any]) -> None:
    """Every value of the explanation stands on the page of the sample, and nothing was paid otherwise."""
    text = text_of(html)
    paid = "no reward" if told["value"] is None else f"paid {shown_number(told['value'])}"
    assert f"{told['outcome'].replace('_', ' ')} {paid}" in text
    assert "Recorded, and today" not in text and "cannot be derived again" not in text
    assert (told["value"], told["outcome"], told["parts"]) == (row.paid, row.outcome, row.parts)
    for name, value in told["parts"].items():
        assert re.search(rf">{re.escape(name)}<.*?>{re.escape(shown_number(value))}<", html), name
    for name, value in told.get("components", {}).items():
        assert re.search(rf"{re.escape(name)}.{{0,200}}?{re.escape(shown_number(value))}", text), name
    for sentence in (told["why"], *told["warnings"]):
        assert squeezed(seen(sentence)) in squeezed(text)
    steps = list(steps_of(told))
    noises = [(part, step["noise"]) for part, step in steps if "noise" in step]
    assert text.count("Noise: ") == len(noises)
    for part, noise in noises:
        said = "flipped" if noise["flipped"] else "not flipped" if noise["exposed"] else "does not apply"
        assert f"Noise: {said}" + (f" part {part}" if part else "") in text
        assert f"u = {noise['draw']:.3f}" in text and f"threshold {noise['threshold']:.4g}" in text
    for name, check in (
        ("verdict", check_verdict),
        ("answer", check_answer),
        ("rpr", check_phrases),
        ("model", check_model),
    ):
        found = next((step for _, step in steps if step.get(name) is not None), None)
        if found is not None and (name != "rpr" or "rpr" in told):
            check(html, row, found)


def squeezed(text: str) -> str:
    """Without what a page may write otherwise: blanks, and the marks of code."""
    return re.sub(r"[\s`]", "", text)


def check_verdict(html: str, row: Row, step: dict[str, Any]) -> None:
    assert f"Compared by rule {step['verdict']['tier']}" in text_of(html)
    for name in ("answer_form", "ground_truth_form"):
        assert squeezed(seen(step["verdict"][name])) in squeezed(text_of(html))


def check_answer(html: str, row: Row, step: dict[str, Any]) -> None:
    answer = step["answer"]
    assert marked(html, "answer") == seen((row.completion or "")[answer["start"] : answer["end"]])


def check_phrases(html: str, row: Row, step: dict[str, Any]) -> None:
    places = {at for each in step["rpr"]["phrases"] for at in range(each["start"], each["end"])}
    assert marked(html, "phrase") == "".join(seen((row.completion or "")[at]) for at in sorted(places))


def check_model(html: str, row: Row, step: dict[str, Any]) -> None:
    text = text_of(html)
    assert f"{step['model']['tokens']:,} tokens, {step['model']['prompt_tokens']:,} of them the prompt's" in text
    assert squeezed(seen(step["model"]["text"])) in squeezed(text)


def marked(html: str, kind: str) -> str:
    """What is marked so in the completion."""
    completion = html.partition('id="completion">')[2].partition("</div>")[0]
    found = re.findall(rf'<mark class="[^"]*\b{kind}\b[^"]*"[^>]*>(.*?)</mark>', completion, re.DOTALL)
    return unescape(re.sub(r"<[^>]*>", "", "".join(found)))


def test_every_value_on_the_page_of_a_sample_is_what_explain_of_the_server_says(
    server: RunningServer, record: Path, folder: Path
) -> None:
    """200 rows of every reward, dialect and outcome: acceptance test 6 of the record."""
    kept = chosen(record, 200)
    assert len(kept) == 200 and len({row.dialect for row in kept}) == 4
    assert {row.outcome for row in kept} >= {
        "correct",
        "incorrect",
        "unparseable",
        "unanswered",
        "scored",
        "ungradable",
    }
    config = ("--config", str(record.parent / "rewards.toml"))
    with shown(record, "--rm-model", str(folder), *MODEL, *config) as view:
        for row in kept:
            html = view.get(f"/sample/{row.id}?whole=1").text
            body = view.get(f"/sample/{row.id}/row.json").content
            reply = server.post(f"/explain/{row.reward}?{row.query}", body)
            assert reply.status_code == 200, (row.id, reply.text)
            check_page(html, row, reply.json())
