"""What has to hold of a run, written down before any was made, and what was found."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.openrlhf_run import check
from experiments.openrlhf_run.run import Run
from experiments.openrlhf_run.scenarios import ROLLOUTS, Scenario
from experiments.openrlhf_run.server import Line, read_lines, rollouts_paid

WINDOW = 10
"""Steps at the beginning and at the end whose clean rewards are compared."""
RISE = {"p=0": 0.3, "p=0.4": 0.1, "rpr": 0.05}
"""By how much the mean clean reward has to rise; of `rpr`, what is paid."""
SIGMAS = 3.5
"""A share of draws may be so far from the expected: one in two thousand is further by chance."""


@dataclass(frozen=True)
class Finding:
    """`text` is what was found; `passes` whether that is what has to be."""

    name: str
    text: str
    passes: bool


def findings(run: Run, fresh_url: str) -> tuple[list[Finding], dict[str, Any]]:
    """All of a run, and the curves: clean reward by step, evaluation by step."""
    paid = rollouts_paid(run.record)
    answers = check.Answers(paid)
    rollouts = read_lines(run.rollouts)
    steps = check.logged(run.log, check.STEP)
    evaluations = check.logged(run.log, check.EVALUATION)
    compared, wrong = check.wrong_means(steps, rollouts, answers)
    differ = check.wrong_rollouts(rollouts, answers)
    again = check.wrong_again(fresh_url, paid)
    is_clean_logged = run.scenario.reward[0] == "flip"
    rewards = [steps[step]["reward"] for step in sorted(steps)]
    clean = [steps[step]["clean"] for step in sorted(steps)] if is_clean_logged else rewards
    found = [
        Finding("exit code", str(run.code), (run.code == 0) == run.scenario.ends_well),
        _steps(run.scenario, len(steps), len(rollouts)),
        Finding("rewards trained on, unlike the record", f"{differ} of {len(rollouts)}", differ == 0),
        Finding("means logged, unlike the record", f"{wrong} of {compared}", wrong == 0),
        Finding("record, unlike a fresh server", f"{again} of {len(paid)}", again == 0 and not answers.contradictions),
        *_noise(run.scenario, answers),
        *_filter(run.scenario, answers, rollouts),
        *_evaluations(evaluations, answers),
        *_rise(run.scenario, clean),
        *_outage(run),
    ]
    return found, {
        "clean": clean if is_clean_logged else check.right_answers(fresh_url, answers, rollouts),
        "reward": rewards,
        "evaluations": [(step, score_of(numbers)) for step, numbers in sorted(evaluations.items())],
    }


def score_of(evaluation: dict[str, Any]) -> float:
    return next(float(value) for name, value in evaluation.items() if name.endswith("_pass1"))


def _steps(scenario: Scenario, steps: int, rollouts: int) -> Finding:
    if scenario.ends_well and not scenario.is_filtered:
        return Finding(
            "steps", f"{steps}, {rollouts} rollouts", (steps, rollouts) == (scenario.steps, scenario.steps * ROLLOUTS)
        )
    return Finding("steps", f"{steps} of {scenario.steps}, {rollouts} rollouts", 0 < steps < scenario.steps)


def _noise(scenario: Scenario, answers: check.Answers) -> list[Finding]:
    if scenario.reward[0] != "flip":
        return []
    found, p = check.draws_of(answers), scenario.flip_prob
    findings = [
        _share("questions and visits that were flipped", found.flipped, found.draws, p),
        Finding("of these, with rollouts that differ in it", str(found.mixed), found.mixed == 0),
    ]
    if found.visits > 1:
        changing = 1 - p**found.visits - (1 - p) ** found.visits
        name = f"questions flipped in some of {found.visits} visits only"
        findings.append(_share(name, found.changing, found.questions, changing))
    return findings


def _filter(scenario: Scenario, answers: check.Answers, rollouts: list[Line]) -> list[Finding]:
    """Dynamic filtering keeps the groups whose mean score lies between 0 and 1: the same by the record."""
    if not scenario.is_filtered:
        return []
    means = check.mean_scores(answers)
    expected = {label for label, mean in means.items() if 0 < mean < 1}
    kept = {rollout["label"] for rollout in rollouts}
    return [Finding("groups kept, as the record says", f"{len(kept)} of {len(means)}", kept == expected)]


def _share(name: str, count: int, total: int, expected: float) -> Finding:
    share, limit = count / max(1, total), SIGMAS * math.sqrt(expected * (1 - expected) / max(1, total))
    return Finding(name, f"{share:.3f} of {total}, expected {expected:.3f}", abs(share - expected) <= limit)


def _evaluations(evaluations: dict[int, dict[str, Any]], answers: check.Answers) -> list[Finding]:
    if not evaluations:
        return []
    wrong = check.wrong_evaluations(evaluations, answers)
    text = ", ".join(f"{score_of(evaluations[step]):.2f}" for step in sorted(evaluations))
    return [Finding("evaluations, clean and as the record", text, wrong == 0)]


def _rise(scenario: Scenario, clean: list[float]) -> list[Finding]:
    if scenario.name not in RISE:
        return []
    first, last = float(np.mean(clean[:WINDOW])), float(np.mean(clean[-WINDOW:]))
    return [
        Finding("clean reward, first and last steps", f"{first:.2f}, {last:.2f}", last - first >= RISE[scenario.name])
    ]


def _outage(run: Run) -> list[Finding]:
    if not run.scenario.outage_s:
        return []
    if run.outage is None:
        return [Finding("outage", "none", False)]
    began, ended = run.outage
    after = sum(line["time"] > ended for line in rollouts_paid(run.record))
    passes = (after > 0) == run.scenario.ends_well
    return [Finding("server gone for", f"{ended - began:.0f} s, {after} rollouts paid after it", passes)]
