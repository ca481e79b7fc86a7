"""Whether a model's texts may be packed, asked of the model itself when it is loaded.

Two texts are scored first, in the middle and last in passes of every size, among other texts. Each must have one value,
bit for bit, and it must be that of the text alone but for rounding. So what cannot be packed shows here, loudly: a
matrix product that sums rows in another order for another size, attention that does not know segments, a layer in which
tokens meet outside of attention.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from reward_server.reward_model.engine import TokenIds
from reward_server.reward_model.local.packed_attention import is_taken
from reward_server.reward_model.local.packed_pass import SIZES, PackedPass
from reward_server.reward_model.local.packed_sequence import PackedSequence
from reward_server.reward_model.local.packing import Pack, Row
from reward_server.reward_model.local.prompt_attention import NAME as ATTENTION

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

log = logging.getLogger(__name__)

TOLERANCE = 0.1
"""Relative distance between hidden states of one text computed in two ways. Seen: 1e-6 in float32, 0.01 in bfloat16; a
model that looks ahead, or keeps other state, is near 1."""

_SUBJECTS = ((17, 40), (90, 50))
"""(prompt, completion) of the texts that are asked for in many places: together they fit into the least size."""

_LENGTHS = (37, 5, 111, 1, 260, 64, 18, 400)
"""Tokens of the prompts and completions beside them."""

WholeState = Callable[["TokenIds[int]"], "torch.Tensor"]
"""The last hidden state [H] of a text that is run by itself."""


def packed_pass(model: PreTrainedModel, device: torch.device, vocabulary: int, whole: WholeState) -> PackedPass | None:
    """The pass with every size, else with the largest only, else None; each time the log says why."""
    reason = _unfit(model, device)
    if reason is not None:
        log.warning("the reward model runs one text at a time: %s", reason)
        return None
    sizes = SIZES[device.type]
    longest = min(sizes[-1], _window(model) or sizes[-1])
    for tried in (sizes, sizes[-1:]):
        found = PackedPass(model, device, tried, longest)
        reason = _difference(found, vocabulary, whole)
        if reason is None:
            return found
        log.warning("the reward model does not pack texts into passes of %s tokens: %s", named(tried), reason)
    return None


def named(sizes: tuple[int, ...]) -> str:
    """For people and the config: `512 to 8192`, or `8192`."""
    return str(sizes[-1]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"


def _unfit(model: PreTrainedModel, device: torch.device) -> str | None:
    """Why the model cannot be packed, where that is known before it is tried."""
    if model.config._attn_implementation != ATTENTION:
        return f"its attention is computed by {model.config._attn_implementation}, which does not know segments"
    config = model.config.get_text_config()
    heads = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    if not is_taken(device, model.dtype, heads):
        return f"flash attention here does not take {model.dtype} with heads of {heads} numbers"
    routed = next((name for name, _ in model.named_modules() if name.endswith("experts")), None)
    if routed is not None:  # rows of one expert, and so the order of their sums, depend on the other texts
        return f"its layers route tokens to experts ({routed})"
    return None


def _window(model: PreTrainedModel) -> int | None:
    """The narrowest sliding window: a text that does not outgrow it never meets it."""
    from transformers import DynamicCache

    layers = DynamicCache(config=model.config).layers
    return min((w for w in (getattr(layer, "sliding_window", None) for layer in layers) if w), default=None)


def _difference(passes: PackedPass, vocabulary: int, whole: WholeState) -> str | None:
    """What is wrong with packing, or None."""
    import torch

    subjects = [Pack(prompt, (Row(completion, s, 0),)) for s, (prompt, completion) in enumerate(_subjects(vocabulary))]
    first: dict[int, torch.Tensor] = {}
    try:
        for sequence in _mixes(passes.sizes, subjects, vocabulary):
            for row, state in zip(sequence.rows, passes.last_states(sequence), strict=True):
                if row.group < len(subjects) and not torch.equal(first.setdefault(row.group, state), state):
                    return f"a text has other bits among others in a pass of {passes.size(sequence)}"
        for s, subject in enumerate(subjects):
            alone, packed = whole(subject.prompt + subject.rows[0].ids), first[s][0]
            distance = float((alone - packed).float().norm() / alone.float().norm())
            if not distance <= TOLERANCE:  # also NaN
                return f"a packed text has another result than alone (relative distance {distance:.2g})"
    except (RuntimeError, TypeError, ValueError, AttributeError) as error:  # its code does not know segments
        return f"{type(error).__name__}: {error}"
    return None


def _mixes(sizes: Sequence[int], subjects: list[Pack], vocabulary: int) -> Iterator[PackedSequence]:
    """The subjects alone, then first, in the middle and last among others, in passes of every size."""
    yield from (PackedSequence([subject]) for subject in subjects)
    for n, size in enumerate(sizes):
        others = _others(size - sum(subject.tokens for subject in subjects), vocabulary, salt=size)
        for at in (0, len(others) // 2, len(others)):
            yield PackedSequence([*others[:at], *subjects[:: 1 - n % 2 * 2], *others[at:]])


def _subjects(vocabulary: int) -> Iterator[tuple[TokenIds[int], TokenIds[int]]]:
    for prompt, completion in _SUBJECTS:
        yield _ids(prompt, vocabulary, salt=prompt), _ids(completion, vocabulary, salt=completion)


def _others(tokens: int, vocabulary: int, salt: int) -> list[Pack]:
    """Prompts with two completions each, `tokens` in all or a few less."""
    packs: list[Pack] = []
    lengths = itertools.cycle(_LENGTHS)
    while tokens >= 3:
        of_prompt, *of_rows = (min(next(lengths), tokens // 3) for _ in range(3))
        salt += 1
        rows = tuple(Row(_ids(length, vocabulary, salt + c + 1), len(_SUBJECTS), 0) for c, length in enumerate(of_rows))
        packs.append(Pack(_ids(of_prompt, vocabulary, salt), rows))
        tokens -= packs[-1].tokens
    return packs


def _ids(length: int, vocabulary: int, salt: int) -> TokenIds[int]:
    """Token ids without a pattern: multiplicative hashing (Knuth), its high bits."""
    return TokenIds("i", ((((n + 1) * (2 * salt + 1) * 2654435761) % 2**32 >> 8) % vocabulary for n in range(length)))
