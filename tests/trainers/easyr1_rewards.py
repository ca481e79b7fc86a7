"""EasyR1's own reward manager loads our file and pays a batch. Arguments: a checkout of EasyR1, the file. Prints JSON.

Its package is named like verl's, and imports what needs a GPU: only the two files that load and call are run. Their
`DataProto` is stood in for by an object with the same two attributes.
"""

import importlib.util
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from omegaconf import OmegaConf
from stand_ins import provide

ROWS = [
    (r"so \boxed{4}", {"ground_truth": "4", "group": "q", "visit": 3}),
    (r"\boxed{5}", '{"ground_truth": "4", "group": "q", "visit": 3}'),
    ("no box", {"ground_truth": "4", "group": "q", "visit": 3}),
    (r"\boxed{4}", {"ground_truth": "", "group": "q", "visit": 3}),
    (r"\boxed{5}", {"ground_truth": "4", "group": "q", "visit": 3, "flip": False}),
]


class Tokenizer:
    """A token is a character."""

    def decode(self, ids, skip_special_tokens):
        return "".join(map(chr, ids.tolist()))


def easyr1(checkout: Path):
    """EasyR1's `verl.workers.reward`, without the packages around it."""
    for name in ("verl", "verl.workers"):
        provide(name, __path__=[])
    provide("verl.protocol", DataProto=None)
    for name in ("verl.utils", "verl.utils.py_functional", "verl.workers.reward"):
        file = checkout.joinpath(*name.split("."))
        file = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
        spec = importlib.util.spec_from_file_location(
            name, file, submodule_search_locations=[str(file.parent)] if file.name == "__init__.py" else None
        )
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules["verl.workers.reward"]


def batch(rows) -> SimpleNamespace:
    size = max(len(response) for response, _ in rows)
    ids = torch.zeros(len(rows), size, dtype=torch.long)
    mask = torch.zeros(len(rows), size, dtype=torch.long)
    for row, (response, _) in enumerate(rows):
        ids[row, : len(response)] = torch.tensor([ord(character) for character in response])
        mask[row, : len(response)] = 1
    labels = np.empty(len(rows), dtype=object)
    labels[:] = [label for _, label in rows]

    class Data(SimpleNamespace):
        def __len__(self):
            return len(rows)

    return Data(batch={"responses": ids, "response_mask": mask}, non_tensor_batch={"ground_truth": labels})


def main(checkout: str, *options: str) -> None:
    reward = easyr1(Path(checkout))
    given = OmegaConf.from_dotlist([*options])
    config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(reward.RewardConfig()), given.worker.reward))
    config.post_init()
    manager = reward.AutoRewardManager(config, Tokenizer())
    tensor, metrics = manager.compute_reward(batch(ROWS))
    rewards = [float(row[len(response) - 1]) for row, (response, _) in zip(tensor, ROWS, strict=True)]
    assert float(tensor.sum()) == sum(rewards)
    print(json.dumps({"rewards": rewards, "metrics": metrics}))


if __name__ == "__main__":
    main(*sys.argv[1:])
