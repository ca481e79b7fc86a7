"""Finished scores by sample, so that a retry resumes instead of starting over."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b

from reward_server.reward_model.engine import Mode, TokenIds


class KeptScores:
    """At most `limit` scores, the least recently asked for out first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._scores: OrderedDict[bytes, float] = OrderedDict()

    def get(self, key: bytes) -> float | None:
        if key not in self._scores:
            return None
        self._scores.move_to_end(key)
        return self._scores[key]

    def put(self, key: bytes, score: float) -> None:
        self._scores[key] = score
        if len(self._scores) > self._limit:
            self._scores.popitem(last=False)


def sample_key(prompt: TokenIds[int], completion: TokenIds[int], mode: Mode) -> bytes:
    """16 bytes that stand for the sample; the length keeps ("ab", "c") apart from ("a", "bc")."""
    digest = blake2b(f"{mode} {len(prompt)} ".encode(), digest_size=16)
    digest.update(prompt)
    digest.update(completion)
    return digest.digest()
