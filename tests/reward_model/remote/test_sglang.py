"""The contract with SGLang's own `/classify`, on a stand-in that answers as its source says; none was ever run."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from engine_calls import ids, run, scores
from running_server import running_server
from vllm_stand_in import MAX_LENGTH, StandIn, refused

from reward_server.reward_model.engine import RemoteRefused, UnfitModel
from reward_server.reward_model.remote.engine import RemoteEngine
from reward_server.reward_model.remote.kinds import Sglang
from reward_server.reward_model.remote.sglang_bias import bias_remark


class SglangStandIn(StandIn):
    """A server whose raw score is the sum of the ids / 100. `numbers`: how many it answers with."""

    def __init__(self) -> None:
        super().__init__()
        self.kind = Sglang()
        self.numbers = 1

    def answer(self, body: dict[str, Any]) -> tuple[int, str]:
        text = body["input_ids"]
        if (behaviour := self.behave(text)) is not None:
            return behaviour
        if len(text) > MAX_LENGTH:
            return 400, json.dumps({"error": {"message": f"The input ({len(text)} tokens) is longer than 100"}})
        meta = {"id": "5f1d", "prompt_tokens": len(text), "e2e_latency": 0.01}
        return 200, json.dumps({"embedding": [sum(text) / 100] * self.numbers, "meta_info": meta})


@pytest.fixture
def server() -> Iterator[SglangStandIn]:
    with SglangStandIn() as running:
        thread = Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_scores_are_raw_in_order_and_by_token_ids(server: SglangStandIn) -> None:
    async def body() -> None:
        async with RemoteEngine.connected(server.kind, server.url, api_key="secret") as engine:
            assert await scores(engine, ids(1, 2), ids(97), ids(3, 4), ids(297)) == [1.0, 0.1, 3.0]
            assert engine.max_tokens == MAX_LENGTH
            assert engine.config == {"engine": "sglang", "model": "rm"}

    run(body)
    assert {"input_ids": [1, 2, 97]} in server.bodies
    assert set(server.headers) == {"Bearer secret"}


def test_a_model_that_is_no_classifier_answers_with_a_hidden_state_and_is_refused(server: SglangStandIn) -> None:
    server.numbers = 896
    said = refused(server)
    assert "no single score" in said
    assert "ForSequenceClassification" in said


@pytest.mark.parametrize(
    "answer",
    ['{"embedding": []}', '{"embedding": [NaN]}', '{"embedding": 0.3}', "[]", '{"data": [{"probs": [0.3]}]}', "ok"],
)
def test_an_answer_without_a_score_is_refused(server: SglangStandIn, answer: str) -> None:
    server.behave = lambda text: (200, answer)
    assert "SGLang server" in refused(server)


def test_a_text_that_the_server_refuses_fails_alone(server: SglangStandIn) -> None:
    async def body() -> None:
        async with RemoteEngine.connected(server.kind, server.url) as engine:
            long = engine.score(ids(*range(MAX_LENGTH)), ids(1))
            found = await asyncio.gather(long, engine.score(ids(1), ids(2)), return_exceptions=True)
            assert isinstance(found[0], RemoteRefused)
            assert found[1] == 0.03

    run(body)


def test_rm_is_served_by_it(server: SglangStandIn, folder: Path, tmp_path: Path) -> None:
    words = tmp_path / "words"  # a tokenizer only: the weights, of a Qwen2 without a bias, would be refused
    shutil.copytree(folder, words, ignore=shutil.ignore_patterns("config.json", "*.safetensors"))
    options = ("--rm-engine", "sglang", "--rm-url", server.url, "--rm-model", str(words), "--verifier-workers", "1")
    with running_server(tmp_path / "log", *options) as ours:
        ours.wait_ready()
        reply = ours.post("/score/rm?format=plain&alpha=0", {"completions": ["five"], "prompts": ["2 + 3?"]})
        assert reply.json().get("outcomes") == ["scored"], reply.text
        assert reply.json()["parts"]["model_score"] == [sum(server.bodies[-1]["input_ids"]) / 100]


QWEN2 = {"architectures": ["Qwen2ForSequenceClassification"]}


def weights(*names: str) -> bytes:
    """A safetensors file of empty tensors."""
    header = json.dumps({name: {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for name in names}).encode()
    return len(header).to_bytes(8, "little") + header


def test_qwen2_without_a_bias_in_its_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(weights("score.weight"))
    with pytest.raises(UnfitModel, match="drawn anew at each start"):
        bias_remark(QWEN2, tmp_path)


@pytest.mark.parametrize(
    ("described", "write"),
    [
        (QWEN2, lambda path: path.write_bytes(weights("score.weight", "score.bias"))),
        ({"architectures": ["LlamaForSequenceClassification"]}, lambda path: path.write_bytes(weights("score.weight"))),
        ({}, lambda path: None),
        ({"architectures": None}, lambda path: None),
    ],
)
def test_others_are_taken(described: dict[str, Any], write: Callable[[Path], object], tmp_path: Path) -> None:
    write(tmp_path / "model.safetensors")
    assert bias_remark(described, tmp_path) is None


@pytest.mark.parametrize("content", [None, b"", b"\xff" * 20])
def test_qwen2_without_readable_weights_here_is_remarked_on(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "model.safetensors").write_bytes(content)
    assert "look there" in (bias_remark(QWEN2, tmp_path) or "")
