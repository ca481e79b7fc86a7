"""Times of day and dates: one instant, however it is written. Nothing is computed of them.

`9:45 PM` is `21:45`, `noon` `12:00 PM`, `7:05` `7:05:00`; without AM or PM a time is read on 24 hours, so that `9:45`
is not `9:45 PM`. What could be a ratio (`5:12`) is a time only beside one that is (`5:12 PM`, `05:12`).
`3 March 2021` is `March 3rd, 2021` and `2021-03-03`. `1/2/2020` is January or February: only the same numbers are the
same. Not covered: time zones, years of two digits, `3/15` (a fraction), a year on one side only. Durations are units.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from reward_server.grading.text.flat_text import flat

_MAX_CHARS = 60
_DAYTIME = (
    r"(?P<half>a\.? ?m\.?|p\.? ?m\.?|noon|midnight|in the (?:morning|afternoon|evening)|at night|o ?['’]? ?clock)"
)
_TIME = re.compile(
    rf"(?:at )?(?P<hour>[0-9]{{1,2}})(?: ?: ?(?P<minute>[0-5][0-9])(?: ?: ?(?P<second>[0-5][0-9]))?)?(?: ?{_DAYTIME})?"
)
_MORNING, _AFTERNOON = frozenset({"am", "in the morning"}), frozenset({"pm", "in the afternoon", "in the evening"})
_NAMED = {"noon": 12, "midnight": 0, "midday": 12, "12 noon": 12, "12 midnight": 0}
_LAST_HOUR, _NOON, _EVENING = 24, 12, 6

_MONTH_NAMES = "january february march april may june july august september october november december"
_MONTHS = {name: place for place, name in enumerate(_MONTH_NAMES.split(), start=1)}
_MONTHS |= {name[:3]: place for name, place in _MONTHS.items()} | {"sept": 9}
_MONTH = rf"(?P<month>{'|'.join(sorted(_MONTHS, key=len, reverse=True))})\.?"
_DAY = r"(?P<day>[0-3]?[0-9]) ?(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>[0-9]{4})"
_WEEKDAY = r"(?:(?P<weekday>mon|tues|wednes|thurs|fri|satur|sun)day ?,? )?"
_DATES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_WEEKDAY}(?:the )?{_DAY}(?: of)? {_MONTH}(?: ?,? ?{_YEAR})?",
        rf"{_WEEKDAY}{_MONTH} ?(?:the )?{_DAY}(?: ?,? ?{_YEAR})?",
        rf"{_MONTH} ?,? ?{_YEAR}",
        rf"{_YEAR} ?[-/.] ?(?P<month>[01]?[0-9]) ?[-/.] ?(?P<day>[0-3]?[0-9])",
        rf"{_YEAR} ?年 ?(?P<month>[01]?[0-9]) ?月(?: ?(?P<day>[0-3]?[0-9]) ?[日号])?",
    )
)
_NUMERIC = re.compile(rf"(?P<one>[0-3]?[0-9]) ?[-/.] ?(?P<two>[0-3]?[0-9]) ?[-/.] ?{_YEAR}")
_LAST_MONTH, _LAST_DAY = 12, 31
_MAY_BE = re.compile(
    r"[:年月]|[0-9]{4}|[apAP]\.? ?[mM]|noon|midnight|clock|night|[A-Za-z]{3}.*[0-9]|[0-9].*[A-Za-z]{3}"
)


@dataclass(frozen=True, slots=True)
class Instant:
    """`value`: seconds of the day, or the parts of a date. `is_sure`: it can be nothing else, such as a ratio.

    `says_half`: it names the half of the day. `hour`: the number alone of `9 PM`, else "".
    """

    value: tuple[object, ...]
    is_sure: bool
    says_half: bool = False
    hour: str = ""
    weekday: str = ""


@lru_cache(maxsize=1024)
def read_instant(text: str) -> Instant | None:
    """The time of day or date that a normalised text is, or may be."""
    if len(text) > _MAX_CHARS or not _MAY_BE.search(text):
        return None
    plain = flat(text).casefold()
    return _time(plain) or _date(plain)


def is_time(text: str) -> bool:
    """`9:45 PM`, which is no ratio."""
    instant = read_instant(text) if text[-1].isalpha() or text[-1] == "}" else None
    return instant is not None and instant.says_half


def instant_matches(ground_truth: Instant | None, answer: str) -> bool | None:
    """None where one of both is no instant, or neither surely is one."""
    if ground_truth is None:
        return None
    given = read_instant(answer)
    if given is None:
        if ground_truth.hour and ground_truth.hour == answer:  # 9 for 9 PM
            return True
        return False if ground_truth.says_half or ground_truth.value[0] != "time" else None
    if not (ground_truth.is_sure or given.is_sure):
        return None
    weekdays = {ground_truth.weekday, given.weekday} - {""}
    return ground_truth.value == given.value and len(weekdays) < 2


def _time(text: str) -> Instant | None:
    if text in _NAMED:
        return Instant(("time", _NAMED[text] * 3600), is_sure=True, says_half=True)
    match = _TIME.fullmatch(text)
    if match is None or (match["minute"] is None and match["half"] is None):
        return None
    half = re.sub(r"[. '’]", "", match["half"]) if match["half"] else ""
    half = match["half"] if half not in {"am", "pm", "oclock"} and match["half"] else half
    hour = _hour(int(match["hour"]), half)
    if hour is None or (match["minute"] is None and int(match["hour"]) > _NOON):
        return None
    seconds = hour % 24 * 3600 + int(match["minute"] or 0) * 60 + int(match["second"] or 0)
    has_zero = re.search(r"(?<![0-9])0[0-9]", text) is not None
    alone = match["hour"] if match["minute"] is None else ""
    return Instant(("time", seconds), bool(half) or has_zero, bool(half), alone)


def _hour(hour: int, half: str) -> int | None:
    """On 24 hours; None where there is no such hour."""
    if half in {"", "oclock"}:
        return hour if hour <= _LAST_HOUR else None
    if half in _NAMED:
        return _NAMED[half] if hour == 12 else None
    if half == "at night":
        half = "pm" if _EVENING <= hour < 12 else "am"
    if half in _AFTERNOON:
        return hour % 12 + 12 if 1 <= hour <= 12 else hour if 12 < hour < _LAST_HOUR else None
    return hour % 12 if 1 <= hour <= 12 else None


def _date(text: str) -> Instant | None:
    for pattern in _DATES:
        if match := pattern.fullmatch(text):
            return _dated(match)
    if match := _NUMERIC.fullmatch(text):
        return _numeric(int(match["one"]), int(match["two"]), int(match["year"]))
    return None


def _dated(match: re.Match[str]) -> Instant | None:
    found = match.groupdict()
    month = _MONTHS.get(found["month"]) or int(found["month"])
    day = int(found.get("day") or 0)
    if not (1 <= month <= _LAST_MONTH and day <= _LAST_DAY) or (found.get("day") and not day):
        return None
    year = int(found["year"]) if found.get("year") else 0
    return Instant(("date", year, month, day), is_sure=True, weekday=found.get("weekday") or "")


def _numeric(one: int, two: int, year: int) -> Instant | None:
    """`3/15/2020`: which is the month shows where only one can be; else both numbers stay as they are."""
    if not (0 < one <= _LAST_DAY and 0 < two <= _LAST_DAY and min(one, two) <= _LAST_MONTH):
        return None
    if one == two or max(one, two) > _LAST_MONTH:
        return Instant(("date", year, min(one, two), max(one, two)), is_sure=True)
    return Instant(("numbers", one, two, year), is_sure=True)
