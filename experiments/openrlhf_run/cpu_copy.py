"""A copy of the installed OpenRLHF that runs on a CPU: `python -m experiments.openrlhf_run.cpu_copy VENV`.

It goes to VENV/cpu/openrlhf, to stand before the installed one on PYTHONPATH. The device is changed, what cannot work
without a GPU is taken from `on_cpu/`, and what is trained on is kept in a file. A place that is not found any more ends
this with an error: that is another version then, and has to be read.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

CHANGES = {
    "torch.cuda.current_device()": '"cpu"',
    'f"cuda:{"cpu"}"': '"cpu"',  # after the line above
    'device="cuda"': 'device="cpu"',
    '"cuda", (dp_size': '"cpu", (dp_size',
    "torch.cuda.set_device(local_rank)": "None",
    "torch.cuda.empty_cache()": "None",
    "torch.cuda.synchronize()": "None",
    "torch.cuda.current_stream()": "None",
    "    def _compute_rollout_stats(": '    @__import__("kept_rollouts").keeping\n    def _compute_rollout_stats(',
}
ADDED = {
    "utils/distributed_util.py": "from weights_over_sockets import stateless_init_process_group",
    "trainer/ray/vllm_worker_wrap.py": "import plain_linear",
}
"""Lines behind a module's end: the later definition of a name wins."""


def copy(installed: Path, folder: Path) -> None:
    """Writes `folder`/openrlhf. Raises SystemExit when the installed OpenRLHF is not the one that this knows."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(installed, folder / "openrlhf", ignore=shutil.ignore_patterns("__pycache__"))
    missing = set(CHANGES)
    for path in sorted((folder / "openrlhf").rglob("*.py")):
        before = text = path.read_text()
        for old, new in CHANGES.items():
            if old in text:
                missing.discard(old)
                text = text.replace(old, new)
        if text != before:
            path.write_text(text)
    if missing:
        raise SystemExit(f"this OpenRLHF has none of: {', '.join(sorted(missing))}")
    for name, lines in ADDED.items():
        with (folder / "openrlhf" / name).open("a") as file:
            file.write(f"\n\n{lines}\n")


def installed_in(venv: Path) -> Path:
    """Raises SystemExit when it is not there."""
    for folder in venv.glob("lib/python3*/site-packages/openrlhf"):
        return folder
    raise SystemExit(f"{venv} has no openrlhf")


if __name__ == "__main__":
    venv = Path(sys.argv[1])
    copy(installed_in(venv), venv / "cpu")
