"""What a policy might learn to write to be paid, and what each reward pays for it: `tests/data/abuse.jsonl`.

A row has the outcome of the verifier, what `verifier` pays, what `flip` pays when everything exposed to noise is turned
(`flip_prob=1`: what must never be paid has to stay 0), what `rpr` pays, whether `rm` reads an answer in it, and why.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from running_server import RunningServer, running_server

ROWS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "abuse.jsonl").read_text("utf-8").splitlines()
]  # fmt: skip
NEVER_FLIPPED = {"unanswered", "timeout"}
Reply = dict[str, Any]


def columns() -> dict[str, list[str]]:
    names = {"completion": "completions", "prompt": "prompts", "ground_truth": "ground_truths"}
    return {plural: [row[name] for row in ROWS] for name, plural in names.items()}


def surprises(reply: Reply, key: str, expected: list[Any]) -> list[tuple[object, object, dict[str, Any]]]:
    rows = zip(reply[key], expected, ROWS, strict=True)
    starved = ("error", None)  # a bomb that a loaded machine did not let run has no reward; it is never paid either
    return [
        (got, wanted, row)
        for got, wanted, row in rows
        if got != wanted and not (row["category"] == "bomb" and got in starved)
    ]


def test_the_corpus_is_large_and_says_why() -> None:
    assert len(ROWS) >= 200
    assert len({row["category"] for row in ROWS}) >= 12
    assert all(row["why"] for row in ROWS)


def test_the_verifier_pays_what_is_right_and_nothing_else(server: RunningServer) -> None:
    reply = server.post("/score/verifier", columns()).json()
    assert surprises(reply, "outcomes", [row["outcome"] for row in ROWS]) == []
    assert surprises(reply, "rewards", [row["verifier"] for row in ROWS]) == []


def test_noise_pays_no_bomb_and_no_missing_answer(server: RunningServer) -> None:
    reply = server.post("/score/flip?flip_prob=1", columns()).json()
    assert surprises(reply, "rewards", [row["flip"] for row in ROWS]) == []
    assert all(row["flip"] == 0 for row in ROWS if row["outcome"] in NEVER_FLIPPED)


def test_phrases_pay_what_the_published_formula_pays(server: RunningServer) -> None:
    reply = server.post("/score/rpr", columns()).json()
    assert surprises(reply, "rewards", [row["rpr"] for row in ROWS]) == []


def test_a_gate_lets_no_style_be_paid_without_the_answer(server: RunningServer) -> None:
    """Ungated, phrases in front of any box are paid: that is what a policy learns that cannot solve the question."""
    reply = server.post("/score/mix?verifier=0.8&rpr=0.2&gate=verifier", columns()).json()
    styles = reply["parts"]["rpr"]
    wanted = [round(1024 * (0.8 + 0.2 * style)) / 1024 if row["verifier"] else 0.0 for row, style in both(styles)]
    assert surprises(reply, "rewards", wanted) == []
    ungated = server.post("/score/mix?verifier=0.8&rpr=0.2", columns()).json()
    assert any(reward > 0.15 for row, reward in both(ungated["rewards"]) if row["verifier"] == 0)


def test_noise_opens_no_gate_for_a_bomb_or_a_missing_answer(server: RunningServer) -> None:
    query = "flip=0.8&flip.flip_prob=1&rpr=0.2&gate=flip"
    reply = server.post(f"/score/mix?{query}", columns()).json()
    assert [row for row, reward in both(reply["rewards"]) if row["outcome"] in NEVER_FLIPPED and reward] == []
    paid = [row["flip"] for row in ROWS]
    assert surprises({"rewards": [float(bool(reward)) for reward in reply["rewards"]]}, "rewards", paid) == []


def both(column: list[float]) -> Iterator[tuple[dict[str, Any], float]]:
    """Each row with its number; a bomb that had no time on a loaded machine has none."""
    return ((row, value or 0.0) for row, value in zip(ROWS, column, strict=True))


def test_what_the_verifier_pays_is_the_same_alone_and_in_another_order(server: RunningServer) -> None:
    reordered = {name: column[::-1] for name, column in columns().items()}
    rewards = server.post("/score/verifier", reordered).json()["rewards"][::-1]
    assert surprises({"rewards": rewards}, "rewards", [row["verifier"] for row in ROWS]) == []
    for row in [row for row in ROWS if row["category"] != "bomb"][::20]:
        body = {
            "query": [row["prompt"] + row["completion"]],
            "prompts": [row["prompt"]],
            "labels": [row["ground_truth"]],
        }
        assert server.post("/score/verifier", body).json()["rewards"] == [row["verifier"]]


@pytest.fixture(scope="module")
def model_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    from tiny_models import save_model

    folder = save_model(tmp_path_factory.mktemp("model"))
    options = ("--rm-model", str(folder), "--rm-dtype", "float32", "--rm-device", "cpu", "--rm-threads", "1")
    with running_server(tmp_path_factory.mktemp("server") / "log", *options, "--verifier-workers", "1") as running:
        running.wait_ready()
        yield running


@pytest.mark.skipif(not (find_spec("torch") and find_spec("transformers")), reason="needs the extra rm")
def test_the_reward_model_reads_well_formed_answers_only_and_pays_the_others_nothing(
    model_server: RunningServer,
) -> None:
    reply = model_server.post("/score/rm?threshold=100&alpha=1&phrases=math", columns()).json()
    assert surprises(reply, "outcomes", [row["rm"] for row in ROWS]) == []
    paid = zip(reply["rewards"], reply["parts"]["rpr"], ROWS, strict=True)
    assert [row for reward, rpr, row in paid if row["rm"] == "bad_format" and (reward, rpr) != (0.0, 0.0)] == []
