"""A small HTTP server that grades and judges, well and badly: what it answers stands in what it is asked."""

from __future__ import annotations

import gzip
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

RAW = {
    "garbage": b"<html>secret</html>",
    "no score": b'{"reason": "secret"}',
    "a list": b"[1]",
    "two": b'{"score": 2}',
    "text": b'{"score": "1"}',
    "nan": b'{"score": NaN}',
    "huge": b'{"score": 1, "reason": "' + b"x" * 2**21 + b'"}',
    "deep": b"[" * 100_000,
    "null": b'{"score": null, "reason": "no such task"}',
    "half": b'{"score": 0.5, "reason": "half of it"}',
    "true": b'{"score": true}',
}
STATUS = {"500": 500, "503": 503, "429": 429, "404": 404, "redirect": 307}
WHOLE = {
    "no shape": b"{}",
    "streamed": b'data: {"choices": [{"delta": {"content": "YES"}}]}\n\ndata: [DONE]\n\n',
    "trailing": b'{"choices": [{"message": {"content": "YES"}}]} YES',
    "error with 200": b'{"error": {"message": "YES", "code": 429}}',
}
REPLIES: dict[str, tuple[str | None, str]] = {
    "right": ("NO? No: YES", "stop"),
    "wrong": ("YES or NO. My verdict: **NO**.", "stop"),
    "mute": ("I cannot say, YESSIR", "stop"),
    "cut off": ("first thought: NO, but", "length"),
    "short": ("YES", "length"),
    "empty": (None, "stop"),
}


class Grader:
    """`url`. `asked`: the bodies that came, with their headers. `greatest`: how many were under work at once."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.tries: Counter[str] = Counter()
        self.greatest = 0
        self.now = 0
        self.lock = threading.Lock()
        self.pairs: threading.Barrier | None = None
        self.end = threading.Event()
        self.mood = ""
        """What it does with every answer: one of those that `_grade` knows."""


@contextmanager
def grading() -> Iterator[Grader]:
    """A server on a free port of the loopback."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        grader = Grader(f"http://127.0.0.1:{server.server_address[1]}")
        server.grader = grader  # type: ignore[attr-defined]  # for its handlers
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield grader
        finally:
            grader.end.set()
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_args: object) -> None:
        """Whoever asked has gone: that is what is tested."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        grader: Grader = self.server.grader  # type: ignore[attr-defined]  # set above
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with grader.lock:
            grader.asked.append(body)
            grader.headers.append(dict(self.headers))
            grader.now += 1
            grader.greatest = max(grader.greatest, grader.now)
        if grader.pairs is not None:
            grader.pairs.wait()
        try:
            self._judge(grader, body) if "messages" in body else self._grade(grader, body)
        finally:
            with grader.lock:
                grader.now -= 1

    def _judge(self, grader: Grader, body: dict[str, Any]) -> None:
        text = body["messages"][0]["content"]
        answer = text.rpartition("A: ")[2].partition("\n")[0]
        if answer in WHOLE:
            return self._send(200, WHOLE[answer])
        content, reason = REPLIES.get(answer, ("NO", "stop"))
        choice = {"message": {"role": "assistant", "content": content}, "finish_reason": reason}
        return self._send(200, json.dumps({"choices": [choice]}).encode())

    def _grade(self, grader: Grader, body: dict[str, Any]) -> None:
        answer = grader.mood or body["answer"]
        grader.tries[answer] += 1
        if answer == "hang":
            grader.end.wait()
        elif answer == "close":
            self.close_connection = True
        elif answer == "twice" and grader.tries[answer] <= 2:
            self._send(503, b"")
        elif answer == "liar":
            self._send(200, b'{"score": %d}' % (grader.tries[answer] % 2))
        elif answer == "gzip":
            self._send(200, gzip.compress(b'{"score": 1}'), "Content-Encoding", "gzip")
        elif answer in STATUS:
            self._send(STATUS[answer], b"secret", *("Location", "/") if answer == "redirect" else ("Retry-After", "0"))
        else:
            score = json.dumps({"score": answer == body["ground_truth"], "reason": "because"}).encode()
            self._send(200, RAW.get(answer, score))

    def _send(self, status: int, body: bytes, *header: str) -> None:
        self.send_response(status)
        if header:
            self.send_header(*header)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Nothing is printed."""
