"""Reward models of OpenRLHF, against its own class and its own dataset; and where a score is read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import CHATML, LLAMA3, MakeFolder, make_config, make_tokenizer
from trainer_programs import printed
from transformers import AutoModelForCausalLM
from vllm_stand_in import running_stand_in

from reward_server.reward_model.ending import ended, ends_at
from reward_server.reward_model.engine import UnfitModel, ignore_batch
from reward_server.reward_model.loading import LoadedModel, load_model
from reward_server.reward_model.model import ModelScore
from reward_server.reward_model.tokenizer import ChatTokenizer
from reward_server.settings import Settings

NO_EOS = "{% for m in messages %}<|start_header_id|>{{ m.role }}\n{{ m.content | trim }}\n\n{% endfor %}"
"""A template that writes no end-of-turn token at all."""
TWO_NEWLINES = CHATML.replace("<|im_end|>\\n", "<|im_end|>\\n\\n").replace("<|im_end|>\n", "<|im_end|>\n\n")
GEMMA = "{% for m in messages %}<|start_header_id|>{{ m.role }}\n{{ m.content }}<|eot_id|>\n{% endfor %}"
"""A template that ends its turns with another token than the tokenizer's eos_token."""
KINDS: list[tuple[str, str, dict[str, str], str]] = [
    ("qwen2", CHATML, {}, "score"),
    ("llama", LLAMA3, {"eos_token": "<|eot_id|>"}, "score"),
    ("mistral", NO_EOS, {}, "value_head"),
    ("gemma2", GEMMA, {}, "score"),
    ("qwen2", TWO_NEWLINES, {}, "value_head"),
    ("llama", "{% for m in messages %}{{ m.content }}{% endfor %}", {"eos_token": "<|endoftext|>"}, "reward_head"),
]
ANSWERS = ["five", " 5\n\n", "I do not know.\n", "日本語", "x " * 50]
QUESTION = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 2 + 3?\n"}]


def settings(folder: Path, **options: Any) -> Settings:
    return Settings(rm_dtype="float32", rm_device="cpu", rm_threads=1, rm_model=folder, **options)


def scores(loaded: LoadedModel, answers: Sequence[str]) -> list[ModelScore]:
    async def body() -> list[ModelScore]:
        async with loaded.opened(ignore_batch) as (model, _):
            encoded = [await model.encode(QUESTION, answer) for answer in answers]
            return list(await asyncio.gather(*(model.score(each) for each in encoded)))

    return asyncio.run(asyncio.wait_for(body(), 600))


def test_what_openrlhf_saves_is_scored_as_openrlhf_scores_it(tmp_path: Path) -> None:
    jobs = []
    for n, (kind, template, tokens, prefix) in enumerate(KINDS):
        torch.manual_seed(0)
        base, folder = tmp_path / f"base{n}", tmp_path / f"model{n}"
        config = make_config(kind)
        with suppress(AttributeError):
            del config.id2label, config.label2id
        AutoModelForCausalLM.from_config(config).save_pretrained(base)  # type: ignore[no-untyped-call]
        make_tokenizer(template, **tokens).save_pretrained(base)
        chats = [[*QUESTION, {"role": "assistant", "content": answer}] for answer in ANSWERS]
        jobs.append({"base": str(base), "folder": str(folder), "prefix": prefix, "chats": chats})
    theirs = printed("TRAINERS_PYTHON", "openrlhf_reward_model.py", url="", given=json.dumps(jobs))
    assert len(theirs) == len(jobs)
    for job, their in zip(jobs, theirs, strict=True):
        folder = Path(str(job["folder"]))
        written = json.loads((folder / "config.json").read_text())
        assert written["architectures"] == ["RewardModel"]
        assert "id2label" not in written
        ours = scores(load_model(settings(folder), folder), ANSWERS)
        assert [list(each.encoded.prompt + each.encoded.completion) for each in ours] == their["ids"]
        assert [each.value for each in ours] == pytest.approx(their["scores"], abs=1e-5)


def configured(folder: Path, **entries: Any) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))
    return folder


@pytest.mark.parametrize(
    ("entries", "wanted", "where"),
    [
        ({}, "auto", "\n"),
        ({"value_head_prefix": "score"}, "auto", "<|im_end|>"),
        ({"architectures": ["RewardModel"]}, "auto", "<|im_end|>"),
        ({"value_head_prefix": "score"}, "template", "\n"),
        ({}, "eos", "<|im_end|>"),
    ],
)
def test_the_score_is_read_where_the_model_was_trained(
    entries: dict[str, Any], wanted: str, where: str, make_folder: MakeFolder
) -> None:
    folder = configured(make_folder(), **entries)
    loaded = load_model(settings(folder, rm_ends_at=wanted), folder)
    (score,) = scores(loaded, ["five"])
    assert score.encoded.read_at == where
    assert score.encoded.text.endswith("five<|im_end|>" + where.removeprefix("<|im_end|>"))
    assert loaded.reads.config.get("ends_at") == (None if where == "\n" else "<|im_end|>")
    assert any("end-of-turn token '<|im_end|>'" in remark for remark in loaded.reads.remarks) == (where != "\n")


def test_a_vllm_server_gets_the_ids_up_to_the_same_token(make_folder: MakeFolder) -> None:
    folder = configured(make_folder(), value_head_prefix="score")
    own = scores(load_model(settings(folder), folder), ["five"])[0].encoded
    with running_stand_in() as server:
        remote = Settings(rm_engine="vllm", rm_url=server.url, rm_model=folder)
        loaded = load_model(remote, folder)
        assert loaded.reads.config["ends_at"] == "<|im_end|>"
        (score,) = scores(loaded, ["five"])
        assert (score.encoded.prompt, score.encoded.completion) == (own.prompt, own.completion)
        assert server.bodies[-1]["input"] == [list(own.prompt + own.completion)]


def test_the_mean_and_deviation_that_openrlhf_keeps_are_offered_as_a_map(make_folder: MakeFolder) -> None:
    folder = configured(make_folder(), value_head_prefix="score", mean=0.48, std=1.31)
    (remark,) = [each for each in load_model(settings(folder), folder).reads.remarks if "mean" in each]
    assert "?transform=affine&mean=0.48&sigma=1.31" in remark
    for unusable in ({"std": 0}, {"std": "1.31"}, {"mean": None}, {"mean": float("nan")}):
        configured(folder, **{"mean": 0.48, "std": 1.31, **unusable})
        assert not any("mean" in each for each in load_model(settings(folder), folder).reads.remarks)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("a<|im_end|>", "a<|im_end|>"),
        ("a<|im_end|>\n", "a<|im_end|>"),
        ("a<|im_end|>\n\n", "a<|im_end|>"),
        ("a<|eot|>\n", "a<|eot|> <|im_end|>"),
        ("a\n", "a <|im_end|>"),
        ("a<|im_end|>\nb", "a<|im_end|>\nb <|im_end|>"),  # an earlier turn's token ends no later turn
        ("", " <|im_end|>"),
    ],
)
def test_a_text_ends_as_openrlhf_ends_it(text: str, whole: str) -> None:
    assert ended(text, "<|im_end|>") == whole


def test_where_a_model_is_read_follows_from_its_config() -> None:
    assert ends_at({"architectures": ["Qwen2ForSequenceClassification"]}, "auto") == "template"
    assert ends_at({"architectures": ["RewardModel", "Other"]}, "auto") == "template"
    assert ends_at({"value_head_prefix": "score"}, "auto") == "eos"


def test_a_text_cut_at_either_side_still_ends_at_its_token() -> None:
    for template in (CHATML, NO_EOS, GEMMA):
        tokenizer = make_tokenizer(template)
        chat = ChatTokenizer(tokenizer, max_tokens=100, ends_at="eos")
        for side in ("left", "right"):
            encoded = chat.encode(QUESTION, "one two three " * 30, side)
            assert encoded.truncated
            assert len(encoded.completion) == 100
            assert encoded.completion[-1] == tokenizer.eos_token_id
            assert encoded.read_at == "<|im_end|>"


def test_a_tokenizer_without_that_token_is_refused() -> None:
    with pytest.raises(UnfitModel, match="no eos_token"):
        ChatTokenizer(make_tokenizer(eos_token=None), max_tokens=100, ends_at="eos")
    ChatTokenizer(make_tokenizer(eos_token=None), max_tokens=100)
