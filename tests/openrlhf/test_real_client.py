"""OpenRLHF 0.11.2's own client code gets its rewards from a live server."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import Starter
from running_server import RunningServer

HERE = Path(__file__).parent
PYTHON = HERE.parents[1] / ".venv-trainers" / "bin" / "python"
PROMPT = "<|im_start|>user\nWhat is 2 + 2?<|im_end|>\n<|im_start|>assistant\n"

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="`make test` makes .venv-trainers, with OpenRLHF in it")


def rollouts(url: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    command = [str(PYTHON), str(HERE / "run_rollouts.py"), url]
    result = subprocess.run(command, input=json.dumps(rows), capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0, result.stderr
    got: list[dict[str, Any]] = json.loads(result.stdout.splitlines()[-1])
    return got


def row(completion: str, label: object = "4", **more: object) -> dict[str, Any]:
    return {"prompt": PROMPT, "completion": completion, "label": label} | more


def test_rewards_scores_and_logs_arrive_in_the_trainer(server: RunningServer) -> None:
    completions = ("so \\boxed{4}<|im_end|>", "\\boxed{5}", "none", "\\boxed{4}", "\\boxed{4}")
    rows = [row(text, label) for text, label in zip(completions, ("4", "4", "4", "", 4), strict=True)]
    right, wrong, unanswered, ungradable, number = rollouts(f"{server.url}/score/verifier", rows)
    assert (right["reward"], right["scores"]) == ([1.0], [1.0])
    assert wrong["reward"] == unanswered["reward"] == ungradable["reward"] == [0.0]
    assert unanswered["extra_logs"]["unanswered"] == [1.0]
    assert ungradable["extra_logs"]["unscored"] == [1.0]
    assert number["reward"] == [1.0]
    assert len({tuple(got["extra_logs"]) for got in (right, wrong, unanswered, ungradable)}) == 1


def test_a_prompt_that_openrlhf_cut_at_the_left_does_not_hide_the_answer(server: RunningServer) -> None:
    """The cut query no longer begins with the prompt; the boxes in the prompt must not count as the policy's."""
    rows = [row("no answer", max_prompt_length=len(PROMPT) - 9), row("\\boxed{4}", max_prompt_length=20)]
    for each in rows:
        each["prompt"] = "<|im_start|>user\nPut the answer in \\boxed{4}!<|im_end|>\n<|im_start|>assistant\n"
    unanswered, right = rollouts(f"{server.url}/score/verifier", rows)
    assert unanswered["extra_logs"]["unanswered"] == [1.0]
    assert right["reward"] == [1.0]


@pytest.mark.parametrize("tokenizer", ["bpe", "words", "processor"])
def test_a_prompt_that_its_tokenizer_does_not_give_back_is_not_paid(server: RunningServer, tokenizer: str) -> None:
    """Blanks, newlines and symbols lost or gained, an image's token 256 times: the box of the prompt must not count."""
    prompt = "<|user|>\n<|image|>\nWhat is 3 + 4 ?  Answer like \\boxed{7}, √2 is wrong.<|assistant|>\n"
    texts = ["I do not know.", "so \\boxed{7}<|im_end|>", "<|assistant|>\nno", prompt]
    rows = [row(text, "7", prompt=prompt, tokenizer=tokenizer) for text in texts]
    unanswered, right, marked, copied = rollouts(f"{server.url}/score/verifier", rows)
    assert unanswered["extra_logs"]["unanswered"] == marked["extra_logs"]["unanswered"] == [1.0]
    if tokenizer != "words":  # which makes `\\ boxed { 7 }` of the box
        assert right["reward"] == copied["reward"] == [1.0]  # the copy is the policy's own


def test_a_prompt_of_which_letters_are_lost_is_not_scored(server: RunningServer) -> None:
    rows = [row("so \\boxed{7}", "7", prompt="What is 3 + 4?\n", tokenizer="letters")]
    (lost,) = rollouts(f"{server.url}/score/verifier", rows)
    assert (lost["reward"], lost["extra_logs"]["unscored"]) == ([0.0], [1.0])


def test_noise_label_objects_and_parameters_go_through_the_url_and_the_label(server: RunningServer) -> None:
    label = {"ground_truth": "4", "group": "q1", "visit": 1}
    url = f"{server.url}/score/flip?flip_prob=0.8759&seed=0"  # noise_golden.jsonl: q1, visit 1 draws a little less
    noisy, clean = rollouts(url, [row("\\boxed{4}", label), row("\\boxed{4}", json.dumps(label | {"flip": False}))])
    assert (noisy["reward"], noisy["extra_logs"]["clean"]) == ([0.0], [1.0])
    assert clean["reward"] == [1.0]


def test_a_key_goes_in_the_url(start_server: Starter) -> None:
    with start_server(environment={"REWARD_API_KEYS": "a-key"}) as server:
        url = server.url.replace("http://", "http://openrlhf:a-key@") + "/score/verifier"
        (right,) = rollouts(url, [row("\\boxed{4}")])
        assert right["reward"] == [1.0]


def test_a_burst_of_rollouts_is_answered_in_full(server: RunningServer) -> None:
    rows = [row(f"\\boxed{{{k % 8}}}") for k in range(512)]
    got = rollouts(f"{server.url}/score/verifier", rows)
    assert [each["reward"] for each in got] == [[float(k % 8 == 4)] for k in range(512)]
