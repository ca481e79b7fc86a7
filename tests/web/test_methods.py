"""HEAD wherever GET is, and a 405 that says which methods a path takes."""

from __future__ import annotations

import httpx
import pytest
from running_server import RunningServer

GET_PATHS = [
    *("/", "/rewards", "/health", "/ready", "/metrics", "/docs", "/openapi.json", "/favicon.ico"),
    *("/score/flip/reverify_mode", "/reverify_mode", "/score/nobody/reverify_mode"),
]


@pytest.mark.parametrize("path", GET_PATHS)
def test_head_is_get_without_the_body(server: RunningServer, path: str) -> None:
    asked = server.get(path)
    reply = httpx.head(server.url + path)
    assert (reply.status_code, reply.content) == (asked.status_code, b"")
    assert reply.headers["content-type"] == asked.headers["content-type"]
    if path != "/metrics":  # which have changed meanwhile
        assert reply.headers["content-length"] == asked.headers["content-length"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        *((path, "GET, HEAD") for path in GET_PATHS),
        *(
            (path, "POST")
            for path in ("/score/flip", "/explain/flip", "/score/flip/verify", "/verify", "/score/nobody")
        ),
    ],
)
def test_a_405_names_every_method_that_the_path_takes(server: RunningServer, path: str, allowed: str) -> None:
    for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} - set(allowed.split(", ")):
        reply = httpx.request(method, server.url + path)
        assert (reply.status_code, reply.headers["allow"]) == (405, allowed), method
        if method != "HEAD":
            assert reply.json()["error"] == {
                "code": "method_not_allowed",
                "message": f"the path exists, and takes {allowed}",
            }
