"""Which replica scores which sample, where the client knows several: rendezvous hashing by group. No I/O.

Replicas agree by construction, so this changes no reward. It keeps the samples of a question together: a reward model
then reads the prompt once for all of them, and the verifier's cache sees repeated answers. With a replica more or less
only the groups move that have to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b

KEYS = ("groups", "prompts", "ground_truths", "completions")
"""The first of these that a sample has says what it belongs to."""


def shares(columns: Mapping[str, Sequence[object]], total: int, replicas: Sequence[str]) -> dict[int, Sequence[int]]:
    """The samples' positions by replica, in their order; at least one replica has a share, which may be empty."""
    if len(replicas) == 1 or not total:
        return {0: range(total)}
    given = [columns[name] for name in KEYS if name in columns]
    found: dict[int, list[int]] = {}
    for row in range(total):
        group = next((column[row] for column in given if column[row] is not None), None)
        found.setdefault(preferred(group, replicas), []).append(row)
    return dict(found)


def preferred(group: object, replicas: Sequence[str]) -> int:
    """The replica whose name, hashed together with the group, is the greatest."""
    texts = [f"{name}\0{group}".encode("utf-8", "surrogatepass") for name in replicas]
    weights = [blake2b(text, digest_size=8).digest() for text in texts]
    return max(range(len(replicas)), key=weights.__getitem__)
