"""`--agent`: episodes of several turns, which OpenRLHF runs and the server pays."""

from __future__ import annotations

import json
import shlex
import stat
from pathlib import Path
from typing import Any

import pytest
from launching import launched, words_of
from trainer_programs import ROOT, printed

from trainer_client import RewardClient
from trainer_client.openrlhf_grpo import checks
from trainer_client.openrlhf_grpo.arguments import parse

AGENT = """
from texts import FEEDBACK
from trainer_client.adapters.openrlhf_agent import Environment, RewardServerExecutor, turn


class Calculator(Environment):
    async def step(self, states, **_):
        return turn(feedback=FEEDBACK) if "<tool>" in states["action_text"] else turn(done=True)


class AgentExecutor(RewardServerExecutor):
    environment = Calculator
"""
RIGHT = r"so </think> <answer>\boxed{%s}</answer>"


@pytest.fixture
def agent(tmp_path: Path) -> Path:
    """An agent that imports from a file beside it."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "texts.py").write_text(r"FEEDBACK = '\nresult: \\boxed{1000}\nAssistant: <think>'")
    (tmp_path / "mine" / "agent.py").write_text(AGENT)
    return tmp_path / "mine" / "agent.py"


def test_the_servers_reward_of_the_last_turn_is_paid(tmp_path: Path, agent: Path, keyed_server: str) -> None:
    url = keyed_server.replace("http://", "http://user:sesame@")
    ran = launched(words_of(tmp_path, url, "--dry-run", "--agent", str(agent), "--epochs", "2"))
    assert ran.returncode == 0, ran.stderr
    words = shlex.split(ran.stdout)
    ((arguments,),) = printed("TRAINERS_PYTHON", "openrlhf_parser.py", url="", given=json.dumps([words[3:]]))
    file = Path(arguments["train"]["agent_func_path"])
    assert file == tmp_path / "run" / "agent.py"
    assert arguments["reward"]["remote_url"] == ["agent"]
    assert (stat.S_IMODE(file.stat().st_mode), "sesame" in ran.stdout) == (0o600, False)
    rows = [json.loads(line) for line in (tmp_path / "run" / "data" / "train.jsonl").read_text().splitlines()]
    right = [RIGHT % json.loads(row["label"])["ground_truth"] for row in rows]
    episodes = [
        {"prompt": row["input"], "label": row["label"], "turns": ["<tool>add", last]}
        for row, last in zip(rows, right, strict=True)
    ]
    (outputs,) = printed("TRAINERS_PYTHON", "openrlhf_agent.py", str(file), url="", given=json.dumps(episodes))
    assert [output["turns"] for output in outputs] == [2] * 32
    assert [output["extra_logs"]["clean"] for output in outputs] == [1.0] * 32
    # The noise is that of OpenRLHF without an agent: by the label's question and visit.
    with RewardClient(f"{url}/score/flip?flip_prob=0.5") as client:
        reply: dict[str, Any] = client.post(
            {
                "query": [row["input"] + last for row, last in zip(rows, right, strict=True)],
                "prompts": [row["input"] for row in rows],
                "labels": [row["label"] for row in rows],
            }
        )
    assert [output["reward"] for output in outputs] == reply["rewards"]
    assert 0 < sum(reply["rewards"]) < 32


def test_our_own_agent_of_one_turn_is_taken(tmp_path: Path, server: str) -> None:
    ours = ROOT / "trainer_client" / "adapters" / "openrlhf_agent.py"
    assert launched(words_of(tmp_path, server, "--dry-run", "--agent", str(ours))).returncode == 0
    episodes = [{"prompt": "q", "label": "4", "turns": [RIGHT % answer]} for answer in (4, 5)]
    file = str(tmp_path / "run" / "agent.py")
    (outputs,) = printed("TRAINERS_PYTHON", "openrlhf_agent.py", file, url="", given=json.dumps(episodes))
    assert [output["extra_logs"]["clean"] for output in outputs] == [1.0, 0.0]


def test_an_agent_that_does_not_ask_the_server_is_refused(tmp_path: Path, agent: Path) -> None:
    needed = ["--model", "m", "--dataset", "d", "--output", "o", "--server-url", "http://h", "--reward", "verifier"]
    assert checks.problems(parse([*needed, "--agent", str(agent)])) == []
    (problem,) = checks.problems(parse([*needed, "--agent", str(agent), "--reward-client", "url"]))
    assert "an agent asks with our client" in problem
    agent.write_text("class AgentExecutor:\n    pass\n")
    (problem,) = checks.problems(parse([*needed, "--agent", str(agent)]))
    assert "built on RewardServerExecutor of trainer_client.adapters.openrlhf_agent" in problem
    (problem,) = checks.problems(parse([*needed, "--agent", str(agent.with_name("none.py"))]))
    assert "no such file" in problem
