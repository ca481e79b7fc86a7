"""OpenRLHF 0.11.2's command line, without OpenRLHF: what its parser takes, so that a mistake is found in a second.

Its own parser says the same after a minute of imports, and after our data was prepared. A test compares the two.
"""

from __future__ import annotations

from argparse import SUPPRESS, Action, ArgumentParser
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from trainer_client import BadConfiguration
from trainer_client.openrlhf_grpo.old_flags import new_name

SWITCHES = """actor.freeze_visual_encoder actor.gradient_checkpointing_enable actor.gradient_checkpointing_reentrant
actor.muon.nesterov actor.muon.no_nesterov algo.advantage.no_std_norm algo.dynamic_filtering_enable
algo.kl.unbiased_gradient algo.kl.use_loss ckpt.disable_ds ckpt.load_enable ckpt.save_hf critic.muon.nesterov
critic.muon.no_nesterov critic.save_value_network data.apply_chat_template data.disable_fast_tokenizer ds.adam_offload
ds.deepcompile ds.enable_sleep ds.load_in_4bit ds.overlap_comm ds.packing_samples ds.use_liger_kernel
ds.use_universal_ckpt help ref.offload reward.normalize_enable reward.offload train.async_enable
train.colocate_actor_ref train.colocate_all train.colocate_critic_reward train.dynamic_batch_enable train.enable_ema
train.full_determinism_enable train.partial_rollout_enable use_ms vllm.enable_prefix_caching vllm.enable_sleep
vllm.enforce_eager vllm.sync_with_ray"""
WHOLE_NUMBERS = """actor.muon.ns_steps actor.num_gpus_per_node actor.num_nodes algo.kl.horizon ckpt.max_num
ckpt.save_steps critic.freezing_steps critic.muon.ns_steps critic.num_gpus_per_node critic.num_nodes
data.dataloader_num_workers data.max_images_per_prompt data.max_len data.max_samples ds.lora.alpha ds.lora.rank
ds.ring_attn_head_stride ds.ring_attn_size ds.tensor_parallel_size ds.zero_stage ds.zpg eval.n_samples_per_prompt
eval.steps local_rank logger.logging_steps ref.num_gpus_per_node ref.num_nodes reward.num_gpus_per_node reward.num_nodes
rollout.batch_size rollout.max_new_tokens rollout.max_tokens_per_gpu rollout.micro_batch_size
rollout.n_samples_per_prompt rollout.vllm_generate_batch_size train.async_queue_size train.batch_size train.max_epochs
train.max_tokens_per_gpu train.micro_batch_size train.num_episodes train.seed vllm.num_engines
vllm.tensor_parallel_size"""
NUMBERS = """actor.adam.eps actor.adam.lr actor.adam.weight_decay actor.aux_loss_coef actor.dual_clip
actor.entropy_coef actor.eps_clip actor.lr_warmup_ratio actor.max_norm actor.min_lr_ratio actor.muon.lr
actor.muon.momentum algo.advantage.gamma algo.advantage.lambd algo.kl.init_coef algo.kl.target ckpt.max_mem
critic.adam.eps critic.adam.lr critic.adam.weight_decay critic.lr_warmup_ratio critic.max_norm critic.min_lr_ratio
critic.muon.lr critic.muon.momentum critic.value_clip ds.lora.dropout eval.temperature reward.overlong_buffer_len
reward.overlong_penalty_factor reward.stop_properly_penalty_coef rollout.temperature rollout.top_p train.ema_beta
vllm.gpu_memory_utilization"""
TEXTS = """actor.lr_scheduler actor.model_name_or_path ckpt.best_metric_key ckpt.output_dir ckpt.path
critic.lr_scheduler critic.model_name_or_path data.image_key data.input_key data.input_template data.label_key
data.prompt_dataset data.prompt_probs data.prompt_split ds.attn_implementation ds.grad_accum_dtype ds.value_head_prefix
eval.dataset eval.split logger.tensorboard_dir logger.wandb.group logger.wandb.key logger.wandb.org logger.wandb.project
logger.wandb.run_name reward.model_name_or_path reward.remote_url train.agent_func_path vllm.sync_backend"""
OTHERS: dict[str, dict[str, Any]] = {
    "actor.adam.betas": {"type": float, "nargs": 2},
    "actor.eps_clip_low_high": {"type": float, "nargs": 2},
    "actor.loss_agg_mode": {"choices": ["token-mean", "seq-mean-token-mean"]},
    "actor.optim": {"choices": ["adam", "muon"]},
    "actor.policy_loss_type": {"choices": ["ppo", "gspo"]},
    "algo.advantage.estimator": {
        "choices": ["gae", "reinforce", "rloo", "reinforce_baseline", "group_norm", "dr_grpo", "flash_reinforce"]
    },
    "algo.advantage.is_correction_gating": {"choices": ["ratio", "binary_kl", "tv"]},
    "algo.advantage.is_correction_level": {"choices": ["off", "token", "seq"]},
    "algo.advantage.is_correction_mode": {"choices": ["mask", "clip"]},
    "algo.advantage.is_correction_threshold": {"type": float, "nargs": "+"},
    "algo.dynamic_filtering_range": {"type": float, "nargs": 2},
    "algo.kl.estimator": {"choices": ["k1", "k2", "k3"]},
    "critic.adam.betas": {"type": float, "nargs": 2},
    "critic.optim": {"choices": ["adam", "muon"]},
    "ds.experts_implementation": {"choices": ["eager", "batched_mm", "grouped_mm", "deepgemm"]},
    "ds.lora.target_modules": {"nargs": "*"},
    "ds.param_dtype": {"choices": ["bf16", "fp16"]},
    "reward.clip_range": {"type": float, "nargs": 2},
}


def kinds() -> dict[str, dict[str, Any]]:
    """By name, what argparse is told of each flag."""
    return {
        **dict.fromkeys(SWITCHES.split(), {"nargs": 0}),
        **dict.fromkeys(WHOLE_NUMBERS.split(), {"type": int}),
        **dict.fromkeys(NUMBERS.split(), {"type": float}),
        **dict.fromkeys(TEXTS.split(), {}),
        **OTHERS,
    }


def read(words: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """The flags that the words give, by their whole names, and the words that are no flag of OpenRLHF's.

    `=` and abbreviations are taken as argparse takes them: `--train.agent` is `train.agent_func_path`. A switch is
    True. Raises BadConfiguration for a value that is missing or of the wrong type, for an ambiguous abbreviation, and
    for a flag that is given twice.

    >>> read(["--train.agent=a.py", "--train.async_e", "--nope"])
    ({'train.agent_func_path': 'a.py', 'train.async_enable': True}, ['--nope'])
    """
    parser = _Parser(add_help=False, argument_default=SUPPRESS)
    for name, kind in kinds().items():
        parser.add_argument(f"--{name}", action=_Once, **kind)
    given, unknown = parser.parse_known_args(words)
    return vars(given), unknown


def unknown_words(words: Sequence[str]) -> list[str]:
    """What is wrong with words that OpenRLHF does not know, and what may have been meant."""
    return [f"OpenRLHF knows no {word}{_meant(word)}" for word in words if word.startswith("-")] or [
        f"OpenRLHF knows no {word}: a flag begins with --" for word in words
    ]


def _meant(word: str) -> str:
    name = word.lstrip("-").partition("=")[0]
    renamed = new_name(name, kinds())
    if renamed:
        return f": that is now --{renamed}"
    near = get_close_matches(name, kinds(), n=1)
    return f"; perhaps --{near[0]}" if near else ""


class _Once(Action):
    """Notes a value, or True for a switch; refuses a second one, which would win without a word."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        if hasattr(namespace, self.dest):
            parser.error(f"--{self.dest} is given twice")
        setattr(namespace, self.dest, True if self.nargs == 0 else values)


class _Parser(ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadConfiguration(f"what follows -- is for OpenRLHF: {message}")
