from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from linear import assert_linear

from reward_server.grading.places import Place, finder

PLACES: list[Place] = ["box", "tags", "hash", "auto", "turn"]


@pytest.mark.parametrize(
    ("place", "text", "answer"),
    [
        ("tags", "<answer>4</answer>", "4"),
        ("tags", "<answer>\n 4 \n</answer> bye", "4"),
        ("tags", "<answer>3</answer> no: <answer>4</answer>", "4"),
        ("tags", "<answer>\\boxed{4}</answer>", "4"),
        ("tags", "<answer> \\fbox {\\frac{1}{2}} </answer>", "\\frac{1}{2}"),
        ("tags", "<answer>\\boxed{3} or \\boxed{4}</answer>", "\\boxed{3} or \\boxed{4}"),
        ("tags", "<answer>x = \\boxed{4}</answer>", "x = \\boxed{4}"),
        ("tags", "<answer>3</answer> <answer>4", "3"),  # an opened one does not count, as if it were cut away
        ("tags", "<answer>2 <answer>4</answer>", "4"),
        ("tags", "<answer></answer>", ""),
        ("tags", "</answer><answer>", None),
        ("tags", "4</answer>", None),
        ("tags", "\\boxed{4}", None),
        ("hash", "2 + 2 = 4\n#### 4", "4"),
        ("hash", "#### 4\nbye", "4"),
        ("hash", "#### 3\n#### 4", "4"),
        ("hash", "####4", "4"),
        ("hash", "so #### 4", None),
        ("hash", "##### 4", None),
        ("hash", "#### 3\n##### 4", "3"),
        ("hash", "#### 4\n###", "4"),
        ("hash", "####", ""),
        ("auto", "\\boxed{1} <answer>2</answer>\n#### 3", "1"),
        ("auto", "<answer>2</answer>\n#### 3", "2"),
        ("auto", "\n#### 3", "3"),
        ("auto", "it is 4", None),
        ("auto", "\\boxed{4", None),
        ("turn", " 4 \n", "4"),
        ("turn", "", ""),
        ("box", "<answer>4</answer>", None),
    ],
)
def test_the_answer_is_found_where_it_is_said_to_stand_and_nowhere_else(
    place: Place, text: str, answer: str | None
) -> None:
    found = finder(place)(text)
    assert (found and found.text) == answer


@given(st.sampled_from(PLACES), st.text(alphabet="<answer>/\\boxed{}# \n4"))
def test_a_span_is_that_of_its_text(place: Place, text: str) -> None:
    found = finder(place)(text)
    assert found is None or text[found.start : found.end] == found.text


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("piece", ["#", "\n##### ", "x####", "<answer>", "</answer>", "\\boxed{", "<answer>\\boxed{4}"])
def test_any_text_is_searched_in_linear_time(place: Place, piece: str) -> None:
    find = finder(place)
    assert_linear(lambda size: find(piece * (size // len(piece))), 200_000)
