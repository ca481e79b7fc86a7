"""Times of day and dates. More pairs: `tests/data/verifier_pairs.jsonl`, category `word`."""

import pytest

from reward_server.grading.numbers.clock import instant_matches, read_instant


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("9:45 PM", "21:45"),
        (r"9:45 \text{ p.m.}", "21:45:00"),
        ("noon", "12:00 PM"),
        ("midnight", "12:00 AM"),
        ("7:05", "07:05:00"),
        ("9 o'clock", "9:00"),
        ("9 in the evening", "9 PM"),
        ("2 at night", "2 AM"),
        ("3 March 2021", "2021-03-03"),
        ("March 3rd, 2021", "2021/3/3"),
        ("the 4th of July", "July 4"),
        ("Sept. 1", "1 September"),
        ("25.12.2020", "December 25, 2020"),
    ],
)
def test_one_instant_however_written(one: str, other: str) -> None:
    assert instant_matches(read_instant(one), other)
    assert instant_matches(read_instant(other), one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("9:45 AM", "9:45 PM"),
        ("9:45 PM", "9:45"),
        ("9:45 PM", "9:45 xyz"),
        ("12:00 noon", "12:00 midnight"),
        ("7:05", "7:50 AM"),
        ("3 March 2021", "4 March 2021"),
        ("3 March 2021", "3 May 2021"),
        ("3 March", "3 March 2021"),
        ("1/2/2020", "2/1/2020"),
        ("Monday, 3 March", "Tuesday, 3 March"),
        ("2021-03-03", "2015"),
    ],
)
def test_another_instant(one: str, other: str) -> None:
    assert instant_matches(read_instant(one), other) is False


@pytest.mark.parametrize(
    "text",
    ["5:12:99", "3/15", "3-15", "may", "pm", "17 pm", "25:00", "13/13/2020", "March 32", "x:05", "", "\x00"],
)
def test_no_instant(text: str) -> None:
    assert read_instant(text) is None


def test_a_ratio_is_a_time_only_beside_one() -> None:
    assert instant_matches(read_instant("5:12"), "10:24") is None
    assert instant_matches(read_instant("5:12"), "5:12 AM") is True
