"""What a recorded sample is paid today, under checks of one's own."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from reward_server.offline.score_file import offline_scorer
from reward_server.records.row import Facts, Row, row_of
from reward_server.settings import Settings
from reward_server.types import Sample
from reward_server.view.sample_page import shown_sample
from reward_server.view.today import Today, deriver

CHECK = '[checks.own]\npython = "own_check:is_equal"\n'


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own_check.py").write_text("def is_equal(answer, ground_truth): return answer == ground_truth\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    path = tmp_path / "rewards.toml"
    path.write_text(CHECK)
    return path


async def _recorded(config: Path, query: str, reward: str = "verifier") -> Row:
    sample = Sample(
        r"Wait, so \boxed{x}", prompt="x?", ground_truths=("x",), wrong_ground_truths=("y",), group="q", source="a"
    )
    async with offline_scorer(Settings(config=config), reward, query) as (scorer, plan):
        (derivation,) = await scorer.derive(plan, [sample])
        return row_of("row-1", Facts(0.0, "run", "r", "native", query), plan, sample, derivation)


async def _today(config: Path, row: Row) -> Today:
    async with deriver(Settings(config=config)) as made:
        return await made.derive(row)


def test_a_python_check_is_asked_again(config: Path) -> None:
    today = asyncio.run(_today(config, asyncio.run(_recorded(config, "check=own"))))
    assert today.derived is not None
    assert (today.derived["value"], today.derived["outcome"], today.is_same_config) == (1.0, "correct", True)


def test_one_whose_examples_fail_now_is_told_and_the_other_rows_are_derived(config: Path) -> None:
    rows = [asyncio.run(_recorded(config, query)) for query in ("check=own", "check=string")]
    config.write_text(CHECK + 'examples = [["a", "b", 1]]\n')
    own, other = (asyncio.run(_today(config, row)) for row in rows)
    assert own.derived is None
    assert "example 1: expected 1, got 0" in own.why
    assert other.derived is not None


def test_a_grader_is_not_asked(config: Path) -> None:
    row = asyncio.run(_recorded(config, "check=own"))
    failing = '[checks.other]\npython = "own_check:is_equal"\nexamples = [["a", "b", 1]]\n'
    config.write_text('[checks.own]\nurl = "http://127.0.0.1:9/"\n' + failing)
    today = asyncio.run(_today(config, row))
    assert today.derived is None
    assert "`reward-server explain FOLDER --row row-1` does" in today.why


def test_a_second_opinion_that_its_request_gave_to_another_rollout_is_no_difference(config: Path) -> None:
    row = asyncio.run(_recorded(config, "check=string&reference=own"))
    assert row.parts["reference"] == 1
    unasked = replace(row, parts={**row.parts, "reference": None})
    today = asyncio.run(_today(config, unasked))
    assert today.derived is not None
    assert shown_sample(unasked, today, whole=False)["changes"] == []


@pytest.mark.parametrize(
    ("recorded", "why"),
    [("timeout", "at the edge of the grading budget"), ("error", "grading failed"), ("correct", "")],
)
def test_what_is_no_difference_to_replay_is_none_here(config: Path, recorded: str, why: str) -> None:
    row = replace(asyncio.run(_recorded(config, "check=string")), outcome=recorded, paid=0.0, parts={"clean": 0.0})
    today = asyncio.run(_today(config, row))
    assert (why in today.why) if why else (today.why == "")


@pytest.mark.parametrize(
    "url",
    [
        "verifier?alpha=0.5",
        "verifier?answer=auto&turn=all",
        "verifier?check=own&reference=string",
        "flip?flip_prob=0.4&seed=3",
        "flip?flip_prob=0.4&flip_scope=answer",
        "flip?flip_prob=0.4&flip_scope=sample",
        "flip?flip_prob=0@0,0.4@2",
        "flip?false_positive_prob=0.1&false_negative_prob=0.2&correction=forward",
        "flip?label_noise=0.5",
        "flip?flip_prob=0.4&rpr_until_visit=5",
        "rpr",
        "rm_sim?accuracy=0.7",
        "mix?verifier=0.8&rpr=0.2",
        "mix?flip=0.8&flip.flip_prob=0.4&rpr=0.2",
        "route?a=flip&a.flip_prob=0.4&b=rpr",
    ],
)
def test_under_every_reward_it_is_today_what_it_was(config: Path, url: str) -> None:
    reward, _, query = url.partition("?")
    row = asyncio.run(_recorded(config, query, reward))
    today = asyncio.run(_today(config, row))
    assert today.derived is not None, today.why
    assert (today.is_same_config, today.why) == (True, "")
    assert shown_sample(row, today, whole=False)["changes"] == []
