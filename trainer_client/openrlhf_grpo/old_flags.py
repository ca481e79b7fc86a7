"""The names that OpenRLHF's options had up to 0.10, for those who type them still."""

from __future__ import annotations

from collections.abc import Collection

RENAMED = {
    "actor_learning_rate": "actor.adam.lr",
    "adam_betas": "actor.adam.betas",
    "adam_offload": "ds.adam_offload",
    "advantage_estimator": "algo.advantage.estimator",
    "async_train": "train.async_enable",
    "attn_implementation": "ds.attn_implementation",
    "aux_loss_coef": "actor.aux_loss_coef",
    "best_metric_key": "ckpt.best_metric_key",
    "bf16": "ds.param_dtype",
    "ckpt_path": "ckpt.path",
    "colocate_all_models": "train.colocate_all",
    "critic_learning_rate": "critic.adam.lr",
    "critic_pretrain": "critic.model_name_or_path",
    "deepspeed_enable_sleep": "ds.enable_sleep",
    "disable_ds_ckpt": "ckpt.disable_ds",
    "dynamic_filtering": "algo.dynamic_filtering_enable",
    "dynamic_filtering_reward_range": "algo.dynamic_filtering_range",
    "enable_vllm_is_correction": "algo.advantage.is_correction_level",
    "entropy_loss_coef": "actor.entropy_coef",
    "flash_attn": "ds.attn_implementation",
    "freeze_visual_encoder": "actor.freeze_visual_encoder",
    "freezing_actor_steps": "critic.freezing_steps",
    "full_determinism": "train.full_determinism_enable",
    "generate_max_len": "rollout.max_new_tokens",
    "gradient_checkpointing": "actor.gradient_checkpointing_enable",
    "init_kl_coef": "algo.kl.init_coef",
    "kl_estimator": "algo.kl.estimator",
    "kl_horizon": "algo.kl.horizon",
    "kl_target": "algo.kl.target",
    "l2": "actor.adam.weight_decay",
    "load_checkpoint": "ckpt.load_enable",
    "load_in_4bit": "ds.load_in_4bit",
    "lora_alpha": "ds.lora.alpha",
    "lora_dropout": "ds.lora.dropout",
    "lora_rank": "ds.lora.rank",
    "lr_scheduler": "actor.lr_scheduler",
    "lr_warmup_ratio": "actor.lr_warmup_ratio",
    "max_ckpt_mem": "ckpt.max_mem",
    "max_ckpt_num": "ckpt.max_num",
    "max_norm": "actor.max_norm",
    "micro_rollout_batch_size": "rollout.micro_batch_size",
    "micro_train_batch_size": "train.micro_batch_size",
    "n_samples_per_prompt": "rollout.n_samples_per_prompt",
    "normalize_reward": "reward.normalize_enable",
    "overlong_buffer_len": "reward.overlong_buffer_len",
    "partial_rollout": "train.partial_rollout_enable",
    "policy_loss_type": "actor.policy_loss_type",
    "pretrain": "actor.model_name_or_path",
    "prompt_data": "data.prompt_dataset",
    "prompt_data_probs": "data.prompt_probs",
    "prompt_max_len": "data.max_len",
    "ref_reward_offload": "ref.offload",
    "remote_rm_url": "reward.remote_url",
    "reward_clip_range": "reward.clip_range",
    "reward_pretrain": "reward.model_name_or_path",
    "ring_head_stride": "ds.ring_attn_head_stride",
    "save_hf_ckpt": "ckpt.save_hf",
    "save_path": "ckpt.output_dir",
    "target_modules": "ds.lora.target_modules",
    "temperature": "rollout.temperature",
    "top_p": "rollout.top_p",
    "use_dynamic_batch": "train.dynamic_batch_enable",
    "use_kl_loss": "algo.kl.use_loss",
    "use_tensorboard": "logger.tensorboard_dir",
    "use_wandb": "logger.wandb.key",
    "vllm_generate_batch_size": "rollout.vllm_generate_batch_size",
}
"""The old names that do not stand in the new one."""


def new_name(old: str, names: Collection[str]) -> str | None:
    """Of the options `names`, what an old one is called now.

    >>> new_name("remote_rm_url", []), new_name("vllm_num_engines", ["vllm.num_engines"])
    ('reward.remote_url', 'vllm.num_engines')
    >>> new_name("zero_stage", ["ds.zero_stage"]), new_name("modle", ["actor.model_name_or_path"])
    ('ds.zero_stage', None)
    """
    old = old.replace("-", "_")
    if old in RENAMED:
        return RENAMED[old]
    flat = [name for name in names if old == name.replace(".", "_") != name]
    ending = [name for name in names if old == name.partition(".")[2].replace(".", "_")]
    found = flat or ending
    return found[0] if len(found) == 1 else None
