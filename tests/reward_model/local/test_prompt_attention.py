"""Which kernel attends to a cached prompt, and that both give the same."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import MakeFolder, token_ids, whole_text_score

from reward_server.reward_model.engine import Group
from reward_server.reward_model.local import prompt_attention
from reward_server.reward_model.local.model import TransformersModel
from reward_server.reward_model.local.prompt_attention import NAME, must_repeat_heads


def masks(folder: Path, prompt: int, completion: int, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each attention after the prompt had a mask."""
    model = TransformersModel(folder, dtype="float32", device="cpu", threads=1)
    seen = []
    attend = torch.nn.functional.scaled_dot_product_attention

    def spy(query: torch.Tensor, key: torch.Tensor, *args: torch.Tensor, **options: object) -> torch.Tensor:
        if key.shape[2] > prompt:
            seen.append(options["attn_mask"] is not None)
            assert options["is_causal"] is not seen[-1]
        return attend(query, key, *args, **options)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", spy)
    model.score([Group(token_ids(prompt, 1), [token_ids(completion, 2)])])
    return seen


@pytest.mark.parametrize(("prompt", "completion", "has_mask"), [(20, 21, False), (20, 20, True), (40, 3, True)])
def test_a_completion_longer_than_its_prompt_needs_no_mask(
    prompt: int, completion: int, has_mask: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert masks(folder, prompt, completion, monkeypatch) == [has_mask] * 2  # layers


def test_a_window_that_the_text_outgrows_keeps_its_mask(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_folder("mistral", sliding_window=50)
    assert masks(folder, 10, 39, monkeypatch) == [False] * 2
    assert masks(folder, 10, 40, monkeypatch) == [True] * 2


def test_only_cuda_without_flash_attention_repeats_the_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu, capability = torch.device("cuda:1"), (8, 0)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert must_repeat_heads(gpu, torch.float32)
    assert not must_repeat_heads(gpu, torch.bfloat16)
    capability = (7, 5)
    assert must_repeat_heads(gpu, torch.bfloat16)
    assert not must_repeat_heads(torch.device("cpu"), torch.float32)


@pytest.mark.parametrize("completion", [1, 3, 21])
def test_heads_that_are_repeated_give_what_shared_ones_give(
    completion: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = TransformersModel(folder, dtype="float32", device="cpu", threads=1)
    group = Group(token_ids(20, 1), [token_ids(completion, 2)])
    (shared,) = model.score([group]).results
    model._prompts.clear()
    seen = []
    attend = torch.nn.functional.scaled_dot_product_attention

    def spy(query: torch.Tensor, key: torch.Tensor, *args: torch.Tensor, **options: object) -> torch.Tensor:
        if options["attn_mask"] is None:
            seen.append((query.shape[1], key.shape[1], options.get("enable_gqa", False)))
        return attend(query, key, *args, **options)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", spy)
    monkeypatch.setattr(prompt_attention, "must_repeat_heads", lambda *_: True)
    (repeated,) = model.score([group]).results
    assert repeated == pytest.approx(shared, abs=1e-5)
    assert set(seen) == {(4, 4, False)}
    monkeypatch.undo()
    assert model.score([group]).results == [shared]  # bitwise, as the CPU shares them


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_causal_kernel_gives_what_the_mask_gives(dtype: torch.dtype) -> None:
    from transformers import AttentionInterface
    from transformers.masking_utils import sdpa_mask

    attend = AttentionInterface._global_mapping[NAME]
    module = torch.nn.Module()
    module.num_key_value_groups = 2  # type: ignore[assignment]
    query = torch.randn(2, 4, 30, 8, dtype=dtype)
    key, value = torch.randn(2, 2, 2, 50, 8, dtype=dtype)
    mask = sdpa_mask(batch_size=2, q_length=30, kv_length=50, q_offset=20)
    masked, _ = attend(module, query, key, value, mask)
    causal, _ = attend(module, query, key, value, None)
    torch.testing.assert_close(causal, masked)


def test_a_model_with_attention_of_another_kind_keeps_it(make_folder: MakeFolder) -> None:
    folder = make_folder("gemma2", sliding_window=50, head_dim=16)  # soft caps, which sdpa does not have
    model = TransformersModel(folder, dtype="float32", device="cpu", threads=1)
    assert model._model.config._attn_implementation == "eager"
    assert model.config["chunk_tokens"] == 512
    widest = 0

    def measure(module: torch.nn.Module, args: tuple[()], kwargs: dict[str, Any]) -> None:
        nonlocal widest
        widest = max(widest, kwargs["input_ids"].shape[1])

    model._model.base_model.register_forward_pre_hook(measure, with_kwargs=True)
    prompt, completion = token_ids(600, 1), token_ids(1100, 2)
    (result,) = model.score([Group(prompt, [completion])]).results[0]
    assert result == pytest.approx(whole_text_score(folder, prompt + completion), abs=1e-5)
    assert widest == 512


def test_a_model_with_ours_is_read_in_long_chunks(folder: Path) -> None:
    model = TransformersModel(folder, dtype="float32", device="cpu", threads=1)
    assert model.config["chunk_tokens"] == 4096
