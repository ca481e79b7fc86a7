"""Prompts the model has already read, kept for the completions that arrive later."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

from reward_server.reward_model.engine import TokenIds

S = TypeVar("S")


class PromptStates(Generic[S]):
    """State of the model after a prompt, least recently used out first, at most `max_tokens` tokens of prompts.

    A rollout engine finishes the completions of one prompt at different times; without this each would pay for the
    prompt again. What is kept is bitwise what would be computed, so it cannot change a score. Whoever gets a state must
    not change it. The empty prompt is not kept.
    """

    def __init__(self, max_tokens: int) -> None:
        self._max_tokens = max_tokens
        self._tokens = 0
        self._states: OrderedDict[bytes, S] = OrderedDict()

    def get(self, prompt: TokenIds[int]) -> S | None:
        """The state after `prompt` [P], None when it is not kept."""
        key = prompt.tobytes()
        if key not in self._states:
            return None
        self._states.move_to_end(key)
        return self._states[key]

    def put(self, prompt: TokenIds[int], state: S) -> None:
        """Keep the state of a prompt that `get` did not find; a prompt longer than the limit is not kept."""
        if not 0 < len(prompt) <= self._max_tokens:
            return
        self._states[prompt.tobytes()] = state
        self._tokens += len(prompt)
        while self._tokens > self._max_tokens:
            oldest, _ = self._states.popitem(last=False)
            self._tokens -= len(oldest) // prompt.itemsize

    def clear(self) -> None:
        """Forget all, to free the memory."""
        self._states.clear()
        self._tokens = 0
