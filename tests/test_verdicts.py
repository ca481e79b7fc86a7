"""A rule that fails costs its own sample only."""

from __future__ import annotations

import logging

import pytest

from reward_server import verdicts
from reward_server.types import Outcome, Verdict


def broken(ground_truth: str, answer: str) -> Verdict:
    if answer == "4":
        raise ZeroDivisionError
    return Verdict(Outcome.INCORRECT, "text", ground_truth, answer)


def test_a_rule_that_raises_is_an_error_of_that_sample(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(verdicts.CHEAP_RULES, "math", broken)
    with caplog.at_level(logging.ERROR):
        outcomes = [verdict and verdict.outcome for verdict in (verdicts.cheaply("math", ("5",), a) for a in "34")]
    assert outcomes == [Outcome.INCORRECT, Outcome.ERROR]
    assert "a rule failed" in caplog.text
