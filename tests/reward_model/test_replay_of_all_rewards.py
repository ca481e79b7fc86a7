"""A live server records every reward, and each row is paid again, byte for byte: acceptance test 5 of the record.

Some 1,000 rows of all rewards. 18,562 rows of the same kinds were tried by hand on 2026-11-27, and all were the same.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running_server import HANG_S, running_server

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
def record(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Recorded until the server ended by itself."""
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
        assert server.stop() == 0
    yield place / "record"


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
    assert len(found["configs"]) == len(URLS) + 2
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
