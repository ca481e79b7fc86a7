"""Bodies of 16 MiB of every shape, one at a time, against a server of its own: does /health answer, does memory grow?

    make fuzz-bodies                # five minutes; SECONDS=60 for one, SEED=7 for other mixtures

What may not happen: a 500, no answer, /health over 250 ms (99 of 100: 50 ms), growth by over 6 times the body. Times
mean something on an idle machine only.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))
from hostile_bodies import body, shapes
from running_server import RunningServer, running_server

WORST_S, P99_S, GROWTH = 0.25, 0.05, 6.0


@dataclass
class Health:
    """Asks /health every few milliseconds, on one connection, while it is entered."""

    server: RunningServer
    seconds: list[float] = field(default_factory=list)

    def __enter__(self) -> Health:
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _ask(self) -> None:
        connection = HTTPConnection(self.server.url.removeprefix("http://"), timeout=120)
        while not self._is_over.wait(0.002):
            started = time.perf_counter()
            connection.request("GET", "/health")
            connection.getresponse().read()
            self.seconds.append(time.perf_counter() - started)
        connection.close()


def memory(server: RunningServer, name: str) -> int:
    """VmRSS or VmHWM of the server's own process, in bytes."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) * 1024


def forget_peak(server: RunningServer) -> None:
    Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mib", type=float, default=16)
    parser.add_argument("--only", default="", help="shapes whose name has this")
    given = parser.parse_args()
    end, size = time.monotonic() + given.seconds, int(given.mib * 2**20)
    rows, failed, all_health = [], 0, []
    with TemporaryDirectory() as folder, running_server(Path(folder) / "log", "--verifier-workers", "1") as server:
        with httpx.Client(base_url=server.url, timeout=300) as client:
            for shape in shapes(given.seed):
                if time.monotonic() > end:
                    break
                if given.only not in shape[0]:
                    continue
                content = body(shape, size)
                forget_peak(server)
                before, started = memory(server, "VmRSS"), time.perf_counter()
                with Health(server) as health:
                    status = client.post(shape[1], content=content).status_code
                seconds = time.perf_counter() - started
                growth = (memory(server, "VmHWM") - before) / len(content)
                waits = sorted(health.seconds) or [0.0]
                all_health += waits
                is_bad = status >= 500 or waits[-1] > WORST_S or growth > GROWTH
                failed += is_bad
                rows.append((waits[-1], growth, status, seconds, shape[0], is_bad))
                if is_bad:
                    print("BAD", line(rows[-1]), flush=True)
        lines = [entry for entry in server.log_lines() if entry["event"] == "a request failed"]
    print(f"{'worst':>9} {'growth':>7} {'status':>6} {'whole':>8}  shape")
    for row in sorted(rows, reverse=True)[:15] + sorted(rows, key=lambda row: -row[1])[:15]:
        print(line(row))
    all_health.sort()
    p99 = all_health[int(len(all_health) * 0.99)]
    print(f"{len(rows)} shapes of {given.mib:g} MiB; failed: {failed}; requests that failed inside: {len(lines)}")
    print(f"{len(all_health)} times /health: 99 of 100 in {p99 * 1000:.1f} ms, worst {all_health[-1] * 1000:.0f} ms")
    return failed + len(lines) + (p99 > P99_S) > 0


def line(row: tuple[float, float, int, float, str, bool]) -> str:
    worst, growth, status, seconds, name, _ = row
    return f"{worst * 1000:6.0f} ms {growth:6.1f}x {status:6} {seconds:6.2f} s  {name[:90]}"


if __name__ == "__main__":
    sys.exit(main())
