"""Templates that end with the model's padding token: the score is read where transformers' own class reads it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import CHATML, LLAMA3, MakeFolder, make_tokenizer
from transformers import AutoModelForSequenceClassification, Phi3Config
from vllm_stand_in import running_stand_in

from reward_server.reward_model.ending import dropped_at_end
from reward_server.reward_model.engine import ignore_batch
from reward_server.reward_model.loading import LoadedModel, load_model
from reward_server.reward_model.model import ModelScore
from reward_server.reward_model.model_folder import pad_token_id
from reward_server.reward_model.tokenizer import ChatTokenizer
from reward_server.settings import Settings

TURNS = "{% for m in messages %}[{{ m.role }}] {{ m.content }}{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}"
MISTRAL = TURNS + "{% endfor %}"
PHI = CHATML.replace("{% endif %}", "{% else %}{{ eos_token }}{% endif %}")
"""What ends a chat that invites no answer is another token than what ends a turn."""
TWICE = MISTRAL + "{{ eos_token }}"
QUESTION = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 2 + 3?"}]
ANSWERS = ["5", "I do not know.", "日本語 \n"]


def padded(make_folder: MakeFolder, template: str = LLAMA3, eos: str = "<|eot_id|>", kind: str = "llama") -> Path:
    """A folder as TRL saves it from a tokenizer without a padding token."""
    tokenizer = make_tokenizer(template, eos_token=eos, pad_token=eos)
    return make_folder(kind, tokenizer=tokenizer, pad_token_id=tokenizer.pad_token_id)


def settings(folder: Path, **options: Any) -> Settings:
    return Settings(rm_dtype="float32", rm_device="cpu", rm_threads=1, rm_model=folder, **options)


def scores(loaded: LoadedModel, answers: Sequence[str] = ANSWERS) -> list[ModelScore]:
    async def body() -> list[ModelScore]:
        async with loaded.opened(ignore_batch) as (model, _):
            encoded = [await model.encode(QUESTION, answer) for answer in answers]
            return list(await asyncio.gather(*(model.score(each) for each in encoded)))

    return asyncio.run(asyncio.wait_for(body(), 600))


def by_transformers(folder: Path, loaded: LoadedModel) -> list[float]:
    """The logits of its own class for the whole rendered chat."""
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    found = []
    for answer in ANSWERS:
        chat = [*QUESTION, {"role": "assistant", "content": answer}]
        text = str(loaded.reads.tokenizer.apply_chat_template(chat, tokenize=False))
        ids = loaded.reads.tokenizer(text, add_special_tokens=False)["input_ids"]
        with torch.inference_mode():
            found.append(float(model(input_ids=torch.tensor([ids])).logits[0, 0]))
    return found


@pytest.mark.parametrize(
    ("template", "eos", "kind", "where"),
    [
        (LLAMA3, "<|eot_id|>", "llama", "before <|eot_id|>"),
        (MISTRAL, "<|endoftext|>", "mistral", "before <|endoftext|>"),
        (PHI, "<|endoftext|>", "qwen2", "before <|endoftext|>"),
        (TWICE, "<|endoftext|>", "qwen2", "before <|endoftext|>"),
        (CHATML, "<|im_end|>", "qwen2", None),  # a newline follows, and there the class reads
    ],
    ids=["llama 3", "mistral", "phi 3", "twice", "chatml"],
)
def test_the_score_is_that_of_transformers_class(
    template: str, eos: str, kind: str, where: str | None, make_folder: MakeFolder
) -> None:
    folder = padded(make_folder, template, eos, kind)
    loaded = load_model(settings(folder), folder)
    found = scores(loaded)
    assert [each.value for each in found] == pytest.approx(by_transformers(folder, loaded), abs=1e-5)
    assert loaded.reads.config.get("ends_at") == where
    assert any(f"read before '{eos}'" in remark for remark in loaded.reads.remarks) == (where is not None)
    assert all(each.encoded.read_at != eos for each in found)


def test_the_settings_can_have_it_read_at_the_last_token(make_folder: MakeFolder) -> None:
    folder = padded(make_folder)
    for wanted in ("template", "eos"):
        (score,) = scores(load_model(settings(folder, rm_ends_at=wanted), folder), ["5"])
        assert score.encoded.read_at == "<|eot_id|>"


def test_a_vllm_server_gets_the_ids_without_that_token(make_folder: MakeFolder) -> None:
    folder = padded(make_folder)
    own = scores(load_model(settings(folder), folder), ["5"])[0].encoded
    with running_stand_in() as server:
        loaded = load_model(Settings(rm_engine="vllm", rm_url=server.url, rm_model=folder), folder)
        scores(loaded, ["5"])
        assert server.bodies[-1]["input"] == [list(own.prompt + own.completion)]
        assert loaded.reads.config["ends_at"] == "before <|eot_id|>"


def test_a_text_cut_at_either_side_ends_before_it_too() -> None:
    tokenizer = make_tokenizer(LLAMA3, eos_token="<|eot_id|>", pad_token="<|eot_id|>")
    chat = ChatTokenizer(tokenizer, max_tokens=100, dropped=tokenizer.pad_token_id)
    for answer in ("one two three " * 30, "one two three " * 3000):
        for side in ("left", "right"):
            encoded = chat.encode(QUESTION, answer, side)
            assert len(encoded.completion) == 100
            assert encoded.completion[-1] != tokenizer.pad_token_id


def test_only_classes_that_drop_padding_are_read_before_it() -> None:
    ours = {"architectures": ["LlamaForSequenceClassification"]}
    assert dropped_at_end(ours, 4, 4, "auto") == 4
    assert dropped_at_end(ours, 4, 5, "auto") is None
    assert dropped_at_end(ours, None, 4, "auto") is None
    for other in ("LlamaForTokenClassification", "RewardModel", "LlamaForCausalLM"):
        assert dropped_at_end({"architectures": [other]}, 4, 4, "auto") is None
    assert dropped_at_end(ours | {"value_head_prefix": "score"}, 4, 4, "auto") is None


def test_a_padding_token_that_config_json_leaves_out_is_that_of_the_class(tmp_path: Path) -> None:
    Phi3Config().save_pretrained(tmp_path)
    assert pad_token_id(tmp_path, {}) == Phi3Config().pad_token_id == 32000
    (tmp_path / "config.json").write_text('{"model_type": "of the future", "pad_token_id": 3}')
    assert pad_token_id(tmp_path, {"pad_token_id": 3}) == 3


@pytest.mark.parametrize(("pad", "said"), [(None, "absent"), (7, "7")])
def test_where_only_the_tokenizer_knows_the_padding_token_the_log_asks_for_it(
    pad: int | None, said: str, make_folder: MakeFolder
) -> None:
    folder = padded(make_folder)
    written = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(written | {"pad_token_id": pad}))
    loaded = load_model(settings(folder), folder)
    (remark,) = loaded.reads.remarks
    assert f"pad_token_id is {said}. The score" in remark
    assert "set pad_token_id to 4 in config.json" in remark
    found = scores(loaded)
    assert [each.value for each in found] == pytest.approx(by_transformers(folder, loaded), abs=1e-5)
    assert loaded.reads.config == {}
