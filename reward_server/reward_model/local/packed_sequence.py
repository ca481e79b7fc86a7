"""Many prompts and completions as one row of tokens without padding between them: a pure decision over lengths.

    row:       [prompt A][A1][A2]…[A8][prompt B][B1]…[padding]
    positions:  0 …       len(A) … for each of its completions, 0 … for B
    attention:  a prompt reads itself; a completion reads its prompt and itself

A prompt stands once in a row, whatever the number of its completions. One that has completions in two rows stands in
both. Where a text stands, and with which others, must change no bit of its score: `packed_check` sees to that.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from reward_server.reward_model.engine import TokenIds
from reward_server.reward_model.local.packing import Pack, Row

KEYS_PER_TOKEN = 8
"""Keys of a sequence, at most, for each token that it may have: with 32 completions of 100 tokens a prompt of 2,000
has that many. For a model of 7B and passes of 8,192 tokens they take 134 MB a layer, one layer at a time."""


@dataclass(frozen=True, slots=True)
class PackedSequence:
    """Packs of one forward pass, each prompt once."""

    packs: Sequence[Pack]

    @property
    def rows(self) -> list[Row]:
        return [row for pack in self.packs for row in pack.rows]

    @property
    def tokens(self) -> int:
        """Without padding."""
        return sum(pack.tokens for pack in self.packs)

    def singles(self) -> list[PackedSequence]:
        """Every completion in a sequence of its own."""
        return [PackedSequence([pack]) for whole in self.packs for pack in whole.singles()]


@dataclass(frozen=True, slots=True)
class Layout:
    """A sequence of M tokens in S segments, as numbers for the model and its attention.

    `ids` [M], `positions` [M]. Queries of segment s are the tokens `query_ends[s]` to `query_ends[s + 1]`. Its keys are
    those of the tokens `keys[key_ends[s] : key_ends[s + 1]]`, the last of which are its own. `last` [R]: where each
    completion ends.
    """

    ids: array[int] = field(default_factory=lambda: array("i"))
    positions: array[int] = field(default_factory=lambda: array("i"))
    keys: array[int] = field(default_factory=lambda: array("i"))
    query_ends: array[int] = field(default_factory=lambda: array("i", [0]))
    key_ends: array[int] = field(default_factory=lambda: array("i", [0]))
    last: list[int] = field(default_factory=list)


def sequences(packs: Iterable[Pack], max_tokens: int) -> list[PackedSequence]:
    """Each completion in the first sequence that has room for it, and for its prompt where that is not there yet.

    `packs`: texts of at most `max_tokens`; those of one prompt are neighbours. A completion has a copy of its prompt's
    keys while a layer is computed: of a long prompt with thousands of short ones only so many stand in one sequence.
    """
    open_: list[_Open] = []
    for pack in packs:
        for row in pack.rows:
            place = next((one for one in open_ if one.has_room(pack.prompt, row, max_tokens)), None)
            if place is None:
                open_.append(place := _Open())
            place.add(pack.prompt, row)
    return [PackedSequence([Pack(prompt, rows) for prompt, rows in one.parts]) for one in open_]


def layout(sequence: PackedSequence, size: int) -> Layout:
    """The sequence, filled up with padding to `size` tokens. Padding reads itself, so that nothing is undefined."""
    made = Layout()
    for pack in sequence.packs:
        start = len(made.ids)
        prompt = range(start, start + len(pack.prompt))
        _append(made, pack.prompt, (), 0)
        for row in pack.rows:
            _append(made, row.ids, prompt, len(pack.prompt))
            made.last.append(len(made.ids) - 1)
    _append(made, array("i", bytes(4 * (size - len(made.ids)))), (), 0)
    return made


def _append(made: Layout, ids: TokenIds[int], prompt: Sequence[int], position: int) -> None:
    """One segment that reads the tokens at `prompt` and itself, unless it is empty."""
    if not ids:
        return
    start = len(made.ids)
    made.ids.extend(ids)
    made.positions.extend(range(position, position + len(ids)))
    made.keys.extend(prompt)
    made.keys.extend(range(start, start + len(ids)))
    made.query_ends.append(len(made.ids))
    made.key_ends.append(len(made.keys))


@dataclass(slots=True)
class _Open:
    """A sequence that is being filled."""

    parts: list[tuple[TokenIds[int], list[Row]]] = field(default_factory=list)
    tokens: int = 0
    keys: int = 0

    def has_room(self, prompt: TokenIds[int], row: Row, max_tokens: int) -> bool:
        keys = self.keys + len(prompt) + len(row.ids)
        is_first = not self.parts
        return self._with(prompt, row) <= max_tokens and (is_first or keys <= KEYS_PER_TOKEN * max_tokens)

    def add(self, prompt: TokenIds[int], row: Row) -> None:
        self.tokens = self._with(prompt, row)
        self.keys += len(prompt) + len(row.ids)
        if not self._ends_with(prompt):
            self.parts.append((prompt, []))
        self.parts[-1][1].append(row)

    def _with(self, prompt: TokenIds[int], row: Row) -> int:
        """Tokens with this text in it."""
        return self.tokens + len(row.ids) + (0 if self._ends_with(prompt) else len(prompt))

    def _ends_with(self, prompt: TokenIds[int]) -> bool:
        return bool(self.parts) and self.parts[-1][0] == prompt
