"""API keys: needed where something is computed or told, compared in constant time, never logged."""

from __future__ import annotations

import base64

import httpx
import pytest
from conftest import Starter
from running_server import RunningServer

from reward_server.web.auth import is_authorised

KEYS = [b"alpha-key", b"beta-key"]


def basic(text: str) -> bytes:
    return b"Basic " + base64.b64encode(text.encode())


@pytest.mark.parametrize(
    "header",
    [b"Bearer alpha-key", b"bearer beta-key", b"Bearer  alpha-key ", basic("user:alpha-key"), basic("beta-key:x")],
)
def test_a_key_is_taken_as_bearer_or_in_basic(header: bytes) -> None:
    assert is_authorised(header, KEYS)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"alpha-key",
        b"Bearer",
        b"Bearer alpha",
        b"Bearer alpha-key2",
        b"Basic !!!",
        basic("user:no"),
        b"Digest alpha-key",
    ],
)
def test_anything_else_is_refused(header: bytes) -> None:
    assert not is_authorised(header, KEYS)


def test_a_server_with_keys_answers_401_and_keeps_the_keys_out_of_its_log(start_server: Starter) -> None:
    body = {"completions": ["\\boxed{4}"], "ground_truths": ["4"]}
    with start_server(environment={"REWARD_API_KEYS": "alpha-key,beta-key"}) as server:
        for path in ("/score/verifier", "/explain/verifier", "/score/verifier/verify", "/score/nobody", "/verify"):
            reply = server.post(path, body)
            assert (reply.status_code, reply.json()["error"]["code"]) == (401, "unauthorized")
            assert reply.headers["www-authenticate"] == "Bearer"
        for path in (
            "/ng-rollout/0-1/verify",
            "/score/verifier/ng-rollout/0-1/verify",
            "/ng-rollout/0-1/score/flip/verify",
        ):
            assert server.post(path, body).status_code == 401
        for path in ("/rewards", "/reverify_mode", "/score/verifier/reverify_mode"):
            assert server.get(path).status_code == 401
        for path in ("/health", "/ready", "/metrics", "/docs"):
            assert server.get(path).status_code == 200
        assert server.post("/score/verifier", body, headers={"authorization": "Bearer beta-key"}).status_code == 200
        with_user = server.url.replace("http://", "http://trainer:alpha-key@")
        assert httpx.post(with_user + "/score/verifier", json=body).json()["rewards"] == [1.0]
        server.stop()
        assert "alpha-key" not in server.log.read_text()
        assert "beta-key" not in server.log.read_text()


def test_an_open_server_on_every_interface_warns_at_start(start_server: Starter) -> None:
    def warnings(server: RunningServer) -> int:
        return sum("without api_keys" in str(line["event"]) for line in server.log_lines())

    with start_server("--host", "0.0.0.0") as server:
        assert warnings(server) == 1
    with start_server("--host", "127.0.0.1") as server:
        assert warnings(server) == 1  # still that of the first: they share the log file
