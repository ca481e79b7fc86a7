"""Who listens on a port of this machine, as far as Linux tells."""

from __future__ import annotations

import errno
import os
import pwd
import socket
from collections.abc import Iterator
from pathlib import Path

LISTEN = "0A"
"""TCP's state, as the kernel writes it."""


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback now. Raises OSError for another reason, such as a port
    that only root may have."""
    try:
        with socket.create_server(("127.0.0.1", port)):
            return True
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return False
        raise


def listener(port: int) -> str:
    """`pid N (its command line)` of the process that listens there; else that it is ending, else its user, else that
    nobody is seen."""
    user = ""
    for inode, uid in _listening(port):
        for pid in _processes_with(inode):
            command = _command(pid)
            return f"pid {pid} ({command})" if command else f"process {pid}, which is ending"
        user = f"a process of user {_user(uid)}, which cannot be looked at from here"
    return user or "a process that cannot be seen from here"


def _listening(port: int) -> Iterator[tuple[str, int]]:
    """Inode and user of the sockets that listen."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9], int(fields[7])


def _processes_with(inode: str) -> Iterator[int]:
    for folder in Path("/proc").glob("[0-9]*/fd"):
        try:
            if any(os.readlink(path) == f"socket:[{inode}]" for path in folder.iterdir()):
                yield int(folder.parent.name)
        except OSError:  # another user's, or gone
            continue


def _command(pid: int) -> str:
    """Empty of one that is ending: its memory goes before its sockets."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except OSError:
        return ""


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
