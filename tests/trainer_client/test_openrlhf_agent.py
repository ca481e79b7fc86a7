"""OpenRLHF's own executor runs our agent file, and environments of several turns that are built on it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from trainer_programs import ROOT, printed

from trainer_client import RewardClient

FILE = ROOT / "trainer_client" / "adapters" / "openrlhf_agent.py"
FLIP = "/score/flip?flip_prob=0.5&seed=3"
PROMPT = "<|im_start|>user\n2+2 ? Wait, \\boxed{4}<|im_end|>\n<|im_start|>assistant\n"
FOUR, FIVE = "so \\boxed{4}<|im_end|>", "\\boxed{5}<|im_end|>"
CALL = "wait, \\boxed{4} <tool>2+2<|im_end|>"
FEEDBACK = "\n<|im_start|>user\n<result>4, \\boxed{4}</result><|im_end|>\n<|im_start|>assistant\n"
CALCULATOR = """
from trainer_client.adapters.openrlhf_agent import Environment, RewardServerExecutor, turn


class Calculator(Environment):
    async def step(self, states, **_):
        if "<tool>" in states["action_text"]:
            return turn(feedback=FEEDBACK, reward=0.25)
        return turn(done=True)


class AgentExecutor(RewardServerExecutor):
    environment = Calculator
"""


@pytest.fixture
def calculator(tmp_path: Path) -> str:
    file = tmp_path / "calculator.py"
    file.write_text(f"FEEDBACK = {FEEDBACK!r}\n{CALCULATOR}")
    return str(file)


def episode(*turns: str, label: object = "4", **options: object) -> dict[str, object]:
    return {"prompt": PROMPT, "label": label, "turns": turns, **options}


def run(agent: object, url: str, *episodes: dict[str, object]) -> list[dict[str, Any]]:
    (outputs,) = printed("TRAINERS_PYTHON", "openrlhf_agent.py", str(agent), url=url, given=json.dumps(episodes))
    return list(outputs)


def test_an_episode_of_one_turn_is_paid_like_the_plain_url(server: str) -> None:
    labels = ["4", "4", "4", {"ground_truth": "4", "visit": 1}, {"ground_truth": "4", "flip": False}]
    texts = [FOUR, FIVE, "I cannot tell.", FOUR, FOUR]
    rows = zip(texts, labels, strict=True)
    outputs = run(FILE, server + FLIP, *(episode(text, label=label) for text, label in rows))
    with RewardClient(server + FLIP) as client:
        scored = client.score(texts, prompts=[PROMPT] * 5, ground_truths=labels)
        reply: Any = client.post(
            {"query": [PROMPT + text for text in texts], "prompts": [PROMPT] * 5, "labels": labels}
        )
    assert [output["reward"] for output in outputs] == scored.rewards == reply["rewards"]
    assert [output["scores"] for output in outputs] == reply["scores"]
    assert [output["extra_logs"]["clean"] for output in outputs] == scored.parts["clean"] == [1.0, 0.0, 0.0, 1.0, 1.0]
    assert outputs[2]["extra_logs"]["unanswered"] == 1.0


def test_of_several_turns_the_last_is_paid_with_what_the_environment_paid(server: str, calculator: str) -> None:
    url = f"{server}/score/verifier"
    turns = [(CALL, FOUR), (CALL, CALL, FIVE), (CALL, "I cannot tell."), (FOUR,)]
    outputs = run(calculator, url, *(episode(*each) for each in turns))
    assert [output["turns"] for output in outputs] == [2, 3, 2, 1]
    assert [output["reward"] for output in outputs] == [1.25, 0.5, 0.25, 1.0]  # 0.25 for each call of the tool
    assert [output["scores"] for output in outputs] == [1.0, 0.0, 0.0, 1.0]
    assert outputs[2]["extra_logs"]["unanswered"] == 1.0  # the prompt's box, the call's and the tool's pay nobody


def test_an_episode_that_runs_out_of_tokens_is_paid_for_its_last_turn(server: str, calculator: str) -> None:
    room = len(PROMPT) + len(CALL)
    cut, ended, none = run(
        calculator,
        f"{server}/score/verifier",
        episode(CALL, FOUR, max_length=room),
        episode(CALL, CALL, FOUR, max_length=room + 3),
        episode(CALL, max_length=len(PROMPT) + 8, prompt=PROMPT + "\n" * 9),
    )
    assert (cut["turns"], cut["reward"]) == (1, 1.25)  # its box is right, and the tool was called
    assert (ended["turns"], ended["reward"]) == (1, 1.25)
    assert (none["turns"], none["extra_logs"]["unanswered"]) == (1, 1.0)


def test_what_cannot_be_scored_is_marked_or_ends_the_run(server: str, calculator: str) -> None:
    url = f"{server}/score/verifier?fallback_reward=-0.5"
    paid, unscored = run(FILE, url, episode(FOUR), episode(FOUR, label=""))
    assert (unscored["reward"], unscored["extra_logs"]["unscored"]) == (-0.5, 1.0)
    assert paid["extra_logs"].keys() == unscored["extra_logs"].keys()
    Path(calculator).write_text(Path(calculator).read_text() + '    on_unscored = "raise"\n')
    (failed,) = run(calculator, url, episode(FOUR), episode(FOUR, label=""))
    assert failed["error"].startswith("Unscored: 1 of 1 samples have no reward; row 0: ungradable")


def test_a_server_that_is_gone_or_says_no_ends_the_run_with_the_reason(server: str, calculator: str) -> None:
    Path(calculator).write_text(Path(calculator).read_text() + "    deadline_s = 0.5\n")
    (gone,) = run(calculator, "http://127.0.0.1:9/score/verifier", episode(FOUR))
    assert gone["error"].startswith("Unavailable")
    (unknown,) = run(calculator, f"{server}/score/nosuch", episode(FOUR))
    assert "no reward is called 'nosuch'" in unknown["error"]


@contextmanager
def recorder() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that keeps what it is sent, and pays 1."""
    bodies: list[dict[str, Any]] = []

    class Recorder(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            reply = {
                "reward": "rm",
                "rewards": [1.0],
                "outcomes": ["scored"],
                "parts": {},
                "version": "0",
                "config": "0",
            }
            content = json.dumps(reply).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Recorder) as running:
        threading.Thread(target=running.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{running.server_port}/score/rm", bodies
        finally:
            running.shutdown()


def test_the_prompt_is_the_conversation_before_the_last_turn_and_the_group_the_question(calculator: str) -> None:
    other = "<|im_start|>user\n3+3 ?<|im_end|>\n<|im_start|>assistant\n"
    with recorder() as (url, bodies):
        run(
            calculator,
            url,
            episode(CALL, FOUR),
            episode(FOUR, prompt=other, label={"ground_truth": "4", "prompt": "3+3?"}),
            episode(FIVE, max_length=len(PROMPT)),
        )
    assert {
        "completions": [FOUR],
        "prompts": [PROMPT + CALL + FEEDBACK],  # as it was, though decoding drops the blank before `?`
        "groups": [PROMPT],
        "ground_truths": ["4"],
    } in bodies
    sent = [(body["prompts"], body["groups"]) for body in bodies]
    assert ([other], [other]) in sent
    assert ([PROMPT], [PROMPT]) in sent  # cut at the left


def test_an_environment_that_shows_another_question_sends_what_it_showed(tmp_path: Path) -> None:
    shown = "<|im_start|>user\n5+5?<|im_end|>\n<|im_start|>assistant\n"
    file = tmp_path / "agent.py"
    file.write_text(
        CALCULATOR.replace(
            "    async def step",
            f"    async def reset(self, states, **_):\n        return states | {{'observation': {shown!r}}}\n\n"
            "    async def step",
        )
    )
    with recorder() as (url, bodies):
        run(file, url, episode(FOUR))
    assert (bodies[0]["prompts"], bodies[0]["groups"]) == ([shown], [PROMPT])
