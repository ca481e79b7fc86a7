"""One forward pass over a packed sequence, filled up with padding to one of few sizes.

Outside of attention every operation takes the row of one token, so a text has the same bits in every pass, if matrix
products sum each row in the same order whatever the number of rows. Nobody promises that: `packed_check` asks for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reward_server.reward_model.local.device import sent
from reward_server.reward_model.local.packed_attention import Segments
from reward_server.reward_model.local.packed_sequence import Layout, PackedSequence, layout

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

SIZES = {"cpu": tuple(range(256, 2049, 256)), "cuda": tuple(range(512, 8193, 512))}
"""Tokens of a pass, by type of device. Constants, since they decide how floats round. An H100 sums the longest rows in
another order below 512 rows, and alike from there on (docs/performance.md)."""


@dataclass(frozen=True)
class PackedPass:
    """`sizes`: tokens that a pass may have, ascending. `longest`: tokens of the longest text that it takes."""

    model: PreTrainedModel
    device: torch.device
    sizes: tuple[int, ...]
    longest: int

    def size(self, sequence: PackedSequence) -> int:
        """Tokens of its pass, padding included."""
        return next(size for size in self.sizes if size >= sequence.tokens)

    def last_states(self, sequence: PackedSequence) -> list[torch.Tensor]:
        """The last hidden state [1, H] of each completion, in the order of `sequence.rows`."""
        made = layout(sequence, self.size(sequence))
        states = self.states(*self.on_device(made))
        return [states[last : last + 1] for last in made.last]

    def states(self, ids: torch.Tensor, positions: torch.Tensor, segments: Segments) -> torch.Tensor:
        """The last hidden state [M, H] of each token, of `ids` [M] and `positions` [M]."""
        out = self.model.base_model(
            input_ids=ids[None],
            position_ids=positions[None],
            attention_mask=ids.new_zeros(1, 1, 1, 1),  # one with four dimensions is handed on, so that none is built
            use_cache=False,
            segments=segments,
        )
        return out.last_hidden_state[0]  # type: ignore[no-any-return]

    def on_device(self, made: Layout) -> tuple[torch.Tensor, torch.Tensor, Segments]:
        """In one copy."""
        import torch

        parts = [made.ids, made.positions, made.keys, made.query_ends, made.key_ends]
        together = torch.cat([torch.frombuffer(part, dtype=torch.int32) for part in parts])
        there = sent(together, self.device)
        ids, positions, keys, query_ends, key_ends = torch.split(there, [len(part) for part in parts])
        return ids, positions, Segments(keys, query_ends, key_ends, self.sizes[-1], made)
