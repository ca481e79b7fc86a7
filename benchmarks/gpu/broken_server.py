"""`reward-server` whose device is asked for an index that it does not have, at its second batch: on CUDA an assertion
of a kernel, after which the process can use the device no more.

    python -m benchmarks.gpu.broken_server serve --rm-model FOLDER
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import torch

from reward_server.cli import app
from reward_server.reward_model.engine import Group, Mode, Work
from reward_server.reward_model.local.model import TransformersModel

_score = TransformersModel.score
_batches = count()


def _breaking(self: TransformersModel, groups: Sequence[Group], mode: Mode = "deterministic") -> Work:
    if next(_batches) == 1:
        weight = next(self._head.parameters())
        torch.nn.functional.embedding(torch.tensor([10**6], device=weight.device), weight).sum().item()
    return _score(self, groups, mode)


if __name__ == "__main__":
    TransformersModel.score = _breaking  # type: ignore[method-assign]  # that is the patch
    app()
