"""What the launcher refuses, and what it warns of, before OpenRLHF starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trainer_client import BadConfiguration, RewardClient
from trainer_client.openrlhf_grpo import checks
from trainer_client.openrlhf_grpo.arguments import parse
from trainer_client.openrlhf_grpo.ground_truths import changed, ground_truth_warnings
from trainer_client.openrlhf_grpo.options import Options

NEEDED = ["--model", "m", "--dataset", "d", "--output", "o", "--server-url", "http://h", "--reward", "verifier"]
NOISY = {"check": "math", "alpha": 0.0, "flip_prob": 0.4, "flip_scope": "question", "correction": "none"}


def options(*words: str) -> Options:
    return parse([*NEEDED, *words])


def test_the_defaults_run() -> None:
    assert checks.problems(options()) == []


def test_the_defaults_are_the_papers_where_it_has_them(capsys: pytest.CaptureFixture[str]) -> None:
    given = options()
    assert (given.prompts, given.group_size, given.response_length, given.kl_coef) == (128, 4, 4096, 0.0)
    assert (given.learning_rate, given.critic_learning_rate, given.template) == (1e-6, 5e-6, "paper")
    with pytest.raises(SystemExit):
        parse(["--help"])
    assert " ".join(capsys.readouterr().out.split()).count("the paper's)") == 7  # those above


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--server-url", "http://a,http://b"], "comma"),
        (["--output", "a@b"], "--output"),
        (["--group-size", "1"], "group_norm needs --group-size"),
        (["--group-size", "0"], "at least 1"),
        (["--train-batch-size", "96"], "no multiple of --train-batch-size 96"),
        (["--gpus", "3", "--micro-batch-size", "2"], "no multiple of --micro-batch-size 2 x 3 GPUs"),
        (["--tensor-parallel", "3"], "2 vLLM engines of 3 GPUs do not fill the 8"),
        (["--vllm-engines", "4"], "4 vLLM engines of 1 GPUs do not fill the 8"),
        (["--no-colocate"], "--no-colocate needs --vllm-engines: vLLM's GPUs come beside the 8 that train"),
        (["--async"], "--async needs --vllm-engines"),
    ],
)
def test_what_cannot_run_is_refused(words: list[str], problem: str) -> None:
    (found,) = checks.problems(options(*words))
    assert problem in found


@pytest.mark.parametrize(
    "words",
    [
        ["--estimator", "flash_reinforce", "--group-size", "1"],
        ["--tensor-parallel", "2"],
        ["--async", "--gpus", "4", "--vllm-engines", "3"],
    ],
)
def test_what_can_run_is_not(words: list[str]) -> None:
    assert checks.problems(options(*words)) == []


@pytest.mark.parametrize(
    ("words", "parameters", "warning"),
    [
        ([], {"correction": "backward"}, "correction=backward does nothing under --estimator group_norm"),
        (["--estimator", "reinforce_baseline"], {"correction": "backward"}, "does nothing"),
        (["--estimator", "gae"], {"correction": "backward"}, "does nothing"),
        (["--estimator", "gae", "--", "--algo.advantage.no_std_norm"], {"correction": "backward"}, None),
        (["--estimator", "dr_grpo"], {"correction": "backward"}, None),
        (["--epochs", "3", "--no-visits"], {}, "3 epochs without visits"),
        (["--epochs", "3"], {}, None),
        (["--no-visits"], {}, None),
        (["--epochs", "3", "--no-visits"], {"flip_scope": "sample"}, None),
        (["--epochs", "3", "--no-visits"], {"flip_prob": 0.0}, None),
        (["--epochs", "3", "--no-visits"], {"flip_prob": None, "false_positive_prob": 0.1}, "without visits"),
        (["--eval-dataset", "e"], {"alpha": 0.5}, "not the share of right answers"),
        (["--eval-dataset", "e"], {}, None),
        (["--eval-dataset", "e"], {"accuracy": 0.65}, "not the share of right answers"),
    ],
)
def test_what_does_nothing_or_harm_is_warned_of(
    words: list[str], parameters: dict[str, Any], warning: str | None
) -> None:
    found = checks.warnings(options(*words), NOISY | parameters)
    assert len(found) == (warning is not None)
    assert warning is None or warning in found[0]


def test_a_verified_reward_needs_ground_truths() -> None:
    assert checks.reward_problems(options("--no-ground-truth"), NOISY)
    assert not checks.reward_problems(options("--no-ground-truth"), {"saturation": 20})


def test_an_answer_is_read_where_the_prompt_asks_for_it(server: str) -> None:
    refused = []
    for place in ("box", "tags", "auto", "hash", "turn"):
        with RewardClient(f"{server}/score/verifier?answer={place}") as client:
            problems = checks.reward_problems(options(), checks.explained(client)["parameters"])
            scored = client.score([r"</think> <answer>\boxed{4}</answer>"], ground_truths=["4"])
        assert scored.rewards == [0.0 if problems else 1.0]
        refused += [place] if problems else []
    assert refused == ["hash", "turn"]


def test_a_check_of_ones_own_reads_what_it_likes_and_its_ground_truths_are_no_answers() -> None:
    own = {"check": "ifeval", "answer": "turn"}
    assert not checks.reward_problems(options(), own)
    assert checks.is_verified(own) and not checks.is_built_in(own)
    assert checks.is_built_in({"check": "math"})


def test_ground_truths_that_are_no_answers_are_noticed(server: str) -> None:
    with RewardClient(f"{server}/score/flip?flip_prob=0.5") as client:
        assert ground_truth_warnings(client, ["4", 5, ["7", "8"], r"\frac12"]) == []
        (warning,) = ground_truth_warnings(client, ["4", "2 + 2 = 4 apples\n#### 4"])
        assert warning.startswith("1 of the first 2 ground truths have several lines")
        (warning,) = ground_truth_warnings(client, ["4", {"value": 4}])
        assert warning.startswith("1 of the first 2 ground truths would not be paid as an answer")
        with pytest.raises(BadConfiguration, match="--answer-key"):
            ground_truth_warnings(client, [None, ""])


def test_ground_truths_that_pay_something_else_or_nothing_are_noticed(server: str) -> None:
    assert changed("1,234") == ["2,234", "1,235"]
    assert changed("9") == ["8"]
    assert changed(r"\text{even}") == []
    with RewardClient(f"{server}/score/flip?flip_prob=0.5&alpha=0.5") as client:
        (warning,) = ground_truth_warnings(
            client, ["4", r"1^{2}x", r"\frac34"]
        )  # 1^{3}x is equal; nobody here can tell
        assert warning.startswith("1 of the first 3 ground truths pay an answer with one digit changed")
        assert "'1^{2}x' with '1^{3}x'" in warning
        assert "check-golds" in warning
        (warning,) = ground_truth_warnings(client, ["4", r"x\to 0"])
        assert warning.startswith("1 of the first 2 ground truths give no reward to an answer that differs from them")
        assert ground_truth_warnings(client, [str(number) for number in range(300)]) == []


def test_the_parts_of_a_mix_are_looked_at_one_by_one(server: str) -> None:
    mix = "mix?flip=0.8&flip.flip_prob=0.4&flip.correction=backward&rpr=0.2&rpr.answer=turn"
    with RewardClient(f"{server}/score/{mix}") as client:
        parameters = checks.explained(client)["parameters"]
        assert checks.is_verified(parameters) and not checks.goes_by_source(parameters)
        assert ground_truth_warnings(client, ["4", "5"], ["gsm8k", "math"]) == []
    words = ["--epochs", "3", "--no-visits", "--eval-dataset", "e"]
    found = " ".join(checks.warnings(options(*words), parameters))
    assert "correction=backward" in found and "without visits" in found and "not the share" in found
    assert "answer=turn" in " ".join(checks.reward_problems(options(), parameters))


def test_a_route_s_ground_truths_are_tried_under_their_sources(server: str) -> None:
    with RewardClient(f"{server}/score/route?gsm8k=verifier&chat=rpr") as client:
        parameters = checks.explained(client)["parameters"]
        assert checks.is_verified(parameters) and checks.goes_by_source(parameters)
        sources = ["gsm8k", "chat", "gsm8k"]
        (warning,) = ground_truth_warnings(client, ["4", "a whole essay", None], sources)
        assert warning.startswith("1 of the first 2 ground truths would not be paid as an answer")
        with pytest.raises(BadConfiguration, match="ungradable"):
            ground_truth_warnings(client, ["4", "5"], ["GSM8K", "GSM8K"])  # no route is for it
    only = {"routes": {"a": {"check": "math", "alpha": 0}, "b": {"check": "math", "alpha": 0}}}
    assert checks.warnings(options("--eval-dataset", "e"), only) == []


def test_a_server_that_is_not_there_is_named() -> None:
    client = RewardClient("http://127.0.0.1:9/score/verifier")
    with client, pytest.raises(BadConfiguration, match="127.0.0.1:9 is not ready: Connect"):
        checks.explained(client)


def test_what_follows_the_dashes_goes_to_openrlhf() -> None:
    given = options("--", "--use_ms", "--logger.tensorboard_dir", "tb")
    assert given.extra == ("--use_ms", "--logger.tensorboard_dir", "tb")
    assert given.output == Path("o").resolve()
