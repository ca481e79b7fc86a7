"""The page of the client: its snippets run, one after another, and what it says of numbers is so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from trainer_client import _base, _tries

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "trainers" / "client.md").read_text()


def test_the_snippets_run(server: str) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    program = "\n".join(blocks).replace("127.0.0.1:8000", server.removeprefix("http://"))
    program = program.replace("localhost:8000", f"localhost:{server.rpartition(':')[2]}")
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    first, *_, last = run.stdout.splitlines()
    assert first == "4096 of 10000: 0.142822265625"  # 585 of 4,096 numbers leave 4 when divided by 7
    assert re.search(r"ConnectError.*0 of 2 chunks answered; request [0-9a-f]{16}-[12]\)$", last)


def test_its_numbers_are_the_code_s() -> None:
    assert (_base.CHUNKS_AT_ONCE, _tries.UNKNOWN_HOST_S) == (8, 10.0)
