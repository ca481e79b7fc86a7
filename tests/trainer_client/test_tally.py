"""Trainers that take a reward and nothing else: what became of samples is in the log."""

from __future__ import annotations

import logging

import pytest

from trainer_client import RewardClient, Rewards
from trainer_client.adapters import _tally, areal, trl

FOUR = r"so \boxed{4}"


@pytest.fixture(autouse=True)
def begun_anew() -> None:
    _tally._tally.cache_clear()


def rewards_of(*outcomes: str) -> Rewards:
    clean: list[float | None] = [
        None if outcome == "ungradable" else float(outcome == "correct") for outcome in outcomes
    ]
    return Rewards("verifier", clean, list(outcomes), {"clean": clean}, "1", "c")


def test_256_samples_are_a_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "trainer_client")
    for _ in range(128):
        _tally.count(rewards_of("correct", "ungradable"))
    for _ in range(32):
        _tally.count(
            rewards_of("correct", "incorrect", "incorrect", "incorrect", "unanswered", "timeout", "correct", "correct")
        )
    assert caplog.messages == [
        "verifier, 256 samples: clean 1.000, unscored 0.500, unanswered 0.000, timeout 0.000",
        "verifier, 256 samples: clean 0.375, unscored 0.000, unanswered 0.125, timeout 0.125",
    ]
    assert {record.levelno for record in caplog.records} == {logging.INFO}


def test_completions_that_are_cut_off_are_a_warning(server: str, caplog: pytest.LogCaptureFixture) -> None:
    function = trl.RewardFunction(f"{server}/score/verifier")
    with function._client:
        for _ in range(4):  # without log_metric, as TRL's AsyncGRPO and axolotl's workers call
            function(["q"] * 64, [FOUR] * 16 + ["so the answer"] * 48, answer=["4"] * 64)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == "verifier, 256 samples: clean 0.250, unscored 0.000, unanswered 0.750, timeout 0.000"


def test_the_warning_is_not_repeated_while_it_lasts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "trainer_client")
    for outcome in ("unanswered", "unanswered", "correct", "timeout"):
        _tally.count(rewards_of(*[outcome] * 256))
    warning, info = logging.WARNING, logging.INFO
    assert [record.levelno for record in caplog.records] == [warning, info, info, warning]


def test_what_trl_logs_itself_is_not_said_twice(server: str, caplog: pytest.LogCaptureFixture) -> None:
    function = trl.RewardFunction(f"{server}/score/verifier")
    with function._client:
        function(["q"] * 256, ["cut"] * 256, answer=["4"] * 256, log_metric=lambda name, value: None)
    assert caplog.messages == []


def test_rewards_of_one_name_with_other_parts_are_counted_apart(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "trainer_client")
    more = Rewards("verifier", [1.0], ["correct"], {"clean": [1.0], "rpr": [0.5]}, "1", "d")
    for _ in range(256):
        _tally.count(rewards_of("correct"))
        _tally.count(more)
    _tally.count(Rewards("verifier", [], [], {}, "1", "c"))
    assert [message.split(": ")[1] for message in caplog.messages] == [
        "clean 1.000, unscored 0.000, unanswered 0.000, timeout 0.000",
        "clean 1.000, rpr 0.500, unscored 0.000, unanswered 0.000, timeout 0.000",
    ]


def test_areal_has_its_line(server: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_tally, "SAMPLES", 2)
    client = RewardClient(f"{server}/score/verifier", adapter="areal")
    monkeypatch.setattr(areal, "sync_client", lambda *_, **__: client)
    with client:
        for _ in range(2):
            areal.reward_fn("q", "so the answer", answer="4")
    assert [message.split(": ")[0] for message in caplog.messages] == ["verifier, 2 samples"]
