"""The command `replay`, and what it shares with the other commands on what was recorded."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer

from reward_server.commands.options import (
    MODEL,
    RECORDED,
    ConfigOption,
    model_options,
    options_of,
    query_of,
    settings_of,
)
from reward_server.commands.terminal import ends_clearly, fail, progress, refuse_same
from reward_server.commands.terminal import write as write_lines
from reward_server.offline.replay.ledger import Ledger, ledger
from reward_server.offline.replay.listing import condition, listed
from reward_server.offline.replay.plans import Resolve
from reward_server.offline.replay.receipt import Receipts, receipts
from reward_server.offline.replay.recorded import Source
from reward_server.offline.replay.replay import Census, Replay, Task, Write
from reward_server.offline.replay.report import Report, report, verdict
from reward_server.offline.replay.tables import example_line, tables
from reward_server.offline.url import named
from reward_server.records.files import NoRecord, compressed
from reward_server.rewards.table import REWARDS
from reward_server.settings import PREFIX, Settings

RecordArgument = Annotated[Path, typer.Argument(help="A record's folder, or a JSONL file of rows as `score` reads.")]
RunOption = Annotated[str | None, typer.Option("--run", help="One run of the record. Default: all.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
PER = 1024


def add_to(app: typer.Typer) -> None:
    """The commands of this file."""
    app.command()(replay)


@options_of(*REWARDS.values(), without=RECORDED)
@options_of(Settings, variables=PREFIX, only=MODEL)
@ends_clearly
def replay(
    record: RecordArgument,
    run: RunOption = None,
    reward: Annotated[
        str | None,
        typer.Option(
            "--reward",
            "-r",
            help="Pay all rows by this reward: a name, 'verifier?check=string', or a URL. Default: each by its own.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where the rows go as they are paid now; resumed where it ends."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Exit 1 also where another configuration pays otherwise, or none can.")
    ] = False,
    receipt: Annotated[
        bool, typer.Option("--receipt", help="Print one digest over all (sample, reward), in any order.")
    ] = False,
    show: Annotated[
        str | None,
        typer.Option("--list", metavar="CHANGE", help="Print every row behind a number, such as differs or sign."),
    ] = None,
    by_step: Annotated[bool, typer.Option("--by-step", help="A line for each step, however many there are.")] = False,
    per: Annotated[int, typer.Option(min=1, help="Rows in a bucket, where a run has no steps.")] = PER,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    **options: Any,
) -> None:
    """Pay recorded rows again: is it what was paid, and what would another reward have paid?

    Without -r each row is paid under its recorded reward and query string. Where the config digest is the same, every
    byte of the reward must be. Listed apart, and no differences: rows at the edge of their grading budget (timeout,
    then or now), rows whose grading failed, scores of a reward model that differ by another hardware's rounding, and
    checks of your own that ask a service elsewhere. A configuration that cannot be made again (another version, another
    rewards.toml) is said.

    With -r: old and new outcomes, and by step and in total the mean rewards, groups in which an advantage changes its
    sign, groups that gain or lose all variance, and groups that teach, before and after (those with any variance).
    --list names the rows behind each number: differs, edge, error, hardware, not-paid, unknown, service, changed, rows,
    sign, gains-variance, loses-variance, teaching-before, teaching-after, or two outcomes such as 'incorrect>correct'.
    Of one step: sign@400. Of evaluation rows: rows@evaluation.

    Exit code: 0 all is as it was, or -r was given; 1 a row differs under its own configuration (see --check too), or a
    line of the record is no row; 2 the rows cannot be read.

    Example: reward-server replay record --run noisy-40

    Example: reward-server replay record --run noisy-40 -r verifier -o replayed.jsonl
    """
    if show is not None:
        condition(show)  # a misspelt one is said before a million rows are paid
    refuse_same(str(record), str(output or "-"))
    settings = settings_of(config=config, **model_options(options))
    query = query_of(options)
    if query and reward is None:
        fail(f"{query} is a parameter of a reward: name the reward with -r")
    name, query = (None, "") if reward is None else named(reward, query)
    task = Task(settings, Source(record, run), name, query)
    with ledger() as book, receipts() as found:
        census, resolve = asyncio.run(_replay(task, book, found if receipt else None, output))
        say_torn(task.source)
        told = report(book, census, resolve, found if receipt else None, per)
        sentence, is_well = verdict(told, is_check=check, is_other=reward is not None)
        if show is not None:
            _print_listed(book, show, as_json)
        else:
            print_told(
                {"verdict": sentence, "lines_passed_over": task.source.bad, **told},
                f"{tables(told, by_step=by_step)}\n{sentence}",
                as_json,
            )
    raise typer.Exit(0 if is_well and (reward is not None or not task.source.bad) else 1)


def no_rows(source: Source) -> NoRecord:
    say_torn(source)
    return NoRecord(f"{source.path}: holds no rows")


def say_torn(source: Source) -> None:
    for file in source.torn:
        typer.echo(f"{file}: the last line has no end, it is passed over", err=True)
    for file in source.gone:
        typer.echo(f"{file}: is gone, somebody deleted it while the record was read", err=True)
    if source.bad:
        typer.echo(f"{source.bad} lines are no rows and are passed over, the first: {source.first_bad}", err=True)
    if packed := compressed(source.path, source.run):
        typer.echo(f"{len(packed)} files are compressed and are passed over, the first: {packed[0]}", err=True)


async def _replay(task: Task, book: Ledger, found: Receipts | None, output: Path | None) -> tuple[Census, Resolve]:
    census = Census(task.source)
    if not census.rows:
        raise no_rows(task.source)
    with _sink(output) as write, progress() as shown:
        bar = shown.add_task("rows", total=census.rows)
        paying = Replay(task, book, found, lambda done: shown.advance(bar, done))
        return census, await paying.run(census, output, write)


@contextmanager
def _sink(output: Path | None) -> Iterator[Write]:
    """Where lines go that are paid now; the file is made when the first of them comes."""
    if output is None:
        yield lambda _lines: None
        return
    with ExitStack() as stack:
        opening = cache(lambda: stack.enter_context(output.open("ab")))
        yield lambda lines: write_lines(opening(), str(output), lines)


def _print_listed(book: Ledger, name: str, as_json: bool) -> None:
    for each in map(asdict, listed(book, name)):
        print(json.dumps(each) if as_json else example_line(each))  # noqa: T201 - its output


def print_told(told: Report, text: str, as_json: bool) -> None:
    print(json.dumps(told, indent=2) if as_json else text)  # noqa: T201 - its output
