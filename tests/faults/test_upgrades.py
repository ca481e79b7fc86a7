"""`Upgrade` is an offer that a server may ignore: the request is served, its body is never lost and never a request."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from running_server import RunningServer

BODY = {"completions": ["\\boxed{4}", "\\boxed{5}"], "ground_truths": ["4", "4"]}
OFFERS = {
    "java": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAA\r\n",
    "h2c": b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
    "foo": b"Connection: keep-alive, upgrade\r\nUpgrade: foo\r\n",
    "list": b"Upgrade: foo/1, bar, h2c\r\nConnection: UPGRADE\r\n",
    "twice": b"Connection: Upgrade\r\nUpgrade: a\r\nUpgrade: b\r\nConnection: keep-alive\r\n",
    "websocket": b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    "no offer": b"Connection: Upgrade\r\n",
    "no connection": b"Upgrade: h2c\r\n",
}
CONTENT = json.dumps(BODY).encode()
EARNED = b'"rewards": [1.0, 0.0]'
HEAD = b"POST /score/verifier HTTP/1.1\r\nHost: x\r\n"


def framed(offer: bytes, content: bytes, framing: str) -> bytes:
    if framing == "length":
        return HEAD + offer + b"Content-Length: %d\r\n\r\n" % len(content) + content
    chunks = [content[start : start + 40] for start in range(0, len(content), 40)]
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return HEAD + offer + b"Transfer-Encoding: chunked\r\n\r\n" + body + b"0\r\n\r\n"


def closing() -> bytes:
    """An ordinary request that ends the connection."""
    return HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(CONTENT) + CONTENT


def connected(server: RunningServer) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=600)


def answer_on(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(2**16), b""))


def exchange(server: RunningServer, *packets: bytes) -> bytes:
    """All that comes back until the server closes."""
    with connected(server) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for packet in packets:
            connection.sendall(packet)
        return answer_on(connection)


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("offer", OFFERS)
def test_a_request_that_offers_an_upgrade_is_served(server: RunningServer, offer: str, framing: str) -> None:
    """In one packet, head and body apart, byte by byte; alone, before another, and three in a row."""
    request = framed(OFFERS[offer], CONTENT, framing)
    head, _, body = request.partition(b"\r\n\r\n")
    for packets in (
        (request + closing(),),
        (request, closing()),
        (head + b"\r\n\r\n", body, closing()),
        tuple(bytes([byte]) for byte in request + closing()),
        (request * 3 + closing(),),
        (request * 2 + head, b"\r\n\r\n" + body + closing()),
    ):
        answer = exchange(server, *packets)
        sent = b"".join(packets).count(b"POST")
        assert (answer.count(b"HTTP/1.1 200 OK"), answer.count(EARNED)) == (sent, sent), answer


@pytest.mark.parametrize("offer", OFFERS)
def test_a_body_that_looks_like_a_request_is_never_one(server: RunningServer, offer: str) -> None:
    hidden = closing()
    for framing in ("length", "chunked"):
        request = framed(OFFERS[offer], hidden, framing)
        head, _, body = request.partition(b"\r\n\r\n")
        for packets in ((request + closing(),), (head + b"\r\n\r\n", body, closing())):
            answer = exchange(server, *packets)
            assert answer.count(b"HTTP/1.1 422 ") == 1, answer
            assert answer.count(b"HTTP/1.1 200 ") == 1, "that of the request after it"


def test_an_upgrade_without_a_body_is_an_ordinary_request(server: RunningServer) -> None:
    for offer in OFFERS.values():
        answer = exchange(server, b"GET /health HTTP/1.1\r\nHost: x\r\n" + offer + b"\r\n" + closing())
        assert (answer.count(b"HTTP/1.1 200 OK"), answer.count(b"alive")) == (2, 1)
        assert b" 101 " not in answer


def test_an_expectation_beside_the_offer_is_met(server: RunningServer) -> None:
    head = HEAD + OFFERS["java"] + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(CONTENT)
    with connected(server) as connection:
        connection.sendall(head)
        assert connection.recv(2**16).startswith(b"HTTP/1.1 100 ")
        connection.sendall(CONTENT + closing())
        assert answer_on(connection).count(EARNED) == 2


def test_connect_is_refused_and_what_follows_it_is_not_read(server: RunningServer) -> None:
    for target in (b"x:443", b"/score/verifier", b"http://x/"):
        answer = exchange(server, b"CONNECT " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n" + closing())
        assert answer.startswith(b"HTTP/1.1 405 ") and answer.count(b"HTTP/1.1") == 1
        assert b"method_not_allowed" in answer and b"connection: close" in answer.lower()


def test_a_head_with_an_offer_has_the_same_limits(server: RunningServer) -> None:
    answer = exchange(server, HEAD + OFFERS["h2c"] + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")


JAVA = """
import java.net.URI;
import java.net.http.*;
public class Post {
    public static void main(String[] args) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        for (int i = 0; i < 3; i++) {
            HttpRequest request = HttpRequest.newBuilder(URI.create(args[0] + "/score/verifier"))
                .POST(HttpRequest.BodyPublishers.ofString(args[1])).build();
            System.out.println(client.send(request, HttpResponse.BodyHandlers.ofString()).body());
        }
    }
}
"""


@pytest.mark.skipif(shutil.which("java") is None or shutil.which("javac") is None, reason="needs a JDK")
def test_javas_own_client_is_served_as_it_is(server: RunningServer, tmp_path: Path) -> None:
    source = tmp_path / "Post.java"
    source.write_text(JAVA)
    command = ["java", "-Xshare:auto", str(source), server.url, CONTENT.decode()]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.stdout.count(EARNED.decode()) == 3, finished.stderr
