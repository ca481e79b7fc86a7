"""The exchange without a network: what it asks for, step by step, under a clock that only its sleeps move."""

import pytest

from trainer_client import RequestRefused, TooLarge, Unauthorized, Unavailable
from trainer_client._exchange import Answer, Deadline, Lost, Send, Sleep, ask

REQUEST = Send("http://h/score/rpr", b"{}", None, timeout_s=180)
OK = Answer(200, b'{"rewards": []}')
REFUSED = b'{"error": {"code": "c", "message": "m", "detail": 1}}'


def run(*came: "Answer | Lost", deadline_s: float = 60, takes_s: float = 0) -> "tuple[object, list[Send | Sleep]]":
    """The result, and every step after the first."""
    clock = [0.0]
    exchange = ask(REQUEST, Deadline(deadline_s, lambda: clock[0]), jitter=lambda: 0.5)
    steps, answers = [exchange.send(None)], iter(came)
    try:
        while True:
            step = steps[-1]
            answer = None if isinstance(step, Sleep) else next(answers)
            clock[0] += step.seconds if isinstance(step, Sleep) else takes_s + (answer.waited_s if answer else 0)
            steps.append(exchange.send(answer))
    except StopIteration as end:
        return end.value, steps


def sleeps(steps: "list[Send | Sleep]") -> "list[float]":
    return [step.seconds for step in steps if isinstance(step, Sleep)]


@pytest.mark.parametrize(
    "failure", [Lost("reset"), Answer(502, b""), Answer(503, b""), Answer(504, b""), Answer(200, b'{"rew')]
)
def test_what_may_pass_is_asked_again(failure: "Answer | Lost") -> None:
    result, steps = run(failure, failure, OK)
    assert result == {"rewards": []}
    assert sleeps(steps) == [0.125, 0.25]  # half of 0.25 and of 0.5
    assert [step.url for step in steps if isinstance(step, Send)] == [REQUEST.url] * 3


def test_retry_after_is_waited_for() -> None:
    assert sleeps(run(Answer(503, b"", "7"), OK)[1]) == [7.125]


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, Unauthorized), (413, TooLarge), (400, RequestRefused), (500, RequestRefused), (307, RequestRefused)],
)
def test_what_would_come_again_is_never_asked_again(status: int, error: "type[RequestRefused]") -> None:
    with pytest.raises(error, match=f"{status}: m") as caught:
        run(Answer(status, REFUSED))
    assert (caught.value.status, caught.value.code, caught.value.detail) == (status, "c", 1)


def test_another_server_is_quoted() -> None:
    with pytest.raises(RequestRefused, match="404: <html>nginx"):
        run(Answer(404, b"<html>nginx"))


def test_the_deadline_counts_everything_and_the_error_says_what_came_last() -> None:
    with pytest.raises(Unavailable, match="after 2 tries; the last: 503: draining"):
        run(
            *[Answer(503, b'{"error": {"code": "draining", "message": "draining"}}', "4")] * 3, deadline_s=10, takes_s=3
        )
        # 3 s, wait 4.125, 3 s: 10.125 of 10


def test_a_request_gets_no_more_time_than_the_deadline_leaves() -> None:
    _, steps = run(Lost("reset"), OK, deadline_s=10, takes_s=4)
    assert [step.timeout_s for step in steps if isinstance(step, Send)] == [10, 5.875]  # 10 - 4 - 0.125


def test_the_wait_for_the_first_turn_does_not_count() -> None:
    _, steps = run(Lost("reset", waited_s=100), OK, deadline_s=10, takes_s=4)
    assert [step.timeout_s for step in steps if isinstance(step, Send)] == [10, 5.875]  # as above


def test_the_wait_for_a_later_turn_counts_and_what_was_not_sent_is_no_try() -> None:
    with pytest.raises(Unavailable, match="after 2 tries; the last: reset"):
        run(Lost("reset"), Lost("reset", waited_s=100), deadline_s=10)


def test_a_run_that_stands_still_says_why_and_never_says_the_key(caplog: pytest.LogCaptureFixture) -> None:
    run(*[Lost("reset")] * 4, OK)
    assert caplog.messages == [f"asking http://h/score/rpr again in {s} s: reset" for s in ("0.5", "1.0")]  # 3rd, 4th
    assert "sesame" not in repr(Send("http://h", None, "sesame", 1))
