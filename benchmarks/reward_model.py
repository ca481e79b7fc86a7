"""The reward-model engine against two ways people score today, on one model, in one run.

    python -m benchmarks.reward_model            # about 25 minutes on 2 cores
    python -m benchmarks.reward_model --loads groups --shapes 1600,200 --repeats 3
    python -m benchmarks.reward_model --against --before ../before    # ours, and ours of another checkout

Contestants, all given the same token ids (no HTTP, no tokenisation), the same bfloat16 weights and threads:

    ours        Batcher + TransformersModel, mode=deterministic: what the server runs
    serve_rm    the logic of OpenRLHF's serve_rm: a request at a time, in batches of 16, padded on the left
    plain       a loop over AutoModelForSequenceClassification, one text at a time

Loads, always 24 completions of 3 prompts: `singles` 24 requests at once of one text each, `groups` 3 requests of 8,
`burst` one request of 24. A shape is (prompt tokens, mean completion tokens); completion lengths are log-normal, as
those of a policy. The repeats interleave the contestants; the table has the median and the range of process CPU
seconds, and of wall seconds, and the ratio of medians to ours. Before speed, correctness: the largest distance from
float32 scores of whole texts, and the number of values that one text gets in the three loads.

Goals for ours / theirs, in CPU seconds: serve_rm 0.75 / 0.35 / 0.27 (singles / groups / burst) at 400,400 and 0.35 at
1600,200; plain 0.85. At 200,1600 prompts are a tenth of all tokens, so that 0.90 of plain is the least there can be.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import pickle
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

import torch
import transformers
from transformers import AutoModelForSequenceClassification, PreTrainedModel, Qwen2Config
from transformers.utils.logging import disable_progress_bar

from reward_server.reward_model.labels import values_of
from reward_server.reward_model.local.batcher import Batcher
from reward_server.reward_model.local.model import TransformersModel

Ids: TypeAlias = "array[int]"  # array takes no subscript at run time before Python 3.12
Request: TypeAlias = list[tuple[Ids, Ids]]
"""(prompt, completion) of each text of one request."""

PROMPTS, ROLLOUTS = 3, 8
SERVE_RM_BATCH = 16
PAD = 0


@dataclass
class Run:
    scores: list[float]
    cpu_s: float
    wall_s: float


Contestant = Callable[[Sequence[Request]], list[float]]


def new_model(folder: Path) -> None:
    """About 27 million parameters: a Qwen2 of 8 layers with random weights."""
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=8192, hidden_size=512, intermediate_size=1408, num_hidden_layers=8, num_attention_heads=8,
        num_key_value_heads=2, max_position_embeddings=8192, pad_token_id=PAD, dtype="bfloat16",
    )  # fmt: skip
    config.num_labels = 1
    model = AutoModelForSequenceClassification.from_config(config)  # type: ignore[no-untyped-call]
    model.save_pretrained(folder)


def texts(shape: tuple[int, int], seed: str) -> list[list[tuple[Ids, Ids]]]:
    """For each prompt its (prompt, completion)s; completion lengths log-normal with the shape's mean."""
    chosen = random.Random(seed)
    prompt_tokens, mean = shape

    def ids(length: int) -> Ids:
        return array("i", (chosen.randrange(1, 8192) for _ in range(length)))

    def length() -> int:
        drawn = chosen.lognormvariate(math.log(mean) - 0.125, 0.5)  # mean of a log-normal: exp(mu + sigma² / 2)
        return min(max(int(drawn), 8), 4 * mean)

    groups = []
    for _ in range(PROMPTS):
        prompt = ids(prompt_tokens)
        groups.append([(prompt, ids(length())) for _ in range(ROLLOUTS)])
    return groups


def requests(groups: list[Request], load: str) -> list[Request]:
    if load == "groups":
        return groups
    everything = [text for group in groups for text in group]
    random.Random(0).shuffle(everything)  # rollouts finish in any order
    return [everything] if load == "burst" else [[text] for text in everything]


def ours(folder: Path, threads: int) -> Contestant:
    model = TransformersModel(folder, dtype="bfloat16", device="cpu", threads=threads)

    async def serve(load: Sequence[Request]) -> list[float]:
        async with Batcher(model).running() as batcher:
            calls = [batcher.score(prompt, completion) for request in load for prompt, completion in request]
            return [single for score in await asyncio.gather(*calls) for single in values_of(score)]

    return lambda load: asyncio.run(serve(load))


def load(folder: Path, dtype: torch.dtype) -> PreTrainedModel:
    model: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(
        folder, dtype=dtype, trust_remote_code=False
    )
    model.train(False)
    return model


def serve_rm(folder: Path) -> Contestant:
    """As serve_rm computes: one request after another, batches of 16, left padding with a mask, positions from the
    mask, the head over every token, in bfloat16, and the last token's value."""
    model: Any = load(folder, torch.bfloat16)

    def batch(rows: Sequence[tuple[Ids, Ids]]) -> list[float]:
        whole = [list(prompt + completion) for prompt, completion in rows]
        width = max(map(len, whole))
        ids = torch.tensor([[PAD] * (width - len(row)) + row for row in whole])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in whole])
        positions = (mask.cumsum(-1) - 1).masked_fill(mask == 0, 1)
        hidden = model.base_model(ids, attention_mask=mask, position_ids=positions, use_cache=False).last_hidden_state
        return [float(value) for value in model.score(hidden).squeeze(-1)[:, -1]]

    @torch.no_grad()
    def run(load: Sequence[Request]) -> list[float]:
        parts = [r[i : i + SERVE_RM_BATCH] for r in load for i in range(0, len(r), SERVE_RM_BATCH)]
        return [score for part in parts for score in batch(part)]

    return run


def plain(folder: Path, dtype: torch.dtype = torch.bfloat16) -> Contestant:
    model = load(folder, dtype)

    @torch.no_grad()
    def run(load: Sequence[Request]) -> list[float]:
        rows = [torch.tensor([list(prompt + completion)]) for request in load for prompt, completion in request]
        return [float(model(input_ids=row, use_cache=False).logits[0, 0]) for row in rows]

    return run


class Elsewhere:
    """Our engine of another checkout, in a process of its own, and the CPU seconds that it took last."""

    def __init__(self, asked: IO[bytes], told: IO[bytes]) -> None:
        self._asked, self._told = asked, told
        self.cpu_s = 0.0

    def __call__(self, load: Sequence[Request]) -> list[float]:
        pickle.dump(load, self._asked)
        self._asked.flush()
        scores: list[float]
        scores, self.cpu_s = pickle.load(self._told)
        return scores


@contextmanager
def before(checkout: Path, folder: Path, threads: int) -> Iterator[Elsewhere]:
    """The engine of that checkout, until the block ends."""
    command = [sys.executable, "-c", BEFORE, str(folder), str(threads)]
    environment = {**os.environ, "PYTHONPATH": str(checkout.resolve())}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd=checkout, env=environment) as process:
        assert process.stdin is not None and process.stdout is not None  # noqa: S101 - they are pipes
        try:
            yield Elsewhere(process.stdin, process.stdout)
        finally:
            process.kill()


BEFORE = """
import pickle, sys, time
from pathlib import Path
import torch
from benchmarks.reward_model import ours
torch.set_num_threads(int(sys.argv[2]))
run, told, sys.stdout = ours(Path(sys.argv[1]), int(sys.argv[2])), sys.stdout.buffer, sys.stderr
while True:
    load = pickle.load(sys.stdin.buffer)
    began = time.process_time()
    scores = run(load)
    pickle.dump((scores, time.process_time() - began), told)
    told.flush()
"""


AGAINST = {"serve_rm": serve_rm, "plain": plain}


def timed(contestant: Contestant, load: Sequence[Request]) -> Run:
    cpu, wall = time.process_time(), time.perf_counter()
    scores = contestant(load)
    if len(scores) != sum(map(len, load)):
        raise AssertionError("a text has no score: the figures would mean nothing")
    cpu_s = contestant.cpu_s if isinstance(contestant, Elsewhere) else time.process_time() - cpu
    return Run(scores, cpu_s, time.perf_counter() - wall)


def by_text(load: Sequence[Request], scores: Sequence[float]) -> dict[bytes, float]:
    rows = [row for request in load for row in request]
    return {bytes(prompt + completion): score for (prompt, completion), score in zip(rows, scores, strict=True)}


def check(contestants: dict[str, Contestant], folder: Path, shapes: list[tuple[int, int]]) -> list[dict[str, Any]]:
    """Distance from float32 whole texts, and how much one text's score depends on the load it came in."""
    exact_of = plain(folder, torch.float32)
    rows = []
    for shape in shapes:
        groups = texts(shape, seed="check")
        exact = by_text(groups, exact_of(groups))
        for name, contestant in contestants.items():
            seen = []
            for kind in ("singles", "groups", "burst"):
                load = requests(groups, kind)
                seen.append(by_text(load, contestant(load)))
            error = max(abs(scores[text] - exact[text]) for scores in seen for text in exact)
            spread = max(max(s[text] for s in seen) - min(s[text] for s in seen) for text in exact)
            rows.append({"shape": shape, "name": name, "error": error, "spread": spread})
    return rows


def race(contestants: dict[str, Contestant], shape: tuple[int, int], kind: str, repeats: int) -> dict[str, Any]:
    """CPU and wall seconds of each contestant, interleaved. Every load has texts of its own: a prompt that was seen
    before would be kept."""
    runs: dict[str, list[Run]] = {name: [] for name in contestants}
    tokens = []
    for repeat in range(repeats):
        load = requests(texts(shape, seed=f"{kind} {repeat}"), kind)
        tokens.append(sum(len(p) + len(c) for request in load for p, c in request))
        for name, contestant in contestants.items():
            runs[name].append(timed(contestant, load))
    return {
        "shape": shape,
        "load": kind,
        "tokens": statistics.mean(tokens),
        "cpu_s": {name: [run.cpu_s for run in of] for name, of in runs.items()},
        "wall_s": {name: [run.wall_s for run in of] for name, of in runs.items()},
    }


def print_race(result: dict[str, Any]) -> None:
    mine = statistics.median(result["cpu_s"]["ours"])
    shape = "{},{}".format(*result["shape"])
    for name, cpu in result["cpu_s"].items():
        wall = result["wall_s"][name]
        ratio = "" if name == "ours" else f"ours / it {mine / statistics.median(cpu):5.2f}"
        print(
            f"{shape:9} {result['load']:8} {result['tokens']:7.0f} tok  {name:9}"
            f" cpu {statistics.median(cpu):6.2f} ({min(cpu):.2f}…{max(cpu):.2f})"
            f" wall {statistics.median(wall):6.2f} ({min(wall):.2f}…{max(wall):.2f})  {ratio}",
            flush=True,
        )


def shape_of(text: str) -> tuple[int, int]:
    prompt, completion = map(int, text.split(","))
    return prompt, completion


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--shapes", nargs="+", type=shape_of, default=[(400, 400), (1600, 200), (200, 1600)], metavar="P,C",
        help="prompt tokens and mean completion tokens (default: 400,400 1600,200 200,1600)",
    )  # fmt: skip
    parser.add_argument(
        "--loads", nargs="+", choices=("singles", "groups", "burst"), default=["singles", "groups", "burst"],
        help="how the texts come (default: all three)",
    )  # fmt: skip
    parser.add_argument("--repeats", type=int, default=3, help="times each contestant runs each load (default: 3)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of each contestant (default: 1)")
    parser.add_argument(
        "--against", nargs="*", choices=AGAINST, default=list(AGAINST), help="who else (default: serve_rm plain)"
    )
    parser.add_argument("--before", type=Path, help="folder of another checkout, whose engine is measured too")
    parser.add_argument("--no-check", action="store_true", help="skip the correctness table (it is of the first shape)")
    parser.add_argument("--json", type=Path, help="also write all figures, versions and the machine to this file")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parsed(arguments)
    disable_progress_bar()  # type: ignore[no-untyped-call]
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        new_model(folder)
        contestants: dict[str, Contestant] = {"ours": ours(folder, options.threads)}
        contestants |= {name: AGAINST[name](folder) for name in options.against}
        if options.before is not None:
            contestants["before"] = stack.enter_context(before(options.before, folder, options.threads))
        for contestant in contestants.values():
            contestant([texts((64, 64), seed="warm up")[0]])  # warm up
        checks = [] if options.no_check else check(contestants, folder, options.shapes[:1])
        for row in checks:
            shape = "{},{}".format(*row["shape"])
            print(
                f"{shape:9} {row['name']:9} off float32 by {row['error']:.4f}, spread of one text {row['spread']:.4f}"
            )
        races = []
        for shape in options.shapes:
            for kind in options.loads:
                races.append(race(contestants, shape, kind, options.repeats))
                print_race(races[-1])
    if options.json:
        about = {
            "torch": torch.__version__, "transformers": transformers.__version__, "python": sys.version,
            "machine": platform.processor() or platform.machine(), "threads": options.threads,
        }  # fmt: skip
        options.json.write_text(json.dumps({"about": about, "checks": checks, "races": races}, indent=1))


if __name__ == "__main__":
    main()
