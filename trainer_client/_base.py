"""What both clients do, which is all but I/O: build requests, judge answers, as exchanges (see `_exchange`)."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from typing import Any

from trainer_client import _chunks
from trainer_client._exchange import Answer, Deadline, Exchange, Send, ask, reason, refusal
from trainer_client._json import as_column, encode, without_nan
from trainer_client._messages import label_texts_only, texts_only
from trainer_client._retry import RETRYABLE
from trainer_client._types import Readiness, Rewards
from trainer_client._url import RewardUrl, reward_url

READY_TIMEOUT_S = 10.0
Column = Iterable[Any]


class BaseClient:
    """`url`: a reward with its parameters, by default REWARD_URL. `api_key`: by default the one in the URL, else
    REWARD_API_KEY. `deadline_s`: what one call may take, retries and their pauses included, from when a connection is
    free for it (a process has so many, `_http.MAX_CONNECTIONS`). `timeout_s`: what one request may take (the server
    itself gives up at 170 s). `max_samples` and `max_body_mb` are what the server takes in one request; larger batches
    are split. Raises BadConfiguration.

    Survives fork, pickling and `asyncio.run` per batch: connections belong to one process and one event loop, and are
    opened when first needed.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        deadline_s: float = 600.0,
        timeout_s: float = 180.0,
        max_samples: int = 4096,
        max_body_mb: float = 64.0,
    ) -> None:
        self._url = reward_url(url, api_key)
        self._deadline_s = deadline_s
        self._timeout_s = timeout_s
        self._max_samples = max_samples
        self._max_bytes = int(max_body_mb * 2**20)
        self._forget_sessions()

    @property
    def url(self) -> RewardUrl:
        return self._url

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._url.score()!r})"  # without the key

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_sessions"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget_sessions()

    def _forget_sessions(self) -> None:
        self._sessions: dict[Any, Any] = {}

    def _score(self, completions: Column, columns: dict[str, Column | None]) -> Exchange[Rewards]:
        given = {"completions": as_column("completions", completions)}
        given |= {name: as_column(name, column) for name, column in columns.items() if column is not None}
        if "prompts" in given:
            given["prompts"] = [texts_only(prompt) for prompt in given["prompts"]]
        if "ground_truths" in given:
            given["ground_truths"] = [label_texts_only(label) for label in without_nan(given["ground_truths"])]
        deadline = self._deadline()
        replies = []
        for chunk in _chunks.split(given, max_samples=self._max_samples, max_bytes=self._max_bytes):
            reply = yield from self._post(self._url.score(), chunk.body, deadline)
            replies.append(_chunks.read_reply(reply, chunk.size))
        return _chunks.join(replies)

    def _explain(self, sample: dict[str, object]) -> Exchange[dict[str, Any]]:
        sample = sample | {
            "prompt": texts_only(sample.get("prompt")),
            "ground_truth": label_texts_only(sample.get("ground_truth")),
        }
        body = encode({name: value for name, value in sample.items() if value is not None})
        return (yield from self._post(self._url.explain, body, self._deadline()))  # type: ignore[no-any-return]

    def _dialect(self, body: dict[str, object], suffix: str) -> Exchange[Any]:
        return (yield from self._post(self._url.score(suffix), encode(body), self._deadline()))

    def _ready(self) -> Exchange[Readiness]:
        came = yield Send(self._url.ready, None, self._url.api_key, READY_TIMEOUT_S)
        if isinstance(came, Answer) and came.status == 200:
            return Readiness(True, "ready")
        if isinstance(came, Answer) and came.status not in RETRYABLE:
            raise refusal(came)
        return Readiness(False, reason(came))

    def _post(self, url: str, body: bytes, deadline: Deadline) -> Exchange[Any]:
        send = Send(url, body, self._url.api_key, self._timeout_s)
        return (yield from ask(send, deadline, jitter=_jitter))

    def _deadline(self) -> Deadline:
        return Deadline(time.monotonic() + self._deadline_s, time.monotonic)


def _jitter() -> float:
    """In [0, 1), from the system: trainers seed `random` alike on every rank, which would then come back at once."""
    return secrets.randbelow(2**53) / 2**53
