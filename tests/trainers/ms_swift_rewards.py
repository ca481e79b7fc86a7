"""ms-swift loads the plugin file as `--external_plugins` does and computes a batch's rewards, twice. Prints JSON."""

import json
import sys
from types import SimpleNamespace

import torch
from swift.rewards import orms
from swift.rl_core.data import GRPOSample
from swift.rl_core.grpo_algorithm import compute_rewards_per_func
from swift.utils import import_external_file

ROWS = [(r"so \boxed{4}", "4"), (r"\boxed{5}", "4"), ("no box", "4")]


def samples(rows) -> list:
    question = {"role": "user", "content": "2+2?"}
    return [
        GRPOSample(
            messages=[question, {"role": "assistant", "content": completion}],
            extra={"solution": solution},
            prompt_id="p",
        )
        for completion, solution in rows
    ]


def main(plugin: str) -> None:
    import_external_file(plugin)
    reward = orms["reward_server"]()
    calls = [
        compute_rewards_per_func(
            samples(ROWS), [reward], None, torch.device("cpu"), trainer_state=SimpleNamespace(global_step=step)
        ).tolist()
        for step in (1, 2)
    ]
    try:
        compute_rewards_per_func(samples([(r"\boxed{4}", None)]), [reward], None, torch.device("cpu"))
        error = None
    except ValueError as raised:
        error = f"{type(raised).__name__}: {raised}"
    print(json.dumps({"calls": calls, "error": error}))


if __name__ == "__main__":
    main(sys.argv[1])
