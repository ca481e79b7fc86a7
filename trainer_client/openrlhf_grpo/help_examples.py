"""The end of `--help`: whole command lines, which a test gives to OpenRLHF's own parser."""

from __future__ import annotations

EXAMPLES = """\
examples (of 8 GPUs on one machine, where nothing else is said):

  The paper's noise on GRPO, evaluated clean. --dry-run prints what would run.
    python -m trainer_client.openrlhf_grpo --model Qwen/Qwen2.5-7B --dataset math.jsonl --eval-dataset aime.jsonl \\
      --output runs/noisy-40 --server-url http://127.0.0.1:8000 --reward flip flip_prob=0.4 seed=17 --epochs 3

  Data sets of the Hugging Face hub, in shares (NAME:CONFIG:SPLIT=SHARE), for an instruct model.
    python -m trainer_client.openrlhf_grpo --model Qwen/Qwen2.5-7B-Instruct --template chat \\
      --dataset openai/gsm8k:main:train=0.3 org/olympiads=0.7 --answer-key solution --output runs/mixed \\
      --server-url http://127.0.0.1:8000 --reward verifier

  A policy that sees.
    python -m trainer_client.openrlhf_grpo --model Qwen/Qwen3.5-2B --template chat --dataset hiyouga/geometry3k \\
      --max-images 1 --prompt-length 2048 --output runs/vlm --server-url http://127.0.0.1:8000 --reward verifier \\
      -- --ds.attn_implementation eager --actor.freeze_visual_encoder

  Async: four GPUs write rollouts, four train.
    python -m trainer_client.openrlhf_grpo --model Qwen/Qwen2.5-7B --dataset math.jsonl --output runs/async \\
      --server-url http://127.0.0.1:8000 --reward verifier --async --gpus 4 --vllm-engines 4

  Four machines in a Ray cluster, in a job that is started again after a crash.
    python -m trainer_client.openrlhf_grpo --model Qwen/Qwen2.5-32B --dataset math.jsonl --output /shared/runs/large \\
      --server-url http://127.0.0.1:8000 --reward verifier --nodes 4 --tensor-parallel 4 --resume -- --ds.zero_stage 3

What follows -- goes to OpenRLHF as it is: https://github.com/OpenRLHF/OpenRLHF says what there is. Without a GPU, and
before a long run, add --dry-run: it checks everything but what OpenRLHF itself needs, prepares the data, and prints
the command. Documentation: docs/trainers/openrlhf-grpo.md
"""
