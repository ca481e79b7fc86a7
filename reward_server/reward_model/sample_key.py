"""By what a finished score is found again, so that a retry resumes instead of starting over."""

from __future__ import annotations

from hashlib import blake2b

from reward_server.reward_model.engine import Mode, TokenIds

KEPT_SCORES = 65_536
"""Finished scores that an engine keeps: those of several rollouts."""


def sample_key(prompt: TokenIds[int], completion: TokenIds[int], mode: Mode) -> bytes:
    """16 bytes that stand for the sample; the length keeps ("ab", "c") apart from ("a", "bc")."""
    digest = blake2b(f"{mode} {len(prompt)} ".encode(), digest_size=16)
    digest.update(prompt)
    digest.update(completion)
    return digest.digest()
