"""What a worker of the pool does before its first job where there are checks of one's own."""

from __future__ import annotations

from collections.abc import Sequence

from reward_server.checks.worker import Target, load
from reward_server.grading.process import prepare_worker


def prepare_worker_with_checks(memory_mb: int, targets: Sequence[Target]) -> None:
    """As `prepare_worker`; then the modules of the checks are imported, and their examples run once."""
    prepare_worker(memory_mb)
    load(targets)
