from __future__ import annotations

import random
import time

from hypothesis import given
from hypothesis import strategies as st
from waiting_samples import waiting

from reward_server.reward_model.local.schedule import next_batch
from reward_server.reward_model.local.waiting import WaitingPrompt


def chosen(*prompts: WaitingPrompt, now: float = 0.0, max_tokens: int = 100) -> list[tuple[int, list[int]]]:
    batch = next_batch(prompts, now, max_tokens=max_tokens, max_age_s=5.0)
    return [(len(prompt.prompt), [len(sample.completion) for sample in samples]) for prompt, samples in batch.parts]


def test_samples_of_one_prompt_go_together_longest_first() -> None:
    assert chosen(waiting(10, 5, 20, 8)) == [(10, [20, 8, 5])]


def test_the_longest_text_leads_and_others_fill_the_budget() -> None:
    # 30 + 20 of 100, then 10 + 15, then 5 + 10 (of 25 left)
    assert chosen(waiting(10, 15), waiting(30, 20), waiting(5, 10)) == [(30, [20]), (10, [15]), (5, [10])]


def test_a_prompt_counts_once_and_a_group_is_cut_at_the_budget() -> None:
    assert chosen(waiting(40, 30, 30, 20)) == [(40, [30, 30])]  # 40 + 30 + 30 = 100


def test_a_text_beyond_the_budget_runs_alone() -> None:
    assert chosen(waiting(10, 500), waiting(5, 5)) == [(10, [500])]


def test_who_waited_too_long_leads() -> None:
    old, new = waiting(1, 2, arrived=0.0), waiting(50, 50, arrived=5.5)
    assert chosen(old, new, now=5.0) == [(50, [50])]
    assert chosen(old, new, now=5.1) == [(1, [2])]  # and 50 + 50 no longer fit


def lead_after(last: WaitingPrompt, *others: WaitingPrompt, now: float = 100.0) -> WaitingPrompt:
    batch = next_batch([last, *others], now, max_tokens=100, max_age_s=5.0, last_lead=last)
    return batch.parts[0][0]


def test_a_group_that_needs_several_batches_has_them_in_a_row() -> None:
    last, longer, older = waiting(10, 60), waiting(10, 70, arrived=1.0), waiting(1, 2, arrived=-5.0)
    assert lead_after(last, longer, now=1.0) is last
    assert lead_after(last, longer, older) is last  # within 5 s of it
    last.remove(last.samples)
    batch = next_batch([longer], 1.0, max_tokens=100, max_age_s=5.0, last_lead=last)
    assert batch.parts[0][0] is longer


def test_who_came_too_long_before_the_lead_takes_its_place() -> None:
    last, older = waiting(10, 60), waiting(1, 2, arrived=-5.1)
    assert lead_after(last, older) is older


def test_the_prompts_of_groups_that_need_several_batches_are_computed_once() -> None:
    groups = [waiting(10, *([40] * 8), arrived=n / 10) for n in range(6)]
    leads: list[WaitingPrompt] = []
    while left := [group for group in groups if group.samples]:
        batch = next_batch(left, 1.0, max_tokens=100, max_age_s=5.0, last_lead=leads[-1] if leads else None)
        for prompt, samples in batch.parts:
            prompt.remove(samples)
        leads.append(batch.parts[0][0])
    changes = sum(a is not b for a, b in zip(leads, leads[1:], strict=False))
    assert (len(leads), changes) == (24, 5)  # two of eight in a batch of 100: 10 + 40 + 40


@given(st.lists(st.sampled_from([7, 30, 90]), min_size=1, max_size=3), st.integers(0, 2))
def test_nobody_is_held_back_by_longer_samples_that_keep_coming(lengths: list[int], own: int) -> None:
    """Every second a sample comes for each of three prompts, and one batch is computed; the first must not stay."""
    groups = [waiting(10, 95), waiting(10, 95), waiting(10, 95)]
    (subject,) = waiting(10, 6).samples
    groups[own].add(subject)
    last: WaitingPrompt | None = None
    for second in range(60):
        batch = next_batch(groups, float(second), max_tokens=100, max_age_s=5.0, last_lead=last)
        last = batch.parts[0][0]
        for prompt, samples in batch.parts:
            prompt.remove(samples)
            if subject in samples:
                return
        for group in groups:
            for length in lengths:
                group.add(*waiting(10, length, arrived=float(second)).samples)
    raise AssertionError("it still waits after a minute")


def test_short_texts_wait_no_longer_than_the_queue_is_where_longer_ones_keep_coming() -> None:
    """400 callers, each of whom asks again at once. Batches of 100 tokens, 10 a second: a queue of 400 x 25 is 10 s."""
    lengths = random.Random(0)
    prompts = [waiting(1, lengths.randrange(1, 50)) for _ in range(400)]
    last, waits = None, []
    for n in range(1000):
        now = n / 10
        batch = next_batch(prompts, now, max_tokens=100, max_age_s=5.0, last_lead=last)
        last = batch.parts[0][0]
        for prompt, samples in batch.parts:
            waits.append(now - prompt.arrived)
            prompt.remove(samples)
            prompts.remove(prompt)
            prompts.append(waiting(1, lengths.randrange(1, 50), arrived=now))
    assert max(waits) < 20  # 34 s where longer ones go first


def test_who_waited_too_long_has_company_of_its_own_mode() -> None:
    others = [waiting(1, 9, mode="throughput", arrived=n / 100) for n in range(100)]
    batch = next_batch(
        [waiting(1, 9, arrived=-1.0), *others, waiting(1, 9, arrived=2.0)], 9.0, max_tokens=100, max_age_s=5.0
    )
    assert [prompt.arrived for prompt, _ in batch.parts] == [-1.0, 2.0]


def test_a_batch_has_one_mode() -> None:
    batch = next_batch(
        [waiting(1, 9), waiting(2, 3, mode="throughput"), waiting(1, 1)], 0.0, max_tokens=100, max_age_s=5.0
    )
    assert batch.mode == "deterministic"
    assert [prompt.mode for prompt, _ in batch.parts] == ["deterministic", "deterministic"]


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.lists(st.integers(1, 60), min_size=1, max_size=5)), min_size=1, max_size=8
    )
)
def test_a_batch_is_never_empty_and_fits_unless_it_is_one_sample(shapes: list[tuple[int, list[int]]]) -> None:
    parts = chosen(*(waiting(prompt, *lengths) for prompt, lengths in shapes))
    tokens = sum(prompt + sum(lengths) for prompt, lengths in parts)
    assert parts
    assert tokens <= 100 or [len(lengths) for _, lengths in parts] == [1]


def test_a_long_queue_is_decided_in_milliseconds() -> None:
    prompts = [waiting(n % 90, n % 70 + 1, arrived=float(n)) for n in range(16_384)]
    started = time.process_time()
    next_batch(prompts, 0.0, max_tokens=8192, max_age_s=5.0)
    assert time.process_time() - started < 0.25  # about 0.02 alone on a core
