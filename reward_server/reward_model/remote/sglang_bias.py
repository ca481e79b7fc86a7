"""A bias that SGLang adds to the scores of Qwen2 models and that most of their files do not have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reward_server.reward_model.engine import UnfitModel

BIASED = "Qwen2ForSequenceClassification"
"""SGLang gives its head a bias, which stays as PyTorch draws it where the file has none (read in its source, 2026-11).
The classes of Llama, Gemma 2 and Qwen 3 have none, or 0."""
_OFFSET = "SGLang adds a bias to the score of this model, drawn anew at each start (up to 1/√hidden size, 0.03 at 896)"


def bias_remark(described: Mapping[str, Any], folder: Path) -> str | None:
    """What to say at start where the file is not here. Raises UnfitModel where it is, and has no bias.

    `described`: the folder's config.json, empty where there is none.
    """
    if BIASED not in (described.get("architectures") or ()):
        return None
    names = tensor_names(folder)
    if names is None:
        return f"{_OFFSET}, unless its file has `score.bias`: look there, or serve it by vLLM (rm_engine=vllm)"
    if "score.bias" in names:
        return None
    raise UnfitModel(f"{_OFFSET}, since its file has no `score.bias`: serve it by vLLM (rm_engine=vllm)")


def tensor_names(folder: Path) -> set[str] | None:
    """Of the safetensors files; None where the folder has none that can be read."""
    names: set[str] | None = None
    for path in folder.glob("*.safetensors"):
        try:
            with path.open("rb") as file:
                header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        except (OSError, OverflowError, ValueError):
            return None
        names = (names or set()) | set(header)
    return names
