from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st

from reward_server.reward_model.engine import Group
from reward_server.reward_model.local.packed_sequence import Layout, PackedSequence, layout, sequences
from reward_server.reward_model.local.packing import packs

lengths = st.lists(st.tuples(st.integers(0, 9), st.lists(st.integers(1, 30), min_size=1, max_size=6)), max_size=6)


def made(shapes: list[tuple[int, list[int]]], max_tokens: int) -> list[PackedSequence]:
    """Prompts of 1, 2, …; completions of 100, 101, …, so that every segment is known by its tokens."""
    groups = [
        Group(array("i", [g + 1] * p), [array("i", [100 + 10 * g + c] * n) for c, n in enumerate(completions)])
        for g, (p, completions) in enumerate(shapes)
    ]
    return sequences(packs(groups, "deterministic", 0, 0), max_tokens)


def segments(found: Layout) -> list[tuple[list[int], list[int]]]:
    """Of each segment the places of its queries, and those of its keys."""
    queries, keys = found.query_ends, found.key_ends
    return [
        (list(range(queries[s], queries[s + 1])), list(found.keys[keys[s] : keys[s + 1]]))
        for s in range(len(queries) - 1)
    ]


def test_a_prompt_stands_once_before_its_completions_which_read_it_and_themselves() -> None:
    (sequence,) = made([(2, [1, 3]), (1, [2])], 20)
    found = layout(sequence, 12)
    assert list(found.ids) == [1, 1, 100, 101, 101, 101, 2, 110, 110, 0, 0, 0]
    assert list(found.positions) == [0, 1, 2, 2, 3, 4, 0, 1, 2, 0, 1, 2]
    assert segments(found) == [
        ([0, 1], [0, 1]),
        ([2], [0, 1, 2]),
        ([3, 4, 5], [0, 1, 3, 4, 5]),
        ([6], [6]),
        ([7, 8], [6, 7, 8]),
        ([9, 10, 11], [9, 10, 11]),
    ]
    assert found.last == [2, 5, 8]
    assert sequence.tokens == 9


def test_without_a_prompt_and_without_padding_there_is_no_empty_segment() -> None:
    (sequence,) = made([(0, [2, 1])], 3)
    assert segments(layout(sequence, 3)) == [([0, 1], [0, 1]), ([2], [2])]


def test_a_completion_goes_into_the_first_sequence_that_has_room_and_takes_its_prompt_along() -> None:
    found = made([(4, [5, 6]), (1, [2])], 10)
    shapes = [[(len(pack.prompt), [len(row.ids) for row in pack.rows]) for pack in one.packs] for one in found]
    assert shapes == [[(4, [5])], [(4, [6])], [(1, [2])]]
    assert [one.tokens for one in made([(4, [3, 6, 3]), (1, [2])], 10)] == [10, 10, 3]


def test_a_long_prompt_is_not_copied_for_thousands_of_short_completions_at_once() -> None:
    found = made([(90, [1] * 10)], 100)  # 91 keys each, and 800 are the most
    assert [len(one.rows) for one in found] == [8, 2]


def test_singles_are_every_text_in_a_sequence_of_its_own() -> None:
    (sequence,) = made([(2, [1, 3]), (1, [2])], 20)
    assert [list(layout(one, one.tokens).ids) for one in sequence.singles()] == [
        [1, 1, 100],
        [1, 1, 101, 101, 101],
        [2, 110, 110],
    ]


@given(lengths, st.integers(39, 100))
def test_every_completion_is_in_one_sequence_and_reads_its_own_text(
    shapes: list[tuple[int, list[int]]], max_tokens: int
) -> None:
    seen = []
    for sequence in made(shapes, max_tokens):
        assert sequence.tokens <= max_tokens
        found = layout(sequence, max_tokens)
        assert len(found.ids) == len(found.positions) == found.query_ends[-1] == max_tokens
        assert found.key_ends[-1] == len(found.keys)
        by_end = {queries[-1]: keys for queries, keys in segments(found)}
        for row, last in zip(sequence.rows, found.last, strict=True):
            p, c = shapes[row.group][0], len(row.ids)
            keys = by_end[last]
            assert [found.ids[k] for k in keys] == [row.group + 1] * p + [100 + 10 * row.group + row.completion] * c
            assert [found.positions[k] for k in keys] == list(range(p + c))
            seen.append((row.group, row.completion))
    assert sorted(seen) == [(g, c) for g, (_, completions) in enumerate(shapes) for c in range(len(completions))]
