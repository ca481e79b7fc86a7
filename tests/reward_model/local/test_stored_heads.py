"""Heads as trainers save them: OpenRLHF's without labels, a critic's with a bias, and those that are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import make_config, save_model, token_ids
from transformers import AutoModel, AutoModelForTokenClassification, GPTNeoXConfig

from reward_server.reward_model.engine import Group, UnfitModel
from reward_server.reward_model.local.model import TransformersModel

IDS = token_ids(40, seed=3)
Tensors = dict[str, torch.Tensor]


def as_saved(folder: Path, change: Callable[[Tensors], object] | None = None, **config: Any) -> Path:
    """A reward model whose weights and config.json are changed after it was saved; None deletes an entry."""
    save_model(folder)
    rewrite(folder, change or (lambda tensors: None), **config)
    return folder


def rewrite(folder: Path, change: Callable[[Tensors], object], **config: Any) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    path = folder / "config.json"
    kept = {name: value for name, value in {**json.loads(path.read_text()), **config}.items() if value is not None}
    path.write_text(json.dumps(kept))


OPENRLHF = {"architectures": ["RewardModel"], "id2label": None, "label2id": None, "num_labels": None}
"""What its `config.to_json_file` leaves: no labels, and a class that only it has."""


def scored(folder: Path) -> float:
    model = TransformersModel(folder, dtype="float32", device="cpu", threads=1)
    ((score,),) = model.score([Group(IDS[:15], [IDS[15:]])]).results
    assert isinstance(score, float)
    return score


def by_hand(folder: Path, weight: torch.Tensor, bias: float = 0.0) -> float:
    """The head's product with the body's last hidden state, in float32."""
    body = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        hidden = body(input_ids=torch.tensor([list(IDS)]), use_cache=False).last_hidden_state[0, -1]
        return float(weight[0].float() @ hidden) + bias


def renamed(name: str) -> Callable[[Tensors], None]:
    def change(tensors: Tensors) -> None:
        tensors[f"{name}.weight"] = tensors.pop("score.weight")

    return change


@pytest.mark.parametrize("prefix", ["score", "value_head", "reward.head", "v(1)"])
@pytest.mark.parametrize("layout", ["safetensors", "shards", "bin", "bin shards"])
def test_openrlhf_s_models_load_without_labels_and_by_their_prefix(prefix: str, layout: str, tmp_path: Path) -> None:
    folder = as_saved(tmp_path, renamed(prefix), **OPENRLHF, value_head_prefix=prefix)
    tensors = load_file(folder / "model.safetensors")
    weight = tensors[f"{prefix}.weight"]
    expected = scored(folder)
    assert expected == pytest.approx(by_hand(folder, weight), abs=1e-5)
    names = sorted(tensors)
    split = [names[:5], names[5:]] if "shards" in layout else [names]
    ending = "bin" if "bin" in layout else "safetensors"
    stem = "pytorch_model" if ending == "bin" else "model"
    (folder / "model.safetensors").unlink()
    placed: dict[str, str] = {}
    for n, part in enumerate(split, 1):
        file = f"{stem}-{n:05}-of-{len(split):05}.{ending}" if len(split) > 1 else f"{stem}.{ending}"
        chosen = {name: tensors[name] for name in part}
        if ending == "bin":
            torch.save(chosen, folder / file)
        else:
            save_file(chosen, folder / file, {"format": "pt"})
        placed |= dict.fromkeys(part, file)
    if len(split) > 1:
        (folder / f"{stem}.{ending}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": placed}))
    assert scored(folder) == expected


def test_a_value_head_that_no_configuration_names_is_openrlhf_s(tmp_path: Path) -> None:
    folder = as_saved(tmp_path, renamed("value_head"), **OPENRLHF)
    weight = load_file(folder / "model.safetensors")["value_head.weight"]
    assert scored(folder) == pytest.approx(by_hand(folder, weight), abs=1e-5)


@pytest.mark.parametrize("stored", [torch.float32, torch.bfloat16])
def test_the_head_of_a_bin_file_is_read_as_it_is_stored(stored: torch.dtype, tmp_path: Path) -> None:
    folder = as_saved(tmp_path, dtype="bfloat16")
    tensors = {name: tensor.bfloat16() for name, tensor in load_file(folder / "model.safetensors").items()}
    head = tensors["score.weight"] = torch.randn(1, 64).to(stored)
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / "pytorch_model.bin")
    assert scored(folder) == pytest.approx(by_hand(folder, head), abs=1e-4)


def test_the_bias_of_a_token_classifier_counts(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = AutoModelForTokenClassification.from_config(make_config("qwen2"))  # type: ignore[no-untyped-call]
    model.score.bias.data.fill_(3.0)
    model.save_pretrained(tmp_path)
    model.eval()
    with torch.inference_mode():
        theirs = float(model(input_ids=torch.tensor([list(IDS)])).logits[0, -1, 0])
    assert theirs > 2
    assert scored(tmp_path) == pytest.approx(theirs, abs=1e-5)
    engine = TransformersModel(tmp_path, dtype="float32", device="cpu", threads=1)
    assert engine.config["head"] == "weight + bias"


def test_the_usual_head_leaves_the_digest_as_it_was(folder: Path) -> None:
    assert "head" not in TransformersModel(folder, dtype="float32", device="cpu", threads=1).config


def test_a_token_classifier_whose_head_is_called_classifier_is_read_exactly(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = GPTNeoXConfig(
        vocab_size=512, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4
    )
    config.num_labels = 1
    model = AutoModelForTokenClassification.from_config(config)  # type: ignore[no-untyped-call]
    model.classifier.bias.data.fill_(-2.0)
    model.save_pretrained(tmp_path)
    model.eval()
    with torch.inference_mode():
        theirs = float(model(input_ids=torch.tensor([list(IDS)])).logits[0, -1, 0])
    assert scored(tmp_path) == pytest.approx(theirs, abs=1e-5)


def test_a_bias_of_a_head_with_another_name_counts_too(tmp_path: Path) -> None:
    def change(tensors: Tensors) -> None:
        renamed("value_head")(tensors)
        tensors["value_head.bias"] = torch.tensor([-1.5])

    folder = as_saved(tmp_path, change, value_head_prefix="value_head")
    weight = load_file(folder / "model.safetensors")["value_head.weight"]
    assert scored(folder) == pytest.approx(by_hand(folder, weight, -1.5), abs=1e-5)


def test_a_model_saved_inside_another_module_is_read_as_transformers_reads_it(tmp_path: Path) -> None:
    folder = as_saved(tmp_path)
    expected = scored(folder)

    def wrap(tensors: Tensors) -> None:
        for name in list(tensors):
            tensors[f"model.{name}"] = tensors.pop(name)

    rewrite(folder, wrap)
    assert scored(folder) == expected


def test_a_body_without_its_prefix_is_read_as_transformers_reads_it(tmp_path: Path) -> None:
    folder = as_saved(tmp_path)
    expected = scored(folder)

    def unwrap(tensors: Tensors) -> None:
        for name in list(tensors):
            tensors[name.removeprefix("model.")] = tensors.pop(name)

    rewrite(folder, unwrap)
    assert scored(folder) == expected


@pytest.mark.parametrize("name", ["lm_head.weight", "model.layers.0.self_attn.rotary_emb.inv_freq"])
def test_what_computes_nothing_may_be_left_over(name: str, tmp_path: Path) -> None:
    folder = as_saved(tmp_path)
    expected = scored(folder)
    rewrite(folder, lambda tensors: tensors.update({name: torch.ones(64, 64)}))
    assert scored(folder) == expected


def refusal(folder: Path) -> str:
    with pytest.raises(UnfitModel) as refused:
        TransformersModel(folder, dtype="float32", device="cpu", threads=1)
    return str(refused.value)


def head_of(**heads: list[int]) -> Callable[[Tensors], None]:
    """The weights with these heads in the place of `score`; a name's `__` is a dot."""

    def change(tensors: Tensors) -> None:
        del tensors["score.weight"]
        tensors.update({name.replace("__", "."): torch.ones(shape) for name, shape in heads.items()})

    return change


@pytest.mark.parametrize(
    ("heads", "named"),
    [
        ({"v_head__weight": [1, 64]}, "v_head.weight [1, 64]"),
        ({"value_head__weight": [1, 64]}, "value_head.weight [1, 64]"),
        ({"score__0__weight": [64, 64], "score__2__weight": [1, 64]}, "score.0.weight [64, 64]"),
        ({"regression_layer__weight": [19, 64], "gating__layers__0__weight": [8, 64]}, "regression_layer.weight"),
        ({"regression_head__weight": [1, 64]}, "regression_head.weight"),
        ({"score_head__weight": [1, 64]}, "score_head.weight"),
        ({"rm_head__weight": [1, 64]}, "rm_head.weight"),
        ({"out_proj__weight": [1, 64]}, "out_proj.weight"),
        ({"classifier__weight": [1, 64], "classifier__bias": [1]}, "classifier.weight"),
        ({"model__value_head__weight": [1, 64]}, "model.value_head.weight"),
    ],
)
def test_other_heads_are_refused_by_name_with_what_to_do(
    heads: dict[str, list[int]], named: str, tmp_path: Path
) -> None:
    message = refusal(as_saved(tmp_path, head_of(**heads)))
    assert "lacks weights: score.weight" in message
    assert named in message
    assert "can be renamed" in message
    assert "layers.0" not in message.replace("gating.layers.0", "")


@pytest.mark.parametrize(
    "extra",
    [
        "v_head.weight",
        "score.0.weight",
        "score.gate.weight",
        "regression_layer.weight",
        "gating.weight",
        "model.layers.2.mlp.up_proj.weight",  # a layer more than config.json says
        "model.layers.0.self_attn.o_proj.bias",  # a bias that the class does not have
        "model.layers.0.mlp.up_proj.weight_scale",
        "model.layers.0.mlp.up_proj.weight_scale_inv",
        "pooler.dense.weight",
        "aux_score.weight",
        "score.weight_scale",
        "value_head.weight",
        "lm_head.bias",
        "mtp.layers.0.weight",
        "vision_tower.patch.weight",
    ],
)
def test_weights_that_would_be_left_aside_are_refused_by_name(extra: str, tmp_path: Path) -> None:
    folder = as_saved(tmp_path, lambda tensors: tensors.update({extra: torch.ones(1, 64)}))
    message = refusal(folder)
    assert f"would not use: {extra}" in message
    assert "of another model" in message


@pytest.mark.parametrize(
    ("change", "config", "message"),
    [
        (lambda t: t.update({"score.weight": torch.ones(2, 64)}), {}, "2 labels (score.weight has so many rows)"),
        (lambda t: t.update({"score.weight": torch.ones(2, 64)}), OPENRLHF, "2 labels (score.weight has so many rows)"),
        (None, {"id2label": {"0": "bad", "1": "good"}}, "so many rows), and its config.json names 2"),
        (lambda t: t.update({"score.weight": torch.ones(1, 32)}), {}, "shape [1, 32]"),
        (lambda t: t.update({"score.weight": torch.ones(64)}), {}, "shape [64]"),
        (lambda t: t.update({"score.bias": torch.ones(2)}), {}, "its bias [2]"),
        (lambda t: t.update({"value_head.weight": torch.ones(1, 64)}), {"value_head_prefix": "value_head"}, "several"),
        (lambda t: t.update({"model.score.weight": torch.ones(1, 64)}), {}, "both model.score.weight and score.weight"),
        (lambda t: t.update({"norm.weight": torch.ones(64)}), {}, "both model.norm.weight and norm.weight"),
    ],
)
def test_heads_that_contradict_themselves_are_refused(
    change: Callable[[Tensors], object] | None, config: dict[str, Any], message: str, tmp_path: Path
) -> None:
    assert message in refusal(as_saved(tmp_path, change, **config))


def test_two_labels_of_a_token_classifier_stay_refused(tmp_path: Path) -> None:
    model = AutoModelForTokenClassification.from_config(make_config("qwen2", num_labels=2))  # type: ignore[no-untyped-call]
    model.save_pretrained(tmp_path)
    assert "2 labels" in refusal(tmp_path)


def test_weights_of_another_architecture_are_refused_with_what_they_hold(tmp_path: Path) -> None:
    def change(tensors: Tensors) -> None:
        for name in list(tensors):
            if "layers" in name:
                tensors[name.replace("model.layers", "transformer.h")] = tensors.pop(name)

    message = refusal(as_saved(tmp_path, change))
    assert "lacks weights: model.layers.0" in message
    assert "are they of another model" in message


def test_a_language_model_is_refused_as_what_it_is(tmp_path: Path) -> None:
    message = refusal(as_saved(tmp_path, lambda tensors: tensors.pop("score.weight")))
    assert "is it a language model, or one that judges in words?" in message


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_head_that_is_not_finite_is_refused(number: float, tmp_path: Path) -> None:
    folder = as_saved(tmp_path, lambda tensors: tensors["score.weight"][0, 3:4].fill_(number))
    with pytest.raises(UnfitModel, match="score holds numbers that are not finite"):
        scored(folder)
