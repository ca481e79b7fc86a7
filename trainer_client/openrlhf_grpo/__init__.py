"""GRPO with OpenRLHF 0.11.2 against a reward server: checks, prepares the data, and becomes OpenRLHF's own command.

    python -m trainer_client.openrlhf_grpo --model Qwen/Qwen2.5-7B --dataset math.jsonl --output runs/noisy-40 \
        --server-url http://127.0.0.1:8000 --reward flip flip_prob=0.4 seed=17

    arguments → checks, passed_on, environment → sources, mixture → dataset → command → record

Needs httpx only; pyarrow for Parquet, datasets for the Hugging Face hub, reasoning-gym for its tasks, and OpenRLHF with
vLLM where the command runs.
"""
