"""A Python check in a worker process: how its module is imported, and how one answer is graded under the budgets."""

from __future__ import annotations

import errno
import gc
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from importlib import import_module
from pathlib import Path
from typing import Any

from reward_server.checks.question import CheckFailed, Finding, finding_of, parsed
from reward_server.processes.budget import BudgetExceeded, Unfinished, cpu_budget, die_with_parent, limit_memory
from reward_server.types import Outcome

Example = tuple[str, str]
"""An answer and a ground truth."""


@dataclass(frozen=True, slots=True)
class Target:
    """A function of a module. `source`: digest of the module's file, as the server read it.

    `examples`: run once when the worker starts, so that what the function loads at its first call is no answer's time.
    """

    module: str
    function: str
    source: str
    examples: tuple[Example, ...] = ()


_GRADED: set[Target] = set()
"""Those that have graded an answer in this process: memory that they keep is no later answer's doing."""
OUT_OF_MEMORY = 3
"""Exit code of a process that has no memory left for an answer, and may have kept it."""


class CannotLoad(Exception):
    """The function cannot be had from its module: why, in a sentence."""


def file_digest(content: bytes) -> str:
    """12 hex digits."""
    return blake2b(content, digest_size=6).hexdigest()


def prepare_for_checks(memory_mb: int, targets: Sequence[Target]) -> None:
    """Bounds the process and loads the checks alone: for their examples, where no mathematics is graded."""
    die_with_parent()
    limit_memory(memory_mb * 2**20)
    load(targets)


def load(targets: Sequence[Target]) -> None:
    """Imports what the targets name, and calls it on its examples. Raises CannotLoad."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    for target in targets:
        function = _checked_function(target)
        for answer, ground_truth in target.examples:
            try:
                function(answer, parsed(ground_truth))
            except (Exception, SystemExit, KeyboardInterrupt):  # noqa: BLE001 - the trial of the examples says it
                continue
    gc.freeze()


def grade(
    target: Target, answer: str, ground_truth: str, soft_timeout_s: float, *, is_whole_budget: bool = True
) -> Finding:
    """What the function says. A budget of CPU seconds or memory that is exhausted is `timeout`.

    Memory is the answer's fault in a new process alone. Another one ends, so that the answer has a new one: else a
    check that keeps a little at each call would in the end have every answer paid 0.

    Raises CheckFailed; with less than the whole budget Unfinished where that is exhausted.
    """
    try:
        with cpu_budget(soft_timeout_s):
            return finding_of(_function(target)(answer, parsed(ground_truth)))
    except BudgetExceeded:
        if not is_whole_budget:
            raise Unfinished from None
        return Finding(Outcome.TIMEOUT, None, f"it took over {soft_timeout_s:.3g} s of CPU time")
    except CheckFailed:
        raise
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - a check may raise anything
        if _is_of_memory(error):
            if _GRADED:
                os._exit(OUT_OF_MEMORY)
            return Finding(Outcome.TIMEOUT, None, "it took more memory than worker_memory_mb allows")
        raise CheckFailed(f"{type(error).__name__} at {_place(error)}", _text(error)) from None
    finally:
        _GRADED.add(target)


def _is_of_memory(error: BaseException) -> bool:
    """Python and NumPy raise MemoryError, the operating system an OSError, PyTorch a RuntimeError that names it."""
    return (
        isinstance(error, MemoryError)
        or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
        or (isinstance(error, RuntimeError) and os.strerror(errno.ENOMEM) in _text(error))
    )


def _function(target: Target) -> Callable[[str, object], object]:
    function: Any = import_module(target.module)
    for name in target.function.split("."):
        function = getattr(function, name)
    called: Callable[[str, object], object] = function
    return called


def _checked_function(target: Target) -> Callable[[str, object], object]:
    try:
        module = import_module(target.module)
    except BaseException as error:  # noqa: BLE001 - also SystemExit, of a module that is a program
        hint = "; worker_memory_mb bounds what it may take" if _is_of_memory(error) else ""
        raise CannotLoad(
            f"{target.module} cannot be imported: {type(error).__name__} at {_place(error)}: {_text(error)}{hint}"
        ) from None
    file = module.__file__
    if file is None or file_digest(Path(file).read_bytes()) != target.source:
        raise CannotLoad(
            f"{file or target.module} is not the file that the server read when it started: start the server again"
        )
    try:
        function = _function(target)
    except AttributeError:
        public = ", ".join(name for name, value in vars(module).items() if inspect.isfunction(value) and name[0] != "_")
        raise CannotLoad(f"{target.module} has no {target.function}; its functions: {public or 'none'}") from None
    if not callable(function):
        raise CannotLoad(f"{target.module}:{target.function} is a {type(function).__name__}, and no function")
    if inspect.iscoroutinefunction(function):
        raise CannotLoad(f"{target.module}:{target.function} is async: a check has to be a plain function")
    return function


def _place(error: BaseException) -> str:
    """The file's name and the line where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError) and error.filename:
        return f"{os.path.basename(error.filename)}:{error.lineno}"
    return f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else "its start"


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - whatever a class of its own does there
        return ""
