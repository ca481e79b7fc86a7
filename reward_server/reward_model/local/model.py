"""The reward model in this process, by transformers: prompts computed once, completions unpadded, bitwise repeatable.

    prompt ids ──▶ model, in fixed chunks ──▶ KV cache ──┬─▶ completion 1, in fixed chunks ─▶ last hidden state ─▶ head
                                                         └─▶ completion 2 …

In `deterministic` mode the shapes of every operation follow from (prompt, completion) alone: the prompt is always run
by itself, also for one completion, and every completion alone. So a score is bitwise the same for one model, library
versions, device type, dtype and thread count. Between thread counts it may differ in the last bits.

transformers' own pooling is not used: it finds the last token among padding, and here there is none. Where it would
read before the template's last token, the text ends there (`ending.py`).

On CUDA the same shapes meet the same kernels as long as the GPU type and the libraries stay the same; `config` names
them. cuBLAS promises equal bits only while one stream runs: everything here is on the default stream of one thread.
docs/performance.md has what was seen on an H100: the bits hold, and short completions are slow.

A model whose prompts cannot be shared (`can_share`) reads each text whole, in one pass without a cache, in both modes.
"""

from __future__ import annotations

import copy
import inspect
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from reward_server.kit.kept import Kept
from reward_server.reward_model.engine import (
    Group,
    Mode,
    NotFinite,
    OutOfMemory,
    Result,
    TokenIds,
    UnfitModel,
    Work,
    checked,
)
from reward_server.reward_model.local.device import installed_kernels, sent, torch_dtype, usable_device
from reward_server.reward_model.local.folder import label_names, longest_text, read_model
from reward_server.reward_model.local.packed_check import TOLERANCE, named, packed_pass
from reward_server.reward_model.local.packed_pass import PackedPass
from reward_server.reward_model.local.packed_sequence import PackedSequence, sequences
from reward_server.reward_model.local.packing import Pack, Row, packs
from reward_server.reward_model.local.process_wide import pin_threads, share_key_heads, steady_cuda
from reward_server.reward_model.local.prompt_attention import use_causal_kernel
from reward_server.reward_model.model_folder import folder_digest
from reward_server.types import Dtype, Packing, WantedHead

if TYPE_CHECKING:
    import torch
    from transformers import DynamicCache, PreTrainedModel

Job = TypeVar("Job", Pack, PackedSequence)
"""What is computed at once."""

_CHUNK_TOKENS = 4096
"""Tokens a forward pass: on a CPU 512, all behind masks, took 5 to 25 % more time; more would only take memory. A
constant, since it decides how floats round."""

_EAGER_CHUNK_TOKENS = 512
"""The same where the attention is not `prompt_attention`, such as Gemma-2's with its soft caps: it holds heads x chunk
x text products at a time, and with 32 heads and a text of 8,192 tokens 4,096 would take 4 GiB of float32."""

_WHOLE_TEXT = 2**31 - 1

_PACK_TOKENS = {"cpu": 2048, "cuda": 16384}
KEPT_PROMPT_TOKENS = 16_384
"""Tokens of prompts whose KV cache is kept for completions that come later (57 KiB each for Qwen2.5-7B): a rollout
engine finishes those of one prompt at different times. What is kept is bitwise what would be computed."""

_CACHED_TOKENS = 2 * KEPT_PROMPT_TOKENS
"""Tokens whose keys and values a pack holds in `throughput`."""


class TransformersModel:
    """One reward model on one device. Every call from one thread; the thread count is pinned in that thread.

    `dtype` of the body: `auto` is bfloat16 where the device multiplies it in hardware. The head is always float32.
    `threads`: CPU threads of one operation; default: as many as PyTorch would take. `packing`: whether texts share a
    pass in `deterministic` mode, see `packed_sequence`; `auto` is on a GPU only, since on a CPU it is slower.
    `head_at`: where the head is, see `head`. Raises UnfitModel when there is no such device, when the folder does not
    hold a decoder with such a head, or when a text run in two parts gives another result than the whole.
    """

    def __init__(
        self,
        folder: Path,
        *,
        dtype: Dtype = "auto",
        device: str = "auto",
        threads: int | None = None,
        packing: Packing = "auto",
        head_at: WantedHead = "auto",
    ) -> None:
        import torch
        import transformers

        self._device = usable_device(device)
        if self._device.type == "cuda":
            steady_cuda()
        else:
            share_key_heads()
        self._threads = threads or torch.get_num_threads()
        self._model: PreTrainedModel
        self._model, head, self.can_share = read_model(folder, torch_dtype(dtype, self._device), self._device, head_at)
        self._chunk_tokens = _CHUNK_TOKENS if use_causal_kernel(self._model) else _EAGER_CHUNK_TOKENS
        if not self.can_share:
            self._chunk_tokens = _WHOLE_TEXT
        self._pack_tokens = _PACK_TOKENS[self._device.type]
        self._head = cast("torch.nn.Module", self._model.score)  # checked when loaded
        self._prompts: Kept[bytes, DynamicCache] = Kept(KEPT_PROMPT_TOKENS * TokenIds("i").itemsize, weigh=len)
        self.max_tokens = longest_text(self._model.config)
        self.vocabulary: int = self._model.get_input_embeddings().num_embeddings  # type: ignore[assignment]
        self.config: dict[str, str | int] = {
            "engine": "transformers",
            "weights": folder_digest(folder),
            "dtype": str(self._model.dtype),
            "device": "cpu" if self._device.type == "cpu" else torch.cuda.get_device_name(self._device),
            "threads": self._threads,
            "chunk_tokens": self._chunk_tokens if self.can_share else "whole text",
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        }
        if not self.can_share:
            self.config["kernels"] = installed_kernels()
        if head.kind is not None:
            self.config["head"] = head.kind
        self.is_value_head = head.is_value_head
        self.labels = label_names(self._model.config, head.labels)
        self._cache_name = cache_name(self._model.base_model)
        self._refuse_unsplittable()
        self._packed: PackedPass | None = None
        if self.can_share and (packing == "on" or (packing == "auto" and self._device.type == "cuda")):
            with torch.inference_mode():
                self._packed = packed_pass(self._model, self._device, self.vocabulary, self._whole_state)
            self.config["packing"] = named(self._packed.sizes) if self._packed else "one at a time"

    def score(self, groups: Sequence[Group], mode: Mode = "deterministic") -> Work:
        """One result a completion. Blocks; after an exception the device cannot be relied on any more."""
        import torch

        pin_threads(self._threads)
        started = time.perf_counter()
        work = Work([[OutOfMemory("the device ran out of memory")] * len(group.completions) for group in groups])
        if not self.can_share:
            groups, mode = [_whole(group) for group in groups], "deterministic"
        with torch.inference_mode():
            scored = list(self._scored(groups, mode, work))
            values = torch.stack([score for _, score in scored]).tolist() if scored else []  # read all at once
        for (row, _), value in zip(scored, values, strict=True):
            work.results[row.group][row.completion] = _result(value)
        work.forward_s = time.perf_counter() - started
        return work

    def _scored(self, groups: Sequence[Group], mode: Mode, work: Work) -> Iterator[tuple[Row, torch.Tensor]]:
        """Which way a text goes follows from its own length, so that it has one value."""
        apart = packs(groups, mode, self._pack_tokens, _CACHED_TOKENS)
        packed = self._packed if mode == "deterministic" else None
        if packed is not None:
            short = [pack for pack in apart if pack.tokens <= packed.longest]
            apart = [pack for pack in apart if pack.tokens > packed.longest]
            for sequence in sequences(short, packed.sizes[-1]):
                yield from self._fitting(sequence, partial(self._packed_scores, packed), work)
        for pack in apart:
            yield from self._fitting(pack, self._scores, work)

    def _fitting(
        self, job: Job, scores: Callable[[Job, Work], list[torch.Tensor]], work: Work
    ) -> Iterator[tuple[Row, torch.Tensor]]:
        """Rows with their scores, without those that do not fit in an emptied device, one at a time."""
        import torch

        for _ in range(2):
            try:
                yield from zip(job.rows, scores(job, work), strict=True)
                return
            except torch.OutOfMemoryError:
                pass  # as long as it is handled, its traceback holds the tensors of the pass that failed
            self._prompts.clear()  # again with what the kept prompts took
        if len(job.rows) > 1:
            for single in job.singles():
                yield from self._fitting(single, scores, work)

    def _packed_scores(self, packed: PackedPass, sequence: PackedSequence, work: Work) -> list[torch.Tensor]:
        """A score [1] for each row."""
        states = packed.last_states(sequence)
        work.tokens_computed += sequence.tokens
        work.padding_tokens += packed.size(sequence) - sequence.tokens
        work.tokens_saved += sum(len(pack.prompt) * (len(pack.rows) - 1) for pack in sequence.packs)
        return [self._head(state.float())[0] for state in states]

    def _scores(self, pack: Pack, work: Work) -> list[torch.Tensor]:
        """A score [1] for each row. Rows leave the batch as they end, so that little padding is computed."""
        import torch

        cache = self._after(pack.prompt, work) if self.can_share else None
        rows = [row.ids for row in pack.rows]
        work.tokens_saved += len(pack.prompt) * (len(rows) - 1)
        if cache is not None and len(rows) > 1:
            cache.batch_repeat_interleave(len(rows))
        hidden: list[torch.Tensor] = []
        scores: list[torch.Tensor] = [torch.empty(0)] * len(rows)
        for start in range(0, len(rows[0]), self._chunk_tokens):
            parts = [row[start : start + self._chunk_tokens] for row in rows if len(row) > start]
            if cache is not None and len(parts) < len(hidden):
                cache.batch_select_indices(torch.arange(len(parts), device=self._device))
            hidden = list(self._forward(parts, cache, work))
            for b, part in enumerate(parts):
                if len(rows[b]) == start + len(part):
                    # row by row: a product of several rows may be rounded otherwise than one
                    scores[b] = self._head(hidden[b][len(part) - 1 : len(part)].float())[0]
        return scores

    def _after(self, prompt: TokenIds[int], work: Work) -> DynamicCache:
        """A cache that has read the prompt and that the caller may change; empty for an empty prompt."""
        from transformers import DynamicCache

        key = prompt.tobytes()
        cache = self._prompts.get(key)
        if cache is None:
            cache = DynamicCache(config=self._model.config)
            for start in range(0, len(prompt), self._chunk_tokens):
                self._forward([prompt[start : start + self._chunk_tokens]], cache, work)
            if prompt:
                self._prompts.put(key, cache)
        else:
            work.tokens_saved += len(prompt)
        return _copied(cache)

    def _forward(self, rows: Sequence[TokenIds[int]], cache: DynamicCache | None, work: Work) -> torch.Tensor:
        """Hidden states [B, T, H] of B rows, the first being the longest; the cache, if any, grows by T tokens."""
        import torch

        ids = torch.zeros(len(rows), len(rows[0]), dtype=torch.int32)
        for b, row in enumerate(rows):
            ids[b, : len(row)] = torch.frombuffer(row, dtype=torch.int32)
        work.tokens_computed += sum(map(len, rows))
        work.padding_tokens += ids.numel() - sum(map(len, rows))
        # No attention mask: padding is on the right, where no real token of a causal model looks.
        ids = sent(ids, self._device)
        out = self._model.base_model(input_ids=ids, use_cache=cache is not None, **{self._cache_name: cache})
        return out.last_hidden_state  # type: ignore[no-any-return]

    def _whole_state(self, ids: TokenIds[int]) -> torch.Tensor:
        """The last hidden state [H] of a text in one pass, by the model's own masks."""
        import torch

        out = self._model.base_model(input_ids=torch.tensor([ids], device=self._device))
        return out.last_hidden_state[0, -1]  # type: ignore[no-any-return]

    def _refuse_unsplittable(self) -> None:
        """A model that looks ahead is refused either way: the part of a text before its end must not feel the end."""
        import torch

        pin_threads(self._threads)
        ids = TokenIds("i", (n % self.vocabulary for n in range(5, 53)))
        with torch.inference_mode():
            if self.can_share:
                whole = self._whole_state(ids)
                split = self._forward([ids[20:]], self._after(ids[:20], Work([])), Work([]))[0, -1]
            else:
                whole, split = self._whole_state(ids[:20]), self._forward([ids], None, Work([]))[0, 19]
        distance = float((whole - split).float().norm() / whole.float().norm())
        if not distance <= TOLERANCE:  # also NaN
            raise UnfitModel(
                f"{type(self._model).__name__} gives another result when a text is run in two parts (relative distance"
                f" {distance:.2g}): it is not causal, keeps a state that cannot be shared, or is broken"
            )


def cache_name(body: torch.nn.Module) -> str:
    """What its pass calls the cache: transformers 5.24 renamed it, and takes the old name until 5.40."""
    return "cache" if "cache" in inspect.signature(body.forward).parameters else "past_key_values"


def _whole(group: Group) -> Group:
    return Group(TokenIds("i"), [group.prompt + completion for completion in group.completions])


def _result(scores: list[float]) -> Result:
    try:
        first, *others = [checked(score) for score in scores]
        return (first, *others) if others else first
    except NotFinite as error:
        return error


def _copied(cache: DynamicCache) -> DynamicCache:
    """Shares the tensors. Full and sliding layers never write into them: they make new ones as they grow."""
    copied = copy.copy(cache)
    copied.layers = [copy.copy(layer) for layer in cache.layers]
    return copied
