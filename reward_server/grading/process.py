"""What a verifier process does before its first job, and jobs of its own. Light to import: each worker imports it."""

from __future__ import annotations

import gc
import signal
import time

from reward_server.grading.math_verify_tier import judge_with_math_verify, warm_up
from reward_server.processes.budget import die_with_parent, limit_memory
from reward_server.types import Verdict


def prepare_worker(memory_mb: int) -> None:
    """Bounds the process and loads what grading needs, outside any sample's time. Safe to call again."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which still finishes its samples
    die_with_parent()
    limit_memory(memory_mb * 2**20)
    warm_up()
    gc.freeze()  # else the collector walks SymPy's modules every 250 answers or so: 40 ms in the time of one of them


def judge_and_time(
    ground_truth: str, answer: str, soft_timeout_s: float, *, is_whole_budget: bool = True
) -> tuple[Verdict, float]:
    """As `judge_with_math_verify`, with the CPU seconds that it took."""
    started = time.process_time()
    verdict = judge_with_math_verify(ground_truth, answer, soft_timeout_s, is_whole_budget=is_whole_budget)
    return verdict, time.process_time() - started
