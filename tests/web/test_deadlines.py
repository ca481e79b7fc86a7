"""One timer serves all, in the order in which they began."""

from __future__ import annotations

import asyncio
from time import monotonic

from reward_server.web.deadlines import Deadlines


async def ended(late: list[str], number: int) -> None:
    while len(late) < number:
        await asyncio.sleep(0.001)  # until the loop's timer has come


def test_what_is_taken_back_never_ends_and_the_rest_end_in_order_not_before_their_time() -> None:
    late: list[str] = []
    ends: list[float] = []

    def too_late(name: str) -> None:
        late.append(name)
        ends.append(monotonic())

    async def scenario() -> None:
        deadlines = Deadlines(0.05, too_late)
        began = [monotonic()] * 2
        deadlines.add("first")
        deadlines.add("second")
        deadlines.add("taken back")
        deadlines.discard("taken back")
        deadlines.discard("never begun")
        assert "first" in deadlines and "taken back" not in deadlines
        await asyncio.sleep(0.02)
        began.append(monotonic())
        deadlines.add("third")
        await ended(late, 3)
        assert all(end - begin > 0.049 for begin, end in zip(began, ends, strict=True))
        deadlines.add("a timer again, after none was left")
        await ended(late, 4)

    asyncio.run(scenario())
    assert late == ["first", "second", "third", "a timer again, after none was left"]


def test_who_begins_again_has_all_of_the_time_again() -> None:
    late: list[str] = []

    async def scenario() -> None:
        deadlines = Deadlines(0.05, late.append)
        for name in ("again", "once"):
            deadlines.add(name)
        deadlines.add("again")
        await ended(late, 2)

    asyncio.run(scenario())
    assert late == ["once", "again"]
