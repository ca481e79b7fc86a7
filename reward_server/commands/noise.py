"""The commands on noise: `audit` and `reconcile` look at what was paid, `noise` before."""

import json
import sys
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from reward_server.catalog.catalog import Catalog
from reward_server.commands.options import ConfigOption, settings_of
from reward_server.commands.record import PER, JsonOption, RecordArgument, RunOption, no_rows, print_told, say_torn
from reward_server.commands.terminal import ends_clearly, opened, progress, refuse_same
from reward_server.commands.terminal import write as write_lines
from reward_server.offline import reconciling
from reward_server.offline.audit import labelled
from reward_server.offline.audit.audit import audit as audited
from reward_server.offline.audit.audit import no_noise
from reward_server.offline.audit.draws import TABLES, Draws
from reward_server.offline.audit.tables import label_tables
from reward_server.offline.audit.tables import tables as audit_tables
from reward_server.offline.audit.tables import verdict as verdict_of
from reward_server.offline.predicting import predictions, questions_in, visits_of
from reward_server.offline.replay.plans import recorded_plans
from reward_server.offline.replay.recorded import Source
from reward_server.offline.spill import spill
from reward_server.offline.url import named


def add_to(app: typer.Typer) -> None:
    """The commands of this file."""
    app.command()(audit)
    app.command()(noise)
    app.command()(reconcile)


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
        if not draws.rows:
            raise no_rows(source)
        say_torn(source)
        told = audited(draws, resolve, per) if draws.configs or told_by is None else no_noise(draws.rows)
        told["labels"] = None if told_by is None else told_by.report()
    said = verdict_of(told)
    text = [said, "", audit_tables(told)] if told["noise"] else []
    text += [label_tables(told["labels"])] if told["labels"] else []
    print_told({"verdict": said, **told}, "\n".join(text), as_json)
    raise typer.Exit(1 if told["is_off"] else 0)


@ends_clearly
def noise(
    reward: Annotated[
        str, typer.Argument(help="'flip?flip_prob=0.4&seed=17', a variant, or the URL that is trained on.")
    ],
    questions: Annotated[str, typer.Argument(help="JSONL: group, or prompt; ground_truth. - is stdin.")],
    visits: Annotated[str, typer.Option(help="Which visits: 0:10 is 0 to 9, 3 is 3 alone.")] = "0:1",
    output: Annotated[str, typer.Option("--output", "-o", help="Where the predictions go; - is stdout.")] = "-",
    config: ConfigOption = None,
) -> None:
    """Write every flip before the run: for each question and visit the draw, and what it does to a 0 and to a 1.

    No server is asked: noise is a hash of seed, group and visit. `reconcile` proves afterwards that this is what was
    paid. Noise of flip_scope=sample belongs to a completion's text and cannot be told before. Of flip_scope=answer the
    fate of the right answer is told, as the ground truth writes it.

    Example: reward-server noise 'http://host:8000/score/flip?flip_prob=0.4&seed=17' questions.jsonl --visits 0:10
    """
    refuse_same(questions, output)
    name, query = named(reward)
    plan = Catalog(settings_of(config=config)).resolve(name, query)
    wanted = visits_of(visits)
    with (
        opened(questions, "rb", sys.stdin.buffer) as lines,
        opened(output, "w", sys.stdout) as sink,
        progress() as shown,
    ):
        bar = shown.add_task("predictions", total=None)
        told = predictions(plan, questions_in(lines, questions), wanted)
        while some := list(islice(told, 1000)):
            write_lines(sink, output, [json.dumps(each) + "\n" for each in some])
            shown.advance(bar, len(some))


@ends_clearly
def reconcile(
    record: RecordArgument,
    predicted: Annotated[Path, typer.Argument(help="What `reward-server noise` wrote before the run.")],
    run: RunOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Was every row paid as `reward-server noise` had predicted?

    Exit code: 0 every predicted row was; 1 a row was not, or none was predicted; 2 the files cannot be read.

    Example: reward-server reconcile record predictions.jsonl --run noisy-40
    """
    source = Source(record, run)
    resolve = recorded_plans(Catalog(settings_of(config=config)))
    with spill(reconciling.TABLES) as sql, progress() as shown:
        bar = shown.add_task("rows", total=None)
        found = reconciling.Reconciliation(sql, resolve)
        found.read(predicted)
        rows = iter(source)
        while some := list(islice(rows, 1000)):
            found.add(some)
            shown.advance(bar, len(some))
        told = found.report()
    say_torn(source)
    print_told(told, reconciling.text(told), as_json)
    raise typer.Exit(0 if told["is_well"] else 1)
