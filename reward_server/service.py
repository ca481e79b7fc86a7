"""What a running server consists of, handed to the routes as one object."""

from __future__ import annotations

from dataclasses import dataclass

from reward_server.catalog import Catalog
from reward_server.metrics import Metrics
from reward_server.scoring import Scorer
from reward_server.settings import Settings


@dataclass
class Service:
    """One app's parts. `is_draining` turns true on SIGTERM and stays so."""

    settings: Settings
    metrics: Metrics
    catalog: Catalog
    scorer: Scorer
    is_draining: bool = False

    @property
    def is_ready(self) -> bool:
        """True while /ready answers 200."""
        return not self.is_draining and self.scorer.unready_reason is None
