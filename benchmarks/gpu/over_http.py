"""Step 7. The real server: what HTTP costs beside the engine alone, and what happens when it is stopped or breaks."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.gpu.asked import GROUP, fresh_requests, rewards_of
from benchmarks.gpu.bench import Bench
from benchmarks.gpu.shapes import folder_of
from benchmarks.processes import reward_server, unwind_on_sigterm
from benchmarks.reward_model_http import encoded, save_tokenizer
from reward_server.reward_model.engine import Group
from reward_server.reward_model.local.model import TransformersModel
from reward_server.reward_model.model_folder import read_tokenizer
from reward_server.reward_model.tokenizer import ChatTokenizer


def run(bench: Bench) -> None:
    folder = folder_of("tiny" if bench.tiny else "0.5B", bench.device, bench.out)
    save_tokenizer(folder)
    prompts = 4 if bench.tiny else 64
    bench.say("engine alone, samples/s", _engine_alone(bench, folder, prompts))
    options = ["--rm-model", str(folder), "--rm-device", str(bench.device), "--rm-packing", "on"]
    options += ["--rm-threads", "1", "--verifier-workers", "1"]
    with reward_server(*options) as (url, pid):
        for name, split in (("groups of 8", False), ("one sample a request", True)):
            bench.say(f"{name}, samples/s and /health", asyncio.run(_bursts(url, prompts, split, rounds=3)))
        bench.say("stopped for 5 s in a burst", asyncio.run(_stopped(url, pid, prompts)))
        bench.say("SIGTERM in a burst", asyncio.run(_ended(url, pid, prompts)))
    bench.say("an invalid index on the device", asyncio.run(_broken(options, prompts)))


def _engine_alone(bench: Bench, folder: Path, prompts: int) -> dict[str, Any]:
    tokenizer = ChatTokenizer(read_tokenizer(folder), max_tokens=16384)
    model = TransformersModel(folder, device=str(bench.device), threads=1, packing="on")
    rates = []
    for _ in range(4):
        texts = [
            (body["prompts"][0], completion)
            for body in map(json.loads, fresh_requests(prompts, False))
            for completion in body["completions"]
        ]
        pairs = [encoded(tokenizer, text) for text in texts]
        asked = [Group(pairs[n][0], [c for _, c in pairs[n : n + GROUP]]) for n in range(0, len(pairs), GROUP)]
        rates.append(round(len(texts) / bench.seconds(lambda: model.score(asked)), 1))  # noqa: B023 - at once
    return {"rounds": rates[1:], "packing": model.config.get("packing", "off")}


async def _bursts(url: str, prompts: int, split: bool, rounds: int) -> dict[str, Any]:
    """The first round does not count."""
    rates, slowest = [], []
    for _ in range(rounds + 1):
        requests = fresh_requests(prompts, split)
        started = time.perf_counter()
        async with _asked_meanwhile(url) as waits:
            answers = await rewards_of(url, requests)
        rates.append(round(sum(len(scores or ()) for scores in answers) / (time.perf_counter() - started), 1))
        slowest.append(round(1e3 * max(waits, default=0.0), 1))
    return {"rounds": rates[1:], "slowest /health, ms": slowest[1:]}


async def _stopped(url: str, pid: int, prompts: int) -> str:
    """A process that the machine did not let run for a while must not think that its device hangs."""
    burst = asyncio.create_task(rewards_of(url, fresh_requests(prompts, False)))
    await asyncio.sleep(0.3)  # into the burst
    os.kill(pid, signal.SIGSTOP)
    await asyncio.sleep(5)
    os.kill(pid, signal.SIGCONT)
    answers = await burst
    return f"{sum(len(scores or ()) for scores in answers)} of {prompts * GROUP} samples have a score"


async def _ended(url: str, pid: int, prompts: int) -> str:
    """Whatever it accepted is answered before it ends."""
    burst = asyncio.create_task(rewards_of(url, fresh_requests(prompts, False), may_refuse=True))
    await asyncio.sleep(0.3)  # into the burst
    os.kill(pid, signal.SIGTERM)
    answers = await burst
    lost = sum(answer is None for answer in answers)
    return f"{len(answers) - lost} of {len(answers)} requests answered, {lost} lost or refused"


async def _broken(options: list[str], prompts: int) -> dict[str, Any]:
    """A CUDA error that leaves the device unusable: does /ready say so, and does the process end when it is told to?"""
    command = [sys.executable, "-m", "benchmarks.gpu.broken_server", "serve", "--port", "0", *options]
    with _started(command) as (url, process):
        answers = await rewards_of(url, fresh_requests(prompts, False), may_refuse=True)
        async with httpx.AsyncClient() as client:
            ready = (await client.get(url + "/ready")).status_code
        told = time.perf_counter()
        process.terminate()
        code = await asyncio.to_thread(process.wait, 60)
        return {
            "requests answered": sum(answer is not None for answer in answers),
            "/ready": ready,
            "exit code": code,
            "seconds from SIGTERM to the end": round(time.perf_counter() - told, 1),
        }


@asynccontextmanager
async def _asked_meanwhile(url: str) -> AsyncIterator[list[float]]:
    """Seconds that each /health took while the body of the `async with` ran."""
    waits: list[float] = []

    async def ask() -> None:
        async with httpx.AsyncClient(timeout=60) as client:
            while True:
                started = time.perf_counter()
                await client.get(url + "/health")
                waits.append(time.perf_counter() - started)
                await asyncio.sleep(0.02)

    task = asyncio.create_task(ask())
    try:
        yield waits
    finally:
        task.cancel()


@contextmanager
def _started(command: list[str]) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server that does not have to become ready."""
    unwind_on_sigterm()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        if process.stdout is None:
            raise AssertionError("it is a pipe")
        try:
            yield next(line.split()[-1] for line in process.stdout if "http://" in line), process
        finally:
            process.kill()
