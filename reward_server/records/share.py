"""Which questions are recorded: whole ones, the same at every visit and step and on every replica.

    a question is in iff int(blake2b(key, digest_size=8, person="record"), big endian) < share · 2^64

`key` is what noise is keyed by, the group or else the prompt. A sample with neither stands for itself: its completion
is the key. The draw has nothing in common with that of the noise, so a share is as noisy as the whole.
"""

from __future__ import annotations

from hashlib import blake2b

from reward_server.rewards.noise import group_of_prompt
from reward_server.types import Sample


def is_in_share(sample: Sample, share: float) -> bool:
    """Is the question of the sample one of the `share` (0 … 1) that is recorded?

    >>> kept = [is_in_share(Sample("x", group=f"q-{n}"), 0.1) for n in range(1000)]
    >>> sum(kept), is_in_share(Sample("another", group="q-3", visit=7), 0.1) == kept[3]
    (97, True)
    """
    try:
        key = _key(sample)
    except RecursionError:  # messages that are nested too deeply to have a key
        return True
    digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8, person=b"record").digest()
    return int.from_bytes(digest, "big") < share * 2**64


def _key(sample: Sample) -> str:
    if sample.group is not None:
        return sample.group
    return sample.completion if sample.prompt is None else group_of_prompt(sample.prompt)
