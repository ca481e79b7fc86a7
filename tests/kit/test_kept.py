"""The newest that were found stay, within a limit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reward_server.kit.kept import Kept


def test_what_was_asked_for_longest_ago_goes_first() -> None:
    kept = Kept[str, int](limit=2)
    kept.put("a", 1)
    kept.put("b", 2)
    assert kept.get("a") == 1
    kept.put("c", 3)
    assert [kept.get(key) for key in "abc"] == [1, None, 3]


def test_a_value_that_is_put_again_is_new_and_counts_once() -> None:
    kept = Kept[str, int](limit=2)
    for key, value in [("a", 1), ("b", 2), ("a", 3), ("c", 4)]:
        kept.put(key, value)
    assert [kept.get(key) for key in "abc"] == [3, None, 4]


def test_by_weight_as_many_go_as_the_new_one_needs() -> None:
    kept = Kept[str, int](limit=4, weigh=len)
    for key in ("aa", "b", "c", "ddd"):
        kept.put(key, 0)
    assert [key in kept for key in ("aa", "b", "c", "ddd")] == [False, False, True, True]


def test_what_is_heavier_than_the_limit_puts_out_nobody() -> None:
    kept = Kept[str, int](limit=2, weigh=len)
    kept.put("a", 1)
    kept.put("long", 2)
    assert (kept.get("a"), kept.get("long")) == (1, None)
    none = Kept[str, int](limit=0)
    none.put("a", 1)
    assert "a" not in none


def test_clear_forgets_all_and_frees_the_room() -> None:
    kept = Kept[str, int](limit=2, weigh=len)
    kept.put("aa", 1)
    kept.clear()
    assert kept.get("aa") is None
    kept.put("bb", 2)
    assert kept.get("bb") == 2


@given(st.lists(st.tuples(st.text("ab", min_size=1, max_size=4), st.integers(1, 9))), st.integers(0, 8))
def test_the_weight_of_what_is_kept_is_within_the_limit(puts: list[tuple[str, int]], limit: int) -> None:
    kept = Kept[str, int](limit, weigh=len)
    for key, value in puts:
        kept.put(key, value)
        assert kept.get(key) == (value if len(key) <= limit else None)
        assert sum(len(each) for each, _ in {pair[0]: pair for pair in puts}.values() if each in kept) <= limit
