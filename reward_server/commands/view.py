"""The command `reward-server view`: a record in the browser."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from reward_server.commands.options import MODEL, ConfigOption, model_options, options_of, settings_of
from reward_server.commands.terminal import ends_clearly, fail, progress
from reward_server.records.files import NoRecord
from reward_server.settings import PREFIX, Settings


def add_to(app: typer.Typer) -> None:
    """The command of this file."""
    app.command()(view)


@options_of(Settings, variables=PREFIX, only=MODEL)
@ends_clearly
def view(
    folder: Annotated[Path, typer.Argument(help="The folder that `serve --record-dir` wrote.")],
    host: Annotated[str, typer.Option(help="Address to listen on. There is no login: leave it on the loopback.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on. 0 picks a free one.")] = 8100,
    config: ConfigOption = None,
    **options: Any,
) -> None:
    """Show a record in the browser: the curves of a run, its samples, and why each was paid so.

    From another machine: ssh -L 8100:127.0.0.1:8100 HOST, then open http://127.0.0.1:8100

    Example: reward-server view record
    """
    if find_spec("jinja2") is None:
        fail("the extra `view` is needed: in the folder of its source run `pip install '.[server,view]'`")
    from reward_server.view.app import listener, serve, url_of
    from reward_server.view.index import Index

    settings = settings_of(config=config, **model_options(options))
    if not folder.is_dir():
        raise NoRecord(f"{folder}: no such folder; `reward-server serve --record-dir {folder}` makes one")
    with listener(host, port) as listening:
        index = Index(folder)
        try:
            with progress() as shown:
                bar = shown.add_task("rows", total=None)
                index.refresh(lambda rows: shown.advance(bar, rows))
            print(f"{folder} is shown at {url_of(listening)}", flush=True)  # noqa: T201 - its output
            serve(index, settings, listening)
        finally:
            index.close()
