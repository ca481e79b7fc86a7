"""What the Python that is to run OpenRLHF has: versions, and whether what the run needs is there at all."""

from __future__ import annotations

import importlib.metadata as metadata
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from trainer_client import BadConfiguration
from trainer_client.openrlhf_grpo.options import Options
from trainer_client.openrlhf_grpo.passed_on import FLASH

OPENRLHF = "0.11.2"
"""Whose flags the command has."""
INSTALL = f"pip install 'openrlhf[vllm]=={OPENRLHF}'"
PACKAGES = ("openrlhf", "vllm", "flash_attn", "torch", "transformers", "deepspeed", "ray")
FROM_EXTRAS = {"ds.use_liger_kernel": "liger_kernel", "ds.ring_attn_size": "ring_flash_attn"}
"""By flag, a package that OpenRLHF's own requirements leave out."""
RAY_CLUSTER = Path("/tmp/ray/ray_current_cluster")
PROBE = """
import importlib.metadata as metadata, importlib.util, json, sys
def version(name):
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if name not in sys.modules and (spec is None or spec.origin is None):
        return None  # no origin: a folder that happens to lie here
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return next(map(metadata.version, metadata.packages_distributions().get(name, [])), "unknown")
print(json.dumps({"python": sys.version.split()[0], **{name: version(name) for name in sys.argv[1:]}}))
"""
"""Imports nothing of what it looks for."""


def versions(python: str, given: Mapping[str, Any]) -> dict[str, str | None]:
    """By package its version there: None for one that is missing, "unknown" for one that does not say. `given`: flags
    of OpenRLHF, by their whole names. Raises BadConfiguration where `python` is no Python."""
    if shutil.which(python) is None:
        raise BadConfiguration(f"--python {python}: no such program")
    names = dict.fromkeys([*PACKAGES, *needed(given)])
    ran = subprocess.run([python, "-c", PROBE, *names], capture_output=True, text=True, check=False)
    try:
        found: dict[str, str | None] = json.loads(ran.stdout)
    except ValueError:
        raise BadConfiguration(f"--python {python}: no Python that runs: {ran.stderr.strip()[-300:]}") from None
    return found


def ours() -> str:
    """The version of this package."""
    try:
        return metadata.version("reward-server")
    except metadata.PackageNotFoundError:  # a folder on the path
        return "unknown"


def needed(given: Mapping[str, Any]) -> list[str]:
    """The packages that the flags need beside OpenRLHF, which imports flash_attn in any case."""
    is_given = {flag: value is True or value > 1 for flag, value in given.items() if flag in FROM_EXTRAS}
    found = ["flash_attn", *(FROM_EXTRAS[flag] for flag, is_so in is_given.items() if is_so)]
    attention = given.get("ds.attn_implementation", FLASH)
    if "/" in attention:
        found.append("kernels")
    elif attention == "flash_attention_3":
        found.append("flash_attn_3")
    return found


def problems(python: str, found: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[str]:
    """What is missing, in words; OpenRLHF would say so after minutes, in a worker's traceback."""
    if found["openrlhf"] is None:
        yield f"{python} has no OpenRLHF: {INSTALL}, or --python names another, or --dry-run"
        return
    if found["vllm"] is None:
        yield f"{python} has OpenRLHF without vLLM, which writes the rollouts: {INSTALL}"
    for package in needed(given):
        if found[package] is None:
            yield f"{python} has no {package}, which OpenRLHF needs here: pip install {package.replace('_', '-')}"


def cluster_warnings(options: Options) -> Iterator[str]:
    """Several nodes and no Ray cluster: OpenRLHF would start one of this machine alone, and wait for GPUs for ever."""
    has_address = "RAY_ADDRESS" in os.environ  # noqa: TID251 - Ray's own variable
    if options.nodes > 1 and not options.dry_run and not has_address and not RAY_CLUSTER.exists():
        yield (
            f"--nodes {options.nodes}, and this machine is in no Ray cluster (ray start, or RAY_ADDRESS): OpenRLHF "
            "will wait for the GPUs of the others"
        )


def warnings(found: Mapping[str, Any]) -> Iterator[str]:
    if found["openrlhf"] not in (None, OPENRLHF):
        yield f"OpenRLHF {found['openrlhf']} is installed; the command is for {OPENRLHF} and may not fit"
