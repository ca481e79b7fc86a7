"""`python -m reward_server` and the command `reward-server`: the door, which says what the server lacks to run.

The base install has the command, and an old Python may run it, so this file is written for Python 3.6.
Light on purpose: worker processes run it again under another name, and must not load the app.
"""

import logging
import os
import sys
import threading
from contextlib import suppress
from importlib.util import find_spec

PYTHON = (3, 11)
EXTRA_SERVER = (  # the modules that it brings, but uvloop, which uvicorn can do without
    "ahocorasick_rs",
    "fastapi",
    "httptools",
    "latex2sympy2_extended",
    "math_verify",
    "mpmath",
    "msgspec",
    "numpy",
    "prometheus_client",
    "pydantic",
    "pydantic_settings",
    "rich",
    "starlette",
    "sympy",
    "typer",
    "typing_extensions",
    "uvicorn",
)


def main() -> None:
    """Runs the command line. Where this Python or its packages cannot: one sentence, exit code 2."""
    if sys.version_info < PYTHON:
        needed, found = (".".join(map(str, version)) for version in (PYTHON, sys.version_info[:3]))
        _refuse(
            f"Python {needed} or newer is needed, and {sys.executable} is {found}: try `python{needed} -m venv .venv`"
        )
    if sys.platform == "win32":
        _refuse("Windows lacks what it needs: use WSL, or a container (`docker compose up`)")
    missing = [name for name in EXTRA_SERVER if find_spec(name) is None]  # not by importing: no other error is hidden
    if missing:
        some = ", ".join(missing[:3]) + (" …" if len(missing) > 3 else "")
        _refuse(
            f"the extra `server` is needed, and {sys.executable} has no {some}: "
            "in the folder of its source run `pip install '.[server]'` or `make serve`"
        )
    from reward_server.cli import app

    try:
        app()
    except SystemExit as ended:
        _leave(ended)
        raise


def _leave(ended: SystemExit) -> None:
    """Ends the process at once where the reward model still loads, or computes, or hangs.

    CPython ends a daemon thread where it next asks for the interpreter. Inside PyTorch that aborts the process, with
    exit code 134 instead of ours.
    """
    is_running = any(thread.name.startswith("reward-model") for thread in threading.enumerate())
    if is_running and (ended.code is None or isinstance(ended.code, int)):  # another code is a text that Python says
        logging.shutdown()
        with suppress(OSError):
            sys.stdout.flush()
        os._exit(ended.code or 0)


def _refuse(reason: str) -> None:
    sys.stderr.write(f"reward-server: {reason}\n")
    sys.exit(2)


if __name__ == "__main__":
    main()
