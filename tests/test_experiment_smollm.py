"""The task, the arms and the expectations of `make experiment-smollm`; its training is too long to test."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from running_server import RunningServer

from experiments.curves import Curves
from experiments.smollm.arms import SMOLLM_ARMS
from experiments.smollm.passes import passes
from experiments.smollm.report import report
from experiments.smollm.task import EXAMPLES, questions, worked

ENDS = {"p=0": 0.7, "p=0.4": 0.5, "p=0.5": 0.3, "65 %": 0.5, "65 % + RPR": 0.55}


def curves(**changed: float) -> Curves:
    """Straight lines from 0.25 to the predicted ends; `RPR alone` rises to 0.5 and falls."""
    lines = {name: np.linspace([0.25], [end], 7).T for name, end in (ENDS | changed).items()}
    return {**lines, "RPR alone": np.array([[0.25, 0.4, 0.5, 0.5, 0.3, 0.2, 0.2]])}


def test_held_out_questions_and_the_examples_are_in_no_training() -> None:
    held_out, training = questions()
    assert (len(held_out), len(training)) == (96, 142)
    asked = {(question.number, question.digit) for question in held_out + training}
    assert len(asked) == 238
    assert not asked & {(a, b) for a, b, _ in EXAMPLES}


def test_the_examples_that_the_policy_is_shown_are_right_and_have_two_phrases(server: RunningServer) -> None:
    body = {
        "completions": [worked(a, b, text) for a, b, text in EXAMPLES],
        "ground_truths": [str(a + b) for a, b, _ in EXAMPLES],
        "prompts": [question.prompt for question in questions()[0][:2]],
    }
    assert server.post("/score/verifier", body).json()["rewards"] == [1, 1]
    assert server.post(SMOLLM_ARMS["RPR alone"].url("", 0), body).json()["parts"]["hits"] == [2, 2]


@pytest.mark.parametrize("name", SMOLLM_ARMS)
def test_the_server_takes_the_url_of_every_arm(server: RunningServer, name: str) -> None:
    question = questions()[0][0]
    body = {"completions": ["\\boxed{1}"], "ground_truths": [question.ground_truth], "prompts": [question.prompt]}
    assert server.post(SMOLLM_ARMS[name].url("", 0), body).status_code == 200


def test_the_judge_with_and_without_rpr_differs_in_nothing_else() -> None:
    assert SMOLLM_ARMS["65 %"].path.replace("alpha=0&", "alpha=0.1&") == SMOLLM_ARMS["65 % + RPR"].path


@pytest.mark.parametrize(
    ("changed", "missed"),
    [
        ({}, []),
        ({"p=0": 0.35}, [0, 1]),
        ({"p=0.4": 0.8}, [1]),
        ({"p=0.5": 0.49}, [2]),
        ({"65 % + RPR": 0.4}, [5]),
    ],
)
def test_each_expectation_is_missed_by_another_curve(changed: dict[str, float], missed: list[int]) -> None:
    assert [n for n, each in enumerate(passes(curves(**changed))) if not each.holds] == missed


def test_without_a_rise_and_a_fall_rpr_alone_is_not_what_was_expected() -> None:
    flat = {**curves(), "RPR alone": np.full((1, 7), 0.25)}
    assert [n for n, each in enumerate(passes(flat)) if not each.holds] == [3, 4]


def test_the_report_names_the_arms_that_have_no_run_and_then_says_what_came(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib: make experiment-smollm installs it")
    for name, (curve,) in curves().items():
        if name == "RPR alone":  # the last one
            report(tmp_path, tmp_path / "plot.png")
            assert "no run yet: RPR alone" in capsys.readouterr().out.replace("\n", " ")
        result = {"arm": name, "seed": 0, "evaluations": [[10 * n, value] for n, value in enumerate(curve)]}
        (tmp_path / f"{name.replace(' ', '_')}_seed_0.json").write_text(json.dumps(result))
    report(tmp_path, tmp_path / "plot.png")
    said = capsys.readouterr().out
    assert said.count("came: ") == 6
    assert "DID NOT" not in said


def test_its_help_says_what_it_leaves_where() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "experiments.smollm", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert "one JSON file a run" in said
    assert "--arm" in said
