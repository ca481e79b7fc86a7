"""schemathesis against a live server: every route of the OpenAPI page, with examples, boundaries and random data.

    make fuzz-http

It runs in an environment of its own (`.venv-http`). What may not happen: a 500, another content type, a status or a
body that the page does not tell. Where torch is installed the server has a tiny reward model, else `rm` is left out.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from running_server import running_server

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
VARIANT = '[math-noisy]\nbase = "flip"\nflip_prob = 0.4\n'


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "rewards.toml"
        config.write_text(VARIANT)
        options = ["--config", str(config), "--verify-reward", "math-noisy", "--soft-timeout-s", "0.5"]
        left_out: list[str] = []
        if find_spec("torch") and find_spec("transformers"):
            from tiny_models import save_model

            options += ["--rm-model", str(save_model(Path(folder) / "model")), "--rm-threads", "1"]
        else:
            left_out = ["--exclude-path-regex", "/rm"]
        with running_server(Path(folder) / "log", *options) as server:
            server.wait_ready()
            command = [".venv-http/bin/schemathesis", "run", f"{server.url}/openapi.json", "--checks", CHECKS]
            phases = [
                "--phases",
                "examples,coverage,fuzzing",
                "--max-time",
                "120",
                "--seed",
                "1",
                "--continue-on-failure",
            ]
            finished = subprocess.run([*command, *phases, *left_out, "--no-color"], check=False)
            failed = [line for line in server.log_lines() if line["event"] == "a request failed"]
        print(f"requests that failed inside the server: {len(failed)}")
        return finished.returncode or bool(failed)


if __name__ == "__main__":
    sys.exit(main())
