"""The commands on what was recorded: `replay`, `audit`, `noise`, `reconcile`."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from reward_server.catalog import Catalog
from reward_server.offline.audit import labelled
from reward_server.offline.audit.audit import audit as audited
from reward_server.offline.audit.audit import no_noise
from reward_server.offline.audit.draws import TABLES, Draws
from reward_server.offline.audit.tables import label_tables
from reward_server.offline.audit.tables import tables as audit_tables
from reward_server.offline.audit.tables import verdict as verdict_of
from reward_server.offline.replay.ledger import Ledger, ledger
from reward_server.offline.replay.plans import Resolve, recorded_plans
from reward_server.offline.replay.receipt import Receipts, receipts
from reward_server.offline.replay.recorded import Source
from reward_server.offline.replay.replay import Census, Replay, Task, Write
from reward_server.offline.replay.report import Report, listed, report, verdict
from reward_server.offline.replay.tables import example_line, tables
from reward_server.offline.spill import spill
from reward_server.offline.url import named
from reward_server.options import MODEL, RECORDED, ConfigOption, model_options, options_of, query_of, settings_of
from reward_server.rewards.table import REWARDS
from reward_server.settings import PREFIX, Settings
from reward_server.terminal import ends_clearly, fail, progress
from reward_server.terminal import write as write_lines

RecordArgument = Annotated[Path, typer.Argument(help="A record's folder, or a JSONL file of rows as `score` reads.")]
RunOption = Annotated[str | None, typer.Option("--run", help="One run of the record. Default: all.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
PER = 1024


def add_to(app: typer.Typer) -> None:
    """The commands of this file."""
    app.command()(replay)
    app.command()(audit)


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
    per: Annotated[int, typer.Option(min=1, help="Rows in a bucket, where rows have no step.")] = PER,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    **options: Any,
) -> None:
    """Pay recorded rows again: is it what was paid, and what would another reward have paid?

    Without -r each row is paid under its recorded reward and query string. Where the config digest is the same, every
    byte of the reward must be. Listed apart, and no differences: rows at the edge of their grading budget (timeout,
    then or now), rows whose grading failed, and scores of a reward model that differ by another hardware's rounding. A
    configuration that cannot be made again (another version, another rewards.toml) is said.

    With -r: old and new outcomes, mean rewards by step, groups in which an advantage changes its sign, groups that gain
    or lose all variance. --list names the rows behind each number: differs, edge, error, hardware, not-paid, unknown,
    changed, sign, gains-variance, loses-variance, or two outcomes such as 'incorrect>correct'.

    Exit code: 0 all is as it was, or -r was given; 1 a row differs under its own configuration (see --check too); 2 the
    rows cannot be read.

    Example: reward-server replay record --run noisy-40

    Example: reward-server replay record --run noisy-40 -r verifier -o replayed.jsonl
    """
    settings = settings_of(config=config, **model_options(options))
    query = query_of(options)
    if query and reward is None:
        fail(f"{query} is a parameter of a reward: name the reward with -r")
    name, query = (None, "") if reward is None else named(reward, query)
    task = Task(settings, Source(record, run), name, query)
    with ledger() as book, receipts() as found:
        census, resolve = asyncio.run(_replay(task, book, found if receipt else None, output))
        _say_torn(task.source)
        told = report(book, census, resolve, found if receipt else None, per)
        sentence, is_well = verdict(told, is_check=check, is_other=reward is not None)
        if show is not None:
            _print_listed(book, show, as_json)
        else:
            _print({"verdict": sentence, **told}, f"{tables(told)}\n{sentence}", as_json)
    raise typer.Exit(0 if is_well else 1)


@ends_clearly
def audit(
    record: RecordArgument,
    run: RunOption = None,
    labels: Annotated[
        Path | None, typer.Option(help="JSONL of labels (id, correct): how often is the verifier itself wrong?")
    ] = None,
    per: Annotated[
        int, typer.Option(min=1, help="Where rows have no step and came one by one: rows between two of a question.")
    ] = PER,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Was the noise as it was set, and was it fresh?

    Counts draws, not samples: all rollouts of one visit of a question share one draw. For each configuration: the share
    of draws that turned a score, with an exact 95 % interval; the same for a clean 0 (rho 0) and a clean 1 (rho 1)
    apart; whether draws are uniform; whether each was paid what its draw says; and how many of the questions that came
    back had a visit that was there before. Such noise is a wrong label, which training learns.

    "OFF" has a chance of 1 % at most where all is as set.

    With --labels: precision, rho 0, rho 1, J and true accuracy of the verifier, with intervals, by tier and over time,
    and the query string of noise as large as its errors. A label says whether a completion is right: {"id": "…",
    "correct": true}. Of the rollouts of one visit of a question one label is used.

    Exit code: 0 the noise is as set; 1 it is off; 2 the rows cannot be read, or have no noise.

    Example: reward-server audit record --run noisy-40

    Example: reward-server audit record --labels record/labels.jsonl
    """
    source = Source(record, run)
    resolve = recorded_plans(Catalog(settings_of(config=config)))
    with spill(TABLES) as sql, spill(labelled.TABLES) as other_sql:
        draws = Draws(sql)
        told_by = None if labels is None else labelled.Labelled(other_sql, labelled.Labels.read(labels))
        with progress() as shown:
            bar = shown.add_task("rows", total=None)
            rows = iter(source)
            while some := list(islice(rows, 1000)):
                draws.add(some, resolve)
                if told_by is not None:
                    told_by.add(some)
                shown.advance(bar, len(some))
        _say_torn(source)
        told = audited(draws, resolve, per) if draws.configs or told_by is None else no_noise(draws.rows)
        told["labels"] = None if told_by is None else told_by.report()
    said = verdict_of(told)
    text = [said, "", audit_tables(told)] if told["noise"] else []
    text += [label_tables(told["labels"])] if told["labels"] else []
    _print({"verdict": said, **told}, "\n".join(text), as_json)
    raise typer.Exit(1 if told["is_off"] else 0)


def _say_torn(source: Source) -> None:
    for file in source.torn:
        typer.echo(f"{file}: the last line has no end, it is passed over", err=True)


async def _replay(task: Task, book: Ledger, found: Receipts | None, output: Path | None) -> tuple[Census, Resolve]:
    census = Census(task.source)
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


def _print(told: Report, text: str, as_json: bool) -> None:
    print(json.dumps(told, indent=2) if as_json else text)  # noqa: T201 - its output
