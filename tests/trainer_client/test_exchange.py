"""The exchange without a network: what it asks for, step by step, under a clock that only its sleeps move."""

import logging
from collections.abc import Sequence

import pytest

from trainer_client import RequestRefused, RewardClientError, TooLarge, Unauthorized, Unavailable
from trainer_client._exchange import ask
from trainer_client._steps import Answer, Lost, Reply, Send, Sleep
from trainer_client._tries import Deadline, Memory

REQUEST = Send("http://h/score/rpr", b"{}", None, timeout_s=180, request_id="r1")
OTHER = Send("http://other/score/rpr", b"{}", None, timeout_s=180, request_id="r1")
UNKNOWN = Lost("ConnectError: [Errno -2] Name or service not known", is_unknown_host=True)
OK = Answer(200, b'{"rewards": []}')
REFUSED = b'{"error": {"code": "c", "message": "m", "detail": 1}}'


def run(
    *came: "Answer | Lost",
    deadline_s: float = 60,
    takes_s: float = 0,
    sends: Sequence[Send] = (REQUEST,),
    memory: "Memory | None" = None,
) -> "tuple[Reply, list[Send | Sleep]]":
    """The reply, and every step after the first."""
    clock = [0.0]
    exchange = ask(sends, Deadline(deadline_s, lambda: clock[0], 0.0), lambda: 0.5, memory or Memory())
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
    "failure",
    [
        Lost("reset"),
        Answer(408, b""),
        Answer(429, b"slow down"),
        Answer(502, b""),
        Answer(503, b""),
        Answer(504, b""),
        Answer(200, b'{"rew'),
    ],
)
def test_what_may_pass_is_asked_again(failure: "Answer | Lost") -> None:
    result, steps = run(failure, failure, OK)
    assert result.json == {"rewards": []}
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


def test_an_answer_moves_the_deadline_of_all_chunks_of_a_call() -> None:
    """Two chunks of one call, deadline 10 s. The first is answered at 8 s, so the second is still asked at 17 s."""
    clock = [0.0]
    deadline = Deadline(10, lambda: clock[0], 0.0)
    first, second = (ask([REQUEST], deadline, lambda: 0.5, Memory()) for _ in range(2))
    first.send(None)
    second.send(None)
    clock[0] = 8
    with pytest.raises(StopIteration):
        first.send(OK)
    clock[0] = 17
    assert isinstance(second.send(Lost("reset")), Sleep)
    last = second.send(None)
    assert isinstance(last, Send) and last.timeout_s == 1  # 8 + 10 - 17
    clock[0] = 18
    with pytest.raises(Unavailable):
        second.send(Lost("reset"))


def test_a_run_that_stands_still_says_why_and_how_it_ended_and_never_says_the_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    run(*[Lost("reset")] * 4, OK, takes_s=2)
    # 5 tries of 2 s, and 0.125 + 0.25 + 0.5 + 1 s between them. The 4th failure comes 2.5 s after the 3rd: no line
    again = "asking http://h/score/rpr again in 0.5 s: reset"
    assert caplog.messages == [again, "http://h/score/rpr answered after 5 tries, 12 s"]
    caplog.clear()
    run(*[Lost("reset")] * 5, OK, takes_s=3)
    assert caplog.messages[0] == again
    assert caplog.messages[1].startswith("asking http://h/score/rpr again in 2.0 s")  # 3 + 0.5 + 3 + 1 s later
    assert "sesame" not in repr(Send("http://h", None, "sesame", 1))


def test_calls_that_fail_together_are_one_story_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    memory = Memory()
    calls = [ask([REQUEST], Deadline(60, lambda: 0.0, 0.0), lambda: 0.5, memory) for _ in range(8)]
    for call in calls:
        call.send(None)
    for _ in range(4):
        for call in calls:
            call.send(Lost("reset"))
            call.send(None)
    for call in calls:
        with pytest.raises(StopIteration):
            call.send(OK)
    assert [message.partition(" ")[2].partition(" in ")[0] for message in caplog.messages] == [
        "http://h/score/rpr again",
        "answered after 5 tries, 0 s",
    ]


def test_after_a_call_that_was_given_up_the_next_one_warns_again(caplog: pytest.LogCaptureFixture) -> None:
    memory = Memory()
    for _ in range(2):
        with pytest.raises(Unavailable):
            run(*[Lost("reset")] * 9, deadline_s=1.5, memory=memory)
    assert len(caplog.messages) == 2


def test_a_server_that_asks_for_more_time_than_there_is_is_quoted() -> None:
    with pytest.raises(Unavailable, match="after 1 tries; the last: 503: busy; it asks to wait 3600 s"):
        run(Answer(503, b"busy", "3600"), deadline_s=600)


def test_everyday_retries_are_not_worth_a_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    run(Lost("reset"), Lost("reset"), OK)
    assert not caplog.messages


def test_a_host_that_never_had_an_address_is_given_up_after_ten_seconds_and_said_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(Unavailable, match=r"after 13 tries; the last: ConnectError.*not known; is its name right\?"):
        run(*[UNKNOWN] * 100, deadline_s=600)
    # 0.125 + 0.25 + 0.5 s and 9 times 1 s: 9.875 s, and 1 s more would be too many
    assert caplog.messages[0].startswith("asking http://h/score/rpr again in 0.1 s: ConnectError")


@pytest.mark.parametrize("before", [Lost("ConnectError: refused"), Answer(503, b"")])
def test_a_host_that_had_one_is_asked_until_the_deadline(before: "Answer | Lost") -> None:
    assert run(before, *[UNKNOWN] * 20, OK, deadline_s=600)[0].json == {"rewards": []}
    memory = Memory()
    run(OK, memory=memory)
    assert run(*[UNKNOWN] * 20, OK, deadline_s=600, memory=memory)[0].json == {"rewards": []}  # a later call


def test_a_resolver_that_cannot_tell_is_asked_until_the_deadline() -> None:
    again = Lost("ConnectError: [Errno -3] Temporary failure in name resolution")
    assert run(*[again] * 20, OK, deadline_s=600)[0].json == {"rewards": []}


def test_after_a_failure_the_next_replica_is_asked() -> None:
    _, steps = run(Lost("reset"), UNKNOWN, Answer(502, b""), OK, sends=[REQUEST, OTHER])
    assert [step.url for step in steps if isinstance(step, Send)] == [REQUEST.url, OTHER.url] * 2
    with pytest.raises(Unavailable, match="and 1 other replicas after 4 tries"):
        run(*[Lost("reset")] * 9, sends=[REQUEST, OTHER], deadline_s=1.5)


@pytest.mark.parametrize("came", [[Answer(422, REFUSED)], [Lost("reset")] * 9])
def test_every_error_has_the_request_s_id(came: "list[Answer | Lost]") -> None:
    with pytest.raises(RewardClientError, match=r"\(request r1\)$") as caught:
        run(*came, deadline_s=1)
    assert caught.value.request_id == "r1"


def test_an_id_that_a_gateway_gave_is_the_one_that_the_server_logged() -> None:
    assert run(Answer(200, b"{}", request_id="envoy"))[0].request_id == "envoy"
    assert run(Answer(200, b"{}"))[0].request_id == "r1"
    with pytest.raises(RequestRefused) as caught:
        run(Answer(500, b"", request_id="envoy"))
    assert caught.value.request_id == "envoy"


def test_a_proxy_is_named_unless_a_reward_server_has_spoken() -> None:
    proxy, hint = "http://p:3128", r"by way of the proxy http://p:3128; NO_PROXY=h goes without it"
    for came in (Lost("ConnectError: refused", proxy=proxy), Answer(200, b"<html>", proxy=proxy)):
        with pytest.raises(Unavailable, match=hint):
            run(*[came] * 9, deadline_s=1)
    with pytest.raises(RequestRefused, match=f"403: <html>squid.*{hint}"):
        run(Answer(403, b"<html>squid", proxy=proxy))
    with pytest.raises(RequestRefused) as caught:
        run(Answer(422, REFUSED, proxy=proxy))
    assert "proxy" not in str(caught.value)
