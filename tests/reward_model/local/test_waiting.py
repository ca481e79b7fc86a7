"""What waits, by prompt: counted once, and gone when nobody waits for it."""

from __future__ import annotations

from array import array

from waiting_samples import waiting

from reward_server.reward_model.local.waiting import WaitingQueue


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


def test_what_everybody_left_is_dropped_in_one_pass() -> None:
    queue = WaitingQueue()
    samples = waiting(0, *range(1, 5)).samples
    for n, sample in enumerate(samples):
        queue.add(array("i", [0] * (n // 2 + 1)), sample, "deterministic")
    for sample in samples[1:]:
        sample.left_at = 0.0
    assert queue.drop_abandoned(5.0) == []
    assert queue.drop_abandoned(5.1) == samples[1:]
    assert ([prompt.samples for prompt in queue.prompts], queue.tokens) == ([samples[:1]], 1 + 1)
