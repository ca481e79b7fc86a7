"""Samples with known rewards, sent as OpenRLHF sends them: one a request, each on a new connection."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

THREADS = 64
TRIES = 5
PAUSE_S = 1.0
"""As OpenRLHF 0.11.2: five tries, a second between."""


@dataclass(frozen=True)
class Sample:
    completion: str
    ground_truth: str
    reward: float


@dataclass(frozen=True)
class Sent:
    """What became of one request: the reward, or None where no answer came; how many tries failed before."""

    reward: float | None
    retries: int


def samples(number: int) -> list[Sample]:
    """Every second one is right; every tenth needs a Math-Verify worker, each another answer."""
    made = []
    for n in range(number):
        is_right = n % 2 == 0
        if n % 10 < 2:
            truth = f"\\ln x+{n}"
            made.append(Sample(f"so \\boxed{{{n if is_right else n + 1}+\\ln(x)}}", truth, float(is_right)))
        else:
            made.append(Sample(f"so \\boxed{{{n if is_right else n + 1}}}", str(n), float(is_right)))
    return made


def post_singles(url: str, some: Sequence[Sample], *, tries: int = TRIES) -> list[Sent]:
    """One request a sample, its index as its request id; what became of each, in order."""
    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(lambda row: _post(url, row[0], row[1], tries), enumerate(some)))


def _post(url: str, number: int, sample: Sample, tries: int) -> Sent:
    body = {"query": ["p" + sample.completion], "prompts": ["p"], "labels": [sample.ground_truth]}
    for retries in range(tries):
        if retries:
            time.sleep(PAUSE_S)  # the pause of the client that this stands for
        try:
            status, reply = _ask(url, number, json.dumps(body).encode())
        except (OSError, HTTPException):
            continue
        if status == 200:
            return Sent(json.loads(reply)["rewards"][0], retries)
    return Sent(None, tries)


def _ask(url: str, number: int, body: bytes) -> tuple[int, bytes]:
    where = urlsplit(url)
    connection = HTTPConnection(str(where.hostname), where.port or 80, timeout=180)
    try:
        connection.request("POST", "/score/verifier", body, {"X-Request-Id": f"sample-{number}"})
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()
