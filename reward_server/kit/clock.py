"""Times as the log and the record write them."""

from __future__ import annotations

import time
from functools import lru_cache


def utc(seconds: float) -> str:
    """Unix time as ISO 8601, in milliseconds, the rest cut off.

    >>> utc(1_795_732_801.1239)
    '2026-11-26T22:40:01.123Z'
    """
    milliseconds = int(seconds * 1000)
    return f"{_whole(milliseconds // 1000)}.{milliseconds % 1000:03d}Z"


@lru_cache(maxsize=1)
def _whole(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
