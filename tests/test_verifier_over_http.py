"""The verifier as a client meets it: real questions, labelled cases and bombs, through live servers.

The questions and cases are not part of the repository; where they are absent these tests are skipped and say so.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from conftest import Starter
from running_server import RunningServer

Rows = Callable[[str], list[dict[str, Any]]]


@pytest.mark.parametrize("name", ["math500.jsonl", "aime24.jsonl"])
def test_every_ground_truth_in_a_box_is_right_in_every_dialect(
    server: RunningServer, shared_rows: Rows, name: str
) -> None:
    rows = shared_rows(name)
    truths = [row["ground_truth"] for row in rows]
    texts = [f"We get \\boxed{{{truth}}}." for truth in truths]
    native = server.post("/score/verifier", {"completions": texts, "ground_truths": truths}).json()
    assert native["rewards"] == [1.0] * len(rows)
    queries = [row["question"] + text for row, text in zip(rows, texts, strict=True)]
    prompts = [row["question"] for row in rows]
    openrlhf = server.post("/score/verifier", {"query": queries, "prompts": prompts, "labels": truths}).json()
    assert openrlhf["rewards"] == [1.0] * len(rows)
    with httpx.Client(base_url=server.url) as client:
        for row, text in zip(rows, texts, strict=True):
            slime = {"prompt": row["question"], "response": text, "label": row["ground_truth"]}
            assert client.post("/score/verifier", json=slime).json() == 1.0
            output = [{"type": "message", "content": [{"type": "output_text", "text": text}]}]
            gym = {"response": {"output": output}, "expected_answer": row["ground_truth"]}
            assert client.post("/score/verifier/verify", json=gym).json()["reward"] == 1.0


def test_an_order_is_asked_for_by_a_parameter_or_a_label_and_kept_apart(server: RunningServer) -> None:
    """`\\ln` goes through the workers and their cache, where a verdict with an order must not serve one without."""
    truths = [r"1,1,0", r"2\ln 2, \ln 9"]
    texts = [r"\boxed{0,1,1}", r"\boxed{2\ln 3, \ln 4}"]
    labels = [{"ground_truth": truth, "ordered": True} for truth in truths]
    unordered = [{"ground_truth": truth, "ordered": False} for truth in truths]
    for _ in range(2):
        for query, wanted, rewards in (
            ("", truths, [1.0, 1.0]),
            ("?ordered=true", truths, [0.0, 0.0]),
            ("", labels, [0.0, 0.0]),
            ("?ordered=true", unordered, [1.0, 1.0]),
        ):
            body = {"completions": texts, "ground_truths": wanted}
            assert server.post(f"/score/verifier{query}", body).json()["rewards"] == rewards
    in_order = {"completions": [r"\boxed{1,1,0}", r"\boxed{\ln 4, 2\ln 3}"], "ground_truths": truths}
    assert server.post("/score/verifier?ordered=true", in_order).json()["rewards"] == [1.0, 1.0]
    wrong = {"completions": ["x"], "ground_truths": [{"ground_truth": "1", "ordered": "yes"}]}
    assert server.post("/score/verifier", wrong).status_code == 422


def test_explain_shows_boxes_that_were_read_as_one_list(server: RunningServer) -> None:
    text = r"so $\boxed{2}$ and $\boxed{6}$."
    both = server.post("/explain/verifier", {"completion": text, "ground_truth": "6, 2"}).json()
    assert (both["value"], both["answer"]["boxes"]) == (1.0, "2, 6")
    last = server.post("/explain/verifier", {"completion": text, "ground_truth": "6"}).json()
    assert (last["value"], "boxes" in last["answer"]) == (1.0, False)


def test_pathological_answers_end_within_their_budget_and_harm_nobody(start_server: Starter, shared_rows: Rows) -> None:
    rows = shared_rows("pathological.jsonl")
    # The soft budget is CPU time. The hard limit is wall time, and must not come first beside other work.
    patient = ("--request-timeout-s", "600", "--hard-timeout-s", "120", "--verifier-workers", "3")
    with start_server(*patient) as server, ThreadPoolExecutor(1) as thread:
        for row in rows:  # one at a time: the budget counts from an answer's dispatch
            sample = {"completions": [row["completion"]], "ground_truths": [row["ground_truth"]]}
            reply = server.post("/score/verifier", sample).json()
            assert reply["outcomes"][0] != "error", row["id"]
        assert server.metric("reward_worker_kills_total") == 0, "each ended within its CPU seconds"
        bombs = {
            "completions": [row["completion"].replace("{9", "{8") for row in rows],
            "ground_truths": [row["ground_truth"] for row in rows],
        }
        attack = thread.submit(server.post, "/score/verifier", bombs)
        numbers = range(1, 1001)
        ordinary = {
            "completions": [f"so \\boxed{{{n}+\\ln(x)}}" for n in numbers],
            "ground_truths": [f"\\ln x+{n}" for n in numbers],
        }
        assert server.post("/score/verifier", ordinary).json()["rewards"] == [1.0] * 1000
        assert attack.result().status_code == 200
        assert server.metric("reward_worker_deaths_total") == 0
        assert server.get("/ready").status_code == 200
        rss = [memory_mb(worker) for worker in server.workers()]
        assert max(rss) < 1024


def memory_mb(pid: int) -> float:
    with open(f"/proc/{pid}/status") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
