"""The sessions' time: each test has a server that is slow in one way. Margins are for slow machines."""

from __future__ import annotations

import asyncio
import gc
import itertools
import socket
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from time import monotonic

import pytest

from trainer_client._http import MAX_CONNECTIONS, AsyncSession, Session
from trainer_client._steps import Answer, Lost, Send

Sender = Callable[[Send], "Answer | Lost"]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


def send_in_thread(send: Send) -> Answer | Lost:
    session = Session()
    try:
        return session.send(send)
    finally:
        session.close()


def send_in_loop(send: Send) -> Answer | Lost:
    async def run() -> Answer | Lost:
        session = AsyncSession()
        try:
            return await session.send(send)
        finally:
            await session.aclose()

    return asyncio.run(run())


@pytest.fixture(params=[send_in_thread, send_in_loop])
def sender(request: pytest.FixtureRequest) -> Sender:
    sender: Sender = request.param
    return sender


@contextmanager
def listening(serve: Callable[[socket.socket], None], backlog: int = 128) -> Iterator[str]:
    """A socket whose connections `serve` gets, each in a thread; gives its URL."""
    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as listener, ExitStack() as connections:

        def accept() -> None:
            while True:
                try:
                    connection = connections.enter_context(listener.accept()[0])
                except OSError:  # closed: the test is over
                    return
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            listener.shutdown(socket.SHUT_RDWR)


def timed(sender: Sender, send: Send) -> tuple[Answer | Lost, float]:
    started = monotonic()
    return sender(send), monotonic() - started


def test_a_host_that_takes_no_connection_is_given_up_after_a_third_of_the_time(sender: Sender) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as connections:
        for _ in range(4):  # nobody accepts: the kernel keeps one or two, and answers no more
            waiting = connections.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}/"
        came, took_s = timed(sender, Send(url, b"{}", None, timeout_s=12))
    assert isinstance(came, Lost) and "ConnectTimeout" in came.reason
    assert took_s < 11  # 4, not 12; the rest is for a slow machine


def test_an_answer_that_stops_after_its_head_is_lost_when_the_time_is_over(sender: Sender) -> None:
    over = threading.Event()

    def serve(connection: socket.socket) -> None:
        connection.recv(1000)
        over.wait(3.5)
        connection.sendall(HEAD)
        over.wait()

    with listening(serve) as url:
        came, took_s = timed(sender, Send(url, b"{}", None, timeout_s=4))
        over.set()
    assert isinstance(came, Lost)
    assert took_s < 7  # 4, not 3.5 + 4


def calls_in_threads(sends: list[Send]) -> list[Answer | Lost]:
    session = Session()
    with ThreadPoolExecutor(len(sends)) as pool:
        came = list(pool.map(session.send, sends))
    session.close()
    return came


def calls_in_loop(sends: list[Send]) -> list[Answer | Lost]:
    async def run() -> list[Answer | Lost]:
        session = AsyncSession()
        try:
            return await asyncio.gather(*(session.send(send) for send in sends))
        finally:
            await session.aclose()

    return asyncio.run(run())


@pytest.mark.parametrize("calls", [calls_in_threads, calls_in_loop])
def test_a_request_s_time_begins_when_its_turn_comes(calls: Callable[[list[Send]], list[Answer | Lost]]) -> None:
    all_came, under_way = threading.Event(), itertools.count(1)

    def serve(connection: socket.socket) -> None:
        while connection.recv(1000):
            if next(under_way) == MAX_CONNECTIONS:
                threading.Timer(2.2, all_came.set).start()
            all_came.wait()
            connection.sendall(HEAD + b"{}")

    with listening(serve) as url:
        sends = [Send(url, None, None, timeout_s=60)] * MAX_CONNECTIONS + [Send(url, None, None, timeout_s=2)] * 10
        came = calls(sends)
    assert [type(answer) for answer in came] == [Answer] * len(sends)
    assert sum(answer.waited_s > 2 for answer in came) == 10
    assert next(under_way) == len(sends) + 1  # none was sent twice


def test_a_few_calls_keep_few_connections() -> None:
    connections = []

    def serve(connection: socket.socket) -> None:
        connections.append(connection)
        while connection.recv(1000):
            connection.sendall(HEAD + b"{}")

    with listening(serve) as url:
        session = Session()
        for _ in range(20):
            assert isinstance(session.send(Send(url, None, None, timeout_s=60)), Answer)
        session.close()
    assert len(connections) == 1


def test_a_call_that_ends_after_its_session_was_closed_leaves_no_connection_open() -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(HEAD + b"{}")

    with listening(serve) as url:
        session = Session()
        session.close()
        assert isinstance(session.send(Send(url, b"{}", None, 60)), Answer)
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            del session
            gc.collect()
    assert [str(each.message) for each in seen] == []
