"""Which rollout of a question is audited: one, chosen by a hash of its text.

    e = -ln(1 - u(seed, group, visit, text)) / how often the text occurs       the least e is chosen

So the choice depends neither on the order of the rollouts nor on the machine, and each rollout is as likely as any
other. Equal texts count as one, chosen as often as they are many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from math import log1p


def chosen_text(texts: Sequence[str], *, seed: int, group: str, visit: int) -> str:
    """The text of the rollout that is audited, of all rollouts (at least one) of one visit of a question.

    >>> {chosen_text(texts, seed=0, group="q", visit=3) for texts in (["a", "b", "b"], ["b", "a", "b"])}
    {'b'}
    """
    return first_of(Counter(texts), {text: text_draw(text, seed=seed, group=group, visit=visit) for text in texts})


def first_of(times: Mapping[str, int], draws: Mapping[str, float]) -> str:
    """The text with the least e. Ties, which equal draws alone could make, go by the text."""
    return min(times, key=lambda text: (-log1p(-draws[text]) / times[text], text))


def text_draw(text: str, *, seed: int, group: str, visit: int) -> float:
    """u in [0, 1) of one text of a visit of a question; a draw that nothing else shares."""
    key = "\0".join(("rollout", str(seed), group, str(visit), text)).encode("utf-8", "surrogatepass")
    return (int.from_bytes(blake2b(key, digest_size=8).digest(), "big") >> 11) / 2**53
