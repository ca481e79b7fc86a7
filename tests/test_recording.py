"""A live server records what it pays, of every dialect and reward, and pays as before whatever the disk does."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import Starter
from running_server import HANG_S, RunningServer, until

from reward_server.records.files import rows
from reward_server.records.row import Row
from trainer_client.adapters.trl import RewardFunction

VARIANTS = """
[noisy]
base = "flip"
flip_prob = 0.4
run = "from-toml"

[strict]
base = "verifier"
unscored = "error"
"""
BOX = "so \\boxed{4}"
ODD = "\ud800 \0 😀 \ud83d\ude00 \\boxed{4}"


def recorded(folder: Path, run: str | None = None) -> list[Row]:
    return [row for _, row in rows(folder, run)]


def of_request(found: list[Row], request_id: str) -> list[Row]:
    return [row for row in found if row.request_id == request_id]


def asked(server: RunningServer, path: str, body: Any, request_id: str) -> Any:
    reply = server.post(path, body, headers={"X-Request-ID": request_id})
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_what_is_paid_is_recorded_of_every_dialect(start_server: Starter, tmp_path: Path) -> None:
    (tmp_path / "rewards.toml").write_text(VARIANTS)
    record = tmp_path / "made" / "record"
    with start_server("--config", str(tmp_path / "rewards.toml"), "--record-dir", str(record)) as server:
        noisy = "/score/flip?flip_prob=0.4&seed=17&run=noisy-40&step=7"
        columns = {
            "completions": [BOX, ODD, "none", "\\boxed{4}"],
            "prompts": ["2+2?", [{"role": "user", "content": "2+2?"}], "\ud800", "q"],
            "ground_truths": ["4", ["3", "4"], None, {"ground_truth": "4", "step": 9, "visit": 3, "ordered": True}],
            "groups": ["q-1", None, "", 17],
            "visits": [5, None, None, None],
            "flips": [None, False, None, None],
            "steps": [None, 8, None, 1],
        }
        native = asked(server, noisy, {**columns, "groups": ["q-1", None, "q-2", 17]}, "native")
        prompts = {"query": ["2+2? " + BOX, "else"], "prompts": ["2+2?", "2+2?"], "labels": ["4", "4"]}
        openrlhf = asked(server, "/score/verifier", prompts, "openrlhf")
        asked(server, "/score/verifier", {"response": BOX, "label": "4", "prompt": "2+2?"}, "slime")
        asked(server, "/score/rpr", {"messages": ["<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\nx"]}, "llama")
        rft = [{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": BOX}]}]
        asked(server, "/score/verifier", [{**rft[0], "reference_answer": "4"}], "aws")
        output = [{"type": "message", "content": [{"type": "output_text", "text": BOX}]}]
        gym = {"response": {"output": output}, "answer": "4", "responses_create_params": {"input": "2+2?"}}
        asked(server, "/score/noisy/verify", gym, "gym")
        asked(server, "/explain/verifier", {"completion": BOX, "ground_truth": "4"}, "explained")
        refused = server.post("/score/strict", {"completions": [BOX, BOX], "ground_truths": ["4", None]})
        assert refused.status_code == 422
        assert server.post("/score/verifier", {"completions": [BOX]}).status_code == 422
        trl = RewardFunction(server.url + "/score/flip?flip_prob=0.4&run=trl")
        trl(["q"], [BOX], ground_truth=["4"], visit=[3], trainer_state=SimpleNamespace(global_step=70))
        trl._client.close()
        until(lambda: server.metric("reward_record_lines_total") == 11)
        assert server.metric("reward_record_dropped_total") == 0
        size = sum(file.stat().st_size for file in record.rglob("*.jsonl"))
        assert server.metric("reward_record_bytes_total") == size
        assert server.stop() == 0
    found = recorded(record)
    assert len(found) == 11 and len({row.id for row in found}) == 11
    assert [(row.run, row.visit, row.step) for row in found if row.run == "trl"] == [("trl", 3, 70)]
    lines = of_request(found, "native")
    assert [row.paid for row in lines] == native["rewards"] and [row.outcome for row in lines] == native["outcomes"]
    assert {name: [row.parts[name] for row in lines] for name in native["parts"]} == native["parts"]
    assert {row.config for row in lines} == {native["config"]} and {row.run for row in lines} == {"noisy-40"}
    assert [row.step for row in lines] == [7, 8, 7, 9] and lines[0].query in noisy
    samples = [row.sample for row in lines]
    assert [sample.completion for sample in samples[:2]] == [BOX, json.loads(json.dumps(ODD))]
    assert [sample.prompt for sample in samples] == columns["prompts"]
    assert [sample.ground_truths for sample in samples] == [("4",), ("3", "4"), (), ("4",)]
    assert [(sample.group, sample.visit, sample.flip) for sample in samples] == [
        ("q-1", 5, True),
        (None, None, False),
        ("q-2", None, True),
        ("17", 3, True),
    ]
    assert lines[2].paid is None and lines[2].outcome == "ungradable" and samples[3].ordered is True
    first, lost = of_request(found, "openrlhf")
    assert first.sample.completion == " " + BOX and first.paid == openrlhf["rewards"][0]
    assert lost.lost and lost.sample.is_lost and lost.paid is None and lost.outcome == "error"
    (verified,) = of_request(found, "gym")
    assert verified.run == "from-toml" and verified.reward == "noisy" and verified.query == ""
    assert verified.variant == {"base": "flip", "flip_prob": 0.4, "run": "from-toml"}
    assert [of_request(found, one)[0].dialect for one in ("slime", "llama", "aws")] == [
        "slime",
        "llama_factory",
        "aws_rft",
    ]
    assert not of_request(found, "explained")


def test_replicas_share_a_folder_and_a_kill_tears_one_line_at_most(start_server: Starter, tmp_path: Path) -> None:
    record = tmp_path / "record"
    options = ("--record-dir", str(record), "--log-level", "warning")
    answered: Counter[str] = Counter()
    with start_server(*options) as one, start_server(*options) as two:

        def score(number: int) -> None:
            server, name = ((one, "one"), (two, "two"))[number % 2]
            body = {"completions": [f"{number} {BOX}" + "x" * 20_000] * 50, "ground_truths": ["4"] * 50}
            if server.post("/score/verifier?run=r", body, headers={"X-Request-ID": name}).status_code == 200:
                answered[name] += 50

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(score, range(24)))
        written = one.metric("reward_record_lines_total")  # what is written survives the process
        one.process.kill()
        assert two.stop() == 0
    torn: list[Path] = []
    found = [row for _, row in rows(record, torn=torn)]
    counts = Counter(row.request_id for row in found)
    assert counts["two"] == answered["two"] == 600 and written <= counts["one"] <= answered["one"]
    assert len(torn) <= 1 and len({row.id for row in found}) == len(found)
    assert len({file.name for file in (record / "r").iterdir()}) == 2


def test_a_full_disk_fails_no_request_and_is_counted(start_server: Starter, tmp_path: Path) -> None:
    limited = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        "import sys; sys.argv[0] = 'reward-server'; from reward_server.__main__ import main; main()"
    )
    record = tmp_path / "record"
    with start_server("--record-dir", str(record), "--record-max-gb", "1", program=("-c", limited)) as server:
        body = {"completions": [BOX + "x" * 30_000] * 10, "ground_truths": ["4"] * 10}
        for _ in range(3):
            reply = server.post("/score/verifier", body)
            assert reply.status_code == 200 and reply.json()["rewards"] == [1.0] * 10
        huge = {"completions": [BOX + "x" * 200_000] * 10, "ground_truths": ["4"] * 10}
        assert server.post("/score/verifier", huge).status_code == 200

        def counted() -> tuple[float, float]:
            return server.metric("reward_record_lines_total"), server.metric("reward_record_dropped_total")

        until(lambda: sum(counted()) == 40)
        lines, dropped = counted()
        assert dropped >= 10 and lines >= 3
        assert server.stop() == 0
        said = [line["event"] for line in server.log_lines() if "of the record were dropped" in str(line["event"])]
        assert said and "File too large" in str(said[0])
    torn: list[Path] = []
    assert len([row for _, row in rows(record, torn=torn)]) == lines and not torn


def test_a_folder_that_cannot_be_written_in_ends_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    command = [sys.executable, "-m", "reward_server", "serve", "--port", "0", "--record-dir", str(tmp_path / "file")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S)
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].startswith(f"reward-server: record_dir: cannot write in {tmp_path / 'file'}")


@pytest.mark.parametrize("run", ["..", ".", "a/b", "%2e%2e%2fx", "a%00", "-rf", "", "x" * 101, "a%0a", "é", "a b"])
def test_a_run_cannot_leave_the_folder(server: RunningServer, run: str) -> None:
    refused = server.post(f"/score/verifier?run={run}", {"completions": [BOX], "ground_truths": ["4"]})
    assert refused.status_code == 422 and "run: expected at most 100" in refused.json()["error"]["message"]


def test_run_and_step_are_in_no_digest_and_change_no_reward(server: RunningServer) -> None:
    body = {"completions": [BOX] * 20, "ground_truths": ["4"] * 20, "groups": list(range(20))}
    plain = server.post("/score/flip?flip_prob=0.4", body).json()
    assert server.post("/score/flip?flip_prob=0.4&run=a.b-C_1&step=400", body).json() == plain
    assert server.post("/score/flip?flip_prob=0.4", {**body, "steps": [3, None] * 10}).json() == plain
    labels = [{"ground_truth": "4", "step": 3}] * 20
    assert server.post("/score/flip?flip_prob=0.4", {**body, "ground_truths": labels}).json() == plain


@pytest.mark.parametrize("step", ["1.5", "true", '"3"', "9223372036854775808"])
def test_a_step_is_an_integer_of_64_bits(server: RunningServer, step: str) -> None:
    for column in ('"ground_truths": ["4"], "steps": [STEP]', '"ground_truths": [{"ground_truth": "4", "step": STEP}]'):
        body = f'{{"completions": ["x"], {column.replace("STEP", step)}}}'
        refused = server.post("/score/verifier", body.encode())
        assert refused.status_code == 422 and "step" in refused.json()["error"]["message"]
    assert server.post(f"/score/verifier?step={step}", {"completions": []}).status_code == 422
