"""What HTTP, tokenising and queueing add to the bare reward-model engine, and a vLLM server beside them.

    python -m benchmarks.reward_model_http                                    # about ten minutes on 2 quiet cores
    python -m benchmarks.reward_model_http --vllm .venv-vllm/bin/python       # with vLLM (make vllm-check installs it)

Contenders, on the model of `benchmarks.reward_model` with a tokenizer trained here, one thread each:

    engine          Batcher + TransformersModel in this process, given token ids
    reward-server   the same texts as JSON to /score/rm of a server, and all that happens to them there
    vllm            the same token ids to /classify of a vLLM server, whose prefix cache is on

Figures are CPU and wall seconds of a whole load. Loads are those of `benchmarks.reward_model`: 24 completions of 3
prompts as 24 requests at once, as 3 requests of 8, or as one. CPU is that of the process, or of the server's process
tree. Every round has texts of its own: finished scores are kept, and so are prompts. The goal is that reward-server /
engine is at most 1.05.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import socket
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from benchmarks import reward_model
from benchmarks.processes import cpu_seconds, reward_server
from benchmarks.rounds import Cost, record, show, take_turns
from reward_server.reward_model.model_folder import read_tokenizer
from reward_server.reward_model.tokenizer import ChatTokenizer

TEMPLATE = "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
Text = tuple[str, str]
"""(prompt, completion)"""
Send = Callable[[list[list[Text]]], Awaitable[None]]
"""Sends requests at once and waits for all."""


def words() -> list[str]:
    chosen = random.Random(0)
    return ["".join(chosen.choices("abcdefghijklmnopqrstuvwxyz", k=chosen.randrange(3, 8))) for _ in range(4000)]


def save_tokenizer(folder: Path) -> None:
    """A byte-level BPE in which nearly every word is one token."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=8192,
        special_tokens=["<pad>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator([" " + " ".join(words())] * 8, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|im_end|>", pad_token="<pad>")  # type: ignore[no-untyped-call]
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)


def requests(shape: tuple[int, int], load: str, seed: str) -> list[list[Text]]:
    """The requests of `benchmarks.reward_model`, each token a word."""
    known = words()
    loads = reward_model.requests(reward_model.texts(shape, seed), load)
    return [[tuple(" ".join(known[n % 4000] for n in part) for part in text) for text in each] for each in loads]  # type: ignore[misc]


def measured(send: Send, cpu: Callable[[], float], load: list[list[Text]]) -> Cost:
    before, started = cpu(), time.perf_counter()
    asyncio.run(send(load))  # type: ignore[arg-type]
    return Cost(cpu() - before, time.perf_counter() - started, sum(map(len, load)))


def engine(folder: Path) -> Callable[[list[list[Text]]], Cost]:
    contestant = reward_model.ours(folder, threads=1)
    encoder = ChatTokenizer(read_tokenizer(folder), max_tokens=8192)

    def run(load: list[list[Text]]) -> Cost:
        ids = [[encoded(encoder, text) for text in each] for each in load]
        done = reward_model.timed(contestant, ids)
        return Cost(done.cpu_s, done.wall_s, len(done.scores))

    return run


def encoded(encoder: ChatTokenizer, text: Text) -> tuple[Any, Any]:
    made = encoder.encode([{"role": "user", "content": text[0]}], text[1])
    return made.prompt, made.completion


async def post(url: str, bodies: list[dict[str, object]]) -> None:
    """All at once, each on a connection of its own."""
    async with httpx.AsyncClient(timeout=600, limits=httpx.Limits(max_connections=None)) as client:
        for answer in await asyncio.gather(*(client.post(url, json=body) for body in bodies)):
            answer.raise_for_status()
            if None in answer.json().get("rewards", []):
                raise AssertionError("a sample has no reward: the figures would mean nothing")


def our_server(url: str, pid: int) -> Callable[[list[list[Text]]], Cost]:
    def body(each: list[Text]) -> dict[str, object]:
        chats = [[{"role": "user", "content": prompt}] for prompt, _ in each]
        return {"prompts": chats, "completions": [completion for _, completion in each]}

    async def send(load: list[list[Text]]) -> None:
        await post(f"{url}/score/rm?format=plain", [body(each) for each in load])

    return lambda load: measured(send, lambda: cpu_seconds(pid), load)


def vllm_server(url: str, pid: int, folder: Path) -> Callable[[list[list[Text]]], Cost]:
    encoder = ChatTokenizer(read_tokenizer(folder), max_tokens=8192)

    def run(load: list[list[Text]]) -> Cost:
        pairs = [[encoded(encoder, text) for text in each] for each in load]
        bodies: list[dict[str, object]] = [
            {"model": "rm", "input": [list(p + c) for p, c in each], "use_activation": False} for each in pairs
        ]

        async def send(_load: list[list[Text]]) -> None:
            await post(f"{url}/classify", bodies)

        return measured(send, lambda: cpu_seconds(pid), load)

    return run


@contextmanager
def started_vllm(python: Path, folder: Path) -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    command = [
        str(python.absolute().with_name("vllm")), "serve", str(folder), "--host", "127.0.0.1", "--port", str(port),
        "--runner", "pooling", "--convert", "classify", "--served-model-name", "rm", "--dtype", "bfloat16",
    ]  # fmt: skip
    environment = {
        "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1",
    }  # fmt: skip
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, env=inherited() | environment, **quiet)  # type: ignore[call-overload]
    try:
        wait_until_ok(f"http://127.0.0.1:{port}/health")
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait()


def inherited() -> dict[str, str]:
    return dict(os.environ)


def wait_until_ok(url: str, seconds: float = 600) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if httpx.get(url).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.5)  # polling
    raise SystemExit(f"{url} did not become ready in {seconds:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", type=reward_model.shape_of, default=[(400, 400)], metavar="P,C")
    parser.add_argument("--loads", nargs="+", default=["singles", "groups", "burst"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--vllm", type=Path, help="Python of an environment with vllm")
    parser.add_argument("--output", type=Path, help="append the figures to this JSONL file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as servers:
        folder = Path(name)
        reward_model.new_model(folder)
        save_tokenizer(folder)
        model = ("--rm-model", str(folder), "--rm-dtype", "bfloat16", "--rm-device", "cpu", "--rm-threads", "1")
        url, pid = servers.enter_context(reward_server(*model, "--verifier-workers", "1"))
        wait_until_ok(f"{url}/ready")
        contenders = {"engine": engine(folder), "reward-server": our_server(url, pid)}
        if options.vllm:
            contenders["vllm"] = vllm_server(*servers.enter_context(started_vllm(options.vllm, folder)), folder)
        for run in contenders.values():
            run(requests((64, 64), "burst", "warm up"))
        for shape in options.shapes:
            for load in options.loads:
                runs = {name: next_round(run, shape, load) for name, run in contenders.items()}
                compare(f"{shape}, {load}", take_turns(runs, options.rounds), options.output)


def compare(title: str, costs: Mapping[str, list[Cost]], output: Path | None) -> None:
    """A table of CPU and wall seconds of a whole load, with ratios to the engine; all the rounds go to `output`.

    Not milliseconds a sample: samples of a load share their prompts, so that one alone would cost more than its share.
    """
    base = median(cost.cpu_s for cost in costs["engine"])
    rows, lines = {}, []
    for name, runs in costs.items():
        cpu, wall = [cost.cpu_s for cost in runs], [cost.wall_s for cost in runs]
        rows[name] = {"cpu_s": cpu, "wall_s": wall, "cpu_ratio": median(cpu) / base}
        span = f"{median(cpu):.2f} [{min(cpu):.2f} … {max(cpu):.2f}]"
        lines.append([name, span, f"{median(wall):.2f}", f"{median(cpu) / base:.3g}"])
    samples = costs["engine"][0].units
    head = ["contender", f"CPU seconds a load of {samples} samples", "wall seconds a load", "CPU, ratio"]
    show(title, head, lines)
    record(output, title, {"reference": "engine", "samples": samples, "rows": rows})


def next_round(run: Callable[[list[list[Text]]], Cost], shape: tuple[int, int], load: str) -> Callable[[], Cost]:
    """The same texts for every contender, other ones in every round."""
    rounds = count()
    return lambda: run(requests(shape, load, f"{load} {next(rounds)}"))


if __name__ == "__main__":
    main()
