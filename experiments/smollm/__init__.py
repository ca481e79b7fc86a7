"""Pretrained: SmolLM2-135M, on six rewards of a live server, by TRL's GRPO with LoRA."""
