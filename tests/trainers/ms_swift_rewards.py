"""ms-swift loads the plugin file as `--external_plugins` does and computes a batch's rewards, twice. Prints JSON.

Arguments: the file, and `ray` for the call of its Ray trainer, which passes no `trainer_state`.
"""

import json
import logging
import sys
from types import SimpleNamespace

import torch
from swift.rewards import orms
from swift.rl_core.data import GRPOSample
from swift.rl_core.grpo_algorithm import compute_rewards_per_func, score_completions
from swift.utils import import_external_file

ROWS = [(r"so \boxed{4}", "4"), (r"\boxed{5}", "4"), ("no box", "4")]


def samples(rows, **columns) -> list:
    question = {"role": "user", "content": "2+2?"}
    return [
        GRPOSample(
            messages=[question, {"role": "assistant", "content": completion}],
            extra={"solution": solution, **columns},
            prompt_id="p",
        )
        for completion, solution in rows
    ]


class Kept(logging.Handler):
    def __init__(self):
        super().__init__()
        self.messages = []

    def emit(self, record):
        self.messages.append(record.getMessage())


def ray(reward) -> dict:
    """As `swift/ray/megatron/grpo_trainer.py` calls it."""
    kept, device, results = Kept(), torch.device("cpu"), {}
    logging.getLogger("trainer_client").addHandler(kept)
    for name, columns in (("with_visits", {"visit": 7}), ("without", {})):
        rewards = score_completions(
            samples(ROWS, **columns),
            reward_funcs=[reward],
            reward_model_plugins=[None],
            use_gym_env=False,
            device=device,
        )
        results[name] = {"rewards": rewards.tolist(), "said": list(kept.messages)}
    return results


def main(plugin: str, trainer: str = "") -> None:
    import_external_file(plugin)
    reward = orms["reward_server"]()
    if trainer == "ray":
        print(json.dumps(ray(reward)))
        return
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
    parts = [orms[f"reward_server_{part}"]() for part in ("clean", "unanswered", "timeout")]
    all_functions = compute_rewards_per_func(
        samples(ROWS), [reward, *parts], [None] * 4, torch.device("cpu"), trainer_state=SimpleNamespace(global_step=1)
    ).tolist()
    names = [type(part).__name__ for part in parts]  # as its trainers name them
    print(json.dumps({"calls": calls, "error": error, "parts": {"names": names, "rewards": all_functions}}))


if __name__ == "__main__":
    main(*sys.argv[1:])
