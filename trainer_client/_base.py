"""What both clients do, which is all but I/O: build requests, judge answers, as exchanges (see `_exchange`)."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trainer_client import _chunks, _fixed_noise
from trainer_client._errors import BadReply, RewardClientError
from trainer_client._exchange import ask, refusal
from trainer_client._json import as_column, encode, without_nan
from trainer_client._messages import label_texts_only, texts_only
from trainer_client._retry import RETRYABLE
from trainer_client._steps import Answer, Exchange, Lost, Reply, Send, reason
from trainer_client._tries import Deadline, Memory
from trainer_client._types import Readiness, Rewards, ScoredChunk
from trainer_client._url import RewardUrl, reward_urls

READY_TIMEOUT_S = 10.0
CHUNKS_AT_ONCE = 8
"""Of one call. With the usual `max_samples` half of what a server admits (its `max_pending_samples`)."""
Column = Iterable[Any]


@dataclass
class Batch:
    """The chunks of one call as exchanges, and those that are answered."""

    request_id: str
    columns: Mapping[str, Sequence[object]]
    exchanges: list[Exchange[ScoredChunk]]
    answered: list[ScoredChunk] = field(default_factory=list)

    def joined(self, chunks: Sequence[ScoredChunk]) -> Rewards:
        return _chunks.join(chunks, self.request_id)


class BaseClient:
    """`url`: a reward with its parameters, by default REWARD_URL; a list of them names replicas of one reward, and all
    samples of a group go to the same replica, or to the next while that one is gone. `api_key`: by default the one in
    the URL, else REWARD_API_KEY. `deadline_s`: how long a call goes on without an answer, retries and their pauses
    included; it begins anew with each chunk that is answered, and only when a connection is free (a process has so
    many, `_http.MAX_CONNECTIONS`). `timeout_s`: what one request may take (the server itself gives up at 170 s).
    `max_samples` and `max_body_mb` are what the server takes in one request; a larger batch is split into chunks, of
    which CHUNKS_AT_ONCE are under way. `adapter`: who asks, for the server's log. Raises BadConfiguration.

    Survives fork, pickling and `asyncio.run` per batch: connections belong to one process and one event loop, and are
    opened when first needed.
    """

    def __init__(
        self,
        url: str | Sequence[str] | None = None,
        *,
        api_key: str | None = None,
        deadline_s: float = 600.0,
        timeout_s: float = 180.0,
        max_samples: int = 4096,
        max_body_mb: float = 64.0,
        adapter: str = "",
    ) -> None:
        self._urls = reward_urls(url, api_key)
        self._deadline_s = deadline_s
        self._timeout_s = timeout_s
        self._max_samples = max_samples
        self._max_bytes = int(max_body_mb * 2**20)
        self._adapter = adapter
        self._forget_sessions()

    @property
    def url(self) -> RewardUrl:
        """The first, where there are several."""
        return self._urls[0]

    def __repr__(self) -> str:
        urls = [url.score() for url in self._urls]  # without the key
        return f"{type(self).__name__}({urls[0] if len(urls) == 1 else urls!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_sessions", "_memory")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget_sessions()

    def _forget_sessions(self) -> None:
        self._sessions: dict[Any, Any] = {}
        self._memory = Memory()

    def _batch(self, completions: Column, columns: Mapping[str, Column | None]) -> Batch:
        given = self._columns(completions, columns)
        chunks = _chunks.split(
            given,
            max_samples=self._max_samples,
            max_bytes=self._max_bytes,
            replicas=[url.root for url in self._urls],
        )
        batch, deadline = Batch(_new_id(), given, []), self._deadline()
        for number, chunk in enumerate(chunks, start=1):
            request_id = batch.request_id if len(chunks) == 1 else f"{batch.request_id}-{number}"
            batch.exchanges.append(self._chunk(batch, chunk, request_id, deadline))
        return batch

    def _columns(self, completions: Column, columns: Mapping[str, Column | None]) -> dict[str, list[object]]:
        given = {"completions": as_column("completions", completions)}
        given |= {name: as_column(name, column) for name, column in columns.items() if column is not None}
        if "prompts" in given:
            given["prompts"] = [texts_only(prompt) for prompt in given["prompts"]]
        if "ground_truths" in given:
            given["ground_truths"] = [label_texts_only(label) for label in without_nan(given["ground_truths"])]
        return given

    def _chunk(self, batch: Batch, chunk: _chunks.Chunk, request_id: str, deadline: Deadline) -> Exchange[ScoredChunk]:
        urls = [*self._urls[chunk.replica :], *self._urls[: chunk.replica]]
        sends = [self._send(url.score(), url, chunk.body, request_id) for url in urls]
        try:
            reply = yield from ask(sends, deadline, _jitter, self._memory)
            rewards = _read_reply(reply, len(chunk.rows))
        except RewardClientError as error:
            error.answered, count = tuple(batch.answered), len(batch.exchanges)
            error.progress = f"{len(error.answered)} of {count} chunks answered" if count > 1 else ""
            raise
        if _fixed_noise.is_renewed(self.url):
            _fixed_noise.look_at(self._adapter, rewards, batch.columns, chunk.rows)
        batch.answered.append(ScoredChunk(chunk.rows, rewards, chunk.done, chunk.total))
        return batch.answered[-1]

    def _explain(self, sample: dict[str, object]) -> Exchange[dict[str, Any]]:
        sample = sample | {
            "prompt": texts_only(sample.get("prompt")),
            "ground_truth": label_texts_only(sample.get("ground_truth")),
        }
        body = encode({name: value for name, value in sample.items() if value is not None})
        return (yield from self._ask([url.explain for url in self._urls], body))  # type: ignore[no-any-return]

    def _dialect(self, body: dict[str, object], suffix: str) -> Exchange[Any]:
        return (yield from self._ask([url.score(suffix) for url in self._urls], encode(body)))

    def _rewards(self) -> Exchange[dict[str, Any]]:
        return (yield from self._ask([url.rewards for url in self._urls], None))  # type: ignore[no-any-return]

    def _ready(self) -> Exchange[Readiness]:
        """Of all replicas: the first that takes no work is the reason."""
        for url in self._urls:
            send = Send(url.ready, None, url.api_key, READY_TIMEOUT_S, _new_id(), self._adapter)
            came = (yield send) or Lost("nothing")
            if isinstance(came, Answer) and came.status != 200 and came.status not in RETRYABLE:
                raise refusal(came, send)
            if isinstance(came, Lost) or came.status != 200:
                where = f"{url.root}: " if len(self._urls) > 1 else ""
                return Readiness(False, where + reason(came, send))
        return Readiness(True, "ready")

    def _ask(self, paths: Sequence[str], body: bytes | None) -> Exchange[Any]:
        request_id = _new_id()
        sends = [self._send(path, url, body, request_id) for path, url in zip(paths, self._urls, strict=True)]
        return (yield from ask(sends, self._deadline(), _jitter, self._memory)).json

    def _send(self, path: str, url: RewardUrl, body: bytes | None, request_id: str) -> Send:
        return Send(path, body, url.api_key, self._timeout_s, request_id, self._adapter)

    def _deadline(self) -> Deadline:
        return Deadline(self._deadline_s, time.monotonic, time.monotonic())


def _read_reply(reply: Reply, size: int) -> Rewards:
    try:
        return _chunks.read_reply(reply.json, size, reply.request_id)
    except BadReply as error:
        error.request_id = reply.request_id
        raise


def _new_id() -> str:
    """From the system: trainers seed `random` alike on every rank."""
    return secrets.token_hex(8)


def _jitter() -> float:
    """In [0, 1), from the system: trainers seed `random` alike on every rank, which would then come back at once."""
    return secrets.randbelow(2**53) / 2**53
