"""One URL serves every trainer: the shape of the body says who is calling, the reply has that caller's shape.

A dialect is one module: `matches(keys)`, `parse(body) -> samples, echo`, `render(reply, echo) -> bytes`, the schema of
its bodies and the types of its replies. A new one is that module and its name in DIALECTS. The NeMo-Gym family has
paths of its own: it is asked for there, and not recognised by shape.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Protocol

from reward_server.dialects import aws_rft, llama_factory, native, openrlhf, slime
from reward_server.dialects.json_body import JsonBody
from reward_server.dialects.reply import Echo, Reply
from reward_server.errors import InvalidRequest, shortened
from reward_server.types import Sample


class Dialect(Protocol):
    """What a dialect's module has. `SCHEMA`: its bodies. `REPLIES`: the types of its replies. Both for OpenAPI."""

    NAME: str
    SCHEMA: dict[str, object]
    REPLIES: tuple[Any, ...]

    def matches(self, keys: Collection[str]) -> bool:
        """True when a body with these top-level keys is this dialect's."""

    def parse(self, body: JsonBody) -> tuple[list[Sample], Echo]:
        """The samples, in order, and what of the body the answer repeats. Raises InvalidRequest."""

    def render(self, reply: Reply, echo: Echo) -> bytes:
        """The whole body of the answer, ASCII JSON."""


DIALECTS: tuple[Dialect, ...] = (native, openrlhf, slime, llama_factory, aws_rft)


def recognise(body: JsonBody) -> Dialect:
    """The dialect of a body. Raises InvalidRequest, which shows the shapes we know."""
    for dialect in DIALECTS:
        if dialect.matches(body.keys):
            return dialect
    raise InvalidRequest(
        "the body has none of the keys by which a caller is recognised: completions (native), query or queries"
        " (OpenRLHF), response (slime, miles), messages (LLaMA-Factory); AWS sends a list, and"
        " NeMo-Gym posts to /score/{name}/verify",
        {"keys": [shortened(key, 100) for key in sorted(body.keys)[:20]]},
    )
