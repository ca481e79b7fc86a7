"""Which kernel attends to a cached prompt, and that both give the same."""

from pathlib import Path

import pytest
import torch
from tiny_models import MakeFolder, token_ids

from reward_server.workers.engine import Group
from reward_server.workers.engine_transformers import TransformersModel
from reward_server.workers.prompt_attention import NAME


def masks(folder: Path, prompt: int, completion: int, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each attention after the prompt had a mask."""
    model = TransformersModel(folder, dtype="float32", device="cpu", threads=1)
    seen = []
    attend = torch.nn.functional.scaled_dot_product_attention

    def spy(query: torch.Tensor, key: torch.Tensor, *args: torch.Tensor, **options: object) -> torch.Tensor:
        if key.shape[2] > prompt:
            seen.append(options["attn_mask"] is not None)
            assert options["is_causal"] is not seen[-1]
        return attend(query, key, *args, **options)  # type: ignore[arg-type]

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
