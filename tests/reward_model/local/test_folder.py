from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import MakeFolder, make_config, make_tokenizer, new_model
from transformers import AutoModelForCausalLM, BertConfig, BertForSequenceClassification

from reward_server.reward_model.engine import UnfitModel
from reward_server.reward_model.local.folder import read_model
from reward_server.reward_model.model_folder import folder_digest, read_tokenizer

CPU = torch.device("cpu")


def load(folder: Path) -> torch.nn.Module:
    return read_model(folder, torch.float32, CPU).model


def test_a_missing_head_is_refused(tmp_path: Path) -> None:
    AutoModelForCausalLM.from_config(make_config()).save_pretrained(tmp_path)  # type: ignore[no-untyped-call]
    with pytest.raises(UnfitModel, match=r"lacks weights: score\.weight"):
        load(tmp_path)


@pytest.mark.parametrize("shard", ["10MB", "100KB"])
@pytest.mark.parametrize("stored", [torch.float32, torch.bfloat16])
def test_the_head_is_read_as_it_is_stored(stored: torch.dtype, shard: str, tmp_path: Path) -> None:
    new_model().bfloat16().save_pretrained(tmp_path, max_shard_size=shard)
    assert json.loads((tmp_path / "config.json").read_text())["dtype"] == "bfloat16"
    (holder,) = (path for path in tmp_path.glob("*.safetensors") if "score.weight" in load_file(path))
    tensors = load_file(holder)
    head = tensors["score.weight"] = torch.randn(1, 64).to(stored)
    save_file(tensors, holder, {"format": "pt"})
    assert (len(list(tmp_path.glob("*.safetensors"))) > 1) == (shard == "100KB")
    model = read_model(tmp_path, torch.bfloat16, CPU).model
    loaded = model.get_parameter("score.weight")
    assert loaded.dtype == torch.float32
    assert torch.equal(loaded, head.float())
    assert not loaded.requires_grad
    assert {parameter.dtype for parameter in model.base_model.parameters()} == {torch.bfloat16}


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent", Path("Skywork/Skywork-Reward-V2-Llama-3.1-8B")):
        with pytest.raises(UnfitModel, match=r"no config\.json"):
            load(path)


def test_broken_weights_are_refused(make_folder: MakeFolder) -> None:
    folder = make_folder()
    (folder / "model.safetensors").write_bytes(b"not a tensor")
    with pytest.raises(UnfitModel, match="cannot be loaded"):
        load(folder)


def test_a_model_that_is_not_a_decoder_is_refused(tmp_path: Path) -> None:
    config = BertConfig(vocab_size=64, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    config.num_labels = 1
    BertForSequenceClassification(config).save_pretrained(tmp_path)
    with pytest.raises(UnfitModel, match="not a decoder"):
        load(tmp_path)


def test_rotary_embeddings_that_depend_on_other_texts_are_refused(make_folder: MakeFolder) -> None:
    rope = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}
    with pytest.raises(UnfitModel, match="rotary embeddings of type dynamic"):
        load(make_folder(rope_parameters=rope))


def test_a_tokenizer_without_chat_template_is_refused(make_folder: MakeFolder) -> None:
    with pytest.raises(UnfitModel, match="no chat template"):
        read_tokenizer(make_folder(tokenizer=make_tokenizer(template=None)))


def test_a_folder_without_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnfitModel):
        read_tokenizer(tmp_path)
    with pytest.raises(UnfitModel, match="not a folder"):
        read_tokenizer(tmp_path / "absent")


def test_the_digest_changes_with_weights_and_template_but_not_with_a_readme(make_folder: MakeFolder) -> None:
    folder = make_folder()
    before = folder_digest(folder)
    (folder / "README.md").write_text("hello")
    assert folder_digest(folder) == before
    assert len(before) == 12
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    assert folder_digest(folder) != before
    assert folder_digest(make_folder(seed=1)) != folder_digest(make_folder(seed=2))
