"""A batch through a proxy that spoils one response in twenty: none is lost, none is reordered."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from trainer_client import AsyncRewardClient, RewardClient, Rewards, Unavailable

N = 10_000
EVERY = 20
"""One response in so many is spoilt: 5 %."""
FAULTS = ("drop", "delay", "cut", "cut without a length", "refuse")
Pipe = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class FaultyProxy:
    """Passes HTTP/1.1 on, request by request; `faults` counts what it did."""

    def __init__(self, server: str, faults: tuple[str, ...] = FAULTS, every: int = EVERY) -> None:
        self._host, self._port = urlsplit(server).hostname, urlsplit(server).port
        self._numbers, self._kinds, self._every = itertools.count(1), itertools.cycle(faults), every
        self.faults: list[str] = []

    async def serve(self, client: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        upstream, request = await asyncio.open_connection(self._host, self._port)
        try:
            while await self._pass_on((client, request), (upstream, answer)):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # one side left
        finally:
            request.close()
            answer.close()

    async def _pass_on(self, forth: Pipe, back: Pipe) -> bool:
        forth[1].write(b"".join(await _message(forth[0])))
        head, body = await _message(back[0])
        fault = next(self._kinds) if next(self._numbers) % self._every == 0 else None
        if fault is not None:
            self.faults.append(fault)
        if fault == "delay":
            await asyncio.sleep(0.2)
        back[1].write(_spoilt(fault, head, body))
        await back[1].drain()
        return fault in (None, "delay", "refuse")


def _spoilt(fault: str | None, head: bytes, body: bytes) -> bytes:
    if fault == "drop":
        return b""
    if fault == "cut":
        return head + body[: len(body) // 2]
    if fault == "cut without a length":
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")]
        return b"\r\n".join(lines) + body[: len(body) // 2]
    if fault == "refuse":
        return b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
    return head + body


async def _message(stream: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await stream.readuntil(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
    return head, await stream.readexactly(int(lengths[0]))


@contextmanager
def running(proxy: FaultyProxy) -> Iterator[str]:
    """The proxy in a thread with an event loop of its own; gives its URL."""
    loop, started, stop, urls = asyncio.new_event_loop(), threading.Event(), asyncio.Event(), []

    async def serve() -> None:
        listener = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, limit=2**24)
        urls.append(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}")
        started.set()
        await stop.wait()
        listener.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    started.wait()
    try:
        yield urls[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def call_rpr(url: str, **limits: float) -> None:
    with RewardClient(f"{url}/score/rpr", **limits) as client:  # type: ignore[arg-type]
        client.score(["x"])


@pytest.fixture(scope="module")
def batch() -> dict[str, list[Any]]:
    """Every sample has its own group and so its own noise draw: a reply in another order is another reply."""
    return {
        "completions": [rf"\boxed{{{i % 10}}}" for i in range(N)],
        "ground_truths": [str(i % 3) for i in range(N)],
        "groups": list(range(N)),
    }


@pytest.fixture(scope="module")
def expected(server: str, batch: dict[str, list[Any]]) -> Rewards:
    with RewardClient(f"{server}/score/flip?flip_prob=0.4") as client:
        return client.score(**batch)


def test_ten_thousand_samples_survive(server: str, batch: dict[str, list[Any]], expected: Rewards) -> None:
    proxy = FaultyProxy(server)
    with running(proxy) as url, RewardClient(f"{url}/score/flip?flip_prob=0.4", max_samples=25) as client:
        scored = client.score(**batch)
    assert scored == expected
    assert len(scored) == N
    assert set(proxy.faults) == set(FAULTS)
    assert len(proxy.faults) >= N / 25 / EVERY  # 400 requests, one in 20 spoilt


def test_ten_thousand_samples_survive_in_a_hundred_calls_at_once(
    server: str, batch: dict[str, list[Any]], expected: Rewards
) -> None:
    proxy = FaultyProxy(server)

    async def calls(url: str) -> list[Rewards]:
        async with AsyncRewardClient(f"{url}/score/flip?flip_prob=0.4", max_samples=25) as client:
            slices = [slice(start, start + 100) for start in range(0, N, 100)]
            parts = [{name: column[rows] for name, column in batch.items()} for rows in slices]
            return await asyncio.gather(*(client.score(**part) for part in parts))

    with running(proxy) as url:
        scored = asyncio.run(calls(url))
    assert [reward for part in scored for reward in part.rewards] == expected.rewards
    assert [draw for part in scored for draw in part.parts["flip_draw"]] == expected.parts["flip_draw"]
    assert set(proxy.faults) == set(FAULTS)


@pytest.mark.parametrize("fault", ["drop", "refuse"])
def test_a_server_that_never_recovers_is_given_up_at_the_deadline(server: str, fault: str) -> None:
    proxy = FaultyProxy(server, (fault,), every=1)
    with running(proxy) as url, pytest.raises(Unavailable, match="tries"):
        call_rpr(url, deadline_s=1.5)
    assert len(proxy.faults) >= 2


def test_an_answer_that_comes_too_late_is_asked_for_again(server: str) -> None:
    proxy = FaultyProxy(server, ("delay",), every=1)
    with running(proxy) as url, pytest.raises(Unavailable, match="ReadTimeout"):
        call_rpr(url, deadline_s=1, timeout_s=0.1)
    assert len(proxy.faults) >= 2
