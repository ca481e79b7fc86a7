from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_server.reward_model.answer_format import AnswerFormat, answer_in


@pytest.mark.parametrize(
    "turn",
    [
        "I add.</think><answer>4</answer>",  # the prompt has opened it
        "<think>I add.</think> <answer>\n4\n</answer>\n",
        "\n<think></think> so: <answer>4</answer>  ",
    ],
)
def test_tags_holds(turn: str) -> None:
    assert answer_in(turn, "tags") == "4"


@pytest.mark.parametrize(
    "turn",
    [
        "",
        "4",
        "<answer>4</answer>",
        "<think>I add.</think>4",
        "<think>I add.</think><answer>4",
        "<think>I add.</think>4</answer>",
        "<think><think>I add.</think><answer>4</answer>",
        "<think>I add.</think></think><answer>4</answer>",
        "<think>I add.</think><think><answer>4</answer>",
        "<think>I add.</think><answer>4</answer><answer>5</answer>",
        "<think>I add.</think><answer>4<answer>5</answer>",
        "<think>I add.</think><answer>4</answer>5</answer>",
        "<think>I add.</think></answer><answer>4</answer>",
        "<think>I add.</think><answer>4</answer> and more",
        "<think>I <answer>5</answer> add.</think><answer>4</answer>",
        "<answer>4</answer></think>",
        "I add.</think><answer> \n </answer>",
        "I add.</think><Answer>4</Answer>",
    ],
)
def test_tags_fails(turn: str) -> None:
    assert answer_in(turn, "tags") is None


@pytest.mark.parametrize(
    ("turn", "answer"),
    [
        ("<think>I add.</think>\n\nIt is 4.", "It is 4."),
        ("I add.</think>It is 4.", "It is 4."),
        ("It is 4.", None),
        ("<think>I add.", None),
        ("<think>I add.</think>", None),
        ("a</think>b</think>c", None),
        ("a</think>b<think>c", None),
        ("<think>a</think><answer>4</answer>", "<answer>4</answer>"),
    ],
)
def test_think(turn: str, answer: str | None) -> None:
    assert answer_in(turn, "think") == answer


def test_plain_is_all_of_it_unless_empty() -> None:
    assert answer_in(" <think>4 ", "plain") == "<think>4"
    assert answer_in(" \n", "plain") is None


@given(
    st.lists(st.sampled_from(["<think>", "</think>", "<answer>", "</answer>", "x", " "]), max_size=9).map("".join),
    st.sampled_from(["tags", "think", "plain"]),
)
def test_an_answer_is_a_part_of_the_turn_without_the_tags_of_its_format(turn: str, form: AnswerFormat) -> None:
    answer = answer_in(turn, form)
    if answer is not None:
        assert answer in turn
        assert answer == answer.strip() != ""
    if answer is not None and form != "plain":
        assert "</think>" not in answer
        assert form == "think" or "answer>" not in answer
