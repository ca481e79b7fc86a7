"""Runs the launcher: messages to stderr, the command alone to stdout, and then this process becomes OpenRLHF."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from trainer_client import BadConfiguration, RewardClient, RewardClientError
from trainer_client.openrlhf_grpo import checks, environment, flags, passed_on, record, reward_file
from trainer_client.openrlhf_grpo.arguments import parse
from trainer_client.openrlhf_grpo.command import Files, command
from trainer_client.openrlhf_grpo.dataset import Prepared, prepare
from trainer_client.openrlhf_grpo.ground_truths import ground_truth_warnings
from trainer_client.openrlhf_grpo.mixture import evaluation, training
from trainer_client.openrlhf_grpo.options import Options
from trainer_client.openrlhf_grpo.rows import BadDataset


def main() -> int:
    """Does not return when OpenRLHF starts: this process becomes it, so that its exit code and signals are OpenRLHF's.
    0 after a dry run, 2 when OpenRLHF was not started."""
    options = parse(sys.argv[1:])
    try:
        words = _prepared(options)
        sys.stdout.write(shlex.join(words) + "\n")
        sys.stdout.flush()
        if not options.dry_run:
            os.execvp(words[0], words)
    except (BadDataset, RewardClientError, OSError) as error:
        _say(f"error: {error}")
        return 2
    return 0


def _prepared(options: Options) -> list[str]:
    """The command, with all that it reads in place. Raises BadDataset, RewardClientError."""
    given, unknown = flags.read(options.extra)
    _refuse(checks.problems(options) + passed_on.problems(options, given))
    versions = _environment(options, given, unknown)
    with RewardClient(reward_file.reward_url(options), deadline_s=60, adapter="openrlhf-grpo") as client:
        explained = checks.explained(client)
        parameters = explained["parameters"]
        _refuse([*checks.reward_problems(options, parameters), *record.problems(options, explained)])
        _warn([*checks.warnings(options, parameters), *record.warnings(options)])
        url = reward_file.url_with_key(client)
        files = Files(
            train=options.output / "data" / "train.jsonl",
            evaluation=options.output / "data" / "evaluation.jsonl" if options.eval_dataset else None,
            reward=reward_file.written(options, url),
        )
        words = command(options, files, given)
        data = _datasets(options, files, parameters)
        if checks.is_built_in(parameters):
            _warn(ground_truth_warnings(client, data["train"].ground_truths, data["train"].sources))
        secrets = [client.url.api_key, quote(client.url.api_key or "", safe=""), given.get("logger.wandb.key")]
        record.write(options, record.record(options, words, explained, versions, data, secrets))
    return words


def _datasets(options: Options, files: Files, parameters: Mapping[str, Any]) -> dict[str, Prepared]:
    """Writes training and evaluation data, with what the reward asks of their labels. Raises BadDataset."""
    earlier = record.resumed(options)
    digest = earlier["data"]["train"]["digest"] if earlier else None
    with_source, with_wrong = checks.goes_by_source(parameters), checks.makes_labels_wrong(parameters)
    train = prepare(
        training(options),
        files.train,
        options,
        flip=True,
        digest=digest,
        with_source=with_source,
        with_wrong=with_wrong,
    )
    if train.rows < options.prompts:
        raise BadDataset(f"{train.rows} rows are less than one batch of {options.prompts} questions")
    if files.evaluation is None:
        return {"train": train}
    asked = prepare(evaluation(options), files.evaluation, options, flip=False, with_source=with_source)
    shared = len(train.groups & asked.groups)
    if shared:
        _warn([f"{shared} of {len(asked.groups)} evaluation questions are training questions too"])
    return {"train": train, "evaluation": asked}


def _environment(options: Options, given: Mapping[str, Any], unknown: Sequence[str]) -> dict[str, str | None]:
    """The versions of what `--python` has. Raises BadConfiguration where it lacks what the run needs, or where its
    OpenRLHF does not know the words that follow `--`."""
    found = environment.versions(options.python, given)
    if not options.dry_run:
        _refuse(environment.problems(options.python, found, given))
    newer = list(environment.warnings(found))
    _warn([*newer, *environment.cluster_warnings(options)])
    if not newer:  # another version may know other flags
        _refuse(flags.unknown_words(unknown))
    return {"trainer_client": environment.ours(), **found}


def _refuse(problems: Iterable[str]) -> None:
    found = list(problems)
    if found:
        raise BadConfiguration("; ".join(found))


def _warn(texts: Iterable[str]) -> None:
    for text in texts:
        _say(f"warning: {text}")


def _say(text: str) -> None:
    sys.stderr.write(f"openrlhf_grpo: {text}\n")


if __name__ == "__main__":
    sys.exit(main())
