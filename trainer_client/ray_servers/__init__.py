"""One reward server on every node of a Ray cluster, so that a trainer's workers ask http://127.0.0.1:PORT.

    python -m trainer_client.ray_servers --port 8000 -- --config /shared/rewards.toml

or in a trainer's driver:

    with ray_servers(port=8000) as servers:
        train(reward_url=f"{servers.url}/score/verifier")

A server is the child of a keeper (`keeper.py`), which is the child of an actor that is pinned to the node (`node.py`),
which the driver watches (`servers.py`). The end of each is the end of those below it, whatever ended it. There is no
balancer: a sample's reward does not depend on who scores it, and servers of which that is not sure are refused
(`identity.py`). Needs Ray, which trainers have.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from trainer_client._errors import BadConfiguration
from trainer_client.ray_servers.node import Order
from trainer_client.ray_servers.options import checked
from trainer_client.ray_servers.servers import NoServers, RayServers

__all__ = ["NoServers", "RayServers", "ray_servers"]
CLIENT_VARIABLES = {"REWARD_URL", "REWARD_API_KEY"}


@contextmanager
def ray_servers(
    port: int = 8000,
    options: Sequence[str] = (),
    *,
    address: str = "auto",
    python: str | None = None,
    gpus: float = 0,
    log_dir: Path | str | None = None,
) -> Iterator[RayServers]:
    """Every node has a server that is ready when this is entered, and none when it is left.

    `options` are those of `reward-server serve`; the REWARD_* variables of this process go to every server. `python` is
    the one that has `reward_server`, by default Ray's. Uses the Ray that this process has joined, or joins `address`.
    Raises BadConfiguration, NoServers, ConnectionError where no Ray runs.
    """
    if find_spec("ray") is None:
        raise BadConfiguration("this Python has no Ray: run it with the trainer's Python, or pip install ray")
    import ray

    variables = {name: value for name, value in os.environ.items() if name.startswith("REWARD_")}  # noqa: TID251 - handed on
    variables = {name: value for name, value in variables.items() if name not in CLIENT_VARIABLES}
    order = Order(port, python, os.getcwd(), checked(options), variables, gpus)
    is_ours = not ray.is_initialized()
    if is_ours:
        ray.init(address=address, log_to_driver=False)
    servers = RayServers(order, Path(log_dir).absolute() if log_dir else None)
    try:
        servers.start()
        yield servers
    finally:
        servers.close()
        if is_ours:
            ray.shutdown()
