"""The command that runs OpenRLHF, as words. Pure: a test gives it to OpenRLHF's own parser."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from trainer_client.openrlhf_grpo.dataset import IMAGES, INPUT, LABEL
from trainer_client.openrlhf_grpo.options import Options
from trainer_client.openrlhf_grpo.passed_on import OURS_TO_REPLACE

Flags = dict[str, object]
"""By name without dashes: True for a switch that is on, None or False for what is left out."""


@dataclass(frozen=True)
class Files:
    """What the run reads. `reward`: a `.py` file, or a URL. With `--agent` it is the agent's file."""

    train: Path
    evaluation: Path | None
    reward: str


def command(options: Options, files: Files, given: Collection[str] = ()) -> list[str]:
    """Program and arguments, ready for `exec`. `given`: the flags that the user gives, by their whole names."""
    flags = _data(options, files) | _algorithm(options) | _machines(options)
    ours = {name: value for name, value in flags.items() if not (name in given and name in OURS_TO_REPLACE)}
    words = [word for name, value in ours.items() for word in _words(name, value)]
    return [options.python, "-m", "openrlhf.cli.train_ppo_ray", *words, *options.extra]


def _words(name: str, value: object) -> list[str]:
    if value is None or value is False:
        return []
    return [f"--{name}"] if value is True else [f"--{name}", str(value)]


def _data(options: Options, files: Files) -> Flags:
    return {
        "actor.model_name_or_path": options.model,
        "train.agent_func_path" if options.agent else "reward.remote_url": files.reward,
        "data.prompt_dataset": files.train,
        "data.input_key": INPUT,
        "data.label_key": LABEL,
        "data.image_key": IMAGES if options.max_images else None,
        "data.max_images_per_prompt": options.max_images or None,
        "data.apply_chat_template": options.template != "paper",
        "data.max_len": options.prompt_length + options.response_length,
        "rollout.max_new_tokens": options.response_length,
        "eval.dataset": files.evaluation,
        "eval.steps": options.eval_steps if files.evaluation else None,
        "ckpt.output_dir": options.output / "model",
        "ckpt.path": options.output / "checkpoints",
        "ckpt.save_steps": options.save_steps,
        "ckpt.load_enable": options.resume,
        "logger.tensorboard_dir": options.output / "tensorboard",
    }


def _algorithm(options: Options) -> Flags:
    return {
        "algo.advantage.estimator": options.estimator,
        "algo.kl.init_coef": options.kl_coef,
        "rollout.batch_size": options.prompts,
        "rollout.n_samples_per_prompt": options.group_size,
        "rollout.micro_batch_size": options.micro_batch_size,
        "rollout.temperature": options.temperature,
        "train.batch_size": options.rollouts_per_update,
        "train.micro_batch_size": options.micro_batch_size,
        "train.num_episodes": 1,  # epochs are copies in the data, since only labels can carry a visit
        "train.seed": options.seed,
        "actor.adam.lr": options.learning_rate,
        "critic.adam.lr": options.critic_learning_rate if options.estimator == "gae" else None,
        "critic.freezing_steps": options.critic_warmup if options.estimator == "gae" else None,
        "actor.gradient_checkpointing_enable": True,
    }


def _machines(options: Options) -> Flags:
    roles = ["actor", *(["critic"] if options.estimator == "gae" else []), *(["ref"] if options.kl_coef else [])]
    flags: Flags = {}
    for role in roles:
        flags |= {f"{role}.num_nodes": options.nodes, f"{role}.num_gpus_per_node": options.gpus}
    return flags | {
        "vllm.num_engines": options.engines,
        "vllm.tensor_parallel_size": options.tensor_parallel,
        "vllm.gpu_memory_utilization": options.vllm_memory,
        "vllm.enable_sleep": options.is_colocated,
        "train.async_enable": options.async_,
        "train.colocate_all": options.is_colocated or options.async_,  # in async runs: all models but vLLM's
        "train.colocate_actor_ref": bool(options.kl_coef) and not (options.is_colocated or options.async_),
        "ds.enable_sleep": options.is_colocated or options.async_,
        "ds.packing_samples": options.is_packing,
        "train.dynamic_batch_enable": options.is_packing,
    }
