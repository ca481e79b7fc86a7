"""httpx 0.28 and httpx2: the client takes whichever is installed, httpx2 where both are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = r"""
import asyncio, os, sys

missing, url, dead = sys.argv[1:]
if missing:
    sys.modules[missing] = None  # as if it were not installed

from trainer_client import AsyncRewardClient, RewardClient, Unavailable, UnknownReward
from trainer_client import _http

async def twin():
    async with AsyncRewardClient(url, max_samples=3) as client:
        return await client.score([r"\boxed{4}"] * 10, ground_truths=["4"] * 10)

with RewardClient(url, max_samples=3) as client:
    assert client.score([r"\boxed{4}"] * 10, ground_truths=["4"] * 10) == asyncio.run(twin())
    assert client.ready()
with RewardClient(url.replace("verifier", "verifer")) as client:
    try:
        client.score(["x"])
    except UnknownReward:
        pass
os.environ["HTTP_PROXY"] = dead
with RewardClient("http://rewards.example/score/rpr", deadline_s=0.5) as client:
    try:
        client.score(["x"])
    except Unavailable as error:
        assert f"by way of the proxy {dead}" in str(error), error
os.environ.pop("HTTP_PROXY")
for Session, send in ((_http.Session, None), (_http.AsyncSession, asyncio.run)):
    unknown = _http.Send("http://no-such-host.invalid/", None, None, 5)
    if send is None:
        session = Session()
        came = session.send(unknown)
        session.close()
    else:
        async def ask():
            session = Session()
            try:
                return await session.send(unknown)
            finally:
                await session.aclose()
        came = send(ask())
    assert "ConnectError" in came.reason and isinstance(came.is_unknown_host, bool), came
print(_http.httpx.__name__, *sorted({"httpx", "httpx2"} & {name for name in sys.modules if sys.modules[name]}))
"""


@pytest.mark.parametrize(("missing", "taken"), [("httpx2", "httpx"), ("httpx", "httpx2"), ("", "httpx2")])
def test_either_library_will_do(server: str, missing: str, taken: str) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, missing, f"{server}/score/verifier", "http://127.0.0.1:9"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == [taken, taken]
