"""A batch of any size as requests of a size that the server takes, and their replies as one result. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainer_client._errors import BadBatch, BadReply
from trainer_client._json import encode
from trainer_client._types import Rewards

Columns = Mapping[str, Sequence[object]]


@dataclass(frozen=True)
class Chunk:
    """Consecutive samples of a batch, as the body of one request."""

    size: int
    body: bytes


def split(columns: Columns, *, max_samples: int, max_bytes: int) -> list[Chunk]:
    """The batch in order, at least one chunk; one sample over `max_bytes` goes alone, for the server to judge.

    Raises BadBatch for columns of different lengths and for what JSON cannot carry.
    """
    total = len(columns["completions"])
    for name, column in columns.items():
        if len(column) != total:
            raise BadBatch(f"{name}: {len(column)} entries for {total} completions")
    starts = range(0, max(total, 1), max_samples)
    return [
        chunk
        for start in starts
        for chunk in _fitting(columns, range(start, min(start + max_samples, total)), max_bytes)
    ]


def join(replies: Sequence[Rewards]) -> Rewards:
    """The replies of one batch's chunks, in order, as one. Raises BadReply when they are of different rewards."""
    first = replies[0]
    if any(reply.reward != first.reward or reply.parts.keys() != first.parts.keys() for reply in replies):
        raise BadReply("the server answered parts of one batch with different rewards")
    return Rewards(
        reward=first.reward,
        rewards=[reward for reply in replies for reward in reply.rewards],
        outcomes=[outcome for reply in replies for outcome in reply.outcomes],
        parts={name: [value for reply in replies for value in reply.parts[name]] for name in first.parts},
        version="+".join(dict.fromkeys(reply.version for reply in replies)),
        config="+".join(dict.fromkeys(reply.config for reply in replies)),
    )


def read_reply(reply: Any, size: int) -> Rewards:
    """The reply to `size` samples. Raises BadReply unless every column has exactly that many entries."""
    try:
        rewards = Rewards(
            reward=str(reply["reward"]),
            rewards=_numbers("rewards", reply["rewards"], size),
            outcomes=[str(outcome) for outcome in _sized("outcomes", reply["outcomes"], size)],
            parts={name: _numbers(name, part, size) for name, part in reply["parts"].items()} if size else {},
            version=str(reply["version"]),
            config=str(reply["config"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise BadReply(f"not the reply of a reward server: {error!r}") from None
    return rewards


def _fitting(columns: Columns, rows: range, max_bytes: int) -> Iterator[Chunk]:
    body = encode({name: column[rows.start : rows.stop] for name, column in columns.items()})
    if len(body) <= max_bytes or len(rows) < 2:
        yield Chunk(len(rows), body)
        return
    middle = rows.start + len(rows) // 2
    yield from _fitting(columns, range(rows.start, middle), max_bytes)
    yield from _fitting(columns, range(middle, rows.stop), max_bytes)


def _numbers(name: str, values: Any, size: int) -> list[float | None]:
    if all(value is None or type(value) in (float, int) for value in values):
        return [None if value is None else float(value) for value in _sized(name, values, size)]
    raise BadReply(f"{name}: the reply has an entry that is neither a number nor null")


def _sized(name: str, values: Any, size: int) -> list[Any]:
    if not isinstance(values, list) or len(values) != size:
        raise BadReply(f"{name}: the reply does not have one entry for each of the {size} samples")
    return values
