"""The newest of what was found, for whoever asks again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """At most `limit` values, those that were asked for least recently out first.

    `weigh`: what a key counts, by default 1. A single one above the limit is not kept.

    >>> kept = Kept[str, int](limit=2)
    >>> kept.put("a", 1), kept.put("b", 2), kept.get("a"), kept.put("c", 3)
    (None, None, 1, None)
    >>> kept.get("a"), kept.get("b"), "c" in kept
    (1, None, True)
    """

    def __init__(self, limit: int, weigh: Callable[[K], int] = lambda key: 1) -> None:
        self._limit = limit
        self._weigh = weigh
        self._weight = 0
        self._values: OrderedDict[K, V] = OrderedDict()

    def __contains__(self, key: K) -> bool:
        return key in self._values

    def get(self, key: K) -> V | None:
        """The value, which from now on is the newest. None where it is not kept."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        """Keeps it as the newest."""
        weight = self._weigh(key)
        if weight > self._limit:
            return  # it would only put out all others
        if key not in self._values:
            self._weight += weight
        self._values[key] = value
        self._values.move_to_end(key)
        while self._weight > self._limit:
            oldest, _ = self._values.popitem(last=False)
            self._weight -= self._weigh(oldest)

    def clear(self) -> None:
        """Forgets all, to free the memory."""
        self._values.clear()
        self._weight = 0
