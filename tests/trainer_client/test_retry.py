from datetime import datetime, timezone

import pytest

from trainer_client._retry import delay_s, retry_after_s

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("attempt", "bound"), [(0, 0.25), (1, 0.5), (2, 1.0), (5, 8.0), (6, 10.0), (1000, 10.0)]
)  # 0.25 doubled each time, up to 10
def test_the_bound_of_the_delay_doubles_up_to_its_limit(attempt: int, bound: float) -> None:
    assert delay_s(attempt, retry_after_s=0, remaining_s=60, jitter=0.5) == bound / 2
    assert delay_s(attempt, retry_after_s=0, remaining_s=60, jitter=0.0) == 0


def test_the_jitter_comes_on_top_of_what_the_server_asked_for() -> None:
    assert delay_s(0, retry_after_s=3, remaining_s=60, jitter=0.4) == pytest.approx(3.1)  # 3 + 0.4 · 0.25


def test_a_delay_that_reaches_the_deadline_is_no_delay_but_the_end() -> None:
    assert delay_s(0, retry_after_s=5, remaining_s=5, jitter=0) is None
    assert delay_s(0, retry_after_s=5, remaining_s=5.1, jitter=0) == 5


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("7", 7),
        (" 7 ", 7),
        ("-3", 0),
        ("soon", 0),
        ("", 0),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30),
        ("Thu, 01 Jan 2026 12:00:30", 30),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: "str | None", seconds: float) -> None:
    assert retry_after_s(header, NOW) == seconds
