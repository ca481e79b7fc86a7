"""Step 9. What would make a packed pass faster, each tried beside the pass as it is: which is worth building?

`bits`: has every completion the bits of the pass as it is? `values`: the most that one text has over two passes of
different sizes and company, 1 where a trial keeps what packing promises.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch.nn.functional import rms_norm

from benchmarks.gpu.bench import Bench, groups
from benchmarks.gpu.contestants import engine
from benchmarks.gpu.shapes import folder_of
from reward_server.reward_model.local.packed_attention import Segments
from reward_server.reward_model.local.packed_pass import PackedPass
from reward_server.reward_model.local.packed_sequence import PackedSequence, layout
from reward_server.reward_model.local.packing import Pack, Row

GROUP = 8
ROUNDS = 10
Pass = Callable[[PackedSequence], list[torch.Tensor]]
"""The last hidden states of the completions, [1, H] each."""


@torch.inference_mode()
def run(bench: Bench) -> None:
    for size in ("tiny",) if bench.tiny else ("0.5B", "1.5B"):
        passes = engine(folder_of(size, bench.device, bench.out), bench.device, "on")._packed
        if passes is None:
            bench.say(size, "is not packed here")
            continue
        for norm in _parts(passes, "norm"):
            norm.weight.uniform_(0.5, 1.5)  # of ones, every way to multiply by them would have the same bits
        chosen = random.Random(9)
        loads = (((20, 12), 2),) if bench.tiny else (((300, 100), 7), ((300, 400), 2))
        for (prompt, completion), count in loads:
            packs = [
                Pack(group.prompt, tuple(Row(ids, g, c) for c, ids in enumerate(group.completions)))
                for g, group in enumerate(groups(chosen, [(prompt, [completion] * GROUP)] * count))
            ]
            name = f"{size}, {count} x {GROUP} completions of {completion} after {prompt}"
            _say_all(bench, name, passes, PackedSequence(packs), PackedSequence(packs[:1]))


def _say_all(bench: Bench, name: str, passes: PackedPass, whole: PackedSequence, part: PackedSequence) -> None:
    """`part`: some of the texts of `whole`, in a pass of another size."""
    found: dict[str, Any] = {"as it is, in a row": _in_a_row(bench, passes.last_states, whole)}
    expected = passes.last_states(whole)
    for trial, made in TRIALS.items():
        try:
            with made(passes) as tried:
                found[trial] = _figures(bench, tried, whole, part, expected)
        except Exception as error:  # noqa: BLE001 - the next trial must run
            found[trial] = f"{type(error).__name__}: {error}"[:300]
        bench.say(name, found)


def _figures(
    bench: Bench, tried: Pass, whole: PackedSequence, part: PackedSequence, expected: list[torch.Tensor]
) -> dict[str, Any]:
    states = tried(whole)
    launched, done = [], []
    for _ in range(2 if bench.tiny else ROUNDS):
        bench.synchronise()
        started = time.perf_counter()
        tried(whole)
        launched.append(time.perf_counter() - started)
        bench.synchronise()
        done.append(time.perf_counter() - started)
    spread = max(float((a - b).float().norm() / b.float().norm()) for a, b in zip(states, expected, strict=True))
    return {
        "launched, ms": _ms(launched),
        "done, ms": _ms(done),
        "bits": all(map(torch.equal, states, expected)),
        "relative distance": spread,
        "values": 1 if all(map(torch.equal, tried(part), states)) else 2,
    }


def _in_a_row(bench: Bench, tried: Pass, whole: PackedSequence) -> dict[str, float]:
    """Four passes before anything is waited for: what one device call with more tokens would give."""
    return {"done, ms a pass": _ms([t / 4 for t in bench.times(lambda: [tried(whole) for _ in range(4)], 3)])}


def _ms(seconds: list[float]) -> float:
    return round(1e3 * statistics.median(seconds), 3)


@contextmanager
def _as_it_is(passes: PackedPass) -> Iterator[Pass]:
    yield passes.last_states


@contextmanager
def _true_lengths(passes: PackedPass) -> Iterator[Pass]:
    """Attention is told the longest segment there is, not the longest that fits: fewer blocks that find no work."""

    class Told(PackedPass):
        def states(self, ids: torch.Tensor, positions: torch.Tensor, segments: Segments) -> torch.Tensor:
            ends = segments.layout.query_ends, segments.layout.key_ends
            longest = max(b - a for each in ends for a, b in zip(each, each[1:], strict=False))
            return super().states(ids, positions, replace(segments, longest=-(-longest // 128) * 128))

    yield Told(passes.model, passes.device, passes.sizes, passes.longest).last_states


@contextmanager
def _graph(passes: PackedPass) -> Iterator[Pass]:
    """One launch instead of a thousand. Recorded for each shape that comes: a real one would pad keys and segments."""
    if passes.device.type != "cuda":
        raise NotImplementedError("a CUDA graph needs a GPU")
    graphs: dict[tuple[int, ...], Any] = {}

    def recorded(sequence: PackedSequence) -> list[torch.Tensor]:
        made = layout(sequence, passes.size(sequence))
        inputs = passes.on_device(made)
        shape = (len(made.ids), len(made.keys), len(made.query_ends))
        if shape not in graphs:
            for _ in range(2):
                passes.states(*inputs)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                states = passes.states(*inputs)
            graphs[shape] = inputs, graph, states
        kept, graph, states = graphs[shape]
        for before, now in zip(_tensors(*kept), _tensors(*inputs), strict=True):
            before.copy_(now)
        graph.replay()
        return [states[last : last + 1] for last in made.last]

    yield recorded


def _tensors(ids: torch.Tensor, positions: torch.Tensor, segments: Segments) -> list[torch.Tensor]:
    return [ids, positions, segments.keys, segments.query_ends, segments.key_ends]


@contextmanager
def _fused_norms(passes: PackedPass) -> Iterator[Pass]:
    """PyTorch's own kernel for RMSNorm in the place of about seven."""
    norms = _parts(passes, "norm")
    for norm in norms:
        norm.forward = lambda x, n=norm: rms_norm(x, n.weight.shape, n.weight, n.variance_epsilon)
    try:
        yield passes.last_states
    finally:
        for norm in norms:
            del norm.forward


@contextmanager
def _compiled(passes: PackedPass) -> Iterator[Pass]:
    """Norms and gates fused by `torch.compile` for any number of tokens. On a CPU nothing is generated, only traced."""
    backend = "inductor" if passes.device.type == "cuda" else "aot_eager"
    parts = _parts(passes, "norm", "mlp")
    for part in parts:
        part.forward = torch.compile(part.forward, dynamic=True, backend=backend)
    try:
        yield passes.last_states
    finally:
        for part in parts:
            del part.forward


def _parts(passes: PackedPass, *ends: str) -> list[Any]:
    """Modules of the model's body by how their names end."""
    return [module for name, module in passes.model.base_model.named_modules() if name.endswith(ends)]


@contextmanager
def _fused_graph(passes: PackedPass) -> Iterator[Pass]:
    with _fused_norms(passes), _graph(passes) as recorded:
        yield recorded


TRIALS = {
    "as it is": _as_it_is,
    "true lengths": _true_lengths,
    "fused norms": _fused_norms,
    "CUDA graph": _graph,
    "fused norms, CUDA graph": _fused_graph,
    "compiled": _compiled,
}
