"""What the commands have in common: files or standard streams, a progress bar, and how a failure is said."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from os.path import samefile
from pathlib import Path
from typing import IO, Any, NoReturn, TypeVar, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from reward_server.errors import CommandError, RewardServerError
from reward_server.records.files import COMPRESSED
from reward_server.reward_model.engine import EngineError

F = TypeVar("F", bound=Callable[..., Any])


@contextmanager
def progress() -> Iterator[Progress]:
    """A bar on standard error. A total that nobody knew is in the end what was done."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as shown:
        yield shown
        for task in shown.tasks:
            if task.total is None:
                shown.update(task.id, total=task.completed)


@contextmanager
def opened(name: str, mode: str, standard: IO[Any]) -> Iterator[IO[Any]]:
    """The file of that name, or the standard stream for `-`, which stays open. Raises OSError, Unreadable."""
    if name == "-":
        yield standard
    else:
        path = Path(name)
        if mode == "rb" and path.suffix in COMPRESSED:
            raise Unreadable(f"{name} is compressed: decompress it first, or in bash give <(zcat {name})")
        if mode == "a" and path.exists() and not path.is_file():
            mode = "w"  # a pipe has no end that could be sought
        with path.open(mode) as file:
            yield file


class Unreadable(CommandError, ValueError):
    """The file has another form than it should have."""


class SameFile(CommandError, ValueError):
    """The output would take the place of what is read."""


def refuse_same(file: str, output: str) -> None:
    """Raises SameFile where both are one file."""
    if "-" not in (file, output) and Path(file).is_file() and Path(output).exists() and samefile(file, output):
        raise SameFile(f"{output} is what is read: choose another output")


def write(sink: IO[Any], output: str, lines: list[Any]) -> None:
    """Writes texts or bytes at once. Raises OSError, which says what to do."""
    try:
        sink.writelines(lines)
        sink.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        with suppress(OSError):
            sink.close()  # here, where the rest that does not fit is expected to fail again
        raise OSError(
            f"cannot write {output}: {error}; free some space and run the same command again:"
            " it resumes where the output ends"
        ) from error


def ends_clearly(command: F) -> F:
    """A decorator: what the command cannot work with is one sentence on standard error and exit code 2."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> Any:
        try:
            return command(*args, **options)
        except BrokenPipeError:
            raise  # `head` has read enough: Typer ends without a word
        except (CommandError, EngineError, RewardServerError, OSError) as error:
            fail(error)

    return cast(F, run)


def fail(problem: object) -> NoReturn:
    """Says it on standard error and ends with 2."""
    typer.echo(f"reward-server: {problem}", err=True)
    raise typer.Exit(2)
