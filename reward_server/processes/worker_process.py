"""One Python process that runs calls sent to it, one at a time; and, run as a module, what that process does.

Requests and replies are pickles behind their length, through a pipe that no other process has. What a call prints
goes nowhere. The parent knows the process: how much CPU time it used, and when to kill it.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

R = TypeVar("R")
LENGTH_BYTES = 8
ENVIRONMENT = {"PYTHONHASHSEED": "0"}
"""Sets of text have one order in every worker, so that no result depends on which one computed it."""
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class WorkerLost(Exception):
    """The process ended, or was killed, before it replied."""


class WorkerProcess:
    """A process that is warm: start it with `await WorkerProcess.start(warm_up, args)`."""

    def __init__(self, process: Process, requests: StreamWriter, replies: StreamReader) -> None:
        self._process = process
        self._requests = requests
        self._replies = replies
        self.is_ended = False
        """True once it was ended from here: it did not die by itself."""

    @classmethod
    async def start(cls, warm_up: Callable[..., object], args: tuple[object, ...]) -> WorkerProcess:
        """Starts a process and calls `warm_up(*args)` in it: imports take most of a second. Raises WorkerLost, or what
        `warm_up` raises; then there is no process."""
        command = (sys.executable, "-m", "reward_server.processes.worker_process")
        environment = {**os.environ, **ENVIRONMENT}  # noqa: TID251 - handed on as it is, and read by nobody here
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, env=environment, start_new_session=True
        )
        # asyncio's types leave both open; PIPE is what makes them streams
        worker = cls(process, cast("StreamWriter", process.stdin), cast("StreamReader", process.stdout))
        try:
            await worker.run(warm_up, args)
        except BaseException:
            await worker.end()  # `run` leaves it alive when it is only the call that raises
            raise
        return worker

    async def run(self, call: Callable[..., R], args: tuple[object, ...]) -> R:
        """What the call returns or raises. Raises WorkerLost; the process does not outlive this being cancelled."""
        request = _packed((call, args))
        try:
            self._requests.write(request)
            await self._requests.drain()
            length = int.from_bytes(await self._replies.readexactly(LENGTH_BYTES), "big")
            reply = await self._replies.readexactly(length)
        except (EOFError, ConnectionError, RuntimeError) as error:  # the last is uvloop's, for a pipe that is closed
            await self.end()
            raise WorkerLost("the process ended before it replied") from error
        except BaseException:
            await self.end()
            raise
        is_result, value = pickle.loads(reply)
        if is_result:
            result: R = value
            return result
        raise value

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    def cpu_seconds(self) -> float:
        """User and system time of the process so far; 0 when it is gone."""
        try:
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND

    def starved_seconds(self) -> float:
        """Time that it could have run and had no CPU; 0 when it is gone, and where the kernel does not count it."""
        try:
            return int(Path(f"/proc/{self._process.pid}/schedstat").read_text().split()[1]) / 1e9
        except (OSError, IndexError, ValueError):
            return 0.0

    async def gone(self) -> None:
        """Returns when the process has ended."""
        await self._process.wait()

    async def end(self) -> None:
        """Kills the process and waits until it is gone; does nothing the second time."""
        self.is_ended = True
        if self._process.returncode is None:
            with suppress(ProcessLookupError):  # it ended just now
                os.killpg(self._process.pid, signal.SIGKILL)  # and what a check of one's own has started in it
        await asyncio.shield(self._process.wait())


def _packed(value: object) -> bytes:
    content = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    return len(content).to_bytes(LENGTH_BYTES, "big") + content


def _reply(call: Callable[..., object], args: tuple[object, ...]) -> bytes:
    try:
        return _packed((True, call(*args)))
    except Exception as error:  # noqa: BLE001 - whatever a call raises belongs to its caller
        try:
            return _packed((False, error))
        except Exception:  # noqa: BLE001 - an exception that holds what cannot be pickled
            return _packed((False, RuntimeError(f"{type(error).__name__}: {error}")))


def _serve(pipe_in: BinaryIO, pipe_out: BinaryIO) -> None:
    own = os.getpid()
    while header := pipe_in.read(LENGTH_BYTES):
        call: Callable[..., object]
        args: tuple[Any, ...]
        call, args = pickle.loads(pipe_in.read(int.from_bytes(header, "big")))
        reply = _reply(call, args)
        if os.getpid() != own:
            os._exit(0)  # a copy that the call forked: what it sent would be taken for the reply to the next call
        pipe_out.write(reply)
        pipe_out.flush()


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The two pipes to the parent, where neither a call nor a program that it starts can write into them."""
    pipes = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")  # dup: not inherited by programs
    with open(os.devnull, "r+b") as nothing:
        for standard in (0, 1, 2):
            os.dup2(nothing.fileno(), standard)
    return pipes


if __name__ == "__main__":
    _serve(*_own_pipes())
