"""The reward model fails: its device thread dies, or the vLLM server refuses, hangs, answers garbage.

A caller gets 503 or null, never a made-up reward; the other rewards go on; and when the fault ends, so does its effect.
"""

from __future__ import annotations

import json
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from running_server import RunningServer, running_server, until

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tiny_models import save_model
from vllm_stand_in import StandIn

COMPLETION = "so.</think><answer>five</answer>"
BODY = {"completions": [COMPLETION], "prompts": ["2 + 3?"]}
FRESH = {"completions": ["so.</think><answer>six</answer>"], "prompts": ["2 + 3?"]}
"""Asked for the first time while the fault lasts: a finished score would come from the cache."""
VERIFIED = {"completions": ["\\boxed{4}", "\\boxed{1+\\ln x}"], "ground_truths": ["4", "\\ln x+1"]}


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"))


@contextmanager
def stand_in() -> Iterator[StandIn]:
    with StandIn() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def verifies(server: RunningServer) -> bool:
    return bool(server.post("/score/verifier", VERIFIED).json()["rewards"] == [1.0, 1.0])


def test_the_device_thread_dies_of_no_memory_and_only_the_model_is_gone(tmp_path: Path) -> None:
    """The process may map no more memory, and a long answer needs 75 MiB at once: more than a heap has in reserve."""
    wide = save_model(tmp_path / "model", intermediate_size=65_536)
    options = ("--rm-model", str(wide), "--rm-dtype", "float32", "--rm-device", "cpu", "--rm-threads", "1")
    with running_server(tmp_path / "log", *options, "--verifier-workers", "1", "--request-timeout-s", "60") as server:
        server.wait_ready()
        first = server.post("/score/rm", BODY).json()
        assert first["outcomes"] == ["scored"]
        many = {"completions": [f"so.</think><answer>{n}</answer>" for n in range(64)], "prompts": ["2 + 3?"] * 64}
        assert server.post("/score/rm", many).json()["outcomes"] == ["scored"] * 64  # every thread there is has begun
        pid = server.process.pid
        size = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
        limits = resource.prlimit(pid, resource.RLIMIT_AS)
        resource.prlimit(pid, resource.RLIMIT_AS, (size + 2**20, limits[1]))
        long = {"completions": [f"so.</think><answer>{'five ' * 300}</answer>"], "prompts": ["2 + 3?"]}
        reply = server.post("/score/rm", long)
        resource.prlimit(pid, resource.RLIMIT_AS, limits)
        assert (reply.status_code, reply.json()["error"]["code"]) == (503, "unavailable")
        assert "thread of the reward model died" in reply.json()["error"]["message"]
        assert server.get("/ready").status_code == 503
        assert verifies(server)
        assert server.metric("reward_rejected_total", code="internal_error") == 0
    with running_server(tmp_path / "log", *options, "--verifier-workers", "1") as restarted:
        restarted.wait_ready()
        assert restarted.post("/score/rm", BODY).json() == first


@pytest.mark.parametrize("fault", ["refuses", "closes", "garbage", "no number", "nan", "another shape"])
def test_a_vllm_server_that_fails_costs_no_wrong_reward_and_comes_back(
    fault: str, model_folder: Path, tmp_path: Path
) -> None:
    answers = {
        "refuses": (503, "busy"),
        "closes": (0, ""),
        "garbage": (200, "<html>"),
        "no number": (200, json.dumps({"data": [{"probs": ["x"]}]})),
        "nan": (200, '{"data": [{"probs": [NaN]}]}'),
        "another shape": (200, json.dumps({"data": []})),
    }
    with stand_in() as back_end:
        options = ("--rm-engine", "vllm", "--rm-url", back_end.url, "--rm-model", str(model_folder))
        with running_server(tmp_path / "log", *options, "--verifier-workers", "1") as server:
            server.wait_ready()
            first = server.post("/score/rm", BODY).json()
            assert first["outcomes"] == ["scored"]
            back_end.behave = lambda ids: answers[fault]
            reply = server.post("/score/rm", FRESH)
            if fault in ("refuses", "closes"):
                assert (reply.status_code, reply.json()["error"]["code"]) == (503, "unavailable")
                assert int(reply.headers["retry-after"]) >= 1
            else:
                assert (reply.json()["rewards"], reply.json()["outcomes"]) == ([None], ["error"])
            assert verifies(server)
            back_end.behave = lambda ids: None
            until(lambda: server.post("/score/rm", FRESH).json().get("outcomes") == ["scored"])
            assert server.post("/score/rm", BODY).json() == first
            assert server.metric("reward_rejected_total", code="internal_error") == 0


def test_a_vllm_server_that_hangs_costs_503_at_the_request_s_time(model_folder: Path, tmp_path: Path) -> None:
    released = threading.Event()
    with stand_in() as back_end:
        options = ("--rm-engine", "vllm", "--rm-url", back_end.url, "--rm-model", str(model_folder))
        with running_server(
            tmp_path / "log", *options, "--verifier-workers", "1", "--request-timeout-s", "3"
        ) as server:
            server.wait_ready()
            first = server.post("/score/rm", BODY).json()

            def hang(ids: list[int]) -> None:
                released.wait(60)

            back_end.behave = hang
            reply = server.post("/score/rm", FRESH)
            assert (reply.status_code, reply.json()["error"]["code"]) == (503, "deadline_exceeded")
            assert verifies(server)
            back_end.behave = lambda ids: None
            released.set()
            until(lambda: server.post("/score/rm", FRESH).json().get("outcomes") == ["scored"])
            assert server.post("/score/rm", BODY).json() == first
            assert server.metric("reward_pending_samples") == 0
