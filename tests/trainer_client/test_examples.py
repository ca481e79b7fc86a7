"""The examples as commands, for fewer steps than they are meant for."""

import os
import re
import subprocess
import sys
from pathlib import Path

from trainer_programs import ROOT, python_of

PNG = b"\x89PNG\r\n\x1a\n"


def test_grpo_on_a_cpu_starts_its_server_learns_and_draws_a_plot(tmp_path: Path) -> None:
    plot, server = tmp_path / "plot.png", Path(sys.executable).with_name("reward-server")
    program = [python_of("TRAINERS_PYTHON"), "-m", "trainer_client.examples.grpo_trl_cpu", "--steps", "60"]
    ran = subprocess.run(
        [*program, "--plot", str(plot), "--reward-server", str(server)],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=tmp_path, capture_output=True, text=True, timeout=600,
        check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-4000:]
    assert re.findall(r"^step (\d+)/60  clean [\d.]+  noisy [\d.]+", ran.stderr, re.MULTILINE) == ["20", "40", "60"]
    (first, last), *_ = re.findall(r"clean reward ([\d.]+) at the start, ([\d.]+) at the end", ran.stdout)
    assert float(last) > float(first) + 0.1  # from about 0.2 to 0.6, the mean of 20 steps each
    assert plot.read_bytes().startswith(PNG)
