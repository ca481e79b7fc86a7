"""Folders as people have them: scored as the libraries that made them do, or refused with what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import CHATML, MakeFolder, make_tokenizer, new_model, save_model

from reward_server.reward_model.engine import UnfitModel
from reward_server.reward_model.loading import load_model
from reward_server.reward_model.local.folder import read_model
from reward_server.reward_model.model_folder import read_tokenizer
from reward_server.settings import Settings


def refusal(folder: Path) -> str:
    with pytest.raises(UnfitModel) as refused:
        load_model(Settings(rm_model=folder, rm_device="cpu", rm_threads=1), folder)
    return str(refused.value)


def written(path: Path, text: str = "{}") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("names", "advice"),
    [
        (["adapter_config.json", "tokenizer.json"], "It holds an adapter: merge it into the model first"),
        (["model-Q4_K_M.gguf"], "GGUF files are not read here"),
        (["snapshots/abc/config.json", "refs/main"], "name the folder inside its `snapshots`"),
        (["checkpoint-500/config.json"], "name one of its checkpoints (checkpoint-500)"),
        (["README.md"], "`hf download ID --local-dir DIR` makes one"),
    ],
)
def test_what_is_no_model_folder_is_told_what_it_is(names: list[str], advice: str, tmp_path: Path) -> None:
    for name in names:
        written(tmp_path / name)
    assert advice in refusal(tmp_path)
    assert "makes one" in refusal(tmp_path / "nowhere")


def of_lfs(folder: Path) -> None:
    written(folder / "model.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 123\n")


def cut_off(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save(new_model(), folder / "pytorch_model.bin")


def not_merged(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["score.modules_to_save.default.weight"] = tensors.pop("score.weight")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def without_tokenizer(folder: Path) -> None:
    for path in [*folder.glob("tokenizer*"), folder / "chat_template.jinja"]:
        path.unlink()


def cross_encoder(folder: Path) -> None:
    """As sentence-transformers 6 writes one."""
    written(folder / "config_sentence_transformers.json", '{"model_type": "CrossEncoder"}')


def old_cross_encoder(folder: Path) -> None:
    """As sentence-transformers 4 and 5 do."""
    config = json.loads((folder / "config.json").read_text())
    written(folder / "config.json", json.dumps(config | {"sentence_transformers": {"version": "5.0.0"}}))


def of_its_own_class(folder: Path, name: str = "My") -> None:
    config = json.loads((folder / "tokenizer_config.json").read_text())
    own = {"tokenizer_class": name, "auto_map": {"AutoTokenizer": [f"tokens.{name}", None]}}
    written(folder / "tokenizer_config.json", json.dumps(config | own))


def of_the_future(folder: Path) -> None:
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["model"]["type"] = "NewKind"
    written(folder / "tokenizer.json", json.dumps(tokenizer))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (of_lfs, "run `git lfs pull`"),
        (cut_off, "is it whole? Download or save the model again"),
        (pickled, "it holds more than tensors"),
        (not_merged, "an adapter that is not merged (score.modules_to_save.default.weight)"),
        (without_tokenizer, "has no tokenizer: put the tokenizer of the training there"),
        (of_its_own_class, "makes its tokens by code of its own (tokens.My, auto_map in tokenizer_config.json)"),
        (of_the_future, "has no usable tokenizer: data did not match any variant"),
        (cross_encoder, "is a cross encoder of sentence-transformers"),
        (old_cross_encoder, "is a cross encoder of sentence-transformers"),
    ],
)
def test_a_folder_that_cannot_be_scored_says_what_to_do(
    change: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    change(save_model(tmp_path))
    assert message in refusal(tmp_path)


def test_what_is_left_of_code_for_a_class_that_transformers_has_does_not_count(tmp_path: Path) -> None:
    of_its_own_class(save_model(tmp_path), "Qwen2TokenizerFast")
    assert type(read_tokenizer(tmp_path)).__name__ == "Qwen2Tokenizer"


def test_float64_is_not_taken_for_a_type_of_six_bits(tmp_path: Path) -> None:
    torch.manual_seed(0)
    new_model().double().save_pretrained(tmp_path)
    assert read_model(tmp_path, torch.float32, torch.device("cpu")).model.dtype == torch.float32


def test_the_tokenizer_of_a_larger_model_is_refused(make_folder: MakeFolder) -> None:
    assert "and the model 300 embeddings. Is it the tokenizer of another model?" in refusal(make_folder(vocab_size=300))


def added(template: str) -> Any:
    """A tokenizer with 300 tokens more, of which the last is beyond the 512 embeddings."""
    tokenizer = make_tokenizer(template)
    tokenizer.add_tokens([f"<extra{n}>" for n in range(299)] + ["<|turn|>"])
    return tokenizer


def test_added_tokens_without_an_embedding_count_where_every_chat_has_them(make_folder: MakeFolder) -> None:
    folder = make_folder(tokenizer=added(CHATML))
    load_model(Settings(rm_model=folder, rm_device="cpu", rm_threads=1), folder)
    message = refusal(make_folder(tokenizer=added(CHATML.replace("<|im_start|>", "<|turn|>"))))
    assert "beyond the 512 embeddings of the model" in message
