"""`OUTPUT/run.json`: what a run was, so that runs can be compared, and one that is resumed goes on under its reward.

It has no secrets: of the server's key and of that for wandb nothing but `***` is written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from trainer_client.openrlhf_grpo.dataset import Prepared
from trainer_client.openrlhf_grpo.options import Options

Record = dict[str, Any]


def record(
    options: Options,
    words: Sequence[str],
    explained: Mapping[str, Any],
    versions: Mapping[str, str | None],
    data: Mapping[str, Prepared],
    secrets: Sequence[str | None],
) -> Record:
    """As JSON has it. `explained`: the server's /explain of any sample. `data`: by name what was prepared."""
    made = {
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "reward": {name: explained[name] for name in ("config", "parameters")},
        "versions": {**versions, "server": explained["version"]},
        "data": {name: _facts(prepared) for name, prepared in data.items()},
        "options": {name: value for name, value in asdict(options).items() if value is not None},
        "command": list(words),
    }
    hidden: Record = _without(json.loads(json.dumps(made, default=str)), [each for each in secrets if each])
    return hidden


def _facts(prepared: Prepared) -> Record:
    return {
        "rows": prepared.rows,
        "questions": len(prepared.groups),
        "visits": prepared.visits,
        "digest": prepared.digest,
    }


def _without(value: Any, secrets: Sequence[str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(each, secrets) for name, each in value.items()}
    if isinstance(value, list):
        return [_without(each, secrets) for each in value]
    for secret in secrets if isinstance(value, str) else ():
        value = value.replace(secret, "***")
    return value


def write(options: Options, made: Record) -> None:
    """Keeps the record of an earlier start as run-1.json, run-2.json, …"""
    path = options.output / "run.json"
    if path.exists():
        number = 1
        while (options.output / f"run-{number}.json").exists():
            number += 1
        path.rename(options.output / f"run-{number}.json")
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(made, indent=2) + "\n")
    os.replace(partial, path)


def resumed(options: Options) -> Record | None:
    """The record of the run that goes on, or None where one begins."""
    path = options.output / "run.json"
    if not options.resume or not has_checkpoints(options.output) or not path.exists():
        return None
    earlier: Record = json.loads(path.read_text())
    return earlier


def has_checkpoints(output: Path) -> bool:
    """Whether OpenRLHF has saved a state there that it could go on from."""
    return (output / "checkpoints" / "_actor").is_dir()


def problems(options: Options, explained: Mapping[str, Any]) -> Iterator[str]:
    """Checkpoints that would be lost, and a reward that is not the one that the run began with."""
    if has_checkpoints(options.output) and not options.resume:
        yield (
            f"{options.output} has checkpoints of an earlier run, which this one would delete as it saves its own: "
            "--resume goes on with them, or choose another --output"
        )
    earlier = resumed(options)
    if earlier is not None and earlier["reward"]["config"] != explained["config"]:
        changed = _changes(earlier["reward"]["parameters"], explained["parameters"])
        changed += _changes({"server": earlier["versions"]["server"]}, {"server": explained["version"]})
        yield (
            f"the reward is not the one that this run began with (config {earlier['reward']['config']}, now "
            f"{explained['config']}{': ' if changed else ''}{', '.join(changed)}): without {options.output}/run.json "
            "it goes on nevertheless"
        )


def warnings(options: Options) -> Iterator[str]:
    if options.resume and not has_checkpoints(options.output):
        yield f"--resume: no checkpoint in {options.output}/checkpoints, so the run begins at its beginning"
    elif options.resume and resumed(options) is None:
        yield f"--resume: no {options.output}/run.json, so nobody knows whether the run began with this reward"


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs, in words."""
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return [f"{name} was {before.get(name)}, is {now.get(name)}" for name in names]
