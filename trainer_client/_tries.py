"""The tries of one question: how long they go on, whom they ask, and what the log is told of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from trainer_client._errors import Unavailable
from trainer_client._retry import delay_s
from trainer_client._steps import Answer, Lost, Send, reason, wanted_s

log = logging.getLogger("trainer_client")
QUIET_RETRIES = 2
"""So many failures in a row are an everyday matter; more may be why a run stands still."""
WARN_EVERY_S = 5.0
UNKNOWN_HOST_S = 10.0
"""For so long a host's name is looked up again that never had an address: it is misspelt, or DNS learns of it late. A
name that Kubernetes has just learned is hidden for 5 s by the answer that there was none. Docker Compose takes a
service's name away while its container restarts.
"""
Clock = Callable[[], float]


@dataclass
class Deadline:
    """`seconds` after `since`, a moment of a monotonic `clock`. The chunks of a call share one."""

    seconds: float
    clock: Clock
    since: float

    @property
    def remaining_s(self) -> float:
        return self.since + self.seconds - self.clock()

    def count_from(self, moment: float) -> None:
        """Never back: several chunks say when their turn or their answer came."""
        self.since = max(self.since, moment)


@dataclass
class Memory:
    """What a client knows from call to call. `known`: the hosts that once had an address. `warned_at`: when the log was
    last told of a failure; None when it was told of the end. Many calls fail together, and are one story there.
    """

    known: set[str] = field(default_factory=set)
    warned_at: float | None = None


@dataclass
class Tries:
    """Those of one question, counted from when its first turn came."""

    sends: Sequence[Send]
    deadline: Deadline
    memory: Memory
    count: int = 0
    since: float = 0.0

    def next(self) -> Send:
        send = self.sends[self.count % len(self.sends)]
        return replace(send, timeout_s=max(0.001, min(send.timeout_s, self.deadline.remaining_s)))

    def note(self, send: Send, came: Answer | Lost, asked: float) -> None:
        """The deadline stands still while the first try waits for its turn: a queue in this process says nothing of the
        server. For later tries it runs on, so that calls to a server that is gone do not wait for one another's."""
        if self.count == 0:
            self.since = asked + came.waited_s
            self.deadline.count_from(self.since)
        self.count += 1
        if not (isinstance(came, Lost) and came.is_unknown_host):
            self.memory.known.add(send.origin)

    def pause_s(self, came: Answer | Lost, jitter: float) -> float | None:
        """None when the time is over."""
        attempt, left_s = self.count - 1, self.deadline.remaining_s
        if self._is_unknown(came):
            attempt = min(attempt, 3)  # every second or so, so that the last look-up is a late one
            left_s = min(left_s, self.since + UNKNOWN_HOST_S - self.deadline.clock())
        return delay_s(attempt, retry_after_s=wanted_s(came), remaining_s=left_s, jitter=jitter)

    def end(self, send: Send) -> None:
        """There is an answer."""
        now = self.deadline.clock()
        self.deadline.count_from(now)
        if self.count > 1 and self.memory.warned_at is not None:
            self.memory.warned_at = None
            log.info("%s answered after %d tries, %.0f s", send.url, self.count, now - self.since)

    def given_up(self, send: Send, came: Answer | Lost) -> Unavailable:
        others = f" and {len(self.sends) - 1} other replicas" if len(self.sends) > 1 else ""
        last = reason(came, send) + ("; is its name right?" if self._is_unknown(came) else "")
        last += f"; it asks to wait {wanted_s(came):g} s" if wanted_s(came) else ""
        self.memory.warned_at = None
        error = Unavailable(f"no answer from {send.url}{others} after {self.count} tries; the last: {last}")
        error.request_id = (came.request_id if isinstance(came, Answer) else "") or send.request_id
        return error

    def log_pause(self, send: Send, came: Answer | Lost, pause_s: float) -> None:
        now, last = self.deadline.clock(), self.memory.warned_at
        is_due = last is None or now - last >= WARN_EVERY_S
        is_loud = is_due and (self.count > QUIET_RETRIES or self._is_unknown(came))
        if is_loud:
            self.memory.warned_at = now
        level = logging.WARNING if is_loud else logging.DEBUG
        log.log(level, "asking %s again in %.1f s: %s", send.url, pause_s, reason(came, send))

    def _is_unknown(self, came: Answer | Lost) -> bool:
        is_so = isinstance(came, Lost) and came.is_unknown_host
        return is_so and not any(send.origin in self.memory.known for send in self.sends)
