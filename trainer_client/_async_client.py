"""The client for event loops: the twin of `_client`, with coroutines for methods."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from trainer_client._base import CHUNKS_AT_ONCE, BaseClient, Batch, Column
from trainer_client._parallel import in_order_async
from trainer_client._steps import Answer, Exchange, Lost, Sleep
from trainer_client._types import Readiness, Rewards, ScoredChunk

if TYPE_CHECKING:
    from trainer_client._http import AsyncSession

T = TypeVar("T")


class AsyncRewardClient(BaseClient):
    """The twin for event loops; usable from any number of them. See `BaseClient` for the arguments."""

    async def score(
        self,
        completions: Sequence[str],
        *,
        prompts: Column | None = None,
        ground_truths: Column | None = None,
        groups: Column | None = None,
        visits: Column | None = None,
        flips: Column | None = None,
        steps: Column | None = None,
        sources: Column | None = None,
    ) -> Rewards:
        """As `RewardClient.score`."""
        given = {
            "prompts": prompts,
            "ground_truths": ground_truths,
            "groups": groups,
            "visits": visits,
            "flips": flips,
            "steps": steps,
            "sources": sources,
        }
        batch = self._batch(completions, given)
        async with aclosing(self._each(batch)) as chunks:
            return batch.joined([chunk async for chunk in chunks])

    def score_iter(
        self,
        completions: Sequence[str],
        *,
        prompts: Column | None = None,
        ground_truths: Column | None = None,
        groups: Column | None = None,
        visits: Column | None = None,
        flips: Column | None = None,
        steps: Column | None = None,
        sources: Column | None = None,
    ) -> AsyncGenerator[ScoredChunk, None]:
        """As `RewardClient.score_iter`. Close it (`contextlib.aclosing`) where it is not read to its end."""
        given = {
            "prompts": prompts,
            "ground_truths": ground_truths,
            "groups": groups,
            "visits": visits,
            "flips": flips,
            "steps": steps,
            "sources": sources,
        }
        return self._each(self._batch(completions, given))

    async def explain(
        self,
        completion: str,
        *,
        prompt: Any = None,
        ground_truth: Any = None,
        group: str | int | None = None,
        visit: int | None = None,
        flip: bool | None = None,
        source: str | None = None,
    ) -> dict[str, Any]:
        """As `RewardClient.explain`."""
        given = {"prompt": prompt, "ground_truth": ground_truth, "group": group, "visit": visit, "flip": flip}
        given["source"] = source
        return await self._run(self._explain({"completion": completion, **given}))

    async def ready(self) -> Readiness:
        """As `RewardClient.ready`."""
        return await self._run(self._ready())

    async def rewards(self) -> dict[str, Any]:
        """As `RewardClient.rewards`."""
        return await self._run(self._rewards())

    async def post(self, body: dict[str, object], suffix: str = "") -> Any:
        """As `RewardClient.post`."""
        return await self._run(self._dialect(body, suffix))

    async def aclose(self) -> None:
        """Closes this event loop's connections; otherwise they close with the loop, when `asyncio.run` ends it."""
        lifetime = self._sessions.pop(_here(), (None, None))[1]
        if lifetime is not None:
            await lifetime.aclose()

    async def __aenter__(self) -> AsyncRewardClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _each(self, batch: Batch) -> AsyncGenerator[ScoredChunk, None]:
        return in_order_async([partial(self._run, exchange) for exchange in batch.exchanges], CHUNKS_AT_ONCE)

    async def _run(self, exchange: Exchange[T]) -> T:
        came: Answer | Lost | None = None
        try:
            while True:
                step = exchange.send(came)
                if isinstance(step, Sleep):
                    came = None
                    await asyncio.sleep(step.seconds)
                else:
                    came = await (await self._session()).send(step)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    async def _session(self) -> AsyncSession:
        here = _here()
        if here not in self._sessions:
            self._drop_closed_loops()
            lifetime = self._lifetime(here)
            self._sessions[here] = (await lifetime.__anext__(), lifetime)  # runs to its yield without a switch
        session: AsyncSession = self._sessions[here][0]
        return session

    async def _lifetime(self, here: object) -> AsyncGenerator[AsyncSession, None]:
        """A generator, since an event loop closes the generators begun in it before it ends: no socket is left over."""
        from trainer_client._http import AsyncSession

        session = AsyncSession()
        try:
            yield session
        finally:
            self._sessions.pop(here, None)
            await session.aclose()

    def _drop_closed_loops(self) -> None:
        """Loops that ended without closing their generators; the connections of one are beyond use."""
        for pid, loop in list(self._sessions):  # a copy at once: other threads open sessions meanwhile
            if pid == os.getpid() and loop.is_closed():
                self._sessions.pop((pid, loop), None)


def _here() -> tuple[int, asyncio.AbstractEventLoop]:
    return os.getpid(), asyncio.get_running_loop()
