"""How many tokens may wait for the reward model."""

from __future__ import annotations

from reward_server.errors import Overloaded, TooLarge


class TokenLimit:
    """Tokens that may wait for the reward model, and of which one request may bring no more."""

    def __init__(self, max_tokens: int) -> None:
        self._max_tokens = max_tokens

    def admit(self, queued_tokens: int, wait_s: float) -> None:
        """Raises Overloaded while that many wait. What is let in may pass the limit, by one request's tokens."""
        if queued_tokens >= self._max_tokens:
            raise Overloaded(
                f"{queued_tokens} tokens wait for the reward model, and rm_max_queued_tokens={self._max_tokens}",
                retry_after_s=wait_s,
            )

    def check(self, tokens: int) -> None:
        """Raises TooLarge where the `tokens` of one request could never fit."""
        if tokens > self._max_tokens:
            raise TooLarge(
                f"the request has more tokens for the reward model than rm_max_queued_tokens={self._max_tokens};"
                " send fewer samples at a time"
            )
