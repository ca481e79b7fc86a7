"""API keys: who may call, decided in constant time and without ever logging a key."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence

PROTECTED = ("/score", "/explain", "/rewards", "/verify", "/seed_session", "/reverify_mode")


def is_protected(path: str) -> bool:
    """True for what computes or lists the rewards; health, metrics and the OpenAPI page stay open."""
    return path.startswith(PROTECTED)


def is_authorised(authorization: bytes, keys: Sequence[bytes]) -> bool:
    """True when the header holds one of the keys: `Bearer KEY`, or Basic with KEY as user or password.

    Trainers can only put a key into the URL, `http://user:KEY@host`, which their HTTP clients send as Basic.
    """
    scheme, _, credentials = authorization.partition(b" ")
    given = credentials.strip()
    if scheme.lower() == b"bearer":
        candidates = [given]
    elif scheme.lower() == b"basic":
        candidates = _basic(given)
    else:
        return False
    # Every key is compared with every candidate: the time must not tell which one was nearly right.
    matches = [hmac.compare_digest(candidate, key) for candidate in candidates for key in keys]
    return any(matches)


def _basic(credentials: bytes) -> list[bytes]:
    try:
        user, _, password = base64.b64decode(credentials, validate=True).partition(b":")
    except binascii.Error:
        return []
    return [user, password]
