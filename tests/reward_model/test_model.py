from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from tiny_models import whole_text_score
from vllm_stand_in import running_stand_in

from reward_server.reward_model.engine import Group, Mode, TooLong, UnusableChat, Work, ignore_batch
from reward_server.reward_model.loading import LoadedModel, load_model
from reward_server.reward_model.local.batcher import Batcher
from reward_server.reward_model.local.model import TransformersModel
from reward_server.reward_model.model import RewardModel
from reward_server.reward_model.model_folder import read_tokenizer
from reward_server.reward_model.tokenizer import ChatTokenizer
from reward_server.settings import Settings
from reward_server.types import BatchReport, Message


class Unused:
    """A device that nobody asks."""

    def score(self, groups: Sequence[Group], mode: Mode) -> Work:
        raise AssertionError("nobody asks it")


QUESTION: list[Message] = [{"role": "user", "content": "What is 2 + 3?"}]


def test_a_chat_is_scored_as_the_model_scores_its_rendered_text(folder: Path) -> None:
    reports: list[BatchReport] = []

    async def body() -> None:
        model = TransformersModel(folder, dtype="float32", device="cpu", threads=1)
        tokenizer = ChatTokenizer(read_tokenizer(folder), max_tokens=60, vocabulary=model.vocabulary)
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


def test_answers_of_one_character_do_not_set_the_estimate_for_long_ones(folder: Path) -> None:
    async def body() -> None:
        tokenizer = ChatTokenizer(read_tokenizer(folder), max_tokens=2**31)
        with closing(RewardModel(tokenizer, Batcher(Unused()))) as rm:
            for _ in range(200):
                for answer in ("5", "", "What is the sum of two and three? " * 30):
                    encoded = await rm.encode(QUESTION, answer)
            task = asyncio.create_task(rm.encode(QUESTION, "What is the sum of two and three? " * 1000))
            await asyncio.sleep(0)
            # about as the last long answer, a little more for the template round the short ones
            assert 1 <= rm.queued_tokens / (len(encoded.completion) * 1000 / 30) < 1.2
            await task
            for _ in range(1000):
                await rm.encode(QUESTION, "")
            task = asyncio.create_task(rm.encode(QUESTION, "x" * 1000))
            await asyncio.sleep(0)
            assert rm.queued_tokens == 4000
            await task

    asyncio.run(body())


def test_the_tokenizer_is_loaded_once_whatever_becomes_of_its_folder(folder: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(folder, tmp_path / "model")

    engines: list[str | int] = []

    async def opened_twice(loaded: LoadedModel) -> None:
        for _ in range(2):  # as when a vLLM server is connected to again
            async with loaded.opened(ignore_batch) as (model, config):
                assert (await model.encode(QUESTION, "five")).text.endswith("five<|im_end|>\n")
                engines.append(config["engine"])

    with running_stand_in() as server:
        vllm = load_model(Settings(rm_engine="vllm", rm_url=server.url, rm_model=copied), copied)
        own = load_model(Settings(rm_dtype="float32", rm_device="cpu", rm_threads=1, rm_model=copied), copied)
        shutil.rmtree(copied)
        for loaded in (vllm, own):
            asyncio.run(opened_twice(loaded))
    assert engines == ["vllm"] * 2 + ["transformers"] * 2
