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
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback, set_seed
from trl import GRPOConfig, GRPOTrainer

from experiments.lm.arms import ARMS, JUDGE_ARMS
from experiments.lm.task import questions
from trainer_client import RewardClient
from trainer_client.adapters.trl import RewardFunction

EVERY_ARM = ARMS | JUDGE_ARMS
LONGEST = 32
LOGGED = ("step", "reward", "flip/clean", "rpr/rpr", "rm/rm", "rm/rpr", "rm_sim/clean", "rm_sim/rm",
          "rm_sim/rpr", "frac_reward_zero_std", "entropy",
          "completions/mean_length", "completions/clipped_ratio")  # fmt: skip


class Evaluation(TrainerCallback):
    """Held-out accuracy before the first step, and after every `every`; ends the training after `last`."""

    def __init__(self, words: Any, verifier: RewardClient, every: int, last: int) -> None:
        self.words, self.verifier, self.every, self.last = words, verifier, every, last
        self.accuracies: list[tuple[int, float]] = []
        self.completions: list[str] = []
        self._questions = questions()[0]
        self._ids = torch.tensor(words([q.prompt for q in self._questions])["input_ids"])

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
            ids = model.generate(self._ids, do_sample=True, top_k=0, max_new_tokens=LONGEST, use_cache=True,
                                 attention_mask=torch.ones_like(self._ids))  # fmt: skip
        self.completions = self.words.batch_decode(ids[:, self._ids.shape[1] :], skip_special_tokens=True)
        truths = [q.ground_truth for q in self._questions]
        scored = self.verifier.score(self.completions, ground_truths=truths)
        if scored.unscored:
            raise RuntimeError(f"{len(scored.unscored)} completions could not be graded")
        accuracy = scored.mean("clean") or 0.0  # None only of an empty batch
        self.accuracies.append((step, accuracy))
        print(step, f"{accuracy:.4f}", flush=True)


def rows() -> Dataset:
    training = questions()[1]
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
        optim="sgd", learning_rate=options.lr, lr_scheduler_type="linear", max_grad_norm=0.2, seed=options.seed,
        gradient_checkpointing=False, dataloader_pin_memory=False,
        logging_steps=5, report_to=[], save_strategy="no", disable_tqdm=True,
    )  # fmt: skip
    url = arm.url(options.server, options.seed)
    evaluation = Evaluation(words, RewardClient(options.server + "/score/verifier"), options.every, options.steps)
    trainer = GRPOTrainer(model, RewardFunction(url), config, rows(), processing_class=words, callbacks=[evaluation])
    began = time.monotonic()
    trainer.train()
    return {
        "arm": options.arm,
        "seed": options.seed,
        "steps": options.steps,
        "lr": options.lr,
        "seconds": round(time.monotonic() - began, 1),
        "evaluations": evaluation.accuracies,
        "log": [{key: row[key] for key in LOGGED if key in row} for row in trainer.state.log_history],
        "completions": evaluation.completions[:20],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True, help="folder of the base policy")
    parser.add_argument("--server", required=True, help="URL of the live server")
    parser.add_argument("--arm", choices=EVERY_ARM, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--falls-for", type=int, required=True, help="steps over which the learning rate falls to 0")
    parser.add_argument("--lr", type=float, default=0.1)
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
    main()
