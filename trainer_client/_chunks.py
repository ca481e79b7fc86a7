"""A batch of any size as requests of a size that the server takes, and their replies as one result. No I/O."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from trainer_client._errors import BadBatch, BadReply
from trainer_client._json import encode
from trainer_client._replicas import shares
from trainer_client._types import Rewards, ScoredChunk

Columns = Mapping[str, Sequence[object]]
T = TypeVar("T")


@dataclass(frozen=True)
class Chunk:
    """Samples of a batch, as the body of one request. `replica`: which of the client's URLs it prefers.

    `done`: how many samples this chunk and the chunks before it have together.
    """

    rows: Sequence[int]
    body: bytes
    replica: int
    done: int
    total: int


def split(columns: Columns, *, max_samples: int, max_bytes: int, replicas: Sequence[str] = ("",)) -> list[Chunk]:
    """The batch in order, at least one chunk; one sample over `max_bytes` goes alone, for the server to judge.

    With several `replicas` (their names) the samples of a group go to one of them, see `_replicas`; the chunks are in
    the order of their first samples. Raises BadBatch for columns of different lengths and for what JSON cannot carry.
    """
    total = len(columns["completions"])
    for name, column in columns.items():
        if len(column) != total:
            raise BadBatch(f"{name}: {len(column)} entries for {total} completions")
    parts = [
        (replica, rows[start : start + max_samples])
        for replica, rows in shares(columns, total, replicas).items()
        for start in range(0, max(len(rows), 1), max_samples)
    ]
    parts.sort(key=lambda part: part[1][0] if part[1] else 0)
    return _numbered([piece for replica, rows in parts for piece in _fitting(columns, rows, max_bytes, replica)])


def join(chunks: Sequence[ScoredChunk], request_id: str) -> Rewards:
    """All chunks of one call as one. Raises BadReply when they are of different rewards."""
    replies = [chunk.rewards for chunk in chunks]
    first = replies[0]
    if any(_kind(reply) != _kind(first) for reply in replies):
        raise BadReply("the server answered parts of one batch with different rewards")
    rows = [row for chunk in chunks for row in chunk.rows]
    places = sorted(range(len(rows)), key=rows.__getitem__)

    def joined(columns: Iterable[list[T]]) -> list[T]:
        values = list(itertools.chain.from_iterable(columns))
        return [values[place] for place in places]

    return Rewards(
        reward=first.reward,
        rewards=joined(reply.rewards for reply in replies),
        outcomes=joined(reply.outcomes for reply in replies),
        parts={name: joined(reply.parts[name] for reply in replies) for name in first.parts},
        components={name: joined(reply.components[name] for reply in replies) for name in first.components},
        scores=joined(reply.scores for reply in replies) if first.scores else [],
        version=_all_of(reply.version for reply in replies),
        config=_all_of(reply.config for reply in replies),
        request_id=_common_id([reply.request_id for reply in replies], request_id),
    )


def _kind(reply: Rewards) -> tuple[object, ...]:
    return reply.reward, reply.parts.keys(), reply.components.keys(), bool(reply.scores)


def read_reply(reply: Any, size: int, request_id: str = "") -> Rewards:
    """The reply to `size` samples. Raises BadReply unless every column has exactly that many entries."""
    try:
        rewards = Rewards(
            reward=str(reply["reward"]),
            rewards=_numbers("rewards", reply["rewards"], size),
            outcomes=[str(outcome) for outcome in _sized("outcomes", reply["outcomes"], size)],
            parts=_table(reply["parts"], size),
            components=_table(reply.get("components", {}), size),
            scores=_numbers("scores", reply["scores"], size) if "scores" in reply else [],
            version=str(reply["version"]),
            config=str(reply["config"]),
            request_id=request_id,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise BadReply(f"not the reply of a reward server: {error!r}") from None
    return rewards


def _fitting(
    columns: Columns, rows: Sequence[int], max_bytes: int, replica: int
) -> Iterator[tuple[Sequence[int], bytes, int]]:
    body = encode({name: [column[row] for row in rows] for name, column in columns.items()})
    if len(body) <= max_bytes or len(rows) < 2:
        yield rows, body, replica
        return
    middle = len(rows) // 2
    yield from _fitting(columns, rows[:middle], max_bytes, replica)
    yield from _fitting(columns, rows[middle:], max_bytes, replica)


def _numbered(pieces: Sequence[tuple[Sequence[int], bytes, int]]) -> list[Chunk]:
    ends = list(itertools.accumulate(len(rows) for rows, _, _ in pieces))
    return [Chunk(*piece, done, ends[-1]) for piece, done in zip(pieces, ends, strict=True)]


def _common_id(ids: Sequence[str], call: str) -> str:
    """The call's own id, unless it has one chunk, or a gateway wrote ids of its own."""
    is_ours = len(ids) > 1 and all(each.startswith(call) for each in ids)
    return call if is_ours else _all_of(ids)


def _all_of(values: Iterable[str]) -> str:
    return "+".join(dict.fromkeys(values))


def _table(columns: dict[str, Any], size: int) -> dict[str, list[float | None]]:
    return {name: _numbers(name, column, size) for name, column in columns.items()} if size else {}


def _numbers(name: str, values: Any, size: int) -> list[float | None]:
    if all(value is None or type(value) in (float, int) for value in values):
        return [None if value is None else float(value) for value in _sized(name, values, size)]
    raise BadReply(f"{name}: the reply has an entry that is neither a number nor null")


def _sized(name: str, values: Any, size: int) -> list[Any]:
    if not isinstance(values, list) or len(values) != size:
        raise BadReply(f"{name}: the reply does not have one entry for each of the {size} samples")
    return values
