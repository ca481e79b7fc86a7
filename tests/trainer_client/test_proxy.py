"""Proxies of the environment: which one is on the way, what errors say of it, and that the loopback needs none."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from answering import Asked, Said, answering, rewards_of

from trainer_client import AsyncRewardClient, BadConfiguration, RequestRefused, RewardClient, Unavailable
from trainer_client._proxy import proxy_of, without_password

URL = "http://rewards.example/score/rpr"
"""Never looked up: the proxy would do that."""
SQUID = b"<html><head><title>ERROR: The requested URL could not be retrieved</title></head></html>"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: whoever connects is refused
        yield unused.getsockname()[1]


def score(url: str, **options: Any) -> list[float | None]:
    with RewardClient(url, **options) as client:
        return client.score(["4"]).rewards


def score_async(url: str, **options: Any) -> list[float | None]:
    async def run() -> list[float | None]:
        async with AsyncRewardClient(url, **options) as client:
            return (await client.score(["4"])).rewards

    return asyncio.run(run())


@pytest.mark.parametrize("call", [score, score_async])
def test_the_loopback_needs_no_proxy(call: Any, monkeypatch: pytest.MonkeyPatch, closed_port: int) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port}")
    with answering(rewards_of) as url:
        for host in ("127.0.0.1", "localhost"):
            assert call(f"{url.replace('127.0.0.1', host)}/score/rpr", deadline_s=20) == [4.0]


@pytest.mark.parametrize("call", [score, score_async])
def test_a_proxy_that_is_gone_is_named_without_its_password(
    call: Any, monkeypatch: pytest.MonkeyPatch, closed_port: int
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://me:secret@127.0.0.1:{closed_port}")
    with pytest.raises(Unavailable, match=f"the proxy http://127.0.0.1:{closed_port}; NO_PROXY=rewards") as caught:
        call(URL, deadline_s=0.5)
    assert "secret" not in str(caught.value)
    assert "refused" in str(caught.value) or "connection" in str(caught.value)


@pytest.mark.parametrize("call", [score, score_async])
def test_a_page_of_the_proxy_is_told_from_an_answer_of_the_server(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(lambda _: Said(502, SQUID)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy)
        with pytest.raises(Unavailable, match=f"502: <html>.*by way of the proxy {proxy}; NO_PROXY=rewards.example"):
            call(URL, deadline_s=0.5)
    with answering(lambda _: Said(407, SQUID)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy)
        with pytest.raises(RequestRefused, match=f"407: <html>.*by way of the proxy {proxy}"):
            call(URL)


@pytest.mark.parametrize("call", [score, score_async])
def test_a_proxy_that_works_is_used(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    targets = []

    def pass_on(asked: Asked) -> Said:
        targets.append(asked.target)
        return rewards_of(asked)

    with answering(pass_on) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.removeprefix("http://"))  # without a scheme, as curl takes it
        assert call(URL) == [4.0]
    assert targets == [URL]


def test_not_ready_names_the_proxy(monkeypatch: pytest.MonkeyPatch, closed_port: int) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port}")
    with RewardClient(URL) as client:
        assert f"by way of the proxy http://127.0.0.1:{closed_port}" in client.ready().reason


def test_a_proxy_of_no_known_kind_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "gopher://me:secret@p:70")
    with pytest.raises(BadConfiguration, match="the proxy gopher://p:70: ") as caught:
        score(URL)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "no_proxy", "is_direct"),
    [
        ("rewards.example", "", False),
        ("rewards.example", "*", True),
        ("rewards.example", "localhost, rewards.example", True),
        ("rewards.example", "example", True),
        ("rewards.example", ".example", True),
        ("rewards.example", "*.example", True),
        ("rewards.example", "wards.example", False),
        ("rewards.example", "*.other", False),
        ("10.1.2.3", "10.0.0.0/8,.svc", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("[fd00::7]", "fd00::/8", True),
        ("10.1.2.3", "10.0.0.0/99", False),
        ("127.0.0.1", "", True),
        ("127.1.2.3", "", True),
        ("localhost", "", True),
        ("a.localhost", "", True),
        ("[::1]", "", True),
        ("0.0.0.0", "", True),
    ],
)
def test_what_needs_no_proxy(host: str, no_proxy: str, is_direct: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://p:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert proxy_of(f"http://{host}:8000/score/rpr") == (None if is_direct else "http://p:3128")


def test_which_variable_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://all:1")
    assert proxy_of("http://h/") == proxy_of("https://h/") == "http://all:1"
    monkeypatch.setenv("https_proxy", "http://secure:2")
    assert (proxy_of("http://h/"), proxy_of("https://h/")) == ("http://all:1", "http://secure:2")
    assert without_password("socks5://me:secret@p:1/") == "socks5://p:1"
