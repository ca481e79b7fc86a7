"""What a running server consists of, handed to the routes as one object."""

from __future__ import annotations

from dataclasses import dataclass

from reward_server.catalog.catalog import Catalog
from reward_server.counting.metrics import Metrics
from reward_server.errors import Draining, Unavailable
from reward_server.records.recorder import Recorder
from reward_server.scoring import Scorer
from reward_server.settings import Settings


@dataclass
class Service:
    """One app's parts. `is_draining` turns true once, by `drain`. `recorder`: None where nothing is recorded."""

    settings: Settings
    metrics: Metrics
    catalog: Catalog
    scorer: Scorer
    recorder: Recorder | None = None
    is_draining: bool = False

    def drain(self) -> None:
        """From now on /ready fails; what comes is still scored."""
        self.is_draining = True

    def check_ready(self) -> None:
        """Raises Draining, Loading or Unavailable with the reason while the server takes no work, or not all of it."""
        if self.is_draining:
            raise Draining("the server is shutting down; it finishes what it has: send new work elsewhere")
        self.scorer.check_ready()

    @property
    def is_ready(self) -> bool:
        """True while /ready answers 200."""
        try:
            self.check_ready()
        except Unavailable:
            return False
        return True
