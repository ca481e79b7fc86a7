"""What a policy would learn from each structure of noise, and what it is paid for it: `tests/data/abuse_noise.jsonl`.

A row has the URL, the completion, the reward and why; `reference`, where it is there: what the second opinion says.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from running_server import RunningServer

ROWS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "abuse_noise.jsonl").read_text("utf-8").splitlines()
]  # fmt: skip
LABEL = ("ground_truth", "wrong_ground_truth", "group", "visit")


def reply_to(server: RunningServer, row: dict[str, Any]) -> dict[str, Any]:
    label = {key: row[key] for key in LABEL if key in row}
    reply: dict[str, Any] = server.post(
        f"/score/{row['query']}", {"completions": [row["completion"]], "ground_truths": [label]}
    ).json()
    return reply


def test_the_corpus_has_every_structure_and_says_why() -> None:
    assert len(ROWS) >= 50 and all(row["why"] for row in ROWS)
    structures = {"answer", "sample", "question", "flip_if", "label_noise", "correction", "schedule", "reference"}
    assert structures <= {row["structure"] for row in ROWS}


def test_each_is_paid_what_the_corpus_says(server: RunningServer) -> None:
    surprises = []
    for row in ROWS:
        if "regex" in row["structure"] and find_spec("re2") is None:
            continue
        reply = reply_to(server, row)
        found = (reply["rewards"][0], *([reply["parts"]["reference"][0]] if "reference" in row else []))
        if found != (row["reward"], *([row["reference"]] if "reference" in row else [])):
            surprises.append((found, row))
    assert surprises == []


def test_no_padding_finds_a_rate_other_than_the_one_that_was_set(server: RunningServer) -> None:
    """Scope sample: 2,000 paddings of one wrong text are 2,000 draws, of which two fifths pay, as any other text."""
    texts = ["\\boxed{5}" + " ." * dots for dots in range(2000)]
    body = {"completions": texts, "ground_truths": ["4"] * 2000, "groups": ["q"] * 2000}
    rewards = server.post("/score/flip?flip_prob=0.4&flip_scope=sample", body).json()["rewards"]
    assert abs(sum(rewards) - 800) <= 3.29 * (2000 * 0.4 * 0.6) ** 0.5


@pytest.mark.parametrize("scope", ["question", "answer"])
def test_no_words_change_the_fate_of_an_answer(server: RunningServer, scope: str) -> None:
    texts = [f"{'wait ' * n}\\boxed{{5}}{' .' * n}" for n in range(200)]
    body = {"completions": texts, "ground_truths": ["4"] * 200, "groups": ["q"] * 200}
    rewards = server.post(f"/score/flip?flip_prob=0.4&flip_scope={scope}", body).json()["rewards"]
    assert len(set(rewards)) == 1
