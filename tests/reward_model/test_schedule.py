from __future__ import annotations

import asyncio
import time
from array import array

from hypothesis import given
from hypothesis import strategies as st

from reward_server.workers.engine import EngineUnavailable, Mode, Result
from reward_server.workers.schedule import Waiting, WaitingPrompt, WaitingQueue, is_dropped, next_batch

LOOP = asyncio.new_event_loop()
LOOP.close()  # a future needs one; nothing here runs on it


def waiting(prompt: int, *lengths: int, arrived: float = 0.0, mode: Mode = "deterministic") -> WaitingPrompt:
    """A prompt of `prompt` tokens with samples of these lengths."""
    future: asyncio.Future[Result | EngineUnavailable] = asyncio.Future(loop=LOOP)
    samples = [Waiting(b"", array("i", [0] * length), arrived, future) for length in lengths]
    made = WaitingPrompt(mode, array("i", [0] * prompt))
    for sample in samples:
        made.add(sample)
    return made


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


def test_a_batch_has_one_mode() -> None:
    batch = next_batch(
        [waiting(1, 9), waiting(2, 3, mode="throughput"), waiting(1, 1)], 0.0, max_tokens=100, max_age_s=5.0
    )
    assert batch.mode == "deterministic"
    assert [prompt.mode for prompt, _ in batch.parts] == ["deterministic", "deterministic"]


def test_work_of_a_caller_that_left_is_kept_for_the_grace() -> None:
    (sample,) = waiting(1, 1).samples
    assert not is_dropped(sample, now=100.0, grace_s=5.0)
    sample.abandoned = 10.0
    assert not is_dropped(sample, now=15.0, grace_s=5.0)
    assert is_dropped(sample, now=15.1, grace_s=5.0)


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


def test_a_prompt_forgets_the_length_of_what_was_taken() -> None:
    prompt = waiting(3, 1, 9, 4)
    assert prompt.longest == 12
    prompt.remove([prompt.samples[1]])
    assert prompt.longest == 7


def test_the_queue_counts_a_prompt_once_and_forgets_it_with_its_last_sample() -> None:
    queue = WaitingQueue()
    prompt = array("i", [0] * 10)
    first, second = waiting(0, 5, 6).samples
    queue.add(prompt, first, "deterministic")
    queue.add(prompt, second, "deterministic")
    (group,) = queue.prompts
    assert queue.tokens == 10 + 5 + 6
    queue.remove(group, [first])
    assert queue.tokens == 10 + 6
    queue.remove(group, [second])
    assert (queue.tokens, bool(queue)) == (0, False)
