"""The arms and the passes of `make experiment-rm`; its training is too long to test."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from running_server import RunningServer

from experiments.curves import Curves, read
from experiments.lm.arms import JUDGE_ARMS
from experiments.lm.task import questions
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
    assert report(tmp_path, tmp_path / "plot.png")  # two seeds are left
    for seed in (1, 2):
        (tmp_path / f"clean_{seed}.json").unlink()
    assert not report(tmp_path, tmp_path / "plot.png")
    assert "no run yet: clean" in capsys.readouterr().out.replace("\n", " ")
