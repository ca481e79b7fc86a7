"""One question to the server with its retries, as a generator that does no network I/O.

It yields what is to be done next, `Send` or `Sleep`, is sent what came of it, and returns the answer. The sync and the
async client are two ways of driving it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from trainer_client._errors import BY_STATUS, RequestRefused
from trainer_client._json import decode
from trainer_client._retry import RETRYABLE
from trainer_client._steps import Answer, Exchange, Lost, Reply, Send, Sleep, error_of, reason
from trainer_client._tries import Deadline, Memory, Tries


def ask(sends: Sequence[Send], deadline: Deadline, jitter: Callable[[], float], memory: Memory) -> Exchange[Reply]:
    """Asks until there is an answer. Raises RequestRefused, or Unavailable when the time is over: at the deadline, or
    after UNKNOWN_HOST_S for a host that never had an address.

    `sends`: the same question to each replica, the preferred one first; after a failure the next one is asked.
    """
    tries = Tries(sends, deadline, memory)
    while True:
        send, asked = tries.next(), deadline.clock()
        came = (yield send) or Lost("nothing")
        tries.note(send, came, asked)
        verdict = judged(came, send)
        if isinstance(verdict, Reply):
            tries.end(send)
            return verdict
        pause_s = tries.pause_s(verdict, jitter())
        if pause_s is None:
            raise tries.given_up(send, verdict)
        tries.log_pause(send, verdict, pause_s)
        yield Sleep(pause_s)


def judged(came: Answer | Lost, send: Send) -> Reply | Answer | Lost:
    """The reply, or what is asked again. Raises RequestRefused."""
    if isinstance(came, Lost) or came.status in RETRYABLE:
        return came
    if came.status != 200:
        raise refusal(came, send)
    try:
        return Reply(decode(came.body), came.request_id or send.request_id)
    except ValueError as error:  # cut off on its way, where no length says so
        return Lost(f"the answer is not JSON: {error}", proxy=came.proxy)


def refusal(answer: Answer, send: Send) -> RequestRefused:
    """The error for a status that is not retried."""
    code, _, detail = error_of(answer)
    kind = BY_STATUS.get(answer.status, RequestRefused)
    error = kind(reason(answer, send), answer.status, code, detail)
    error.request_id = answer.request_id or send.request_id
    return error
