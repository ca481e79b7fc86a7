"""What the command takes: its own options, and after `--` the server's."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer_client._errors import BadConfiguration

OURS = {
    "--port": "it is this command's own option, and is given before --",
    "--host": "every server listens on the loopback of its node",
    "--api-keys": "everybody on a node can read a command line: set REWARD_API_KEYS",
}
"""Options of the server that nobody may give, and why."""
DESCRIPTION = """One reward server on every node of a Ray cluster, on the loopback of that node.

Trainers use the same URL wherever they run: http://127.0.0.1:8000/score/verifier
The command joins the cluster that runs (start it on any node), waits until every server is ready and all of them are
the same, prints the URL, and stays. Nodes that come later get a server too. A server that dies is started again. All
end with this command: by Ctrl-C or SIGTERM, and also when it is killed, or the job, an actor or a raylet is."""
EPILOG = """What follows -- goes to every server (reward-server serve --help). The REWARD_* variables of this command
go to every server too, in the place of the node's own. Paths are those of each node.

examples:
  python -m trainer_client.ray_servers
  python -m trainer_client.ray_servers --port 9000 --log-dir /shared/logs -- --config /shared/rewards.toml
  REWARD_API_KEYS=KEY python -m trainer_client.ray_servers --python /shared/server-venv/bin/python
  python -m trainer_client.ray_servers --gpus 1 -- --rm-model /shared/reward-model"""


@dataclass(frozen=True)
class Options:
    port: int
    address: str
    python: str | None
    gpus: float
    log_dir: Path | None
    server: tuple[str, ...]


def parse(arguments: Sequence[str]) -> Options:
    """Exits with a message for a wrong option. Raises BadConfiguration for one of the server's that is ours."""
    ours, server = list(arguments), []
    if "--" in ours:
        at = ours.index("--")
        ours, server = ours[:at], ours[at + 1 :]
    return Options(**vars(_parser().parse_args(ours)), server=checked(server))


def checked(options: Sequence[str]) -> tuple[str, ...]:
    """The server's options. Raises BadConfiguration."""
    for option in options:
        name = option.partition("=")[0]
        if name in OURS:
            raise BadConfiguration(f"{name} is no option for the servers: {OURS[name]}")
    return tuple(options)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="python -m trainer_client.ray_servers",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--port", type=int, default=8000, help="of every server (default 8000); 0: a free one on each")
    parser.add_argument(
        "--address", default="auto", help="of the Ray cluster (default auto: RAY_ADDRESS, or this node's)"
    )
    parser.add_argument("--python", help="the Python that has reward_server, on every node (default the one of Ray)")
    parser.add_argument(
        "--gpus", type=float, default=0, help="GPUs of every node for its server (default 0: it sees none)"
    )
    parser.add_argument("--log-dir", type=Path, help="folder for the servers' logs (default logs/ of Ray's session)")
    return parser
