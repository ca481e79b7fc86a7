"""Value heads, heads of two layers and a row of lm_head: taken where they are exact, against the plain computation."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from tiny_models import make_config, make_tokenizer, save_model, token_ids
from transformers import AutoModelForCausalLM

from reward_server.reward_model.ending import VALUE_HEAD, ends_at, refuse_early_end
from reward_server.reward_model.engine import Group, UnfitModel
from reward_server.reward_model.loading import load_model
from reward_server.reward_model.local.model import TransformersModel
from reward_server.settings import Settings
from reward_server.types import WantedHead

IDS = token_ids(40, seed=3)
Tensors = dict[str, torch.Tensor]


def language_model(folder: Path, kind: str = "qwen2", **config: Any) -> Any:
    """A causal language model as its trainer leaves it in the folder, with its tokenizer."""
    torch.manual_seed(0)
    options = {"tie_word_embeddings": False, "num_labels": 2} | config
    model = AutoModelForCausalLM.from_config(make_config(kind, **options))  # type: ignore[no-untyped-call]
    model.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return model.eval()


def hidden(model: Any) -> torch.Tensor:
    """What a value head reads: the last of all hidden states, at the last token."""
    with torch.inference_mode():
        found = model(input_ids=torch.tensor([list(IDS)]), use_cache=False, output_hidden_states=True)
    return found.hidden_states[-1][0, -1]  # type: ignore[no-any-return]


def scored(folder: Path, head_at: WantedHead = "auto") -> tuple[float, dict[str, str | int]]:
    model = TransformersModel(folder, dtype="float32", device="cpu", threads=1, head_at=head_at)
    ((score,),) = model.score([Group(IDS[:15], [IDS[15:]])]).results
    assert isinstance(score, float)
    return score, model.config


def refusal(folder: Path, head_at: WantedHead = "auto") -> str:
    with pytest.raises(UnfitModel) as refused:
        TransformersModel(folder, dtype="float32", device="cpu", threads=1, head_at=head_at)
    return str(refused.value)


def change(folder: Path, edit: Callable[[Tensors], object], **config: Any) -> None:
    tensors = load_file(folder / "model.safetensors")
    edit(tensors)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    configure(folder, **config)


def configure(folder: Path, **config: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **config}))


def value_head(bias: float = 3.0) -> Tensors:
    """As TRL's `ValueHead` names them; LLaMA-Factory writes the same names into a file of their own."""
    torch.manual_seed(1)
    return {"v_head.summary.weight": torch.randn(1, 64), "v_head.summary.bias": torch.tensor([bias])}


def by_hand(head: Tensors, state: torch.Tensor) -> float:
    return float(head["v_head.summary.weight"][0] @ state + head["v_head.summary.bias"][0])


@pytest.mark.parametrize("kind", ["qwen2", "llama", "mistral", "gemma2"])
@pytest.mark.parametrize("ending", ["safetensors", "bin"])
def test_llama_factorys_value_head_beside_the_model_is_read(kind: str, ending: str, tmp_path: Path) -> None:
    state, head = hidden(language_model(tmp_path, kind)), value_head()
    if ending == "bin":
        torch.save(head, tmp_path / "value_head.bin")
    else:
        save_file(head, tmp_path / "value_head.safetensors", {"format": "pt"})
    score, config = scored(tmp_path)
    assert score == pytest.approx(by_hand(head, state), abs=1e-5)
    assert config["head"] == "weight + bias"


@pytest.mark.parametrize("extra", [{}, {"lm_head.bias": torch.ones(512)}])
def test_trls_value_head_among_the_weights_is_read(extra: Tensors, tmp_path: Path) -> None:
    state, head = hidden(language_model(tmp_path)), value_head()
    change(tmp_path, lambda tensors: tensors.update(head | extra))
    assert scored(tmp_path)[0] == pytest.approx(by_hand(head, state), abs=1e-5)


def test_a_value_head_is_said_at_start_since_critics_have_one_too(tmp_path: Path) -> None:
    language_model(tmp_path)
    save_file(value_head(), tmp_path / "value_head.safetensors")
    loaded = load_model(Settings(rm_model=tmp_path, rm_device="cpu", rm_threads=1), tmp_path)
    assert VALUE_HEAD in loaded.reads.remarks
    usual = load_model(Settings(rm_model=tmp_path, rm_device="cpu", rm_threads=1), save_model(tmp_path / "usual"))
    assert VALUE_HEAD not in usual.reads.remarks


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ({"v_head.summary.weight": torch.ones(2, 64), "v_head.summary.bias": torch.ones(2)}, "2 labels"),
        ({"v_head.summary.weight": torch.ones(1, 32)}, "shape [1, 32]"),
        ({"v_head.summary.0.weight": torch.ones(64, 64), "v_head.summary.2.weight": torch.ones(1, 64)}, "summary.0"),
        (value_head() | {"v_head.gate.weight": torch.ones(1, 64)}, "keeps v_head.gate.weight in a file of its own"),
        (value_head(float("nan")), "not finite"),
    ],
)
def test_a_value_head_that_is_another_is_refused(head: Tensors, message: str, tmp_path: Path) -> None:
    language_model(tmp_path)
    save_file(head, tmp_path / "value_head.safetensors")
    assert message in refusal(tmp_path)


def test_a_value_head_beside_another_head_is_refused(tmp_path: Path) -> None:
    save_model(tmp_path)
    save_file(value_head(), tmp_path / "value_head.safetensors")
    assert "several heads (score, v_head.summary)" in refusal(tmp_path)


def test_a_value_head_in_two_files_is_refused(tmp_path: Path) -> None:
    language_model(tmp_path)
    change(tmp_path, lambda tensors: tensors.update(value_head()))
    save_file(value_head(), tmp_path / "value_head.safetensors")
    assert "stands in model.safetensors and in value_head.safetensors" in refusal(tmp_path)


def test_a_head_in_a_file_that_nobody_is_known_to_write_is_refused(tmp_path: Path) -> None:
    language_model(tmp_path)
    save_file(value_head(), tmp_path / "v_head.safetensors")
    assert "keeps its head apart, in v_head.safetensors" in refusal(tmp_path)


def two_layers(width: int = 64) -> Tensors:
    torch.manual_seed(1)
    return {
        "score.0.weight": torch.randn(width, 64),
        "score.0.bias": torch.randn(width),
        "score.2.weight": torch.randn(1, width),
        "score.2.bias": torch.randn(1),
    }


QWEN = {
    "architectures": ["Qwen2ForRewardModel"],
    "auto_map": {"AutoConfig": "c.Qwen2RMConfig", "AutoModel": "modeling_qwen2_rm.Qwen2ForRewardModel"},
}
INF_ORM = {"architectures": ["INFORMForSequenceClassification"]}


@pytest.mark.parametrize(("kind", "config"), [("qwen2", QWEN), ("llama", INF_ORM)])
def test_two_layers_of_a_known_class_are_read(kind: str, config: dict[str, Any], tmp_path: Path) -> None:
    model, head = language_model(tmp_path, kind, num_labels=1), two_layers()
    change(tmp_path, lambda tensors: tensors.update(head), **config)
    sequential = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1))
    sequential.load_state_dict({name.removeprefix("score."): tensor for name, tensor in head.items()})
    with torch.inference_mode():
        theirs = float(sequential(hidden(model)))
    score, described = scored(tmp_path)
    assert score == pytest.approx(theirs, abs=1e-4)
    assert described["head"] == "two layers with a ReLU"


@pytest.mark.parametrize(
    ("edit", "config", "message"),
    [
        (lambda t: None, {"architectures": ["LlamaForSequenceClassification"]}, "score.0.weight [64, 64]"),
        (lambda t: t.pop("score.0.bias"), INF_ORM, "a head of two layers on this model has"),
        (lambda t: t.update({"score.4.weight": torch.ones(1, 1)}), INF_ORM, "score.4.weight [1, 1]"),
        (lambda t: t.update({"score.2.weight": torch.ones(2, 64)}), INF_ORM, "score.2.weight [2, 64]"),
        (lambda t: t.update({"score.weight": torch.ones(1, 64)}), INF_ORM, "several heads"),
        (lambda t: t.update(value_head()), INF_ORM, "several heads"),
        (
            lambda t: None,
            {"auto_map": {"AutoModel": "m.Gated"}, "architectures": ["Gated"]},
            "code of its own",
        ),
        (lambda t: None, INF_ORM | {"auto_map": {"AutoModelForSequenceClassification": "m.Other"}}, "code of its own"),
    ],
)
def test_two_layers_that_are_not_known_are_refused(
    edit: Callable[[Tensors], object], config: dict[str, Any], message: str, tmp_path: Path
) -> None:
    language_model(tmp_path, "llama", num_labels=1)
    head = two_layers()
    edit(head)
    change(tmp_path, lambda tensors: tensors.update(head), **config)
    assert message in refusal(tmp_path)


@pytest.mark.parametrize("config", [QWEN, INF_ORM])
def test_a_class_that_would_be_read_before_a_token_of_the_template_is_refused(
    config: dict[str, Any], tmp_path: Path
) -> None:
    tokenizer = make_tokenizer()
    of = tokenizer.get_vocab()
    for harmless in ({}, {"pad_token_id": None}, {"pad_token_id": of["<pad>"]}):
        refuse_early_end(config | harmless, tokenizer)
        assert ends_at(config | harmless, "auto") == "template"
    language_model(tmp_path, num_labels=1)
    change(tmp_path, lambda tensors: tensors.update(two_layers()), **config, pad_token_id=of["<|im_end|>"])
    with pytest.raises(UnfitModel, match=r"reads before the first pad_token_id of config.json \('<\|im_end\|>'\)"):
        load_model(Settings(rm_model=tmp_path, rm_device="cpu", rm_threads=1), tmp_path)
    refuse_early_end({"pad_token_id": of["<|im_end|>"]}, tokenizer)  # transformers' classes read at the end


def test_row_0_of_lm_head_is_the_logit_of_token_0(tmp_path: Path) -> None:
    model = language_model(tmp_path, "llama")
    with torch.inference_mode():
        theirs = float(model(input_ids=torch.tensor([list(IDS)])).logits[0, -1, 0])
    score, config = scored(tmp_path, "lm_head")
    assert score == pytest.approx(theirs, abs=1e-5)
    assert config["head"] == "row 0 of lm_head"


def test_row_0_of_lm_head_is_never_taken_unasked(tmp_path: Path) -> None:
    language_model(tmp_path, "llama")
    message = refusal(tmp_path)
    assert "is it a language model" in message
    assert "set rm_head=lm_head" in message


def test_no_row_is_taken_where_there_is_a_head_or_where_the_rows_are_embeddings(tmp_path: Path) -> None:
    assert "several heads (score, lm_head)" in refusal(save_model(tmp_path / "head"), "lm_head")
    language_model(tmp_path / "none")
    change(tmp_path / "none", lambda tensors: tensors.pop("lm_head.weight"))
    assert "lacks weights: lm_head.weight" in refusal(tmp_path / "none", "lm_head")
    language_model(tmp_path / "tied")
    configure(tmp_path / "tied", tie_word_embeddings=True)
    assert "its lm_head is its embeddings" in refusal(tmp_path / "tied", "lm_head")


def test_the_setting_for_a_head_is_for_models_in_this_process() -> None:
    with pytest.raises(ValidationError, match="rm_head is for a model in this process"):
        Settings(rm_engine="vllm", rm_url="http://h:1", rm_model=Path("m"), rm_head="lm_head")
