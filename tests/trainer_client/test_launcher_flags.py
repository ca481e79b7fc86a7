"""What follows `--`: read as OpenRLHF's parser reads it, and refused where it would replace, repeat or break."""

from __future__ import annotations

import pytest
from trainer_programs import printed

from trainer_client import BadConfiguration
from trainer_client.openrlhf_grpo import flags, passed_on
from trainer_client.openrlhf_grpo.arguments import parse
from trainer_client.openrlhf_grpo.old_flags import RENAMED

NEEDED = ["--model", "m", "--dataset", "d", "--output", "o", "--server-url", "http://h", "--reward", "verifier"]


def problems(*words: str) -> list[str]:
    options = parse([*NEEDED, *words])
    given, unknown = flags.read(options.extra)
    return passed_on.problems(options, given) + flags.unknown_words(unknown)


def test_the_flags_are_openrlhfs_own() -> None:
    (theirs,) = printed("TRAINERS_PYTHON", "openrlhf_parser.py", "flags", url="", given="[]")
    ours = {
        name: [kind["type"].__name__ if "type" in kind else None, kind.get("nargs"), kind.get("choices")]
        for name, kind in flags.kinds().items()
    }
    assert ours == theirs
    assert set(passed_on.SET_BY) | set(passed_on.REPLACING) | set(passed_on.OURS_TO_REPLACE) <= set(theirs)
    assert set(RENAMED.values()) <= set(theirs)
    assert not set(RENAMED) & set(theirs)


@pytest.mark.parametrize(
    "words",
    [
        ["--train.agent_func_path", "agent.py"],
        ["--train.agent_func_path=agent.py"],
        ["--train.agent", "agent.py"],
        ["--train.ag=agent.py"],
        ["--reward.model_name_or_path", "org/rm"],
        ["--reward.mod=org/rm"],
        ["--reward.remote_url", "http://elsewhere"],
        ["--reward.r", "http://elsewhere"],
    ],
)
def test_no_spelling_of_a_flag_replaces_the_reward(words: list[str]) -> None:
    (problem,) = problems("--", *words)
    assert "replaces the reward" in problem


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--train.num_episodes", "3"], "--train.num_episodes is set by --epochs"),
        (["--train.num_ep=3"], "--train.num_episodes is set by --epochs"),
        (["--train.async_enable"], "--train.async_enable is set by --async"),
        (["--vllm.enable_sleep"], "OpenRLHF refuses it with --async"),
        (["--data.prompt_probs", "0.5,0.5"], "--dataset A=0.7 B=0.3"),
        (["--train.partial_rollout_enable"], "needs --async"),
        (["--rollout.vllm_generate_batch_size", "256"], "256 is more than --prompts 128: oversampling needs --async"),
        (["--algo.dynamic_filtering_range", "1", "0"], "a lower and then a higher"),
        (["--ds.attn_implementation", "eager"], "--no-packing keeps it"),
        (["--help"], "python -m openrlhf.cli.train_ppo_ray --help"),
        (["--remote_rm_url", "http://h"], "that is now --reward.remote_url"),
        (["--vllm_enable_sleep"], "that is now --vllm.enable_sleep"),
        (["--ds.zero_stag3", "3"], "perhaps --ds.zero_stage"),
        (["ds.zero_stage", "3"], "OpenRLHF knows no ds.zero_stage: a flag begins with --"),
    ],
)
def test_what_openrlhf_would_refuse_or_change_is_said_at_once(words: list[str], problem: str) -> None:
    assert problem in problems("--", *words)[0]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--ds.zero_stage", "three"], "invalid int value: 'three'"),
        (["--ds.zero_stage"], "expected one argument"),
        (["--actor.optim", "sgd"], "invalid choice: 'sgd'"),
        (["--train.e", "1"], "ambiguous option: --train.e"),
        (["--ds.zpg", "1", "--ds.zp", "2"], "--ds.zpg is given twice"),
    ],
)
def test_values_are_read_as_argparse_reads_them(words: list[str], problem: str) -> None:
    with pytest.raises(BadConfiguration, match=problem):
        problems("--", *words)


@pytest.mark.parametrize(
    "words",
    [
        ["--", "--algo.dynamic_filtering_enable", "--ds.lora.rank", "32", "--logger.wandb.key", "k"],
        ["--", "--logger.tensorboard_dir", "t", "--ds.packing_samples", "--train.dynamic_batch_enable"],
        ["--async", "--gpus", "4", "--vllm-engines", "4", "--", "--train.partial_rollout_enable"],
        ["--async", "--gpus", "4", "--vllm-engines", "4", "--", "--rollout.vllm_generate_batch_size", "256"],
        ["--no-packing", "--", "--ds.attn_implementation", "eager", "--train.max_epochs", "2"],
        ["--", "--ds.attn_implementation", "flash_attention_3", "--ds.ring_attn_size", "2"],
    ],
)
def test_what_openrlhf_takes_is_taken(words: list[str]) -> None:
    assert problems(*words) == []


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--modle", "m"], "no option --modle; perhaps --model"),
        (["--remote_rm_url", "u"], "it is now --reward.remote_url, which is set by --server-url and --reward"),
        (["--n_samples_per_prompt", "8"], "which is set by --group-size"),
        (["--zero_stage", "3"], "it is now --ds.zero_stage, which is an option of OpenRLHF: put it behind --"),
        (["--ds.zero_stage", "3"], "--ds.zero_stage is an option of OpenRLHF: put it behind --"),
        (["--train.async_enable"], "--train.async_enable is set by --async"),
        (["--dataset", "a", "--dataset", "b"], "--dataset is given twice: put all values behind one"),
    ],
)
def test_a_wrong_option_of_ours_says_what_was_meant(
    words: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse(words)  # though what is needed is missing, too
    message = capsys.readouterr().err
    assert hint in message
    assert len(message.splitlines()) < 5
