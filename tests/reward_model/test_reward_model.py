from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tiny_models import whole_text_score

from reward_server.types import Message
from reward_server.workers.batcher import Batcher
from reward_server.workers.engine import BatchReport, TooLong, UnusableChat
from reward_server.workers.engine_transformers import TransformersModel
from reward_server.workers.model_folder import load_tokenizer
from reward_server.workers.reward_model import RewardModel
from reward_server.workers.tokenizer import ChatTokenizer

QUESTION: list[Message] = [{"role": "user", "content": "What is 2 + 3?"}]


def test_a_chat_is_scored_as_the_model_scores_its_rendered_text(folder: Path) -> None:
    reports: list[BatchReport] = []

    async def body() -> None:
        model = TransformersModel(folder, dtype="float32", device="cpu", threads=1)
        tokenizer = ChatTokenizer(load_tokenizer(folder), max_tokens=60, vocabulary=model.vocabulary)
        async with Batcher(model, on_batch=reports.append).running() as batcher:
            rm = RewardModel(tokenizer, batcher)
            encoding = [asyncio.create_task(rm.encode(QUESTION, answer)) for answer in ("five", "six", "five")]
            await asyncio.sleep(0)
            assert rm.queued_tokens == 2  # of 11 characters, at four a token
            scores = await asyncio.gather(*(rm.score(encoded) for encoded in await asyncio.gather(*encoding)))
            for score in scores:
                ids = score.encoded.prompt + score.encoded.completion
                assert score.value == pytest.approx(whole_text_score(folder, ids), abs=1e-5)
            assert scores[0].value == scores[2].value != scores[1].value
            assert scores[1].encoded.text.endswith("<|im_start|>assistant\nsix<|im_end|>\n")
            with pytest.raises(TooLong):
                await rm.encode(QUESTION, "five " * 100)
            cut = await rm.encode(QUESTION, "five " * 100, too_long="left")
            assert (await rm.score(cut)).encoded.truncated
            with pytest.raises(UnusableChat):
                await rm.encode([{"role": "user"}], "five")
            assert rm.queued_tokens == rm.wait_s == 0
            rm.close()

    asyncio.run(body())
    # one batch of two distinct samples on one prompt, then the truncated one
    assert [(report.samples, report.tokens_saved > 0) for report in reports] == [(2, True), (1, False)]
