"""What a worker for checks of one's own does before its first job.

No process runs both a check and Math-Verify: what a check keeps would count against the memory of a mathematical
answer, and what it sets (a seed, a limit, a library's switch) could change its verdict.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence

from reward_server.checks.worker import Target, prepare_for_checks


def prepare_check_worker(memory_mb: int, targets: Sequence[Target]) -> None:
    """Bounds the process; then the modules of the checks are imported, and their examples run once."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which still finishes its samples
    prepare_for_checks(memory_mb, targets)
