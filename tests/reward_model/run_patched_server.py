"""`reward-server` with a reward model whose device can be stopped, broken or killed from outside, by files in a folder.

    python run_patched_server.py FOLDER serve --rm-model …

While `FOLDER/no-load` exists the model loads; while `FOLDER/no-forward` exists the device is in the middle of a batch,
from when `FOLDER/no-forward-reached` is there.
`FOLDER/die` makes the device thread end at its next batch. `FOLDER/hang-early` shortens the time after which a device
counts as hanging. The embedding of "Z" is NaN.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from reward_server.cli import app
from reward_server.reward_model.engine import Group, Mode, Work
from reward_server.reward_model.local import batcher
from reward_server.reward_model.local import model as local_model
from reward_server.reward_model.local.folder import LoadedFolder, read_model
from reward_server.reward_model.local.model import TransformersModel
from reward_server.reward_model.model_folder import read_tokenizer
from reward_server.types import WantedHead

CONTROL = Path(sys.argv.pop(1))
score = TransformersModel.score


def wait_while(name: str) -> None:
    while (CONTROL / name).exists():
        (CONTROL / f"{name}-reached").touch()
        time.sleep(0.01)  # polling a file; the test decides when it goes


def patched_read(folder: Path, dtype: torch.dtype, device: torch.device, head_at: WantedHead) -> LoadedFolder:
    wait_while("no-load")
    loaded = read_model(folder, dtype, device, head_at)
    (token,) = read_tokenizer(folder)("Z", add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        loaded.model.get_input_embeddings().weight[token] = float("nan")  # type: ignore[operator]
    return loaded


def patched_score(self: TransformersModel, groups: Sequence[Group], mode: Mode = "deterministic") -> Work:
    wait_while("no-forward")
    if (CONTROL / "die").exists():
        raise RuntimeError("CUDA error: unspecified launch failure")
    return score(self, groups, mode)


def patched_limit(tokens: int, tokens_per_s: float) -> float:
    return 4.0 if (CONTROL / "hang-early").exists() else 600.0


local_model.read_model = patched_read  # type: ignore[assignment, attr-defined]  # imported there: that is the patch
TransformersModel.score = patched_score  # type: ignore[method-assign]  # that is the patch
batcher.hang_limit_s = patched_limit
app()
