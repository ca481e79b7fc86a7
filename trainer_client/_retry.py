"""When to ask again. No I/O, no clock, no chance: what is random or now is passed in."""

from __future__ import annotations

from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

RETRYABLE = frozenset({408, 429, 502, 503, 504})
"""A gateway lost its server, or takes nothing now (429 is never the server's own), or the body came too slowly (408).
Every other status would come again."""
FIRST_DELAY_S = 0.25
LONGEST_DELAY_S = 10.0


def delay_s(attempt: int, *, retry_after_s: float, remaining_s: float, jitter: float) -> float | None:
    """Seconds to wait after failure number `attempt` (from 0); None when the deadline comes first.

    Full jitter, `jitter` in [0, 1): somewhere between 0 and a bound that doubles from FIRST_DELAY_S to
    LONGEST_DELAY_S, on top of what the server asked for, so that a thousand callers do not come back at once.
    """
    bound = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2 ** min(attempt, 16))
    delay = retry_after_s + jitter * bound
    return delay if delay < remaining_s else None


def retry_after_s(header: str | None, now: datetime) -> float:
    """Seconds that a `Retry-After` header asks for, given as seconds or as a date; 0 without a usable one."""
    if header is None:
        return 0.0
    if header.strip().isdecimal():
        return float(header)
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return 0.0
    aware = date if date.tzinfo else date.replace(tzinfo=timezone.utc)
    return max(0.0, (aware - now).total_seconds())
