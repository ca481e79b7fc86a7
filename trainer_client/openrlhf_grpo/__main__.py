"""Runs the launcher: messages to stderr, the command alone to stdout, and then this process becomes OpenRLHF."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from trainer_client import BadConfiguration, RewardClient, RewardClientError
from trainer_client.openrlhf_grpo import checks, environment, flags, passed_on
from trainer_client.openrlhf_grpo.arguments import parse
from trainer_client.openrlhf_grpo.command import Files, command
from trainer_client.openrlhf_grpo.dataset import Prepared, prepare
from trainer_client.openrlhf_grpo.ground_truths import ground_truth_warnings
from trainer_client.openrlhf_grpo.mixture import evaluation, training
from trainer_client.openrlhf_grpo.options import Options
from trainer_client.openrlhf_grpo.rows import BadDataset

REWARD_FILE = '''"""The reward of this run, which OpenRLHF loads; the URL may hold a key."""

from functools import partial

from trainer_client.adapters.openrlhf import reward_from

reward_func = partial(reward_from, {url!r})
'''


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
    _check_environment(options, given, unknown)
    url = reward_url(options)
    with RewardClient(url, deadline_s=60, adapter="openrlhf-grpo") as client:
        parameters = checks.reward_parameters(client)
        _refuse(checks.reward_problems(options, parameters))
        _warn(checks.warnings(options, parameters))
        files = Files(
            train=options.output / "data" / "train.jsonl",
            evaluation=options.output / "data" / "evaluation.jsonl" if options.eval_dataset else None,
            reward=_reward(options, client),
        )
        words = command(options, files, given)
        train = _datasets(options, files)
        if checks.is_verified(parameters):
            _warn(ground_truth_warnings(client, train.ground_truths))
    if train.rows < options.prompts:
        raise BadDataset(f"{train.rows} rows are less than one batch of {options.prompts} questions")
    return words


def reward_url(options: Options) -> str:
    """The server's URL with the reward and its parameters. Raises BadConfiguration."""
    name, *parameters = options.reward
    pairs = [parameter.partition("=") for parameter in parameters]
    for key, equals, _ in pairs:
        if not equals:
            raise BadConfiguration(f"--reward {name}: {key!r} is no PARAMETER=VALUE")
    query = urlencode([(key, value) for key, _, value in pairs])
    return f"{options.server_url.rstrip('/')}/score/{quote(name)}{'?' if query else ''}{query}"


def _reward(options: Options, client: RewardClient) -> str:
    """What OpenRLHF is pointed at: the URL with its key, or a file that holds it, readable by its owner only."""
    parts = urlsplit(client.url.score())
    key = f"key:{quote(client.url.api_key, safe='')}@" if client.url.api_key else ""
    url = urlunsplit(parts._replace(netloc=key + parts.netloc))
    if options.reward_client == "url":
        return url
    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / "reward.py"
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(REWARD_FILE.format(url=url))
    return str(path)


def _datasets(options: Options, files: Files) -> Prepared:
    """Writes training and evaluation data; returns the first."""
    train = prepare(training(options), files.train, options, flip=True)
    if files.evaluation is not None:
        asked = prepare(evaluation(options), files.evaluation, options, flip=False)
        shared = len(train.groups & asked.groups)
        if shared:
            _warn([f"{shared} of {len(asked.groups)} evaluation questions are training questions too"])
    return train


def _check_environment(options: Options, given: Mapping[str, Any], unknown: Sequence[str]) -> None:
    """That `--python` has what the run needs, and an OpenRLHF that knows the words that follow `--`."""
    attention = given.get("ds.attn_implementation", passed_on.FLASH)
    found = environment.versions(options.python, attention)
    if not options.dry_run:
        _refuse(environment.problems(options.python, found, attention))
    newer = list(environment.warnings(found))
    _warn(newer)
    if not newer:  # another version may know other flags
        _refuse(flags.unknown_words(unknown))


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
