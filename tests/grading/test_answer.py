"""Extraction: the last balanced box of a completion."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from linear import assert_linear

from reward_server.grading.answer import last_box


@pytest.mark.parametrize(
    ("completion", "content"),
    [
        (r"so \boxed{17}", "17"),
        (r"so \fbox{17}", "17"),
        (r"so \boxed {17}", "17"),
        ("so \\boxed\n {17}", "17"),
        (r"first \boxed{1}, then \boxed{2}.", "2"),
        (r"first \boxed{1}, then \fbox{2}.", "2"),
        (r"\boxed{\sqrt{\frac{1}{x^{2}}}}", r"\sqrt{\frac{1}{x^{2}}}"),
        (r"\boxed{\boxed{17}}", "17"),
        (r"\boxed{ \fbox{ \boxed{17} } }", "17"),
        (r"\\boxed{17}", "17"),  # a doubled backslash
        (r"x\\\boxed{17}", "17"),  # a line break, then a box
        (r"\boxed{}", ""),
        (r"\boxed{  }", "  "),
    ],
)
def test_the_last_box_is_found_with_its_span(completion: str, content: str) -> None:
    answer = last_box(completion)
    assert answer is not None
    assert answer.text == content
    assert completion[answer.start : answer.end] == content


@pytest.mark.parametrize(
    "completion",
    ["", "17", "$17$", r"\boxed", r"\boxed 17", r"\boxed{17", r"\boxedx{17}", "\boxed{17}", r"\boxed{17\}", "}"],
)
def test_without_a_balanced_box_there_is_no_answer(completion: str) -> None:
    assert last_box(completion) is None


@pytest.mark.parametrize(
    ("completion", "content"),
    [
        (r"\boxed{\{1,2\}}", r"\{1,2\}"),
        (r"\boxed{\{}", r"\{"),
        (r"\boxed{a\\{b}}", r"a\\{b}"),  # a line break, then a real brace
        (r"\boxed{a\\\}b}", r"a\\\}b"),
    ],
)
def test_escaped_braces_do_not_count(completion: str, content: str) -> None:
    answer = last_box(completion)
    assert answer is not None
    assert answer.text == content


@pytest.mark.parametrize(
    ("completion", "content"),
    [(r"\boxed{1} and \boxed{2", "1"), (r"put it in \boxed{ so: \boxed{2}", "2"), (r"\boxed{1}}} {", "1")],
)
def test_an_unclosed_box_is_no_box(completion: str, content: str) -> None:
    answer = last_box(completion)
    assert answer is not None
    assert answer.text == content


@pytest.mark.parametrize("around", ["\x00", "\ud800", "数学 ", "\r\n", "{", "}", "\\"])
def test_any_text_may_stand_around_the_box(around: str) -> None:
    answer = last_box(around + " \\boxed{答\x00} " + around)
    assert answer is not None
    assert answer.text == "答\x00"


@given(st.text(alphabet="\\{}boxedf ", max_size=200))
def test_any_text_gives_a_balanced_span_or_nothing(text: str) -> None:
    answer = last_box(text)
    assert answer is None or text[answer.start : answer.end] == answer.text


def test_a_box_with_more_than_a_box_keeps_all_of_it() -> None:
    """Else a hedge could hide the value it does not believe in."""
    answer = last_box(r"\boxed{41 \text{ or } \boxed{42}}")
    assert answer is not None
    assert answer.text == r"41 \text{ or } \boxed{42}"


@pytest.mark.parametrize("piece", ["\\boxed{", "{", "}", "\\", "\\boxed{}", "\\boxed ", "\\boxed{{}"])
def test_time_is_linear_in_the_text(piece: str) -> None:
    def read(size: int) -> None:
        text = piece * (size // len(piece))
        last_box(text)
        last_box(text + "}" * text.count("{"))

    assert_linear(read, 300_000)


def test_a_million_boxes_are_no_memory() -> None:
    text = "\\boxed{4}" * 200_000
    tracemalloc.start()
    answer = last_box(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert answer is not None and answer.text == "4" and answer.row is None
    assert peak < len(text)
