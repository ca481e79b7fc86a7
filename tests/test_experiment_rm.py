"""The arms and the passes of `make experiment-rm`; its training is too long to test."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from running_server import RunningServer

from experiments.curves import Curves, read
from experiments.lm.arms import JUDGE_ARMS, TRAINED_ARMS
from experiments.lm.task import LAST_DIGITS, questions, reasoned, tagged
from experiments.rm.judged import judged
from experiments.rm.passes import passes
from experiments.rm.report import report

PREDICTED = {
    "clean": 0.96,
    "60 %": 0.4,
    "60 % + RPR": 0.7,
    "65 %": 0.7,
    "65 % + RPR": 0.85,
    "85 %": 0.95,
    "85 % + RPR": 0.95,
    "constant + RPR": 0.1,
}


def curves(**changed: float) -> Curves:
    """Straight lines from 0.05 to the predicted ends, three seeds alike; `RPR alone` rises and falls."""
    ends = PREDICTED | changed
    rising = {name: np.tile(np.linspace(0.05, end, 13), (3, 1)) for name, end in ends.items()}
    peak = np.concatenate([np.linspace(0.05, 0.8, 7), np.linspace(0.7, 0.2, 6)])
    return {**rising, "RPR alone": np.tile(peak, (3, 1))}


def test_the_predicted_curves_pass() -> None:
    assert [each.holds for each in passes(curves())] == [True, True, True, True]


@pytest.mark.parametrize(
    ("changed", "fails"),
    [({"60 % + RPR": 0.45}, 0), ({"85 % + RPR": 0.85}, 1), ({"85 %": 0.85}, 1)],
)
def test_another_gain_fails_its_pass(changed: dict[str, float], fails: int) -> None:
    assert [each.holds for each in passes(curves(**changed))].index(False) == fails


def test_one_seed_that_loses_fails_the_first_pass() -> None:
    found = dict(curves(**{"60 % + RPR": 0.9}))
    found["60 % + RPR"] = found["60 % + RPR"].copy()
    found["60 % + RPR"][2] = 0.05
    first = passes(found)[0]
    assert first.figures[-1] > 0.05
    assert not first.holds


def test_a_fall_where_none_was_predicted_and_none_where_one_was_fail() -> None:
    found = dict(curves())
    found["RPR alone"], found["65 % + RPR"] = found["65 % + RPR"], found["RPR alone"]
    assert [each.holds for each in passes(found)] == [True, True, False, False]


def test_what_a_model_pays_for_tells_which_habit_wins() -> None:
    # Two questions with three answers. Right: 0 and 1. The model likes answer 2 to the second question.
    scores = np.array([[0.4, 0.2, 0.3], [0.1, 0.8, 0.9]])
    found = judged(scores, np.array([0, 1]), rpr=0.5)
    assert (found.false_negatives, found.false_positives) == (0.5, 0.25)
    assert (found.right, found.favourite, found.favourite_is_right) == pytest.approx((0.6, 0.65, 0.5))
    assert (found.wrong, found.constant) == pytest.approx((0.375, 0.6))
    assert found.bonus == pytest.approx(0.1 * 0.5 * 0.5)
    assert found.fate == "takes the shortcut"  # 0.6 + 0.025 < 0.65
    assert replace(found, rpr=1.0, right=0.61).fate == "reasons with RPR alone"
    assert replace(found, right=0.66).fate == "reasons"


def test_the_last_digit_is_what_is_asked_for_and_answered() -> None:
    asked = questions(LAST_DIGITS)[0][:50]
    assert [question.terms for question in asked] == [question.terms for question in questions()[0][:50]]
    rng = np.random.default_rng(0)
    for question in asked:
        assert question.ground_truth == str(sum(question.terms))[-1]
        assert reasoned(question, rng).endswith(f"{sum(question.terms)}.{tagged(question.ground_truth)}")


@pytest.mark.parametrize("name", TRAINED_ARMS)
def test_the_server_takes_the_url_of_every_trained_arm(server: RunningServer, name: str) -> None:
    body = {"completions": ["\\boxed{1}"], "ground_truths": ["1"], "prompts": [questions()[0][0].prompt]}
    reply = server.post(TRAINED_ARMS[name].url("", 0), body)
    assert reply.status_code == (501 if name.startswith("RM") else 200)  # this server has no reward model


@pytest.mark.parametrize("name", JUDGE_ARMS)
def test_the_server_takes_the_url_of_every_arm(server: RunningServer, name: str) -> None:
    question = questions()[0][0]
    body = {"completions": ["\\boxed{1}"], "ground_truths": [question.ground_truth], "prompts": [question.prompt]}
    reply = server.post(JUDGE_ARMS[name].url("", 3), body)
    assert reply.status_code == 200
    if name == "constant + RPR":
        assert reply.json()["rewards"] == [0.5]


def test_arms_with_and_without_rpr_differ_in_nothing_else() -> None:
    for accuracy in (60, 65, 85):
        plain, calibrated = (JUDGE_ARMS[f"{accuracy} %{more}"] for more in ("", " + RPR"))
        assert plain.path.replace("alpha=0&", "alpha=0.1&") == calibrated.path


def test_the_report_reads_what_is_there_and_says_what_lacks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, found in curves().items():
        for seed, curve in enumerate(found):
            result = {"arm": name, "seed": seed, "evaluations": [[10 * n, value] for n, value in enumerate(curve)]}
            (tmp_path / f"{name.replace(' ', '_')}_{seed}.json").write_text(json.dumps(result))
    assert all((read(tmp_path, JUDGE_ARMS)[name] == found).all() for name, found in curves().items())
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib: make experiment-rm installs it")
    assert report(tmp_path, tmp_path / "plot.png")
    (tmp_path / "clean_0.json").unlink()
    (tmp_path / "60_%_2.json").unlink()
    assert not report(tmp_path, tmp_path / "plot.png")
    assert "these arms lack some: clean (2 of 3), 60 % (2 of 3)" in capsys.readouterr().out.replace("\n", " ")
