"""Keys stay secret, and nothing that a request names is opened, imported or fetched."""

from __future__ import annotations

import base64
import itertools
import os
from pathlib import Path

import httpx
import pytest
from conftest import Starter
from running_server import RunningServer

KEY = "sesame-0123456789abcdef"
BODY = {"completions": ["\\boxed{4}"], "ground_truths": ["4"], "groups": ["g"]}
ENCODED = base64.b64encode(f"trainer:{KEY}".encode()).decode()


def test_a_key_is_in_no_log_error_metric_or_page_however_it_was_sent(start_server: Starter) -> None:
    """Right or wrong, in a header, as the URL's user, in the query string, in the body, in the path."""
    with start_server("--log-level", "debug", environment={"REWARD_API_KEYS": KEY}) as server:
        with_user = server.url.replace("http://", f"http://trainer:{KEY}@")
        headers = [{}, {"authorization": f"Bearer {KEY}"}, {"authorization": f"Bearer {KEY}x"}, {"x-api-key": KEY}]
        replies = []
        queries = [f"/score/flip?flip_prob=0.5&key={KEY}", f"/score/verifier?{KEY}"]
        for path, header in itertools.product(["/score/verifier", *queries, f"/score/{KEY}", f"/{KEY}"], headers):
            replies.append(httpx.post(server.url + path, json=BODY, headers=header, timeout=600))
        replies += [
            httpx.post(with_user + path, json=BODY, timeout=600) for path in ("/score/verifier", "/score/nobody")
        ]
        replies += [
            httpx.get(server.url + path, timeout=600) for path in ("/metrics", "/openapi.json", "/docs", "/ready")
        ]
        assert {reply.status_code for reply in replies} <= {200, 401, 404, 422}
        assert replies[1].json()["rewards"] == [1.0]
        told = [reply.text for reply in replies if KEY not in str(reply.request.url.path)]
        # A query string's unknown parameter is told back to whoever sent it, and to nobody else.
        told = [text for text in told if "no such parameter" not in text]
        metrics = httpx.get(server.url + "/metrics", timeout=600).text
        server.stop()
        for text in (*told, metrics, server.log.read_text()):
            assert KEY not in text
            assert ENCODED not in text


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "os.system", "file:///etc/passwd", "hf://org/model"]
)
def test_nothing_that_a_request_names_is_looked_for(server: RunningServer, name: str, tmp_path: Path) -> None:
    """A name that exists as a file is as unknown as one that does not; the process opens no file for either."""
    target = tmp_path / "list.txt"
    target.write_text('"wait"')
    opened = open_files(server)
    for given in (name, str(target)):
        for path in ("/score/rpr", "/explain/rpr"):
            body = {"completion": "x"} if "explain" in path else {"completions": ["x"]}
            reply = httpx.post(server.url + path, params={"phrases": given}, json=body, timeout=600)
            assert reply.status_code == 422
            assert "no list is called" in reply.json()["error"]["message"]
        for key in ("model", "rm_model", "config", "engine", "dtype"):
            reply = httpx.post(server.url + "/score/rm", params={key: given}, json={"completions": ["x"]}, timeout=600)
            assert reply.status_code == 422
            assert server.post("/score/verifier", {**BODY, key: given}).status_code == 422
        assert httpx.post(f"{server.url}/score/{httpx.URL(given).path.strip('/') or 'x'}", json=BODY).status_code == 404
    assert open_files(server) == opened


def open_files(server: RunningServer) -> set[str]:
    folder = Path(f"/proc/{server.process.pid}/fd")
    paths = {os.readlink(entry) for entry in folder.iterdir() if entry.is_symlink()}
    return {path for path in paths if path.startswith("/") and not path.startswith("/dev/")}


def test_no_code_of_ours_reads_pickles_or_evaluates_text() -> None:
    """But those of `worker_process.py`: pipes between the server and the processes that it started itself."""
    forbidden = (
        "import pickle",
        "pickle.load",
        "eval(",
        "exec(",
        "trust_remote_code=True",
        "parse_expr(",
        "sympify(",
        "yaml.load",
    )
    package = Path(__file__).parents[2]
    for path in [*package.glob("reward_server/**/*.py"), *package.glob("trainer_client/**/*.py")]:
        if path.name == "worker_process.py":
            continue
        code = path.read_text("utf-8").replace(".eval()", "")  # of torch: a model's mode
        assert [word for word in forbidden if word in code and f"_{word}" not in code] == [], path
