"""One run: TRL's GRPOTrainer on the rewards of one arm; in the trainers' environment, where TRL is.

    python -m experiments.lm.grpo --base FOLDER --server URL --arm p=0.4 --seed 0 --steps 200 --falls-for 200 --out F

Prints `STEP ACCURACY` after each evaluation, which asks the policy each held-out question once, at temperature 1, and
the server's verifier for the scores.

Plain SGD, as theory has it, and because Adam gives every weight an equal step: where few groups hold a right answer,
noise then wears away the policy's arithmetic before its habit changes. Gradients are clipped and the rate falls to 0
for the same reason.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback, set_seed
from trl import GRPOConfig, GRPOTrainer

from experiments.lm.arms import ARMS, JUDGE_ARMS, TRAINED_ARMS, Arm
from experiments.lm.task import questions
from trainer_client import RewardClient
from trainer_client.adapters.trl import RewardFunction

EVERY_ARM = ARMS | JUDGE_ARMS | TRAINED_ARMS
LONGEST = 32
LOGGED = ("step", "reward", "flip/clean", "rpr/rpr", "rm/rm", "rm/rpr", "rm_sim/clean", "rm_sim/rm",
          "rm_sim/rpr", "frac_reward_zero_std", "entropy",
          "completions/mean_length", "completions/clipped_ratio")  # fmt: skip


class Asked(Protocol):
    """A question of this task, or of another."""

    @property
    def prompt(self) -> str: ...
    @property
    def ground_truth(self) -> str: ...


class Evaluation(TrainerCallback):
    """Held-out accuracy before the first step, and after every `every`; ends the training after `last`."""

    def __init__(
        self, words: Any, verifier: RewardClient, every: int, last: int, asked: Sequence[Asked], sampling: GRPOConfig
    ) -> None:
        self.words, self.verifier, self.every, self.last, self.sampling = words, verifier, every, last, sampling
        self.accuracies: list[tuple[int, float]] = []
        self.completions: list[str] = []
        self._questions = asked
        self._read = words([q.prompt for q in asked], return_tensors="pt", padding=True, padding_side="left",
                           return_token_type_ids=False)  # fmt: skip

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._evaluate(state.global_step, kwargs["model"])

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step % self.every == 0:
            self._evaluate(state.global_step, kwargs["model"])
        control.should_training_stop = state.global_step >= self.last

    @torch.inference_mode()
    def _evaluate(self, step: int, model: Any) -> None:
        with torch.random.fork_rng():  # training goes on as if nobody had asked
            torch.manual_seed(step)
            read = self._read.to(model.device)
            ids = model.generate(**read, do_sample=True, top_k=0, temperature=self.sampling.temperature,
                                 max_new_tokens=self.sampling.max_completion_length, use_cache=True)  # fmt: skip
        self.completions = self.words.batch_decode(ids[:, read["input_ids"].shape[1] :], skip_special_tokens=True)
        truths = [q.ground_truth for q in self._questions]
        scored = self.verifier.score(self.completions, ground_truths=truths)
        if scored.unscored:
            raise RuntimeError(f"{len(scored.unscored)} completions could not be graded")
        accuracy = scored.mean("clean") or 0.0  # None only of an empty batch
        self.accuracies.append((step, accuracy))
        print(step, f"{accuracy:.4f}", flush=True)


def rows(training: Sequence[Asked]) -> Dataset:
    return Dataset.from_dict(
        {"prompt": [q.prompt for q in training], "ground_truth": [q.ground_truth for q in training]}
    )


def train(options: argparse.Namespace, folder: str) -> dict[str, Any]:
    """The result of the run: evaluations, the trainer's log, some completions at the end."""
    words: Any = AutoTokenizer.from_pretrained(options.base, trust_remote_code=False)
    model = AutoModelForCausalLM.from_pretrained(options.base, dtype=torch.float32, trust_remote_code=False)
    arm = EVERY_ARM[options.arm]
    config = GRPOConfig(
        folder, use_cpu=True, bf16=False, max_steps=options.falls_for,
        per_device_train_batch_size=arm.questions * arm.group, num_generations=arm.group,
        max_completion_length=LONGEST, beta=0.0, scale_rewards="group",
        optim="sgd", learning_rate=options.lr * arm.faster, lr_scheduler_type="linear", max_grad_norm=arm.clip,
        seed=options.seed,
        gradient_checkpointing=False, dataloader_pin_memory=False,
        logging_steps=5, report_to=[], save_strategy="no", disable_tqdm=True,
    )  # fmt: skip
    held_out, training, _ = questions(arm.answers)
    return trained(options, config, model, words, arm, held_out, rows(training))


def trained(
    options: argparse.Namespace, config: GRPOConfig, model: Any, words: Any, arm: Arm,
    held_out: Sequence[Asked], dataset: Dataset, **more: Any,
) -> dict[str, Any]:  # fmt: skip
    """Trains `model` and says how it went. `more`: for GRPOTrainer. Evaluations sample as training does."""
    verifier = RewardClient(options.server + "/score/verifier")
    evaluation = Evaluation(words, verifier, options.every, options.steps, held_out, config)
    url = arm.url(options.server, options.seed)
    trainer = GRPOTrainer(
        model, RewardFunction(url), config, dataset, processing_class=words, callbacks=[evaluation], **more
    )
    began, cpu = time.monotonic(), time.process_time()
    trainer.train()
    return {
        "arm": options.arm,
        "seed": options.seed,
        "steps": options.steps,
        "lr": options.lr,
        "seconds": round(time.monotonic() - began, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "evaluations": evaluation.accuracies,
        "log": [{key: row[key] for key in LOGGED if key in row} for row in trainer.state.log_history],
        "completions": evaluation.completions[:20],
    }


def main(
    arms: Mapping[str, Arm], train: Callable[[argparse.Namespace, str], dict[str, Any]], description: str, rate: float
) -> None:
    """The command line of a run. `train`: options and a scratch folder to a result. `rate`: the learning rate."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True, help="folder of the base policy")
    parser.add_argument("--server", required=True, help="URL of the live server")
    parser.add_argument("--arm", choices=arms, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--falls-for", type=int, required=True, help="steps over which the learning rate falls to 0")
    parser.add_argument("--lr", type=float, default=rate)
    parser.add_argument("--every", type=int, default=10, help="steps between evaluations")
    parser.add_argument("--out", type=Path, required=True, help="JSON file; written at the end, at once")
    options = parser.parse_args()
    torch.set_num_threads(1)
    set_seed(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        result = train(options, folder)
    unfinished = options.out.with_suffix(".tmp")
    unfinished.write_text(json.dumps(result))
    os.replace(unfinished, options.out)


if __name__ == "__main__":
    main(EVERY_ARM, train, __doc__, 0.1)
