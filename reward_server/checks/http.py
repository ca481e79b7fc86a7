"""One HTTP question of a check: POST JSON, get a small JSON back. Retried, bounded in time and size, never redirected.

Whatever goes wrong is CheckFailed, whose `problem` holds no word of what was asked or answered.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from pydantic import SecretStr

from reward_server.checks.question import CheckFailed, shortened
from reward_server.kit.retry import ANY_FAULT, ATTEMPTS, RETRIED, Trouble, tried

MAX_BODY_BYTES = 2**20
"""Of an answer: a score and a reason, or what a judge wrote. More is no answer."""
TOO_MANY = 429
MAX_WAIT_S = 30.0
"""A server that says to come back later than this is waited for no longer."""


class NoAnswer(CheckFailed):
    """Nothing came back, or a status that says nothing about the question: nobody may be there."""


class Endpoint:
    """One URL. Open it with `async with Endpoint.opened(...)`."""

    def __init__(
        self, client: httpx.AsyncClient, url: str, *, timeout_s: float, give_up_s: float, attempts: int = ATTEMPTS
    ) -> None:
        self._client = client
        self._url = url
        self._timeout_s = timeout_s
        self._give_up_s = give_up_s
        self._attempts = attempts

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, url: str, *, key: SecretStr | None, max_in_flight: int, timeout_s: float, give_up_s: float
    ) -> AsyncIterator[Endpoint]:
        """`timeout_s`: for each attempt. `give_up_s`: for all of them together."""
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "Content-Type": "application/json"}
        if key is not None:
            headers["Authorization"] = f"Bearer {key.get_secret_value()}"
        limits = httpx.Limits(max_connections=max_in_flight, max_keepalive_connections=max_in_flight)
        async with httpx.AsyncClient(headers=headers, limits=limits, timeout=None, trust_env=False) as client:
            yield cls(client, url, timeout_s=timeout_s, give_up_s=give_up_s)

    def tried_once(self, timeout_s: float) -> Endpoint:
        """The same over the same connections, with one attempt that may take so long."""
        return Endpoint(self._client, self._url, timeout_s=timeout_s, give_up_s=self._give_up_s, attempts=1)

    async def post(self, body: object, seed: bytes) -> object:
        """The answer's JSON. Raises CheckFailed, which is NoAnswer where nobody may be there."""
        content = json.dumps(body).encode()  # ASCII: lone surrogates pass
        try:
            async with asyncio.timeout(self._give_up_s):
                return await tried(lambda is_last: self._attempt(content, is_last), seed, self._attempts)
        except Trouble as trouble:
            times = f"it failed {self._attempts} times" if self._attempts > 1 else "it failed"
            raise NoAnswer(f"{times}: {trouble}") from None
        except TimeoutError:
            raise NoAnswer(f"it was asked again and again, and gave no answer within {self._give_up_s:g} s") from None

    async def _attempt(self, content: bytes, is_last: bool) -> object:
        try:
            async with asyncio.timeout(self._timeout_s), self._client.stream("POST", self._url, content=content) as got:
                return _json(await self._checked(got, is_last))
        except TimeoutError:
            raise Trouble(f"no answer within {self._timeout_s:g} s") from None
        except httpx.TransportError as error:
            raise Trouble(f"{type(error).__name__}") from None
        except httpx.HTTPError as error:
            raise CheckFailed(f"{type(error).__name__}") from None

    async def _checked(self, response: httpx.Response, is_last: bool) -> bytes:
        status = response.status_code
        if status in RETRIED or status == TOO_MANY or (status == ANY_FAULT and not is_last):
            raise Trouble(f"status {status}", _retry_after_s(response))
        if response.is_redirect:
            raise CheckFailed(f"status {status}: it redirects, which is not followed; name the last URL")
        if not response.is_success:
            raise CheckFailed(f"status {status}", shortened((await _body(response)).decode("utf-8", "replace")))
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise CheckFailed("its answer is compressed, which was not asked for")
        return await _body(response)


async def _body(response: httpx.Response) -> bytes:
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise CheckFailed(f"its answer is over {MAX_BODY_BYTES} bytes")
    return bytes(body)


def _json(body: bytes) -> object:
    try:
        answer: object = json.loads(body)
    except (ValueError, RecursionError):
        raise CheckFailed("its answer is no JSON", shortened(body.decode("utf-8", "replace"))) from None
    return answer


def _retry_after_s(response: httpx.Response) -> float:
    """Seconds that the server asks for; 0 where it names none, or a date."""
    text = response.headers.get("retry-after", "")
    return min(float(text), MAX_WAIT_S) if text.isascii() and text.isdigit() else 0.0
