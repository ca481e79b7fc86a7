"""`reward-server` whose device is as fast as a GPU and computes nothing.

    python benchmarks/fast_device_server.py CALLS_FILE TOKENS_PER_S serve --rm-model FOLDER …

A call of the device launches the operations of a pass through 24 layers, on 16 tokens of a tiny model: what the host
does for a GPU, with the interpreter's lock as it is taken and given back there. Then it sleeps until the GPU would be
done. A score is the first id of its completion. CALLS_FILE gets a line a call: start, end, tokens.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import Qwen2Config, Qwen2ForSequenceClassification

from reward_server.cli import app
from reward_server.reward_model.engine import Group, Mode, Result, Work
from reward_server.reward_model.local.model import TransformersModel


class FastDevice:
    """In the place of `TransformersModel.score`."""

    def __init__(self, calls: Path, tokens_per_s: float) -> None:
        self._calls = calls.open("w")
        self._tokens_per_s = tokens_per_s
        config = Qwen2Config(
            vocab_size=64, hidden_size=64, num_hidden_layers=24, num_attention_heads=4, num_key_value_heads=2,
            intermediate_size=128, pad_token_id=0,
        )  # fmt: skip
        self._body = Qwen2ForSequenceClassification(config).model.eval()  # type: ignore[no-untyped-call]

    def score(self, groups: Sequence[Group], mode: Mode = "deterministic") -> Work:
        started = time.perf_counter()
        tokens = sum(len(group.prompt) + sum(map(len, group.completions)) for group in groups)
        with torch.inference_mode():
            self._body(input_ids=torch.zeros(1, 16, dtype=torch.long), use_cache=False)
        time.sleep(max(0.0, tokens / self._tokens_per_s - (time.perf_counter() - started)))  # the GPU computes
        ended = time.perf_counter()
        print(json.dumps([started, ended, tokens]), file=self._calls, flush=True)
        scores: list[list[Result]] = [[float(completion[0]) for completion in group.completions] for group in groups]
        return Work(scores, tokens_computed=tokens, forward_s=ended - started)


if __name__ == "__main__":
    device = FastDevice(Path(sys.argv.pop(1)), float(sys.argv.pop(1)))
    TransformersModel.score = lambda self, groups, mode="deterministic": device.score(groups, mode)  # type: ignore[method-assign]
    app()
