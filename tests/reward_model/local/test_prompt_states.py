from __future__ import annotations

from array import array

from reward_server.reward_model.local.prompt_states import PromptStates


def ids(*tokens: int) -> array[int]:
    return array("i", tokens)


def test_the_prompt_used_longest_ago_goes_first() -> None:
    states: PromptStates[str] = PromptStates(max_tokens=4)
    states.put(ids(1, 2), "a")
    states.put(ids(3, 4), "b")
    assert states.get(ids(1, 2)) == "a"
    states.put(ids(5), "c")  # 2 + 2 + 1 tokens: the least recently used, b, goes
    assert [states.get(prompt) for prompt in (ids(1, 2), ids(3, 4), ids(5))] == ["a", None, "c"]


def test_the_empty_prompt_and_one_beyond_the_limit_are_not_kept() -> None:
    states: PromptStates[str] = PromptStates(max_tokens=2)
    states.put(ids(), "empty")
    states.put(ids(1, 2, 3), "long")
    assert states.get(ids()) is None
    assert states.get(ids(1, 2, 3)) is None


def test_clear_forgets_all_and_frees_the_room() -> None:
    states: PromptStates[str] = PromptStates(max_tokens=2)
    states.put(ids(1, 2), "a")
    states.clear()
    assert states.get(ids(1, 2)) is None
    states.put(ids(3, 4), "b")
    assert states.get(ids(3, 4)) == "b"
