"""axolotl's own loader and reward worker with the function that its recipe names. Argument: a YAML file."""

import json
import multiprocessing
import sys
from pathlib import Path

import yaml
from axolotl.core.trainers.grpo import GRPOStrategy
from axolotl.core.trainers.grpo.fast_async_trainer import _persistent_reward_worker
from axolotl.utils.dict import DictDefault

PROMPTS, COMPLETIONS = ["2+2?", "2+2?", "2+2?"], [r"\boxed{4}", r"\boxed{5}", r"\boxed{4}"]
ANSWERS = ["4", "4", None]  # the last cannot be graded


def main() -> None:
    config = DictDefault(yaml.safe_load(Path(sys.argv[1]).read_text()))
    (functions,) = GRPOStrategy.set_trainer_args(config)
    here, there = multiprocessing.Pipe()
    worker = multiprocessing.Process(target=_persistent_reward_worker, args=(there,))
    worker.start()
    inputs = [{"prompt": prompt, "answer": answer} for prompt, answer in zip(PROMPTS, ANSWERS, strict=True)]
    here.send((functions, PROMPTS, COMPLETIONS, [[1]] * 3, inputs, ["reward_server"]))
    (by_worker,) = here.recv()
    here.send(None)
    worker.join()
    direct = functions[0](prompts=PROMPTS, completions=COMPLETIONS, answer=ANSWERS)
    print(json.dumps({"direct": direct, "worker": [None if reward != reward else reward for reward in by_worker]}))


if __name__ == "__main__":
    main()
