"""What all engines read of a model's folder: its config.json, its tokenizer, and a digest of all that counts.

A remote server has the weights in a place of its own. The folder here may then hold a tokenizer only. No code of the
folder is ever run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reward_server.reward_model.engine import UnfitModel

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TWO_LAYERS = frozenset({"Qwen2ForRewardModel", "INFORMForSequenceClassification"})
"""Classes with Linear, ReLU, Linear as their `score`: of Qwen2.5-Math-RM and WorldPM, and of INF-ORM."""

_COUNTS = (".safetensors", ".bin", ".json", ".jinja", ".model", ".txt")
"""Endings of the files that can change a score: weights, configurations, templates, vocabularies."""


def read_config(folder: Path) -> dict[str, Any]:
    """The object in config.json. Raises UnfitModel where there is none."""
    path = folder / "config.json"
    if not path.is_file():
        raise UnfitModel(
            f"{folder} is not a model folder: it has no config.json (`hf download ID --local-dir DIR` makes one)"
        )
    try:
        config = json.loads(path.read_bytes())
    except ValueError as error:
        raise UnfitModel(f"{path} cannot be loaded: {error}") from error
    if not isinstance(config, dict):
        raise UnfitModel(f"{path} cannot be loaded: it is no JSON object")
    return config


def pad_token_id(folder: Path, config: Mapping[str, Any]) -> int | None:
    """The model's padding token: of config.json, or where that leaves it out, of its class."""
    from transformers import AutoConfig

    try:
        whole = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        found = getattr(whole.get_text_config(), "pad_token_id", None)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError):
        found = config.get("pad_token_id")  # of a class that only a remote server knows
    return found if isinstance(found, int) else None


def read_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer. Raises UnfitModel when there is none, or when it has no chat template."""
    from transformers import AutoTokenizer

    if not folder.is_dir():
        raise UnfitModel(f"{folder} is not a folder")
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnfitModel(f"{folder} has no usable tokenizer: {error}") from error
    if tokenizer.chat_template is None:
        raise UnfitModel(f"the tokenizer of {folder} has no chat template: the model's input cannot be rendered")
    return tokenizer


def folder_digest(folder: Path) -> str:
    """12 hex digits over the names and bytes of all files of the folder that can change a score; reads them whole."""
    whole = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix in _COUNTS:
            with path.open("rb") as file:
                whole.update(path.name.encode() + b"\0" + hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()[:12]
