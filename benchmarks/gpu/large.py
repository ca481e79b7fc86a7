"""Step 8. How a real size starts: seconds and memory to read it, and what is said where it does not fit."""

from __future__ import annotations

import resource
import time

import torch

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.contestants import engine
from benchmarks.gpu.shapes import folder_of
from reward_server.reward_model.engine import UnfitModel


def run(bench: Bench) -> None:
    folder = folder_of("tiny" if bench.tiny else "7B", bench.device, bench.out)
    started = time.perf_counter()
    model = engine(folder, bench.device, "auto" if bench.device.type == "cuda" else "on")
    host_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    seconds = round(time.perf_counter() - started, 1)
    bench.say("read", {"seconds": seconds, "peak of the host, MiB": host_mb, "packing": model.config["packing"]})
    if bench.device.type != "cuda":
        return
    del model
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(0.1, bench.device)
    try:
        engine(folder, bench.device, "auto")
    except (UnfitModel, torch.OutOfMemoryError) as error:
        bench.say("read with a tenth of the memory", f"{type(error).__name__}: {error}"[:300])
