"""The command `reward-server checks`: the examples of checks of one's own, run and shown."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reward_server.catalog.tables import Tables
from reward_server.checks.spec import AnyCheck, PythonCheck
from reward_server.checks.trials import Trial, trials
from reward_server.commands.options import ConfigOption, settings_of
from reward_server.commands.terminal import ends_clearly
from reward_server.errors import CommandError
from reward_server.settings import Settings
from reward_server.system import check_system

SHOWN_CHARS = 40


def add_to(app: typer.Typer) -> None:
    """The command of this file."""
    app.command()(checks)


@ends_clearly
def checks(config: ConfigOption = None) -> None:
    """Run the examples of your own checks ([checks] in rewards.toml), as the server does when it starts.

    Each example is asked twice, the second time in the reverse order: a Python check in two processes of its own, under
    the budgets of the server's workers, a grader or a judge over HTTP. "ok": it came out as expected, both times. What
    fails here refuses the start of the server. A Python check without examples is only imported, and a grader or a
    judge without them is not asked at all.

    digest: of all that can change a verdict, as far as it is known: the file of a Python check's module, the URL, the
    model, the prompt file, the scores. It is a part of `config`, by which rewards are told apart.

    Exit code: 0 all came out, 1 some did not, 2 rewards.toml cannot be read or names what is not there.

    Example: reward-server checks --config rewards.toml
    """
    check_system()
    settings = settings_of(config=config)
    own = Tables.read(settings).checks
    if not own:
        raise CommandError("there are no checks: --config names a rewards.toml with [checks.NAME] in it")
    tried = asyncio.run(_tried(own.values(), settings))
    print(_table(own, tried))  # noqa: T201 - its output
    raise typer.Exit(1 if any(trial.problem for trial in tried) else 0)


async def _tried(own: Iterable[AnyCheck], settings: Settings) -> list[Trial]:
    return [trial for check in own for trial in await trials(check, settings)]


def _table(own: Mapping[str, AnyCheck], tried: list[Trial]) -> str:
    table = Table("check", "reads", "digest", "answer", "ground truth", "expected", "got", "")
    for trial in tried:
        check, example = own[trial.check], trial.example
        name = Text(f"{check.name}\n{check.kind}") if trial.number <= 1 else Text()
        said = ("", "") if trial.number > 1 else (check.reads, check.digest)
        if example is None:
            texts = ["", "", ""]
        else:
            expected = "ungradable" if example.expected is None else f"{example.expected:g}"
            texts = [_visible(example.answer), _visible(example.ground_truth), expected]
        note = trial.problem or ("ok" if trial.number else _without_examples(check))
        table.add_row(name, *said, *map(Text, texts), Text(trial.got), Text(note))
    console = Console(width=140)
    with console.capture() as printed:
        console.print(table)
    return printed.get()


def _without_examples(check: AnyCheck) -> str:
    return "imported; it has no examples" if isinstance(check, PythonCheck) else "not asked: it has no examples"


def _visible(text: str) -> str:
    shown = "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
    return shown if len(shown) <= SHOWN_CHARS else f"{shown[: SHOWN_CHARS - 1]}…"
