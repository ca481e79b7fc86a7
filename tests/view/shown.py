"""A running `reward-server view`, and a record of hostile texts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import httpx
from running_server import HANG_S


@dataclass
class View:
    """One page: its URL, and the folder that it shows."""

    url: str
    folder: Path

    def get(self, path: str, **options: object) -> httpx.Response:
        return httpx.get(self.url + path, timeout=HANG_S, **options)  # type: ignore[arg-type]

    def post(self, path: str, data: dict[str, str], **headers: str) -> httpx.Response:
        return httpx.post(self.url + path, data=data, headers=headers, timeout=HANG_S)


@contextmanager
def shown(folder: Path, *options: str) -> Iterator[View]:
    """Starts the command on a free port, and ends it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REWARD_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "reward_server", "view", str(folder), "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    assert process.stdout is not None
    with process:
        try:
            line = process.stdout.readline()
            assert "is shown at" in line, "the page did not start"
            yield View(line.split()[-1], folder)
        finally:
            process.terminate()  # so that an index in a temporary folder is removed


def text_of(html: str) -> str:
    """What a reader sees of a page, in one line: without tags, with its character references read."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())
