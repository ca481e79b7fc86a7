from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st

from reward_server.reward_model.engine import Group, Mode
from reward_server.reward_model.local.packing import packs

lengths = st.lists(st.tuples(st.integers(0, 9), st.lists(st.integers(1, 30), min_size=1, max_size=6)), max_size=6)


def group(prompt: int, *completions: int) -> Group:
    return Group(array("i", [0] * prompt), [array("i", [1] * length) for length in completions])


def shapes(groups: list[Group], mode: Mode, max_tokens: int, max_cached: int = 1000) -> list[tuple[int, list[int]]]:
    made = packs(groups, mode, max_tokens, max_cached)
    return [(len(pack.prompt), [len(row.ids) for row in pack.rows]) for pack in made]


def test_deterministic_runs_every_completion_alone_after_its_prompt() -> None:
    assert shapes([group(5, 2, 9), group(4, 3)], "deterministic", 100) == [(5, [2]), (5, [9]), (4, [3])]


def test_throughput_packs_the_completions_of_a_prompt_longest_first_within_the_budget() -> None:
    # 9 x 2 = 18 fits into 20, 9 x 3 = 27 does not; then 4 x 2 = 8
    assert shapes([group(5, 2, 9, 8, 4)], "throughput", 20) == [(5, [9, 8]), (5, [4, 2])]


def test_throughput_packs_lone_samples_as_whole_texts() -> None:
    assert shapes([group(5, 2), group(1, 3), group(2, 1, 1)], "throughput", 20) == [(2, [1, 1]), (0, [7, 4])]


def test_a_row_longer_than_the_budget_has_a_pack_of_its_own() -> None:
    assert shapes([group(1, 50, 3, 3)], "throughput", 20) == [(1, [50]), (1, [3, 3])]


def test_the_copies_of_a_prompt_count() -> None:
    # 3 x (40 + 4) = 132 fits into 150, 4 x 44 does not; then 1 x (40 + 1)
    assert shapes([group(40, 4, 4, 3, 1)], "throughput", 100, 150) == [(40, [4, 4, 3]), (40, [1])]
    assert shapes([group(40, 4, 4, 3, 1)], "deterministic", 100, 1) == [(40, [n]) for n in (4, 4, 3, 1)]
    # 64 short completions of a prompt of 4,000 tokens, with the budgets of the engine: 8 x 4,050 of 32,768
    made = shapes([group(4000, *([50] * 64))], "throughput", 16_384, 32_768)
    assert made == [(4000, [50] * 8)] * 8


@given(lengths, st.sampled_from(["deterministic", "throughput"]), st.integers(1, 60), st.integers(1, 90))
def test_every_completion_is_in_one_pack_and_budgets_hold(
    sizes: list[tuple[int, list[int]]], mode: Mode, budget: int, cached: int
) -> None:
    groups = [group(prompt, *completions) for prompt, completions in sizes]
    made = packs(groups, mode, budget, cached)
    places = [(row.group, row.completion) for pack in made for row in pack.rows]
    assert sorted(places) == [(g, c) for g, (_, completions) in enumerate(sizes) for c in range(len(completions))]
    for pack in made:
        texts = {bytes(pack.prompt + row.ids) for row in pack.rows}
        assert texts == {bytes(groups[r.group].prompt + groups[r.group].completions[r.completion]) for r in pack.rows}
        rows, longest = len(pack.rows), len(pack.rows[0].ids)
        assert rows == 1 or (rows * longest <= budget and rows * (len(pack.prompt) + longest) <= cached)
        assert [len(row.ids) for row in pack.rows] == sorted((len(row.ids) for row in pack.rows), reverse=True)
