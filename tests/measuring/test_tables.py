"""What is counted of a request, which rollout of a question counts, and what a report says of it."""

from __future__ import annotations

from dataclasses import replace
from threading import Event, Thread

import numpy as np
import pytest

from reward_server.measuring import tables as module
from reward_server.measuring.report import report
from reward_server.measuring.tables import ALL, GRADED, Seen, Table, Tables, Tallies


def seen(question: int, text: str = "a", **changes: object) -> Seen:
    """A rollout that the check calls right, as the audit does."""
    one = Seen(
        str(question).encode(), text, 0.5, {"check": True}, GRADED, "text", "integer", was_asked=True, audit=True
    )
    return replace(one, **changes)  # type: ignore[arg-type]


def test_of_a_question_one_rollout_is_audited_and_all_are_traffic() -> None:
    table = Table("", "math", 1.0)
    table.add([seen(1), seen(1), replace(seen(1, "b", verdicts={"check": False}), was_asked=False, audit=None)])
    counts = table.tallies().counts(ALL, "check")
    assert (counts.ones, counts.zeros, counts.audited_ones, counts.audited_zeros) == (2, 1, 1, 0)
    assert table.questions == 1


def test_one_sample_callers_have_one_rollout_of_a_question_counted_too_as_likely_as_any_other() -> None:
    chosen = []
    for question in range(2000):
        table, draws = Table("", "math", 1.0), np.random.default_rng(question).random(2)
        for text, draw in (("a", draws[0]), ("b", draws[1]), ("b", draws[1]), ("b", draws[1])):
            table.add([seen(question, text, draw=float(draw), verdicts={"check": text == "a"})])
        counts = table.tallies().counts(ALL, "check")
        assert counts.audited == 1 and counts.ones + counts.zeros == 4
        chosen.append(counts.audited_ones)
    assert np.mean(chosen) == pytest.approx(0.25, abs=0.03)


def test_a_question_waits_until_others_need_its_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    table = Table("", "math", 1.0)
    for question in range(10):
        table.add([seen(question)])
    assert len(table._waiting) == 3
    assert table.tallies().counts(ALL, "check").audited == 10


def test_what_is_unanswered_is_a_stratum_of_its_own_and_no_opinion_is_counted_apart() -> None:
    table = Table("", "math", 1.0)
    table.add([seen(1), seen(2, answered="unanswered", verdicts={"check": False}, audit=False), seen(3, audit=None)])
    tallies = table.tallies()
    assert tallies.counts(ALL, "check").audited == 1
    assert tallies.counts(("outcome", "unanswered"), "check").audited_zeros == 1
    assert tallies.strata("tier") == [("tier", "text")] and tallies.strata("outcome") == [("outcome", "unanswered")]
    assert tallies.without_opinion == 1


def test_of_late_are_the_last_two_blocks_with_the_traffic_of_their_questions() -> None:
    tallies = Tallies()
    for audit in range(1700):
        is_right = audit >= 1200
        tallies.audited(seen(audit, verdicts={"check": is_right}), {"check": [2, 0] if not is_right else [0, 2]})
    late = tallies.of_late("check")  # audits 1000 to 1699
    assert (late.audited, late.audited_ones, late.ones, late.zeros) == (700, 500, 1000, 400)


def test_memory_is_bounded_and_what_is_forgotten_is_counted() -> None:
    tables = Tables()
    for config in range(20):
        tables.add("verifier", str(config), lambda: Table("", "math", 1.0), [seen(1)])
    assert list(tables.of("verifier")) == [str(config) for config in range(19, 3, -1)]
    assert tables.forgotten == 4 and not tables.of("flip")


def reported(rho_0: float, rho_1: float, questions: int = 600, seed: int = 0) -> dict[str, object]:
    rng, table = np.random.default_rng(seed), Table("", "math", 1.0)
    for question in range(questions):
        right = bool(rng.random() < 0.5)
        verdict = right ^ bool(rng.random() < (rho_1 if right else rho_0))
        table.add([seen(question, verdicts={"check": verdict}, audit=right)])
    found = report(table, table.tallies(), ("check",))["check"]
    assert isinstance(found, dict)
    return found


def test_a_report_says_when_there_are_too_few_and_raises_no_alarm_then() -> None:
    few = reported(0.1, 0.25, questions=20)
    assert "too few" in str(few["since_start"]) and "too few audits" in str(few["alarms"])
    assert few["alarms"]["J"]["alarm"] is False  # type: ignore[index]


def test_a_verdict_that_says_nothing_alarms_and_one_that_says_something_does_not() -> None:
    assert reported(0.1, 0.25)["alarms"]["J"] == {"alarm": False, "says": "J is above 0"}  # type: ignore[index]
    nothing = reported(0.5, 0.5)["alarms"]["J"]  # type: ignore[index]
    assert nothing["alarm"] is True and "since the start, of late" in nothing["says"]
    assert reported(0.9, 0.9)["alarms"]["J"]["alarm"] is True  # type: ignore[index]


def test_a_report_is_made_while_requests_are_counted_and_loses_none() -> None:
    tables, done = Tables(), Event()
    failed: list[Exception] = []

    def read() -> None:
        try:
            while not done.is_set():
                tables.of("verifier")
        except Exception as error:  # noqa: BLE001 - shown by the assertion below
            failed.append(error)

    reader = Thread(target=read)
    reader.start()
    for question in range(3000):
        tables.add("verifier", "c", lambda: Table("", "math", 1.0), [seen(question, text) for text in "abc"])
    done.set()
    reader.join()
    ((_, tallies),) = tables.of("verifier").values()
    assert failed == [] and tallies.counts(ALL, "check").audited == 3000
