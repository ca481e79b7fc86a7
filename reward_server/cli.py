"""The command `reward-server`: serve, score a file, explain one completion, check ground truths, list the rewards,
calibrate a model."""

import asyncio
import json
import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from reward_server import __version__, logs
from reward_server.catalog.catalog import Catalog
from reward_server.commands import checks, explain, noise, record, view
from reward_server.commands.options import (
    MODEL,
    RECORDED,
    ConfigOption,
    RewardOption,
    model_options,
    options_of,
    query_of,
    settings_of,
)
from reward_server.commands.terminal import ends_clearly, opened, progress, refuse_same, write
from reward_server.offline.calibrate import Labelled, report
from reward_server.offline.check_golds import FoundInRow, findings_table, ground_truth_check, ground_truths_in
from reward_server.offline.score_file import offline_scorer, score_rows
from reward_server.offline.score_output import left_of, rows_in
from reward_server.offline.url import named
from reward_server.rewards.rm import RmReward
from reward_server.rewards.table import REWARDS
from reward_server.settings import PREFIX, Settings

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _tell_version(is_asked: bool) -> None:
    if is_asked:
        print(f"reward-server {__version__}")  # noqa: T201 - its output
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Rewards for reinforcement learning of language models."""


@app.command()
@options_of(Settings, variables=PREFIX)
@ends_clearly
def serve(**options: Any) -> None:
    """Serve rewards over HTTP until SIGTERM or Ctrl-C; what was admitted is finished first.

    Every option is a variable too, named at its end; an option wins.
    """
    from reward_server.web.server import serve as run

    settings = settings_of(**options)
    logs.configure(settings)
    run(settings, lambda url: print(_told_at_start(url, bool(settings.api_keys)), flush=True))  # noqa: T201 - its output


def _told_at_start(url: str, needs_key: bool) -> str:
    from reward_server.web.try_these import try_these

    lines = "\n".join(f"  {line}" for line in try_these(url, needs_key))
    return (
        f"\nreward-server {__version__} listens on {url}\n\n{lines}\n\n"
        f"Point a trainer at {url}/score/verifier; every path with its parameters: {url}/docs\n"
    )


@app.command()
@options_of(*REWARDS.values(), without=RECORDED)
@options_of(Settings, variables=PREFIX, only=MODEL)
@ends_clearly
def score(
    file: Annotated[
        str, typer.Argument(help="JSONL: completion, ground_truth, prompt, group, visit, flip, source; - is stdin.")
    ],
    reward: RewardOption = "verifier",
    output: Annotated[
        str, typer.Option("--output", "-o", help="Where the rows go with their rewards; - is stdout.")
    ] = "-",
    config: ConfigOption = None,
    **options: Any,
) -> None:
    """Score a JSONL file without a server: the same rewards, resumed where the output ends.

    Each row gets the fields reward, outcome, parts and config. A row's own field is never overwritten: where it has one
    of these names, ours are scored_reward, scored_outcome, scored_parts and scored_config. An output that was made of
    other rows, or under another configuration, is refused and stays as it is.

    Example: reward-server score rollouts.jsonl --reward flip --flip-prob 0.4 --seed 17 -o scored.jsonl
    """
    refuse_same(file, output)
    settings = settings_of(config=config, **model_options(options))
    asyncio.run(_score(settings, *named(reward, query_of(options)), file, output))


@app.command()
@options_of(RmReward, without=RECORDED)
@options_of(Settings, variables=PREFIX, only=MODEL)
@ends_clearly
def calibrate(
    file: Annotated[str, typer.Argument(help="JSONL: completion, prompt, correct (true, false, 1, 0).")],
    config: ConfigOption = None,
    **options: Any,
) -> None:
    """Fit transform=affine to labelled samples, and tell how well the reward model's scores fit them.

    Example: reward-server calibrate labelled.jsonl --rm-model FOLDER
    """
    settings = settings_of(config=config, **model_options(options))
    print(asyncio.run(_calibrate(settings, options, file)))  # noqa: T201 - its output


@app.command()
@ends_clearly
def check_golds(
    file: Annotated[
        str,
        typer.Argument(help="JSONL: the first there is of ground_truth, expected_answer, answer, label; - is stdin."),
    ],
    key: Annotated[
        str | None, typer.Option(help="Another column, with points into objects: reward_model.ground_truth.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where every finding goes, as JSONL, a line a row and finding."),
    ] = None,
    slow_s: Annotated[float, typer.Option(help="An answer is slow to grade beyond so many CPU seconds.")] = 0.5,
) -> None:
    """Check the ground truths of a data set before a run: are they paid to themselves, and to nothing else?

    Each is graded (check=math) against itself, against itself with one digit changed at up to four places, and against
    the answers 1=2 and 0.

    "pays a wrong value": an answer is paid that is another value for certain, by exact arithmetic that shares no code
    with the verifier. "pays another value": whether both are equal could not be told, so look at it. "not paid to
    itself": its own text in a box is not correct. "ungradable": only what equals it letter by letter gets a reward.
    "slow": see --slow-s. "repaired": it lost a backslash to JSON, or the like, and is read otherwise than it stands.

    Exit code: 0 nothing was found, 1 something was, 2 the file cannot be read. 10,000 take minutes on two cores.

    Example: reward-server check-golds train.jsonl --key reward_model.ground_truth -o findings.jsonl
    """
    refuse_same(file, str(output or "-"))
    rows, found = asyncio.run(_check_golds(settings_of(), file, key, output, slow_s))
    print(findings_table(rows, found))  # noqa: T201 - its output
    raise typer.Exit(1 if found else 0)


@app.command()
@ends_clearly
def rewards(config: ConfigOption = None) -> None:
    """List the rewards with their parameters."""
    from reward_server.web.openapi import rewards as described

    catalog = Catalog(settings_of(config=config))
    console = Console()
    for reward in described(catalog):
        table = Table(
            "parameter", "default", "meaning", title=f"{reward['name']}: {reward['meaning']}", title_justify="left"
        )
        for name, schema in reward["parameters"].items():
            default = reward["sets"].get(name, schema.get("default"))
            table.add_row(name, "" if default is None else str(default), schema.get("description", ""))
        console.print(table)


explain.add_to(app)
record.add_to(app)
noise.add_to(app)
view.add_to(app)
checks.add_to(app)


async def _score(settings: Settings, reward: str, query: str, file: str, output: str) -> None:
    async with offline_scorer(settings, reward, query) as (scorer, plan):
        with opened(file, "rb", sys.stdin.buffer) as lines, progress() as shown:
            rows = rows_in(lines)
            done, rows = (0, rows) if output == "-" else left_of(rows, Path(output), plan.config)
            bar = shown.add_task(plan.name, total=_count_rows(file), completed=done)
            with opened(output, "a", sys.stdout) as sink:
                async for scored in score_rows(scorer, plan, rows):
                    write(sink, output, scored)
                    shown.advance(bar, len(scored))


async def _calibrate(settings: Settings, options: dict[str, Any], file: str) -> str:
    with opened(file, "rb", sys.stdin.buffer) as lines:
        labelled = Labelled(list(lines))
    async with offline_scorer(settings, "rm", query_of(options)) as (scorer, plan):
        with progress() as shown:
            bar = shown.add_task(plan.name, total=labelled.rows)
            async for done in labelled.score(scorer, plan):
                shown.advance(bar, done)
    return report(labelled, plan, options, Console())


async def _check_golds(
    settings: Settings, file: str, key: str | None, output: Path | None, slow_s: float
) -> tuple[int, list[FoundInRow]]:
    """How many ground truths there are, and what was found, in the order of the rows."""
    with opened(file, "rb", sys.stdin.buffer) as lines:
        rows = list(ground_truths_in(lines, key))
    found: list[FoundInRow] = []
    with opened(str(output), "w", sys.stdout) if output else nullcontext() as sink, progress() as shown:
        bar = shown.add_task("ground truths", total=len(rows))
        async with ground_truth_check(settings, slow_s) as check:
            async for numbers, findings in check.findings(rows):
                found += [(number, finding) for finding in findings for number in numbers]
                shown.advance(bar, len(numbers))
        found.sort(key=lambda each: each[0])
        if sink is not None:
            write(sink, str(output), [json.dumps({"row": row, **asdict(finding)}) + "\n" for row, finding in found])
    return len(rows), found


def _count_rows(file: str) -> int | None:
    """None of a stream: what is read of it to be counted is gone."""
    if not Path(file).is_file():
        return None
    with Path(file).open("rb") as lines:
        return sum(bool(line.strip()) for line in lines)
