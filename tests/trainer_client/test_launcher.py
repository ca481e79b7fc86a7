"""The launcher as a command, against a live server, with OpenRLHF's own parser, data set and executor."""

from __future__ import annotations

import itertools
import json
import shlex
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from launching import ROWS, launched, stand_in_for_openrlhf, words_of
from trainer_programs import ROOT, printed, python_of

from trainer_client.openrlhf_grpo.arguments import parse
from trainer_client.openrlhf_grpo.command import Files, command
from trainer_client.openrlhf_grpo.options import Estimator, Template
from trainer_client.openrlhf_grpo.reward_file import reward_url

Launch = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def launch(tmp_path: Path, server: str) -> Launch:
    return lambda *words, **given: launched(words_of(tmp_path, server, "--dry-run", *words, **given))


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    return stand_in_for_openrlhf(tmp_path)


@pytest.mark.parametrize(
    ("reward", "query"),
    [
        ("verifier", "run=run"),
        ("flip flip_prob=0.5", "flip_prob=0.5&run=run"),
        ("flip run=mine flip_prob=0.5", "run=mine&flip_prob=0.5"),
    ],
)
def test_the_run_has_the_name_of_its_folder_in_the_servers_record(tmp_path: Path, reward: str, query: str) -> None:
    options = parse(words_of(tmp_path, "http://127.0.0.1:8000", reward=reward))
    assert reward_url(options) == f"http://127.0.0.1:8000/score/{reward.split()[0]}?{query}"


def test_openrlhfs_own_parser_takes_every_command() -> None:
    runs = [
        ["--estimator", estimator, "--template", template, "--kl-coef", kl, "--eval-dataset", "e", *layout]
        for estimator, template, kl, layout in itertools.product(
            get_args(Estimator),
            get_args(Template),
            ("0", "0.01"),
            (
                ["--tensor-parallel", "2"],
                ["--no-colocate", "--vllm-engines", "3", "--nodes", "2", "--no-packing"],
                ["--async", "--vllm-engines", "3", "--nodes", "2"],
            ),
        )
    ]
    needed = ["--model", "org/m", "--dataset", "d", "--output", "/o", "--server-url", "http://h", "--reward", "rpr"]
    given = [parse([*needed, *run]) for run in runs]
    files = Files(Path("/o/train.jsonl"), Path("/o/evaluation.jsonl"), "http://k:s@h/score/rpr?alpha=1&saturation=40")
    commands = [command(options, files)[3:] for options in given]
    (parsed,) = printed("TRAINERS_PYTHON", "openrlhf_parser.py", url="", given=json.dumps(commands))
    for options, arguments in zip(given, parsed, strict=True):
        assert not isinstance(arguments, str), arguments
        is_chat, is_separate = options.template != "paper", not options.is_colocated
        assert arguments["algo"]["advantage"]["estimator"] == options.estimator
        assert arguments["algo"]["kl"]["init_coef"] == options.kl_coef
        assert arguments["reward"]["remote_url"] == [files.reward]
        assert arguments["data"]["prompt_dataset"] == "/o/train.jsonl"
        assert arguments["data"]["apply_chat_template"] is is_chat
        assert (arguments["data"]["input_key"], arguments["data"]["label_key"]) == ("input", "label")
        assert arguments["data"]["input_template"] is None  # the prompt stands in the data, braces and all
        assert (arguments["data"]["max_len"], arguments["rollout"]["max_new_tokens"]) == (1024 + 4096, 4096)
        assert (arguments["eval"]["dataset"], arguments["eval"]["steps"]) == ("/o/evaluation.jsonl", 20)
        rollout = arguments["rollout"]
        assert (rollout["batch_size"], rollout["n_samples_per_prompt"], rollout["temperature"]) == (128, 4, 1.0)
        assert (arguments["train"]["batch_size"], arguments["train"]["num_episodes"]) == (512, 1)
        assert arguments["actor"]["adam"]["lr"] == 1e-6
        assert arguments["actor"]["model_name_or_path"] == "org/m"
        assert (arguments["actor"]["num_nodes"], arguments["actor"]["num_gpus_per_node"]) == (1 + is_separate, 8)
        assert arguments["vllm"]["num_engines"] == (3 if is_separate else 4)
        assert arguments["vllm"]["tensor_parallel_size"] == (1 if is_separate else 2)
        assert arguments["vllm"]["enable_sleep"] is not is_separate
        assert arguments["train"]["async_enable"] is options.async_
        assert arguments["train"]["colocate_all"] is (options.async_ or not is_separate)
        assert arguments["ds"]["enable_sleep"] is arguments["train"]["colocate_all"]
        assert arguments["ds"]["packing_samples"] is arguments["train"]["dynamic_batch_enable"] is options.packing
        assert arguments["ds"]["attn_implementation"] == "flash_attention_2"
        assert arguments["logger"]["tensorboard_dir"] == "/o/tensorboard"
        if options.estimator == "gae":
            assert (arguments["critic"]["model_name_or_path"], arguments["critic"]["adam"]["lr"]) == ("org/m", 5e-6)
            assert arguments["critic"]["freezing_steps"] == 20
            assert arguments["critic"]["num_nodes"] == arguments["actor"]["num_nodes"]
        else:
            assert arguments["critic"]["model_name_or_path"] is None


def test_openrlhfs_parser_refuses_what_it_does_not_know() -> None:
    """That the test above can fail."""
    good, bad = ["--actor.model_name_or_path", "m", "--reward.remote_url", "u", "--vllm.num_engines", "1"], ["--nope"]
    two = ["--algo.advantage.estimator", "rloo"]
    ((parsed, unknown, checked),) = printed(
        "TRAINERS_PYTHON", "openrlhf_parser.py", url="", given=json.dumps([good, good + bad, good + two])
    )
    assert parsed["reward"]["remote_url"] == ["u"]
    assert "unrecognized arguments: --nope" in unknown
    assert "requires n_samples_per_prompt > 1" in checked


@pytest.mark.parametrize(("reward_client", "template"), [("function", "paper"), ("url", "chat")])
def test_openrlhfs_evaluation_is_clean_when_half_of_all_rewards_are_wrong(
    reward_client: str, template: str, launch: Launch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, run = tmp_path / "math.jsonl", tmp_path / "run" / "data"
    ran = launch("--eval-dataset", str(data), "--template", template, "--reward-client", reward_client, "--epochs", "2")
    assert ran.returncode == 0, ran.stderr
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    words = shlex.split(ran.stdout)
    endpoint = words[words.index("--reward.remote_url") + 1]
    files = [run / "evaluation.jsonl", run / "train.jsonl"]
    if "--data.apply_chat_template" in words:
        files = [file.rename(file.with_name(f"chat-{file.name}")) for file in files]
    evaluation, training = printed("TRAINERS_PYTHON", "openrlhf_evaluation.py", endpoint, *map(str, files), url="")
    assert all("What is" in prompt and r"\boxed{}" in prompt for prompt in evaluation["prompts"])
    # Each question has a right rollout and a silent one.
    assert evaluation["rewards"] == evaluation["clean"] == [1.0, 0.0] * 16
    assert (evaluation["metrics"]["eval_math_pass1"], evaluation["metrics"]["eval_math_pass2"]) == (0.5, 1.0)
    assert training["clean"] == [1.0, 0.0] * 32
    assert 0 < sum(training["rewards"]) < 32  # noise reaches the right rollouts
    first, second = training["rewards"][:32], training["rewards"][32:]
    assert first != second  # and draws anew for the second visit
    assert [json.loads(label)["visit"] for label in training["labels"]] == [0] * 16 + [1] * 16


def test_every_word_reaches_the_command_and_its_exit_code_comes_back(
    tmp_path: Path, server: str, stand_in: Path
) -> None:
    words = words_of(tmp_path, server, "--python", str(stand_in))
    ran = launched([*words, "--", "--logger.tensorboard_dir", "a b"])
    assert ran.returncode == 7, ran.stderr
    printed_words = shlex.split(ran.stdout)
    assert printed_words == [str(stand_in), *json.loads(stand_in.with_suffix(".json").read_text())]
    assert printed_words[1:3] == ["-m", "openrlhf.cli.train_ppo_ray"]
    assert printed_words[-2:] == ["--logger.tensorboard_dir", "a b"]


def test_the_printed_command_runs_in_a_shell(tmp_path: Path, server: str, stand_in: Path) -> None:
    words = words_of(tmp_path, server, "--python", str(stand_in), "--dry-run", "--model", "a model's")
    line = launched(words).stdout
    assert not stand_in.with_suffix(".json").exists()  # a dry run
    assert subprocess.run(["bash", "-c", line], check=False).returncode == 7
    assert "a model's" in json.loads(stand_in.with_suffix(".json").read_text())


def test_an_interrupt_reaches_the_command(tmp_path: Path, server: str, stand_in: Path) -> None:
    words = [*words_of(tmp_path, server, "--python", str(stand_in)), "--", "--logger.tensorboard_dir", "wait"]
    program = [sys.executable, "-m", "trainer_client.openrlhf_grpo", *words]
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        assert any(line == "waiting\n" for line in process.stdout)
        process.send_signal(signal.SIGINT)
        assert process.wait(600) == 130


@pytest.mark.parametrize(
    ("words", "reward", "message"),
    [
        ([], "flop", "no reward is called 'flop'; known: verifier, flip"),
        ([], "flip flip_prb=0.4", "flip_prb: no such parameter"),
        ([], "flip 0.4", "'0.4' is no PARAMETER=VALUE"),
        (["--server-url", "http://a,http://b"], "verifier", "comma"),
        (["--server-url", "http://127.0.0.1:9"], "verifier", "not ready"),
        (["--prompts", "32"], "verifier", "16 rows are less than one batch of 32 questions"),
        (["--no-ground-truth"], "verifier", "--no-ground-truth cannot be"),
        ([], "flip label_noise=0.5", "label_noise needs a column wrong_ground_truth"),
        (["--python", "/no/such/python", "--no-dry-run"], "verifier", "--python /no/such/python: no such program"),
        (["--", "--train.num_episodes", "3"], "verifier", "--train.num_episodes is set by --epochs"),
        (["--", "--train.agent=agent.py"], "verifier", "--train.agent_func_path replaces the reward"),
        (["--", "--remote_rm_url", "http://h"], "verifier", "that is now --reward.remote_url"),
        (["--", "--rollout.vllm_generate_batch_size", "16"], "verifier", "oversampling needs --async"),
    ],
)
def test_what_is_wrong_is_said_before_anything_starts(
    words: list[str], reward: str, message: str, launch: Launch, tmp_path: Path
) -> None:
    ran = launch(*words, reward=reward)
    assert ran.returncode == 2
    assert message in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (tmp_path / "run" / "reward.py").exists() or "16 rows" in message or "a column" in message


@pytest.mark.parametrize(
    ("removed", "words", "message"),
    [
        ("openrlhf", [], "has no OpenRLHF: pip install 'openrlhf[vllm]==0.11.2'"),
        ("vllm", [], "has OpenRLHF without vLLM, which writes the rollouts: pip install 'openrlhf[vllm]==0.11.2'"),
        ("flash_attn", ["--no-packing", "--", "--ds.attn_implementation", "eager"], "pip install flash-attn"),
        (None, ["--", "--ds.attn_implementation", "flash_attention_3"], "pip install flash-attn-3"),
        (None, ["--no-packing", "--", "--ds.attn_implementation", "kernels-community/f"], "pip install kernels"),
        (None, ["--", "--ds.ring_attn_size", "2"], "has no ring_flash_attn, which OpenRLHF needs here"),
        (None, ["--", "--ds.use_liger_kernel"], "pip install liger-kernel"),
    ],
)
def test_a_missing_package_is_named_before_data_is_prepared(
    removed: str | None, words: list[str], message: str, tmp_path: Path, server: str, stand_in: Path
) -> None:
    if removed:
        shutil.rmtree(tmp_path / "packages" / removed)
        (tmp_path / "packages" / removed).mkdir()  # as a folder of that name where the launcher is started
    ran = launched(words_of(tmp_path, server, "--python", str(stand_in), *words))
    assert (ran.returncode, message in ran.stderr) == (2, True), ran.stderr
    assert not (tmp_path / "run").exists()


def test_a_flag_of_a_newer_openrlhf_is_passed_on(tmp_path: Path, server: str, stand_in: Path) -> None:
    words = [*words_of(tmp_path, server, "--python", str(stand_in)), "--", "--train.newer", "1"]
    assert "OpenRLHF knows no --train.newer" in launched(words).stderr
    (tmp_path / "packages" / "openrlhf-0.11.2.dist-info").rename(tmp_path / "packages" / "openrlhf-0.12.0.dist-info")
    (tmp_path / "packages" / "openrlhf-0.12.0.dist-info" / "METADATA").write_text("Name: openrlhf\nVersion: 0.12.0\n")
    ran = launched(words)
    assert (ran.returncode, "OpenRLHF 0.12.0 is installed; the command is for 0.11.2" in ran.stderr) == (7, True)
    assert json.loads(stand_in.with_suffix(".json").read_text())[-2:] == ["--train.newer", "1"]


def test_a_warning_does_not_stop_the_run(launch: Launch) -> None:
    ran = launch("--epochs", "2", "--no-visits", reward="flip flip_prob=0.4 correction=backward")
    assert ran.returncode == 0
    assert "warning: correction=backward does nothing" in ran.stderr
    assert "warning: 2 epochs without visits" in ran.stderr


def test_a_key_stays_out_of_the_command(tmp_path: Path, keyed_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARD_API_KEY", "sesame")
    ran = launched(words_of(tmp_path, keyed_server, "--dry-run"))
    assert ran.returncode == 0, ran.stderr
    assert "sesame" not in ran.stdout + ran.stderr
    path = tmp_path / "run" / "reward.py"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    monkeypatch.delenv("REWARD_API_KEY")
    program = "import runpy, sys; print(runpy.run_path(sys.argv[1])['reward_func'](['q 4'], ['q '], ['4'])['rewards'])"
    ran = subprocess.run(
        [sys.executable, "-c", program, str(path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "[0.0]\n"


def test_parquet_and_reasoning_gym_are_read_where_they_can_be(tmp_path: Path, server: str) -> None:
    python = python_of("TRAINERS_PYTHON")
    write = "import pandas, sys; pandas.read_json(sys.argv[1], lines=True, dtype=str).to_parquet(sys.argv[2])"
    words = words_of(tmp_path, server, "--dry-run", "--eval-dataset", "reasoning-gym:chain_sum", "--eval-size", "20")
    path = tmp_path / "table.parquet"
    subprocess.run([python, "-c", write, str(tmp_path / "math.jsonl"), str(path)], check=True)
    place = words.index("--dataset") + 1
    ran = launched([*words[:place], str(path), *words[place + 1 :]], python)
    assert ran.returncode == 0, ran.stderr
    data = tmp_path / "run" / "data"
    train = [json.loads(json.loads(line)["label"]) for line in (data / "train.jsonl").read_text().splitlines()]
    assert [label["ground_truth"] for label in train] == [row["answer"] for row in ROWS]
    assert len((data / "evaluation.jsonl").read_text().splitlines()) == 20
    ran = launched([*words[:place], "reasoning-gym:chain_sums", *words[place + 1 :]], python)
    assert (ran.returncode, "perhaps chain_sum" in ran.stderr) == (2, True)
