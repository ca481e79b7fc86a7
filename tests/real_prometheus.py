"""A real Prometheus of one's own: filled with what a server's page said at made-up times, then asked.

`make prometheus` unpacks Debian's into .prometheus/; one on the path will do.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
from running_server import until

ROOT = Path(__file__).parents[1]
UNPACKED = ROOT / ".prometheus/usr/bin"
LABELS = 'instance="server:8000",job="reward-server"'
Page = tuple[float, str]
"""Seconds since the epoch, and what the page of metrics said then."""


def program(name: str) -> str | None:
    """The path of `prometheus` or `promtool`, None where there is none."""
    return shutil.which(name) or shutil.which(name, path=UNPACKED)


def labelled(line: str, time: float) -> str:
    """A line of a page as a line of a scrape at that time."""
    series, _, value = line.rpartition(" ")
    name, brace, rest = series.partition("{")
    return f"{name}{{{LABELS}{',' + rest if brace else '}'} {value} {time:.3f}\n"


def fill(folder: Path, pages: Sequence[Page]) -> None:
    """Writes the blocks of a Prometheus that scraped these pages."""
    scraped = folder / "scraped.txt"
    with scraped.open("w") as file:
        for time, page in pages:
            file.writelines(labelled(line, time) for line in page.splitlines() if line and not line.startswith("#"))
        file.write("# EOF\n")
    command = [
        program("promtool") or "",
        "tsdb",
        "create-blocks-from",
        "openmetrics",
        str(scraped),
        str(folder / "data"),
    ]
    subprocess.run(command, check=True, capture_output=True)


class Prometheus:
    """One that runs."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def is_ready(self) -> bool:
        try:
            return self._client.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def ask(self, query: str, time: float | None = None) -> dict[tuple[str, ...], float]:
        """Values at that time, by their labels as sorted texts `name=value`."""
        reply = self._client.get("/api/v1/query", params={"query": query, **({"time": time} if time else {})}).json()
        assert reply["status"] == "success", (query, reply)
        found = reply["data"]["result"]
        return {
            tuple(f"{key}={one['metric'][key]}" for key in sorted(one["metric"])): float(one["value"][1])
            for one in found
        }


@contextmanager
def running_prometheus(folder: Path, scraped: str) -> Iterator[Prometheus]:
    """Starts it on a free port of the loopback over `folder/data`; it scrapes the server at `scraped` every second."""
    config = folder / "prometheus.yml"
    target = f"{{job_name: reward-server, static_configs: [{{targets: ['{scraped}']}}]}}"
    config.write_text(f"global: {{scrape_interval: 1s}}\nscrape_configs: [{target}]\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [program("prometheus") or "", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    with (
        httpx.Client(base_url=f"http://{address}", timeout=600) as client,
        (folder / "log").open("w") as log,
        subprocess.Popen(
            [*command, f"--web.listen-address={address}"], stdout=log, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            prometheus = Prometheus(client)
            until(lambda: prometheus.is_ready() or process.poll() is not None)
            assert process.poll() is None, (folder / "log").read_text()
            yield prometheus
        finally:
            process.kill()
