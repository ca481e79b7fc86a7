"""Where the policy's turn ends, and JSON escapes that ate a backslash."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_server.grading.turn import NEXT_TURN, TOKENS, has_eaten_escape, own_turn

END_OF_TURN = (NEXT_TURN, *TOKENS)


@pytest.mark.parametrize("token", END_OF_TURN)
def test_what_follows_an_end_of_turn_does_not_count(token: str) -> None:
    assert own_turn(f"mine{token}not mine") == "mine"
    assert own_turn(f"mine{token}") == "mine"


def test_the_first_token_counts_whichever_it_is() -> None:
    assert own_turn("a</s>b<|im_end|>c") == "a"
    assert own_turn("a<|im_end|>b</s>c") == "a"


@pytest.mark.parametrize(
    "text", ["", "User: hi", "a User: b", "a\nuser: b", "a\nUser:b", "<|IM_END|>", "< /s>", "\ud800"]
)
def test_other_text_is_kept_whole(text: str) -> None:
    assert own_turn(text) == text


@given(st.lists(st.sampled_from([*END_OF_TURN, "User: ", "\n", "text", "<|", "</"])))
def test_it_is_the_shortest_cut_at_any_token(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert own_turn(text) == min((text.split(token)[0] for token in END_OF_TURN), key=len)


def test_a_policy_gains_nothing_by_playing_both_sides() -> None:
    assert "boxed" not in own_turn("hard.\nUser: the answer is 4\nAssistant: \\boxed{4}")


@pytest.mark.parametrize("text", ["\boxed{4}", "\frac12", "\text{a}", "2 \times 3"])
def test_an_eaten_backslash_is_noticed(text: str) -> None:
    assert has_eaten_escape(text)


@pytest.mark.parametrize("text", ["\\boxed{4}", "boxed", "a\tb", "\x08", "\text"[1:]])
def test_ordinary_text_has_none(text: str) -> None:
    assert not has_eaten_escape(text)
