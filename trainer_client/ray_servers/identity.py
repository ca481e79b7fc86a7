"""What must be the same on every node, so that it does not matter which server scores a sample."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

ASK_S = 20.0
NO_BATCH = b'{"completions": []}'
Identity = Mapping[str, str]
"""By name: `code` and `files` (digests that the keeper makes), `version`, `rewards` (a digest of /rewards: names,
parameters, defaults), and the configuration digest of every reward that has one without further parameters."""
KNOWN_EARLY = ("code", "files")
"""Before the server listens."""
NO_MODEL = 501
"""`rm` on a server without one."""
DIRECT = build_opener(ProxyHandler({}))  # a proxy has no way to this machine's loopback


def asked(url: str, key: str | None) -> Identity | None:
    """What the server tells of itself; None while it takes no work. Raises ValueError when it is not as expected."""
    try:
        if _ask(f"{url}/ready", key)[0] != 200:
            return None
        status, rewards = _ask(f"{url}/rewards", key)
        if status >= 500:
            return None
        if status != 200:
            raise ValueError(f"{url}/rewards: {status} {rewards[:200].decode('utf-8', 'replace')}")
        listed = json.loads(rewards)
        names = [reward["name"] for reward in listed["rewards"]]
        digest = hashlib.blake2b(json.dumps(listed["rewards"], sort_keys=True).encode(), digest_size=6).hexdigest()
        configs = {f"config of {name}": _config(f"{url}/score/{name}", key) for name in names}
    except (URLError, HTTPException, ConnectionError, TimeoutError):
        return None
    if "" in configs.values():
        return None
    return {"version": listed["version"], "rewards": digest, **configs}


def differences(identities: Mapping[str, Identity], names: Collection[str] = ()) -> list[str]:
    """By node; in words what differs, and on which nodes it is what. Empty where all are the same. Without `names` of
    all that any of them has."""
    names = names or dict.fromkeys(name for identity in identities.values() for name in identity)
    return [text for name in names if (text := _difference(name, identities))]


def _difference(name: str, identities: Mapping[str, Identity]) -> str:
    nodes: dict[str, list[str]] = {}
    for node, identity in identities.items():
        nodes.setdefault(identity.get(name, "none"), []).append(node)
    if len(nodes) < 2:
        return ""
    return f"{name} is " + ", ".join(f"{value} on {' and '.join(places)}" for value, places in nodes.items())


def _config(url: str, key: str | None) -> str:
    """Of a batch without samples. A reward that needs a parameter or a model has none, only a status; "" for not now.

    What `flip` needs beyond its parameters is in the verifier's."""
    status, answer = _ask(url, key, NO_BATCH)
    if status >= 500 and status != NO_MODEL:
        return ""
    config: Any = json.loads(answer).get("config") if status == 200 else f"none, HTTP {status}"
    return str(config)


def _ask(url: str, key: str | None, body: bytes | None = None) -> tuple[int, bytes]:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    try:
        with DIRECT.open(Request(url, body, headers), timeout=ASK_S) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()
