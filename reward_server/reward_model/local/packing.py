"""Which texts share a forward pass: a pure decision over lengths.

`deterministic`: one completion a pass, so that a score cannot depend on its neighbours. `throughput`: completions of
one prompt side by side, longest first, up to two token budgets, since each row has a copy of the prompt's keys and
values; prompts with a single completion are run as whole texts and packed with each other. Rows are padded on the
right, which a causal model that is read at the last real token never sees; no attention mask is needed.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reward_server.reward_model.engine import Group, Mode, TokenIds


@dataclass(frozen=True, slots=True)
class Row:
    """One text of a pass: `ids` [C], and its place in the groups."""

    ids: TokenIds[int]
    group: int
    completion: int


@dataclass(frozen=True, slots=True)
class Pack:
    """Rows that share a forward pass after the same prompt (maybe empty), longest first."""

    prompt: TokenIds[int]
    rows: Sequence[Row]

    @property
    def tokens(self) -> int:
        """The prompt's once."""
        return len(self.prompt) + sum(len(row.ids) for row in self.rows)

    def singles(self) -> list[Pack]:
        """Every row in a pack of its own."""
        return [Pack(self.prompt, (row,)) for row in self.rows]


def packs(groups: Sequence[Group], mode: Mode, max_tokens: int, max_cached_tokens: int) -> list[Pack]:
    """Every completion of `groups` in exactly one pack; packs of one prompt are neighbours.

    In `throughput`, `max_tokens` is the most that rows x longest row may be, `max_cached_tokens` the most that rows x
    (prompt + longest row) may be; a longer row has a pack of its own.
    """
    if mode == "deterministic":
        return [Pack(group.prompt, (row,)) for group, rows in _rows(groups) for row in rows]
    singles: list[Row] = []
    packed: list[Pack] = []
    for group, rows in _rows(groups):
        if len(rows) == 1:
            singles.append(Row(group.prompt + rows[0].ids, rows[0].group, rows[0].completion))
        else:
            packed += _within(group.prompt, rows, max_tokens, max_cached_tokens)
    return packed + _within(array("i"), singles, max_tokens, max_cached_tokens)


def _rows(groups: Sequence[Group]) -> Iterator[tuple[Group, list[Row]]]:
    for g, group in enumerate(groups):
        yield group, [Row(ids, g, c) for c, ids in enumerate(group.completions)]


def _within(prompt: TokenIds[int], rows: Sequence[Row], max_tokens: int, max_cached_tokens: int) -> list[Pack]:
    """Rows longest first, cut where one more would exceed a budget."""
    ordered = sorted(rows, key=lambda row: len(row.ids), reverse=True)
    packed: list[list[Row]] = []
    for row in ordered:
        longest, count = (len(packed[-1][0].ids), len(packed[-1]) + 1) if packed else (0, 0)
        if count and count * longest <= max_tokens and count * (len(prompt) + longest) <= max_cached_tokens:
            packed[-1].append(row)
        else:
            packed.append([row])
    return [Pack(prompt, tuple(rows)) for rows in packed]
