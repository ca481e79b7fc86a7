"""What follows `--`, which goes to OpenRLHF as it is: what of it is ours to set, replaces the reward, or cannot run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trainer_client.openrlhf_grpo.options import Options

SET_BY = {
    "actor.adam.lr": "--learning-rate",
    "actor.gradient_checkpointing_enable": "us, always",
    "actor.model_name_or_path": "--model",
    "actor.num_gpus_per_node": "--gpus",
    "actor.num_nodes": "--nodes",
    "algo.advantage.estimator": "--estimator",
    "algo.kl.init_coef": "--kl-coef",
    "ckpt.load_enable": "--resume",
    "ckpt.output_dir": "--output",
    "ckpt.path": "--output",
    "ckpt.save_steps": "--save-steps",
    "critic.adam.lr": "--critic-learning-rate",
    "critic.freezing_steps": "--critic-warmup",
    "critic.num_gpus_per_node": "--gpus",
    "critic.num_nodes": "--nodes",
    "data.apply_chat_template": "--template",
    "data.image_key": "--image-key",
    "data.input_key": "--question-key",
    "data.label_key": "--answer-key",
    "data.max_images_per_prompt": "--max-images",
    "data.max_len": "--prompt-length and --response-length",
    "data.prompt_dataset": "--dataset",
    "data.prompt_probs": "--dataset A=0.7 B=0.3",
    "data.prompt_split": "--dataset NAME:SPLIT",
    "ds.enable_sleep": "--colocate and --async",
    "eval.dataset": "--eval-dataset",
    "eval.split": "--eval-dataset NAME:SPLIT",
    "eval.steps": "--eval-steps",
    "ref.num_gpus_per_node": "--gpus",
    "ref.num_nodes": "--nodes",
    "reward.remote_url": "--server-url and --reward",
    "rollout.batch_size": "--prompts",
    "rollout.max_new_tokens": "--response-length",
    "rollout.micro_batch_size": "--micro-batch-size",
    "rollout.n_samples_per_prompt": "--group-size",
    "rollout.temperature": "--temperature",
    "train.async_enable": "--async",
    "train.batch_size": "--train-batch-size",
    "train.colocate_actor_ref": "--colocate",
    "train.colocate_all": "--colocate and --async",
    "train.micro_batch_size": "--micro-batch-size",
    "train.num_episodes": "--epochs",
    "train.seed": "--seed",
    "vllm.enable_sleep": "--colocate; OpenRLHF refuses it with --async",
    "vllm.gpu_memory_utilization": "--vllm-memory",
    "vllm.num_engines": "--vllm-engines",
    "vllm.tensor_parallel_size": "--tensor-parallel",
}
"""Flags of OpenRLHF, and which option of ours sets each."""
OURS_TO_REPLACE = ("logger.tensorboard_dir", "ds.packing_samples", "train.dynamic_batch_enable")
"""Flags that we set only where nobody else does."""
FLASH = "flash_attention"
"""Part of the names of the attentions that OpenRLHF packs with; it replaces any other by flash_attention_2."""


def problems(options: Options, given: Mapping[str, Any]) -> list[str]:
    """What is wrong with flags by their whole names, in words."""
    reserved = [f"--{name} is set by {SET_BY[name]}" for name in given if name in SET_BY and name not in REPLACING]
    replaced = [f"--{name} replaces the reward: {why}" for name, why in REPLACING.items() if name in given]
    return replaced + reserved + [text for is_wrong, text in _combinations(options, given) if is_wrong]


REPLACING = {
    "train.agent_func_path": "OpenRLHF then pays what the agent says, and nobody asks the server; --agent FILE runs "
    "one that does (trainer_client/adapters/openrlhf_agent.py)",
    "reward.model_name_or_path": "a reward model is served by the server, `--reward rm`",
    "reward.remote_url": "it is set by --server-url and --reward",
}
"""Flags by which another than the server decides what is paid, and what to do instead."""


def _combinations(options: Options, given: Mapping[str, Any]) -> Iterator[tuple[bool, str]]:
    """What OpenRLHF refuses after it has imported everything, or changes without a word."""
    yield (
        "train.partial_rollout_enable" in given and not options.async_,
        "--train.partial_rollout_enable needs --async",
    )
    generated = given.get("rollout.vllm_generate_batch_size", 0)
    yield (
        generated > options.prompts and not options.async_,
        f"--rollout.vllm_generate_batch_size {generated} is more than --prompts {options.prompts}: oversampling needs "
        "--async",
    )
    yield (
        "algo.dynamic_filtering_enable" in given and options.group_size < 2,
        "--algo.dynamic_filtering_enable needs --group-size of at least 2",
    )
    low, high = given.get("algo.dynamic_filtering_range", (0, 1))
    yield low >= high, "--algo.dynamic_filtering_range needs a lower and then a higher number"
    attention = given.get("ds.attn_implementation", FLASH)
    yield (
        FLASH not in attention and options.is_packing,
        f"--ds.attn_implementation {attention}: OpenRLHF replaces it by flash_attention_2 where it packs; --no-packing "
        "keeps it",
    )
    yield "help" in given, "OpenRLHF's own help: python -m openrlhf.cli.train_ppo_ray --help"
