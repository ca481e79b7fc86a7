"""What a run is: every option once, with its type, its default, and in its help where the default comes from."""

from __future__ import annotations

import sys
from dataclasses import MISSING, dataclass, field
from pathlib import Path
from typing import Any, Literal

PAPER = "the paper's"
"""Lv et al. 2025, which trained with PPO: 128 prompts, 4 rollouts each."""
AUTHORS = "the authors' scripts'"
Estimator = Literal["group_norm", "dr_grpo", "rloo", "reinforce_baseline", "reinforce", "flash_reinforce", "gae"]
Template = Literal["paper", "chat", "chat-user"]


def _option(help_text: str, default: Any = MISSING, source: str = "", metavar: Any = None) -> Any:
    """`source`: whose default it is; without one it is our choice."""
    if isinstance(default, bool):
        help_text += f" (default {'on' if default else 'off'})"
    elif default not in (MISSING, None, ()):
        help_text += f" (default {default}{', ' if source else ''}{source})"
    return field(default=default, metadata={"help": help_text, "metavar": metavar})


@dataclass(frozen=True, kw_only=True)
class Options:
    """A run. Lengths are in tokens, batch sizes are global."""

    model: str = _option("policy to train: a folder, or a name on the Hugging Face hub")
    dataset: tuple[str, ...] = _option(
        "questions: a file (.jsonl, .parquet, .json, .csv, .arrow), a folder, NAME, NAME:SPLIT or NAME:CONFIG:SPLIT of "
        "the Hugging Face hub, or reasoning-gym:TASK. Several are put together, in shares if all have them: A=0.7 B=0.3"
    )
    output: Path = _option("folder for the prepared data, checkpoints and the model; shared by all nodes")
    server_url: str = _option("the reward server, http://[user:KEY@]HOST:PORT; or set REWARD_API_KEY")
    reward: tuple[str, ...] = _option(
        "the reward and its parameters: flip flip_prob=0.4 seed=17", metavar=("NAME", "PARAMETER=VALUE")
    )

    eval_dataset: tuple[str, ...] = _option(
        "questions to evaluate with, one or several as above, always paid the clean score", ()
    )
    eval_steps: int = _option("training steps between evaluations", 20)
    epochs: int = _option("visits of every question, as copies in one OpenRLHF episode", 1)
    visits: bool = _option(
        "number the visits, so that each draws its noise anew; without, noise is a wrong label", True
    )
    question_key: str | None = _option(
        "column of the question; dots go deeper (default question, problem or prompt)", None
    )
    answer_key: str | None = _option(
        "column of the ground truth (default ground_truth, solution, answer, expected_answer or label)", None
    )
    ground_truth: bool = _option("every question must have a ground truth; rpr and rm need none", True)
    max_images: int = _option("images that a question may have; 0 refuses questions with images", 0)
    image_key: str | None = _option(
        "column of the images: paths, URLs, base64 or bytes, one or a list (default images or image)", None
    )
    size: int = _option("questions to make of a reasoning-gym task", 10_000)
    eval_size: int = _option("questions to make of a reasoning-gym task for evaluation", 500)
    data_seed: int = _option("of the reasoning-gym task", 0)
    template: Template = _option(
        "prompt: `User: … Assistant: <think>`, or the model's chat template with the instruction as system message or "
        "after the question",
        "paper",
        PAPER,
    )

    estimator: Estimator = _option("advantages; the paper's PPO is gae", "group_norm")
    prompts: int = _option("questions of a rollout batch", 128, PAPER)
    group_size: int = _option("rollouts of a question", 4, PAPER)
    train_batch_size: int | None = _option("rollouts of an optimiser step (default all of a rollout batch)", None)
    micro_batch_size: int = _option("rollouts of a forward pass on one GPU", 1, "OpenRLHF's")
    prompt_length: int = _option("tokens of a prompt; a longer one is cut at the left", 1024)
    response_length: int = _option("tokens of a response", 4096, PAPER)
    learning_rate: float = _option("of the policy", 1e-6, PAPER)
    critic_learning_rate: float = _option("of the critic, which only gae has", 5e-6, PAPER)
    critic_warmup: int = _option("steps in which the critic learns alone, which only gae has", 20, AUTHORS)
    kl_coef: float = _option("weight of the KL penalty; 0 needs no reference model", 0.0, PAPER)
    temperature: float = _option("of the rollouts", 1.0, "OpenRLHF's")
    seed: int = _option("of OpenRLHF", 42, "OpenRLHF's")

    nodes: int = _option("machines that train", 1)
    gpus: int = _option("GPUs that train, on each machine", 8)
    colocate: bool = _option("vLLM shares the GPUs that train; without, its engines take GPUs of their own", True)
    async_: bool = _option(
        "vLLM writes the next rollouts while the policy trains, on GPUs of its own as with --no-colocate: --gpus 4 "
        "--vllm-engines 4 takes 8 GPUs. Rollouts are one step old",
        False,
    )
    packing: bool = _option(
        "rollouts of like length are trained on in one pass without padding (OpenRLHF's packing and dynamic batches); "
        "needs flash attention, and is off with --max-images",
        True,
    )
    vllm_engines: int | None = _option("vLLM engines (default as many as fit on the GPUs that train)", None)
    tensor_parallel: int = _option("GPUs of a vLLM engine", 1)
    vllm_memory: float = _option("share of a GPU's memory that vLLM takes", 0.6)
    save_steps: int = _option("training steps between checkpoints; -1 for none", 50)
    resume: bool = _option(
        "go on from the last checkpoint in --output, if there is one, under the reward and with the data of run.json",
        False,
    )

    agent: Path | None = _option(
        "FILE.py with your AgentExecutor for several turns, built on trainer_client.adapters.openrlhf_agent: the last "
        "turn is paid what the server says",
        None,
    )
    reward_client: Literal["function", "url"] = _option(
        "who asks the server: our function, which outlasts a restart, or OpenRLHF itself, which crashes after 5 tries "
        "and shows a key in its command line",
        "function",
    )
    python: str = _option("the Python that has OpenRLHF", sys.executable, "this one")
    dry_run: bool = _option("prepare everything and print the command, but do not run it", False)
    extra: tuple[str, ...] = field(default=(), metadata={"help": None})

    @property
    def is_colocated(self) -> bool:
        """Whether vLLM shares the GPUs that train."""
        return self.colocate and not self.async_

    @property
    def is_packing(self) -> bool:
        """OpenRLHF cannot pack images."""
        return self.packing and not self.max_images

    @property
    def rollouts(self) -> int:
        """Of one rollout batch."""
        return self.prompts * self.group_size

    @property
    def rollouts_per_update(self) -> int:
        return self.train_batch_size or self.rollouts

    @property
    def training_gpus(self) -> int:
        return self.nodes * self.gpus

    @property
    def engines(self) -> int:
        return self.training_gpus // self.tensor_parallel if self.vllm_engines is None else self.vllm_engines
