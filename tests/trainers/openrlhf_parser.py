"""OpenRLHF's own command line, with its own checks after parsing: the real `__main__` block of train_ppo_ray.

Reads a JSON list of argument lists, prints for each the arguments that `train` gets, or the message it exits with. With
the argument `flags` it prints what the parser knows: by flag its type, number of values, and choices.
"""

import argparse
import contextlib
import io
import json
import runpy
import sys
from types import SimpleNamespace

from stand_ins import provide, real_folder


class Parsed(Exception):
    """Raised where training would begin, by the first thing that `train` calls with the arguments."""


def begin(arguments: SimpleNamespace) -> None:
    raise Parsed(arguments)


def plain(value: object) -> object:
    return {name: plain(each) for name, each in vars(value).items()} if isinstance(value, SimpleNamespace) else value


def parsed(arguments: list) -> object:
    sys.argv = ["train_ppo_ray", *arguments]
    sys.modules.pop("openrlhf.cli.train_ppo_ray", None)
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
            runpy.run_module("openrlhf.cli.train_ppo_ray", run_name="__main__")
    except Parsed as reached:
        return plain(reached.args[0])
    except (SystemExit, AssertionError) as refused:
        return f"{refused} {errors.getvalue()[-300:]}"
    raise RuntimeError("OpenRLHF neither trained nor refused")


def known_flags() -> dict:
    """What the parser was given, seen where it is asked to parse."""
    parser_of_theirs = None

    def seen(self: argparse.ArgumentParser, *_: object) -> None:
        nonlocal parser_of_theirs
        parser_of_theirs = self
        raise SystemExit

    original, argparse.ArgumentParser.parse_args = argparse.ArgumentParser.parse_args, seen
    parsed([])
    argparse.ArgumentParser.parse_args = original
    return {
        action.option_strings[-1].removeprefix("--"): [
            action.type.__name__ if action.type not in (None, str) else None,
            action.nargs,
            action.choices,
        ]
        for action in parser_of_theirs._actions
    }


def main() -> None:
    folder = real_folder("openrlhf.utils")
    provide("ray", is_initialized=lambda: True)
    provide("ray.util")
    provide("ray.util.placement_group", placement_group=None)
    provide("openrlhf.utils", get_strategy=begin, __path__=folder)
    provide("openrlhf.trainer.ray", create_vllm_engines=None, __path__=[])
    actors = dict.fromkeys(("RayActorGroup", "ReferenceModelActor", "RewardModelActor"))
    provide("openrlhf.trainer.ray.launcher", **actors)
    provide("openrlhf.trainer.ray.ppo_actor", PolicyModelActor=None)
    provide("openrlhf.trainer.ray.ppo_critic", CriticModelActor=None)
    asked_for_flags = sys.argv[1:] == ["flags"]
    print(json.dumps(known_flags() if asked_for_flags else [parsed(arguments) for arguments in json.load(sys.stdin)]))


if __name__ == "__main__":
    main()
