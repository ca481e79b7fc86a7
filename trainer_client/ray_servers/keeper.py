"""The process beside a server: starts it, starts it again when it dies, ends it when its own parent is gone.

Run by its path with `python -I`, standard library only. Its standard input is a pipe that nobody writes to: its end is
the end of the parent, however that came. Its standard output has one JSON object a line, an event each.

Why a process of its own: a Ray worker that exits kills its children, but not theirs, and one that is killed kills none.
A death signal alone (PR_SET_PDEATHSIG) would be wrong in a worker: it comes when the *thread* ends that started the
child. This process has one thread. The pipe tells it of its parent's end, and the death signal takes the server along
when this process itself is killed.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

POLL_S = 0.2
GRACE_S = 10.0
"""A server that is told to end may answer so long what it has admitted. Then it is killed."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 15.0
"""Before a server is started again; doubled each time. One that ran for STEADY_S begins anew."""
STEADY_S = 60.0
LISTENS = b" listens on "
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)
FINGERPRINT = """
import hashlib, importlib.util, pathlib, sys
spec = importlib.util.find_spec("reward_server")
if spec is None or not spec.submodule_search_locations:
    sys.exit(3)
digest = hashlib.blake2b(digest_size=6)
folder = pathlib.Path(list(spec.submodule_search_locations)[0])
for path in sorted(folder.rglob("*")):
    if path.is_file() and "__pycache__" not in path.parts:
        digest.update(f"{path.relative_to(folder)}\\0".encode() + path.read_bytes())
print(digest.hexdigest())
"""
"""Run by the server's Python. It imports nothing of the server, so that it is quick."""


class Refused(Exception):
    """There will be no server; the reason is for people."""


class NotWanted(Exception):
    """Whoever wanted a server is gone."""


def keep(python: str, port: str, log: Path, options: list[str]) -> None:
    """Returns never. Raises NotWanted when the server has ended with its parent, Refused when it cannot be started or
    would no longer be the same. It is started again for as long as it takes once it has listened."""
    found = fingerprint(python, options)
    _tell(event="found", **found)
    pause_s, has_listened = FIRST_PAUSE_S, False
    while True:
        since = time.monotonic()
        server = Server([python, "-m", "reward_server", "serve", "--host", "127.0.0.1", "--port", port, *options], log)
        try:
            for url in server.urls():
                port, has_listened = url.rpartition(":")[2], True  # a free one that it picked stays its own
                _tell(event="listening", url=url, pid=server.pid)
        finally:
            ending = server.end()
        if not has_listened:
            raise Refused(f"{ending} before it listened: {server.last_words()}")
        pause_s = FIRST_PAUSE_S if time.monotonic() - since > STEADY_S else min(2 * pause_s, LONGEST_PAUSE_S)
        _tell(event="ended", reason=ending, pause_s=pause_s)
        _wait(pause_s)
        if fingerprint(python, options) != found:
            raise Refused(f"{ending}, and its code or its files are not what they were: it might pay other rewards")


def fingerprint(python: str, options: list[str]) -> dict[str, str]:
    """What decides about rewards and can be known without a server: digests of its code, and of the files that options
    name. Raises Refused where no server is installed."""
    try:
        run = subprocess.run([python, "-c", FINGERPRINT], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise Refused(f"cannot run {python}: {error.strerror}") from None
    if run.returncode == 3:
        raise Refused(
            f"{python} has no reward_server: in the folder of its source run {python} -m pip install '.[server]', "
            "or name a Python that has it with --python"
        )
    if run.returncode:
        raise Refused(f"{python} does not run: {run.stderr.strip()[-500:]}")
    return {"code": run.stdout.strip(), "files": _digest_of_files(options)}


def _digest_of_files(options: list[str]) -> str:
    """Of `rewards.toml`, say. A folder (a model) is left to the server's own digest of its configuration."""
    digest = hashlib.blake2b(digest_size=6)
    for option in options:
        path = Path(option.partition("=")[2] if option.startswith("-") else option)
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


class Server:
    """One process and all that it started; its output goes to the end of a file."""

    def __init__(self, command: list[str], log: Path) -> None:
        self._log = log
        self._began_at = log.stat().st_size if log.exists() else 0
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=file,
                start_new_session=True,  # a group of its own, which can be killed as one
                preexec_fn=_dying_with(os.getpid()),
            )
        self.pid = self._process.pid

    def urls(self) -> Iterator[str]:
        """Its URL when it listens; ends with the process. Raises NotWanted."""
        pipes = [0, *(pipe.fileno() for pipe in [self._process.stdout] if pipe)]
        said = b""
        while not self._has_ended():
            for pipe in select.select(pipes, [], [], POLL_S)[0]:
                given = os.read(pipe, 2**16)
                if pipe == 0:
                    raise NotWanted
                if not given:
                    pipes.remove(pipe)
                self._write(given)
                said += given
                if said.partition(LISTENS)[2].endswith(b"\n"):
                    yield said.partition(LISTENS)[2].split()[0].decode()
                    said = b""

    def end(self) -> str:
        """Asks it to end unless it has, and kills what is left of it. How it ended, in words."""
        if not self._has_ended():
            self._process.terminate()
            ends = time.monotonic() + GRACE_S
            while not self._has_ended() and time.monotonic() < ends:
                time.sleep(POLL_S / 4)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)  # its process is not waited for yet, so the number is still its own
        code = self._process.wait()
        return f"the server was killed ({signal.Signals(-code).name})" if code < 0 else f"the server ended with {code}"

    def last_words(self) -> str:
        with self._log.open("rb") as file:
            file.seek(max(self._began_at, self._log.stat().st_size - 1500))
            return f"{file.read().decode('utf-8', 'replace').strip()} ({self._log})"

    def _has_ended(self) -> bool:
        """Leaves it to be waited for."""
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return self._process.returncode is not None or os.waitid(os.P_PID, self.pid, options) is not None

    def _write(self, text: bytes) -> None:
        with self._log.open("ab") as file:
            file.write(text)


def _dying_with(parent: int) -> Callable[[], None]:
    """For the child, between fork and exec: it is killed with the thread that forked it, which here is the process."""

    def ask() -> None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it was gone before we asked
            os._exit(1)

    return ask


def _wait(seconds: float) -> None:
    """Raises NotWanted."""
    if select.select([0], [], [], seconds)[0]:
        raise NotWanted


def _tell(**event: object) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def main(python: str, port: str, log: str, *options: str) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # by way of `finally`, which ends the server
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's matter
    try:
        keep(python, port, Path(log), list(options))
    except Refused as error:
        _tell(event="refused", reason=str(error))
    except (NotWanted, BrokenPipeError):
        pass


if __name__ == "__main__":
    main(*sys.argv[1:])
