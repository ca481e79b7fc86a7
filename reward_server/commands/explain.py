"""The command `explain`: how one completion, or one row of a record, comes to its reward."""

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from reward_server.commands.options import (
    MODEL,
    RECORDED,
    REWARD_HELP,
    ConfigOption,
    model_options,
    options_of,
    query_of,
    settings_of,
)
from reward_server.commands.terminal import ends_clearly, fail
from reward_server.dialects.json_body import JsonBody
from reward_server.dialects.row import sample_of
from reward_server.explaining.explanation import explanation
from reward_server.offline.explain_row import explained, row_named
from reward_server.offline.score_file import offline_scorer
from reward_server.offline.url import named
from reward_server.rewards.table import REWARDS
from reward_server.settings import PREFIX, Settings

DEFAULT = "verifier"


def add_to(app: typer.Typer) -> None:
    """The command of this file."""
    app.command()(explain)


@options_of(*REWARDS.values(), without=RECORDED)
@options_of(Settings, variables=PREFIX, only=MODEL)
@ends_clearly
def explain(
    completion: Annotated[
        str,
        typer.Argument(help="File with the completion; - is stdin. With --row: a record's folder, or a JSONL of rows."),
    ],
    row: Annotated[
        str | None, typer.Option(metavar="ID", help="A recorded row: its id, its line in a file, or FILE:LINE.")
    ] = None,
    reward: Annotated[
        str | None, typer.Option("--reward", "-r", help=f"{REWARD_HELP} Default: {DEFAULT}, or the row's own.")
    ] = None,
    ground_truth: Annotated[str | None, typer.Option(help="What the answer is compared with.")] = None,
    prompt: Annotated[str | None, typer.Option(help="The prompt, as text.")] = None,
    group: Annotated[str | None, typer.Option(help="The question's id.")] = None,
    visit: Annotated[int | None, typer.Option(help="Which visit of the question. Default: 0.")] = None,
    source: Annotated[str | None, typer.Option(help="The data set, which route goes by.")] = None,
    config: ConfigOption = None,
    **options: Any,
) -> None:
    """Show how one completion comes to its reward, as JSON.

    With --row it is a row of a record, or of what `score` wrote, under its own reward and query string; -r names
    another. `recorded` has what it was paid, and where that differs from what it is paid now.

    Example: reward-server explain out.txt --ground-truth 4

    Example: reward-server explain record --row 3f9c1a2b-17
    """
    settings = settings_of(config=config, **model_options(options))
    query = query_of(options)
    asked = {"ground_truth": ground_truth, "prompt": prompt, "group": group, "visit": visit, "source": source}
    if row is None:
        derived = asyncio.run(_explained(settings, *named(reward or DEFAULT, query), completion, asked))
    else:
        _check(asked, query, reward)
        given = None if reward is None else named(reward, query)
        derived = asyncio.run(explained(settings, row_named(Path(completion), row), given))
    print(json.dumps(derived, indent=2))  # noqa: T201 - its output


def _check(asked: Mapping[str, object], query: str, reward: str | None) -> None:
    """A row has its own of these. Ends the command."""
    if given := [f"--{name.replace('_', '-')}" for name, value in asked.items() if value is not None]:
        fail(f"{', '.join(given)}: a row has its own, leave it out beside --row")
    if query and reward is None:
        fail(f"{query} is a parameter of a reward: name the reward with -r, or leave it out for the row's own")


async def _explained(
    settings: Settings, reward: str, query: str, completion: str, asked: Mapping[str, object]
) -> dict[str, object]:
    text = sys.stdin.buffer.read() if completion == "-" else Path(completion).read_bytes()
    row = {"completion": text.decode("utf-8", "replace"), **asked, "visit": asked["visit"] or 0}
    sample = sample_of(JsonBody(json.dumps(row).encode()))
    milliseconds: dict[str, float] = {}
    settings = settings.model_copy(update={"verifier_workers": 1})  # there is one answer
    async with offline_scorer(settings, reward, query) as (scorer, plan):
        (derivation,) = await scorer.derive(plan, [sample], milliseconds)
    return explanation(plan, sample, derivation, milliseconds)
