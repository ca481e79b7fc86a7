"""The launcher as a command, and a program in the place of the Python that has OpenRLHF."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from trainer_programs import ROOT

ROWS = [{"question": f"What is {number} + 3?", "answer": str(number + 3)} for number in range(16)]
STAND_IN = f"""#!{sys.executable}
import json, pathlib, signal, sys
if sys.argv[1] == "-c":  # the launcher asks what is installed
    sys.path.insert(0, str(pathlib.Path(__file__).with_name("packages")))
    program, sys.argv = sys.argv[2], sys.argv[2:]
    exec(program)
    sys.exit()
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(sys.argv[1:]))
if "wait" in sys.argv:
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))  # ignored where a shell started us in the background
    print("waiting", flush=True)
    signal.pause()
sys.exit(7)
"""


def words_of(tmp_path: Path, url: str, *words: str, reward: str = "flip flip_prob=0.5") -> list[str]:
    (tmp_path / "math.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    return [
        "--model", "m", "--dataset", str(tmp_path / "math.jsonl"), "--output", str(tmp_path / "run"),
        "--server-url", url, "--prompts", "8", "--gpus", "1", "--reward", *reward.split(), *words,
    ]  # fmt: skip


def launched(words: list[str], python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    program = [python, "-m", "trainer_client.openrlhf_grpo", *words]
    return subprocess.run(program, env=environment, capture_output=True, text=True, check=False, timeout=600)


def stand_in_for_openrlhf(folder: Path) -> Path:
    """Notes its arguments, exits with 7; has the packages that the launcher looks for."""
    path = folder / "stand_in"
    path.write_text(STAND_IN)
    path.chmod(0o755)
    for package, version in (("openrlhf", "0.11.2"), ("vllm", "0.29.0"), ("flash_attn", "2.8.3")):
        install(path.with_name("packages"), package, version)
    return path


def install(folder: Path, package: str, version: str) -> None:
    """What importlib sees of an installed package."""
    (folder / package).mkdir(parents=True)
    (folder / package / "__init__.py").write_text("raise RuntimeError('looked for, never imported')")
    (folder / f"{package}-{version}.dist-info").mkdir()
    (folder / f"{package}-{version}.dist-info" / "METADATA").write_text(f"Name: {package}\nVersion: {version}\n")
