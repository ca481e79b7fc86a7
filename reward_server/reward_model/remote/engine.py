"""The reward model on a vLLM or SGLang server: `POST /classify` with token ids. The way to scale: many GPUs.

One request a sample: a retry or a refusal then costs one sample, and the server's own prefix cache shares the prompts.
What they do not promise: bitwise repeatable scores. With vLLM a cold and a warm prefix cache were seen to differ by
0.009.

`use_activation` had another name in earlier versions of vLLM, and each version ignores the other's: the score would be
a sigmoid, in silence. So the switch is tried out at start (`vllm_switch.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx

from reward_server.kit.rate import Rate
from reward_server.kit.retry import ANY_FAULT, ATTEMPTS, RETRIED, Trouble, tried
from reward_server.kit.shared_calls import CallersLeft, SharedCalls
from reward_server.reward_model.engine import (
    EngineUnavailable,
    Mode,
    NotFinite,
    OnBatch,
    RemoteForbids,
    RemoteRefused,
    RemoteUnavailable,
    SampleError,
    TokenIds,
    UnfitModel,
    checked,
    ignore_batch,
)
from reward_server.reward_model.remote.kinds import Kind
from reward_server.reward_model.remote.served_models import chosen_model, served_models
from reward_server.reward_model.sample_key import KEPT_SCORES, sample_key
from reward_server.types import BatchReport

_WRONG_KEY = frozenset({401, 403})
_WHOLE_SERVER = _WRONG_KEY | {404, 405}
"""Answers that are not about the sample: a wrong key, URL or model name."""


MAX_IN_FLIGHT = 64
"""Requests at a time. The backlog waits here, where it is counted, and not on the server."""

TIMEOUT_S = 60.0
"""For each attempt."""

HEALTH_INTERVAL_S = 5.0
HEALTH_TIMEOUT_S = 5.0
"""Between two questions for the server's `/health`, and for each."""


class RemoteEngine:
    """An Engine over HTTP. Open it with `async with RemoteEngine.connected(kind, url)`.

    `max_tokens`: the length of the server's model. `config`: what is known here of what can change a score; the
    weights and versions behind the URL are not.
    """

    def __init__(self, kind: Kind, client: httpx.AsyncClient, on_batch: OnBatch) -> None:
        self._kind = kind
        self._server = f"the {kind.NAME} server"
        self._client = client
        self._address = client.base_url.copy_with(userinfo=b"")  # for messages: a password may stand in it
        self._calls: SharedCalls[TokenIds[int], float] = SharedCalls(
            self._scored, max_in_flight=MAX_IN_FLIGHT, limit=KEPT_SCORES, weigh=len
        )
        self._on_batch = on_batch
        self._unready: str | None = f"{self._server} was not asked yet"
        self._rate = Rate(keep=0.98)
        self.max_tokens = 0
        self.config: dict[str, str | int] = {"engine": kind.ENGINE}

    @classmethod
    @asynccontextmanager
    async def connected(
        cls,
        kind: Kind,
        url: str,
        *,
        served_name: str | None = None,
        api_key: str | None = None,
        on_batch: OnBatch = ignore_batch,
    ) -> AsyncIterator[RemoteEngine]:
        """Raises UnfitModel when the server answers but cannot give right scores, RemoteUnavailable when it does
        not answer.

        `served_name`: of the model on the server, not needed where it has only one. `api_key`: the server's.
        """
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        connections = MAX_IN_FLIGHT + 1  # and /health
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        timeout = httpx.Timeout(TIMEOUT_S, pool=None)
        async with httpx.AsyncClient(
            base_url=url, headers=headers, limits=limits, timeout=timeout, trust_env=False
        ) as client:
            engine = cls(kind, client, on_batch)
            try:
                await engine._find_model(served_name)
                await kind.try_out(engine._classify)
            except RemoteForbids as error:
                raise UnfitModel(str(error)) from error
            engine._unready = None
            watch = asyncio.create_task(engine._watch(), name="health of the reward model")
            try:
                yield engine
            finally:
                await engine._calls.close()
                watch.cancel()
                with suppress(asyncio.CancelledError):
                    await watch

    @property
    def unready_reason(self) -> str | None:
        """None while the server's `GET /health` is well; else what it said."""
        return self._unready

    @property
    def queued_tokens(self) -> int:
        """Tokens of the texts that wait for room on the server."""
        return self._calls.queued

    @property
    def tokens_per_s(self) -> float:
        """The measured rate with as many requests at a time as there are in a queue; 0 before the first score."""
        return MAX_IN_FLIGHT * self._rate.value

    async def score(self, prompt: TokenIds[int], completion: TokenIds[int], mode: Mode = "deterministic") -> float:
        """The raw score. `mode` changes nothing: the server packs as it likes.

        Raises SampleError, and RemoteUnavailable when the server does not answer after every attempt.
        """
        ids = prompt + completion
        try:
            return await self._calls.answer(sample_key(TokenIds("i"), ids, "deterministic"), ids)
        except CallersLeft as error:
            raise EngineUnavailable(str(error)) from None

    async def _scored(self, ids: TokenIds[int], queue_s: float) -> float:
        started = time.perf_counter()
        try:
            score = await self._classify(list(ids))
        except SampleError as error:
            self._report(len(ids), started, queue_s, not_finite=isinstance(error, NotFinite))
            raise
        self._report(len(ids), started, queue_s)
        return score

    def _report(self, tokens: int, started: float, queue_s: float, *, not_finite: bool = False) -> None:
        forward_s = time.perf_counter() - started
        self._rate.add(tokens, max(forward_s, 1e-6))
        self._on_batch(
            BatchReport(
                samples=1,
                tokens_computed=tokens,
                tokens_saved=0,
                padding_tokens=0,
                not_finite=int(not_finite),
                forward_s=forward_s,
                queue_s=(queue_s,),
            )
        )

    async def _classify(self, ids: list[int], use_activation: object = False) -> float:
        body = self._kind.body(str(self.config["model"]), ids, use_activation)
        answer = await self._ask("POST", "/classify", body, seed=bytes(str(ids), "ascii"))
        try:
            score = self._kind.number(answer)
        except (KeyError, TypeError, ValueError) as error:
            raise RemoteRefused(f"{self._server}'s answer has no single score: {str(answer)[:300]}") from error
        return checked(score)

    async def _ask(self, method: str, path: str, body: object = None, seed: bytes = b"") -> Any:
        """The answer's JSON, retried. Raises RemoteUnavailable, or RemoteRefused for an answer about this request."""

        async def attempt(is_last: bool) -> Any:
            try:
                response = await self._client.request(method, path, json=body)
            except httpx.TransportError as error:
                raise Trouble(f"{type(error).__name__} {error}".strip()) from None
            if response.status_code in RETRIED or (response.status_code == ANY_FAULT and not is_last):
                raise Trouble(_in_words(response))
            return self._json_of(response, path)

        try:
            return await tried(attempt, seed)
        except Trouble as trouble:
            raise RemoteUnavailable(f"{self._server} {self._address} failed {ATTEMPTS} times: {trouble}") from None

    def _json_of(self, response: httpx.Response, path: str) -> Any:
        if response.status_code in _WHOLE_SERVER:
            hint = "; rm_api_key must be the key that it was started with" if response.status_code in _WRONG_KEY else ""
            raise RemoteForbids(f"{self._server} refuses {path}: {_in_words(response)}{hint}")
        if not response.is_success:
            raise RemoteRefused(f"{self._server} refuses the request: {_in_words(response)}")
        try:
            return response.json()
        except ValueError as error:
            raise RemoteRefused(f"{self._server}'s answer is not JSON: {response.text[:300]!r}") from error

    async def _find_model(self, wanted: str | None) -> None:
        try:
            models = served_models(await self._ask("GET", "/v1/models"))
        except (KeyError, TypeError, ValueError, AttributeError, RemoteRefused) as error:
            raise UnfitModel(f"{self._address} is no {self._kind.NAME} server: {error}") from error
        model = chosen_model(models, wanted, self._server)
        self.max_tokens = model.max_tokens
        self.config["model"] = model.name

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(HEALTH_INTERVAL_S)
            try:
                response = await self._client.get("/health", timeout=HEALTH_TIMEOUT_S)
                self._unready = None if response.is_success else f"{self._server}'s /health: {_in_words(response)}"
            except httpx.TransportError as error:
                self._unready = f"{self._server} does not answer: {type(error).__name__} {error}".strip()


def _in_words(response: httpx.Response) -> str:
    return f"{response.status_code} {response.text[:300]}".strip()
