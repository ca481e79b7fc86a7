"""The server of a run: started with a record, killed, and started again on the same port."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.openrlhf_run.cluster import REPOSITORY
from experiments.openrlhf_run.scenarios import Scenario

Line = dict[str, Any]


@dataclass
class RecordedServer:
    """`record` is where `recorded_server` writes; the process may be another one after a kill."""

    record: Path
    log: Path
    port: int = 0
    outage: tuple[float, float] | None = None
    _process: subprocess.Popen[str] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns when it listens. Raises RuntimeError when it does not."""
        command = [sys.executable, "-m", "experiments.openrlhf_run.recorded_server", str(self.record)]
        options = ["serve", "--port", str(self.port), "--verifier-workers", "1"]
        variables = {name: value for name, value in os.environ.items() if not name.startswith("REWARD_")}
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [*command, *options], stdout=subprocess.PIPE, stderr=log, text=True, env=variables, cwd=REPOSITORY
            )
        if self._process.stdout is None:
            raise RuntimeError("the server's output is no pipe")
        line = next((line for line in self._process.stdout if "listens on" in line), None)
        if line is None:
            raise RuntimeError(f"the server did not start:\n{self.log.read_text()[-2000:]}")
        self.port = int(line.rpartition(":")[2])

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            with self._process:  # waits, and closes the pipe
                self._process.send_signal(number)

    def kill(self, scenario: Scenario, has_ended: threading.Event) -> None:
        """SIGKILL once enough rollouts were paid, and a new process after the outage."""
        while len(rollouts_paid(self.record)) < scenario.killed_at:
            if has_ended.wait(0.2):  # polling
                return
        self._end(signal.SIGKILL)
        began = time.time()
        if not has_ended.wait(scenario.outage_s):
            self.start()
        self.outage = (began, time.time())


def read_lines(path: Path) -> list[Line]:
    """Of a file of JSON lines that may be written at this moment; empty when there is none."""
    if not path.exists():
        return []
    text = path.read_text()
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def rollouts_paid(record: Path) -> list[Line]:
    """What OpenRLHF asked, a rollout a line, with what it was answered; the launcher's own questions left out."""
    return [line for line in read_lines(record) if line["status"] == 200 and is_rollout(line["asked"] or {})]


def is_rollout(asked: Line) -> bool:
    """In OpenRLHF's dialect, or in ours with a label object, as the adapter for agents sends it."""
    return "query" in asked or str((asked.get("ground_truths") or [""])[0]).startswith("{")
