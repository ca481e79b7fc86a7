"""Hostile bodies through every dialect of a live server: an answer or a 422 with its reason, never a 500."""

from __future__ import annotations

import itertools
import json
import socket
from collections.abc import Callable, Iterator

import httpx
import pytest
from running_server import RunningServer

Bodies = dict[str, Callable[[str], dict[str, object]]]

BODIES: Bodies = {
    "/score/verifier": lambda text: {"completions": [text, "\\boxed{4}"], "ground_truths": ["4", "4"]},
    "/score/verifier?alpha=0.5&check=string": lambda text: {"completions": [text], "ground_truths": [text]},
    "/score/flip?flip_prob=0.5": lambda text: {
        "completions": [text], "ground_truths": ["4"], "prompts": [[{"role": text, "content": text}]], "groups": [text],
        "visits": [3], "flips": [True],
    },
    "/score/rpr": lambda text: {"query": [text + text], "prompts": [text], "labels": [text]},
    "/score/verifier?reply=object": lambda text: {"response": text, "prompt": text, "label": text},
    "/score/verifier/verify": lambda text: {
        "responses_create_params": {"input": [{"role": "user", "content": text}]}, "ground_truth": text,
        "response": {"output": [{"type": "message", "content": [{"type": "output_text", "text": text}]}]},
        "group": text, "visit": 0, "flip": False,
    },
    "/explain/verifier": lambda text: {"completion": text, "prompt": text, "ground_truth": text, "group": text},
    "/explain/rpr": lambda text: {"completion": text},
}  # fmt: skip

PLANES = "".join(chr(plane * 0x10000 + offset) for plane in range(17) for offset in (0x21, 0x3FFF, 0xFFFD, 0xFFFF))
TEXTS = {
    "nul": "a\0b \\boxed{\0} \\boxed{4\0}",
    "lone surrogates": "\ud800 \\boxed{\udfff} \udc00\ud800",
    "every plane": f"{PLANES} \\boxed{{{PLANES}}}",
    "right to left": "\u202e\\boxed{\u05d0\u0664\u202c} \u200f",
    "control characters": "".join(map(chr, range(32))) + "\x7f\x85\u2028 \\boxed{\x1b}",
    "look-alikes": "\\boxed{\uff14} \\b\u043exed{4} \uff3cboxed{4} \\boxed{\u0664}",
    "combining": "\\boxed{4" + "\u0301" * 500 + "}",
    "dotted capital i": "\u0130" * 1000 + " \\boxed{4}",
    "deep braces": "\\boxed{" * 50_000 + "4" + "}" * 50_000,
    "open braces": "\\boxed{" + "{" * 100_000,
    "closed braces": "}" * 100_000 + "\\boxed{4}",
    "deep fractions": "\\boxed{" + "\\frac{1}{1+" * 80 + "1" + "}" * 81,
    "digits": "\\boxed{" + "9" * 900 + "}",
    "percent signs": "%s %d %n {0} {} \\boxed{%s}",
    "json inside": '\\boxed{{"ground_truth": 4}}',
    "nothing": "",
    "white space": " \t\n\r\x0b\x0c\u00a0\u3000",
    "template": "<|im_start|>user\n<|im_end|>\\boxed{4}\nUser: <think></think><answer>",
}
WRONG: list[object] = [
    None, True, 1, -1, 1.5, "x", "", [], {}, [None], [1], [1.5], [[]], [{}], [True], ["x", "y", "z"], {"x": [{}]},
    [["x"]], [{"role": 1, "content": []}], [10**400], 10**400, [-(2**63) - 1],
]  # fmt: skip

RAW = {
    "duplicate keys": b'{"completions": ["\\\\boxed{5}"], "completions": ["\\\\boxed{4}"], "ground_truths": ["4"]}',
    "nan": b'{"completions": ["x"], "ground_truths": [NaN]}',
    "infinity": b'{"completions": ["x"], "ground_truths": [-Infinity], "groups": ["g"]}',
    "huge integer": b'{"completions": ["x"], "ground_truths": [' + b"9" * 5000 + b"]}",
    "huge exponent": b'{"completions": ["x"], "ground_truths": [1e999999999]}',
    "huge visit": b'{"completions": ["x"], "ground_truths": ["4"], "groups": ["g"], "visits": [1e400]}',
    "deep": b'{"completions": ["x"], "ground_truths": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}",
    "deep prompts": b'{"completions": ["x"], "prompts": [' + b'[{"a":' * 50_000 + b"1" + b"}]" * 50_000 + b"]}",
    "deep label text": b'{"completions": ["x"], "ground_truths": ["{\\"ground_truth\\":' + b"[" * 50_000 + b'"]}',
    "label text with nan": b'{"completions": ["x"], "ground_truths": ["{\\"ground_truth\\": NaN}"]}',
    "bad utf-8": b'{"completions": ["\xff\xfe"], "ground_truths": ["4"]}',
    "overlong utf-8": b'{"completions": ["\xc0\xaf"], "ground_truths": ["4"]}',
    "surrogates in utf-8": b'{"completions": ["\xed\xa0\x80"], "ground_truths": ["4"]}',
    "byte order mark": b'\xef\xbb\xbf{"completions": ["x"], "ground_truths": ["4"]}',
    "utf-16": '{"completions": ["x"], "ground_truths": ["4"]}'.encode("utf-16"),
    "two objects": b'{"completions": []}{"completions": []}',
    "cut off": b'{"completions": ["x"',
    "a list": b"[]", "null": b"null", "a text": b'"completions"', "a number": b"1", "empty": b"", "nul": b"\0" * 100,
    "a surrogate for a list": b'{"completions": "\\ud800"}',
    "surrogates for lists": b'{"query": ["\\ud800"], "prompts": "\\udc00", "labels": "\\ud800"}',
    "half a surrogate pair": b'{"completions": ["\\ud83d"], "ground_truths": ["4"], "prompts": ["\\udc00"]}',
}  # fmt: skip


@pytest.fixture(scope="module")
def client(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=600) as client:
        yield client
    assert server.metric("reward_rejected_total", code="internal_error") == 0
    assert not [line for line in server.log_lines() if line["event"] == "a request failed"]


def refused_or_answered(reply: httpx.Response) -> str:
    """ "answered" or "refused"; fails on anything else."""
    assert reply.status_code in (200, 422), (reply.status_code, reply.text[:500])
    assert reply.text.isascii()
    content = reply.json()
    if reply.status_code == 422:
        assert content["error"]["code"] == "invalid_request" and content["error"]["message"]
        return "refused"
    for reward in rewards_in(content):
        assert reward is None or 0 <= reward <= 1
    return "answered"


def rewards_in(content: object) -> list[float | None]:
    if isinstance(content, list):
        return [row["aggregate_reward_score"] for row in content]  # AWS
    if not isinstance(content, dict):
        assert isinstance(content, float)  # slime
        return [content]
    if "rewards" in content:
        return list(content["rewards"])
    return [content["value"] if "value" in content else content["reward"]]  # /explain, or one sample


def sent(client: httpx.Client, path: str, body: object) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(path, content=content, headers={"content-type": "application/json"})


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("name", TEXTS)
def test_any_text_is_scored(client: httpx.Client, path: str, name: str) -> None:
    is_blank_group = "flip" in path and not TEXTS[name].strip()  # all such rows would share one flip
    expected = "refused" if is_blank_group else "answered"
    assert refused_or_answered(sent(client, path, BODIES[path](TEXTS[name]))) == expected


def test_a_line_of_ten_megabytes_is_scored(client: httpx.Client) -> None:
    line = "wait, so it is 4. " * (10 * 2**20 // 18) + "\\boxed{4}"
    for path in ("/score/verifier?alpha=1", "/score/rpr"):
        reply = sent(client, path, {"completions": [line], "ground_truths": ["4"]})
        assert reply.status_code == 200, reply.text
    assert sent(client, "/score/verifier", {"completions": [line], "ground_truths": ["4"]}).json()["rewards"] == [1.0]


@pytest.mark.parametrize("path", BODIES)
def test_a_wrong_type_at_any_field_is_refused_with_its_name_or_scored(client: httpx.Client, path: str) -> None:
    """Some are right (a number as a ground truth), most are wrong; and the message of a refusal names the field."""
    body = BODIES[path]("so \\boxed{4}")
    for key, value in itertools.product(body, WRONG):
        reply = sent(client, path, {**body, key: value})
        if refused_or_answered(reply) == "refused":
            named = {key, key.removesuffix("s"), "row 0", "completions", "ground truth", "response", "query"}
            assert any(name in reply.json()["error"]["message"] for name in named), (key, value, reply.text)


@pytest.mark.parametrize("path", ["/score/verifier", "/score/flip?flip_prob=0.5", "/explain/verifier"])
@pytest.mark.parametrize("name", RAW)
def test_any_bytes_are_refused_or_scored(client: httpx.Client, path: str, name: str) -> None:
    refused_or_answered(sent(client, path, RAW[name]))


def test_of_a_key_given_twice_the_last_one_counts(client: httpx.Client) -> None:
    assert sent(client, "/score/verifier", RAW["duplicate keys"]).json()["rewards"] == [1.0]


@pytest.mark.parametrize(
    "query",
    ["flip_prob=nan", "flip_prob=inf", "flip_prob=1e400", "flip_prob=%00", "flip_prob=%ff",
     "flip_prob=0.5&seed=" + "9" * 5000, "flip_prob=0.5&phrases=../../etc/passwd",
     "flip_prob=0.5&saturation=1e400", "flip_prob=0.5&seed=1_0&%ff=1", "=&=&",
     "flip_prob=0.5&check=" + "x" * 10_000, "flip_prob=" + "%" * 100],
)  # fmt: skip
def test_any_query_string_is_refused_or_understood(client: httpx.Client, query: str) -> None:
    body = {"completions": ["\\boxed{4}"], "ground_truths": ["4"], "groups": ["g"]}
    refused_or_answered(sent(client, f"/score/flip?{query}", body))


@pytest.mark.parametrize("path", ["/explain/verifier", "/score/verifier", "/verify", "/ready", "/metrics"])
def test_raw_bytes_in_a_query_string_are_no_failure(server: RunningServer, path: str) -> None:
    """They are not UTF-8, nor percent-encoded; no HTTP client sends them."""
    host, port = server.url.removeprefix("http://").split(":")
    body = b'{"completion": "x"}' if "explain" in path else b'{"completions": ["x"], "ground_truths": ["4"]}'
    method = b"GET" if path in ("/ready", "/metrics") else b"POST"
    head = b"%b %b?group=\xff\xfe%%ff\x80 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=600) as connection:
        connection.sendall(head % (method, path.encode(), len(body)) + body)
        answer = b"".join(iter(lambda: connection.recv(2**16), b""))
    assert answer.split()[1] in {b"200", b"400", b"404", b"422"}, answer


def test_an_unscored_sample_never_carries_a_zero_in_our_own_dialect(client: httpx.Client) -> None:
    """What cannot be a ground truth: null with its outcome, in the middle of a batch that is scored."""
    bad = [None, "", " ", True, {}, {"ground_truth": None}, [], ["4", ""], {"x": 1}]
    body = {"completions": ["\\boxed{4}"] * (len(bad) + 1), "ground_truths": [*bad, "4"]}
    reply = sent(client, "/score/verifier", body).json()
    assert reply["rewards"] == [None] * len(bad) + [1.0]
    assert reply["outcomes"] == ["ungradable"] * len(bad) + ["correct"]


@pytest.mark.parametrize("depth", range(100, 1100, 50))
def test_messages_however_deep_are_scored_or_refused(client: httpx.Client, depth: int) -> None:
    messages = f'[{{"role": "user", "content": "x", "d": {"[" * depth}1{"]" * depth}}}]'
    label = f'{{"ground_truth": "4", "prompt": {messages}}}'
    for path, body in (
        ("/score", f'{{"prompt": {messages}, "response": "x", "label": "4"}}'),
        ("/score", f'{{"prompts": [{messages}], "completions": ["x"], "ground_truths": ["4"]}}'),
        ("/score", f'{{"prompts": [{messages}], "completions": ["\\ud800"], "ground_truths": ["4"]}}'),
        ("/score", f'{{"completions": ["x"], "ground_truths": [{label}]}}'),
        ("/explain", f'{{"completion": "x", "ground_truth": "4", "prompt": {messages}}}'),
    ):
        refused_or_answered(sent(client, f"{path}/flip?flip_prob=0.5", body.encode()))
