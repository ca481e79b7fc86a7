"""Tunix's own reward manager with the functions of its recipe, and with one that gives None. Argument: the snippet.

The manager's file is run alone: what the package imports beside it needs JAX. Prints JSON.
"""

import dataclasses
import importlib.util
import json
import sys
import types
from pathlib import Path

from stubs import stub

PROMPTS, COMPLETIONS = ["2+2?", "2+2?"], [r"\boxed{4}", r"\boxed{5}"]


@dataclasses.dataclass
class Config:
    beta: float = 0.0


def manager_class() -> type:
    stub("absl")
    package = Path(importlib.util.find_spec("tunix").submodule_search_locations[0])
    registry, algorithms = types.ModuleType("tunix.rl.function_registry"), types.ModuleType("tunix.rl.algorithm_config")
    registry.register_reward_manager = lambda name: lambda manager: manager
    algorithms.AlgorithmConfig = Config
    rl = types.ModuleType("tunix.rl")
    rl.function_registry, rl.algorithm_config = registry, algorithms
    modules = {"tunix": types.ModuleType("tunix"), "tunix.rl": rl}
    sys.modules |= modules | {"tunix.rl.function_registry": registry, "tunix.rl.algorithm_config": algorithms}
    spec = importlib.util.spec_from_file_location("reward_manager", package / "rl" / "reward_manager.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.SequenceRewardManager


def main() -> None:
    made: dict = {}
    exec(Path(sys.argv[1]).read_text(), made)
    manager = manager_class()

    def paid(functions: list, answers: list) -> list:
        return manager(functions, Config())(PROMPTS, COMPLETIONS, answer=answers, mode="train")["rewards"].tolist()

    def gives_none(prompts: list, completions: list, **_: object) -> list:
        return [1.0, None]

    result = {"rewards": paid(made["reward_fns"], ["4", "4"]), "none": paid([gives_none], ["4", "4"])}
    try:
        paid(made["reward_fns"], ["4", None])
    except ValueError as error:
        result["error"] = type(error).__name__
    print(json.dumps(result))


if __name__ == "__main__":
    main()
