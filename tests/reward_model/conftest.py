"""Fixtures for tests that run a real, tiny reward model. Without torch and transformers those tests are left out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tiny_models import MakeFolder

_NEEDS_MODELS = [
    "local/test_architectures.py",
    "local/test_batcher.py",
    "local/test_model.py",
    "test_failures.py",
    "test_length_bound.py",
    "local/test_folder.py",
    "local/test_folders_of_users.py",
    "local/test_heads_by_layout.py",
    "local/test_labelled_heads.py",
    "local/test_whole_texts.py",
    "test_labels_over_http.py",
    "test_text_limit.py",
    "test_offline.py",
    "local/test_openrlhf_models.py",
    "local/test_padded_ends.py",
    "local/test_packed_scores.py",
    "local/test_prompt_attention.py",
    "local/test_refused_folders.py",
    "test_model.py",
    "test_special_tokens.py",
    "local/test_stored_heads.py",
    "test_replay_of_all_rewards.py",
    "test_tokenizer.py",
    "test_trial.py",
    "vllm/test_key_over_http.py",
]
collect_ignore = [] if find_spec("torch") and find_spec("transformers") else _NEEDS_MODELS


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tests share few cores; and the number is process-wide state that a test may change."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
    yield
    if torch is not None:
        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def make_folder(tmp_path_factory: pytest.TempPathFactory) -> MakeFolder:
    """A saved reward model: `make_folder(kind, seed=…, tokenizer=…, **config)`.

    Scores spread by about 0.5, as those of a model that was trained on labels 0 and 1.
    """
    import torch
    from tiny_models import make_tokenizer, new_model

    def make(kind: str = "qwen2", *, seed: int = 0, tokenizer: Any = None, **options: Any) -> Path:
        torch.manual_seed(seed)
        model = new_model(kind, **options)
        for parameter in model.base_model.parameters():
            parameter.data.mul_(2.0)  # transformers' initial deviation of 0.02 gives nearly equal hidden states
        folder = tmp_path_factory.mktemp("model")
        model.save_pretrained(folder)
        (tokenizer or make_tokenizer()).save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def folder(make_folder: MakeFolder) -> Path:
    """The model that most tests use."""
    return make_folder()
