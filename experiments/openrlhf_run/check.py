"""What OpenRLHF trained on and logged, against the server's record.

Four things have to agree to the last bit, or for means of float32 to a millionth:

1. each rollout that was trained on, with the record's answer for the same query and label: reward, score, extra logs;
2. the means that OpenRLHF logs for each step, with the means of the record's answers for the rollouts of that step;
3. the score that it logs for each evaluation, with the mean of the record's answers for the evaluation's rows;
4. everything in the record with what a fresh server answers to the same question.
"""

from __future__ import annotations

import json
import math
import re
from ast import literal_eval
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from experiments.openrlhf_run.scenarios import EVALUATED, GROUP, MICRO_BATCH
from experiments.openrlhf_run.server import Line

STEP = re.compile(r"Global step (\d+): (\{.*\})")
EVALUATION = re.compile(r"global_step (\d+), eval_metrics: (\{.*\})")
ROUNDING = 1e-6
"""Between a mean of float32 and ours."""

Key = tuple[str, str]
Numbers = dict[str, float]


@dataclass
class Answers:
    """The record by question: what was answered for (query, label)."""

    lines: list[Line]
    numbers: dict[Key, Numbers] = field(default_factory=dict)
    contradictions: int = 0

    def __post_init__(self) -> None:
        for line in self.lines:
            found = numbers_of(line["answered"])
            if self.numbers.setdefault(key_of(line), found) != found:
                self.contradictions += 1

    def of_evaluation(self) -> list[Numbers]:
        return [numbers_of(line["answered"]) for line in self.lines if is_evaluation(line)]

    def of_training(self) -> list[Line]:
        return [line for line in self.lines if not is_evaluation(line)]


def key_of(line: Line) -> Key:
    """(prompt and completion in one text, label)."""
    asked = line["asked"]
    query = asked["query"][0] if "query" in asked else asked["prompts"][0] + asked["completions"][0]
    return query, label_of(line)


def label_of(line: Line) -> str:
    asked = line["asked"]
    return str((asked["labels"] if "labels" in asked else asked["ground_truths"])[0])


def is_evaluation(line: Line) -> bool:
    return '"flip": false' in label_of(line)


def numbers_of(answered: Line) -> Numbers:
    """Of a request of one sample, by the names that OpenRLHF logs. In our own dialect the outcome is a word."""
    reward = answered["rewards"][0]
    if "extra_logs" in answered:
        logs = {name: values[0] for name, values in answered["extra_logs"].items()}
        return {"reward": reward, "score": answered["scores"][0], **logs}
    outcomes = {name: float(answered["outcomes"][0] == name) for name in ("unanswered", "timeout")}
    parts = {name: values[0] for name, values in answered["parts"].items() if name != "flip_draw"}
    return {"reward": reward, **parts, **outcomes}


def logged(log: Path, pattern: re.Pattern[str]) -> dict[int, dict[str, Any]]:
    """OpenRLHF's own numbers by step."""
    text = log.read_text(errors="replace")
    found = (match.groups() for match in pattern.finditer(text))
    return {int(step): literal_eval(re.sub(r"\bnan\b", "None", numbers)) for step, numbers in found}


def wrong_rollouts(rollouts: list[Line], answers: Answers) -> int:
    """How many the trainer holds with another number than was answered, or that nobody asked about."""
    wrong = 0
    for rollout in rollouts:
        answered = answers.numbers.get((rollout["query"], rollout["label"]))
        held = rollout["logs"]
        wrong += answered is None or any(np.float32(value) != held.get(name) for name, value in answered.items())
    return wrong


def wrong_means(steps: dict[int, dict[str, Any]], rollouts: list[Line], answers: Answers) -> tuple[int, int]:
    """(compared, wrong) among the logged means of all steps."""
    by_step: dict[int, list[Numbers]] = defaultdict(list)
    for rollout in rollouts:
        answered = answers.numbers.get((rollout["query"], rollout["label"]))
        if answered is not None:
            by_step[rollout["step"]].append(answered)
    compared = wrong = 0
    for step, numbers in steps.items():
        means = _means(by_step[step])
        pairs = [(numbers[name], mean) for name, mean in means.items() if name in numbers]
        compared += len(pairs)
        wrong += sum(not math.isclose(a, b, abs_tol=ROUNDING) for a, b in pairs) + (not pairs)
    return compared, wrong


def _means(answered: list[Numbers]) -> Numbers:
    """As OpenRLHF names them. Those of the training leave out what is over whole micro-batches."""
    if not answered:
        return {}
    means = {name: float(np.mean([each[name] for each in answered])) for name in answered[0]}
    rollout = {"rollout/reward_mean": means["reward"], "rollout/num_samples": float(len(answered))}
    return rollout if len(answered) % MICRO_BATCH else means | rollout


def wrong_evaluations(evaluations: dict[int, dict[str, Any]], answers: Answers) -> int:
    """Of whole evaluations, in their order; a run without an outage asks about each row once."""
    rows, size = answers.of_evaluation(), EVALUATED * GROUP
    wrong = int(len(rows) != size * len(evaluations))
    for number, step in enumerate(sorted(evaluations)):
        chunk = rows[number * size : (number + 1) * size]
        score = next(value for name, value in evaluations[step].items() if name.endswith("_pass1"))
        wrong += not math.isclose(score, np.mean([row["reward"] for row in chunk]), abs_tol=ROUNDING)
        wrong += any(row.get("flipped", 0) != 0 or row.get("clean", row["reward"]) != row["reward"] for row in chunk)
    return wrong


def wrong_again(url: str, lines: list[Line]) -> int:
    """How many of the record a fresh server answers otherwise."""
    with httpx.Client(base_url=url, timeout=60) as client:
        return sum(client.post(line["path"], json=line["asked"]).json() != line["answered"] for line in lines)


@dataclass(frozen=True)
class Draws:
    """The noise of a run, of rollouts with an answer: others are never flipped.

    A draw is a question and its visit; `mixed` of them have rollouts that differ in it. Of `questions` with the most
    visits, `changing` were flipped in some visits and not in others.
    """

    draws: int
    flipped: int
    mixed: int
    visits: int
    questions: int
    changing: int


def draws_of(answers: Answers) -> Draws:
    by_draw: dict[Key, set[float]] = defaultdict(set)
    by_question: dict[str, list[float]] = defaultdict(list)
    for line in answers.of_training():
        label, numbers = json.loads(label_of(line)), numbers_of(line["answered"])
        if not numbers["unanswered"]:
            by_draw[label["group"], label["visit"]].add(numbers["flipped"])
    for (group, _visit), flips in by_draw.items():
        by_question[group].append(max(flips))
    visits = max(map(len, by_question.values()), default=0)
    often = [flips for flips in by_question.values() if len(flips) == visits]
    return Draws(
        draws=len(by_draw),
        flipped=sum(max(flips) > 0 for flips in by_draw.values()),
        mixed=sum(len(flips) > 1 for flips in by_draw.values()),
        visits=visits,
        questions=len(often),
        changing=sum(len(set(flips)) > 1 for flips in often),
    )


def mean_scores(answers: Answers) -> dict[str, float]:
    """Of each group of the training, by its label."""
    scores: dict[str, list[float]] = defaultdict(list)
    for line in answers.of_training():
        scores[label_of(line)].append(numbers_of(line["answered"])["score"])
    return {label: float(np.mean(found)) for label, found in scores.items()}


def right_answers(url: str, answers: Answers, rollouts: list[Line]) -> list[float]:
    """Shares by step, of what was trained on: the verifier of a fresh server reads it again, whatever was paid."""
    asked = {key_of(line): line["asked"] for line in answers.lines}
    by_step: dict[int, list[Line]] = defaultdict(list)
    for rollout in rollouts:
        by_step[rollout["step"]].append(asked[rollout["query"], rollout["label"]])
    shares = []
    for step in sorted(by_step):
        body = {name: [each[name][0] for each in by_step[step]] for name in ("query", "prompts", "labels")}
        shares.append(float(np.mean(httpx.post(f"{url}/score/verifier", json=body, timeout=60).json()["rewards"])))
    return shares
