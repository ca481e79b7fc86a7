"""The completion in OpenRLHF's query is found exactly, but for white space at its beginning, or not at all."""

from __future__ import annotations

import string
from collections import Counter
from random import Random
from time import process_time

import pytest
from damaged_prompts import (
    DAMAGES,
    MARKERS,
    TEMPLATES,
    Damage,
    hostile_completion,
    ordinary_completion,
    pads_are_expanded,
    question,
    special_tokens_are_skipped,
    symbols_are_lost_here_and_there,
    the_left_is_cut,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from reward_server.dialects.completion import without_prompt

SURE = [each for each in DAMAGES if each not in (special_tokens_are_skipped, symbols_are_lost_here_and_there)]
"""Damage that real trainers do: at least 95 % of the completions behind it have to be found."""


def packed(text: str) -> str:
    return "".join(text.split())


def is_rewritten(prompt: str, damaged: str, completion: str) -> bool:
    """True where the policy first writes just what the prompt has lost at its end: nobody could tell."""
    whole, lost, written = packed(prompt), packed(damaged), packed(completion)
    ends = (whole[start:] for start in range(len(whole) - len(lost)) if whole.startswith(lost[:8], start))
    if any(len(end) > len(lost) and (lost + written).startswith(end) for end in ends):
        return True
    ending = whole[len(whole.rstrip(string.punctuation)) :]
    return not lost.endswith(ending) and any(written.startswith(ending[n:]) for n in range(len(ending)))


@settings(max_examples=1500, deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from([*TEMPLATES.values()]),
    st.lists(st.sampled_from(DAMAGES), max_size=2, unique=True),
    st.booleans(),
)
def test_what_is_scored_is_the_completion_or_nothing(
    seed: int, template: str, damages: list[Damage], hostile: bool
) -> None:
    random = Random(seed)
    prompt = damaged = template.replace("%s", question(random))
    for damage in damages:
        damaged = damage(damaged, random)
    completion = hostile_completion(prompt, random) if hostile else ordinary_completion(random)
    found = without_prompt(damaged + completion, prompt)
    if damaged == prompt:
        assert found == completion or (
            found is None and completion.startswith(("<image", "<|image", "<|vision", "[IMG"))
        )
    elif found is not None and not is_rewritten(prompt, damaged, completion):
        assert found.lstrip() == completion.lstrip()


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60), st.lists(st.sampled_from(MARKERS) | st.text(max_size=9), max_size=6).map("".join))
def test_behind_an_undamaged_prompt_any_completion_is_found(prompt: str, completion: str) -> None:
    assert without_prompt(prompt + completion, prompt) == completion
    assert without_prompt(prompt + prompt + completion, prompt) == prompt + completion


def test_nearly_all_completions_are_found_behind_ordinary_damage() -> None:
    random = Random(0)
    found: Counter[str] = Counter()
    for _ in range(40):
        for template in TEMPLATES.values():
            prompt = template.replace("%s", question(random))
            for damage in SURE:
                query = damage(prompt, random) + ordinary_completion(random)
                found[damage.__name__] += without_prompt(query, prompt) is not None
    assert {name: share for name, share in found.items() if share < 0.95 * 40 * len(TEMPLATES)} == {}


def test_the_prompt_is_dropped() -> None:
    assert without_prompt("2+2?so 4", "2+2?") == "so 4"
    assert without_prompt("so 4", "") == "so 4"
    assert without_prompt("", "What is 2+2?") == ""


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_a_prompt_that_was_cut_at_the_left_is_dropped(template: str) -> None:
    prompt = template.replace("%s", "a long question: how many are 2 and 2, in a box?")
    for start in (1, prompt.index("long"), prompt.index("box")):
        for completion in ("so \\boxed{4}", prompt, prompt[-9:] + "5"):
            assert without_prompt(prompt[start:] + completion, prompt) in (completion, None)
        assert without_prompt(prompt[start:] + "so \\boxed{4}", prompt) == "so \\boxed{4}"
        # the cut fell inside a character:
        assert without_prompt("\ufffd" + prompt[start:] + "so \\boxed{4}", prompt) == "so \\boxed{4}"


def test_white_space_at_the_border_is_the_prompts_as_far_as_the_prompt_ends_with_it() -> None:
    assert without_prompt("a b c d e:\n\n so", "a  b c d e:\n") == "\n so"
    assert without_prompt("a b c d e: so", "a  b c d e:\n") == " so"
    assert without_prompt("a b c d e:\n so", "a  b c d e:") == "\n so"


@pytest.mark.parametrize(
    ("query", "prompt"),
    [
        ("nothing in common", "What is 2+2?"),
        ("What is 4+4? so 4", "What is 2+2?"),  # a digit is another one
        ("So: what is 2+2? so 4", "What is 2+2?"),  # text before it
        ("aab", "baa"),  # one `a` or two
        ("aaaab", "aaaaaaaaa"),  # four of them, or fewer
        ("<image><image>4", "What is it?<image>"),  # how many are the policy's?
        ("What is it?<image><image>4", "What is it?<image>"),
        ("assistant\nassistant\n4", "user\nHi\nassistant\nHi\nuser\nWhy?\nassistant\n"),  # cut where it repeats itself
        ("user\nhi\nassistant\n<think>\n4", "<|user|>hi<|assistant|>assistant\n<think>"),  # <think> skipped, or not
    ],
)
def test_a_border_that_may_be_in_several_places_is_none(query: str, prompt: str) -> None:
    assert without_prompt(query, prompt) is None


@pytest.mark.parametrize(
    ("query", "prompt"),
    [
        ("\ufffd 1 \ufffd 10 \ufffd. \\boxed{} \ufffd\ufffdNo.", "求 1 到 10 的和. \\boxed{} 里。"),
        ("two 's easy. 3\n<<unk>Assistant<unk>>No.", "What 's two 's easy . 3\n<｜Assistant｜>"),
        (
            "two 's easy. 3\n<<0xEF><0xBD><0x9C>Assistant<0xEF><0xBD><0x9C>>No.",
            "What 's two 's easy . 3\n<｜Assistant｜>",
        ),
        ("two 's easy. 3\n<｜assistant｜>No.", "What 's two 's easy . 3\n<｜Assistant｜>"),
        ("1 + 1 = 2 .\n? 1 + 1 = 2 . 1 + 1 = 2 .\n9", "? 1 + 1 = 2 . 1 + 1 = 2 .\n"),  # cut, and then copied
    ],
)
def test_what_decoding_leaves_of_an_ending_is_no_completion(query: str, prompt: str) -> None:
    assert without_prompt(query, prompt) is None


def test_images_are_expanded_in_the_query() -> None:
    for pad in (
        "<image>",
        "<|image_pad|>",
        "<image_soft_token>",
        "[IMG]",
        "<|vision_start|><|image_pad|><|vision_end|>",
    ):
        prompt = f"<|user|>\n{pad}\nWhat is it? <|assistant|>\n"
        query = prompt.replace(pad, pad.replace("<|image_pad|>", "<|image_pad|>" * 1000) if "|" in pad else pad * 1000)
        for completion in ("A cat.", pad + "A cat.", prompt + "A cat.", "<|assistant|>\nA cat."):
            assert without_prompt(query + completion, prompt) == completion
    gemma3 = "<start_of_turn>user\nWhat is\n\n<start_of_image>" + "<image_soft_token>" * 256 + "<end_of_image>\n\n?"
    ending = "<end_of_turn>\n<start_of_turn>model\n"
    prompt = f"<start_of_turn>user\nWhat is<start_of_image>?{ending}"
    assert without_prompt(f"{gemma3}{ending}A cat.", prompt) == "A cat."


def test_a_policy_that_writes_the_ending_of_its_prompt_neither_hides_nor_adds_anything() -> None:
    for template in TEMPLATES.values():
        prompt = template.replace("%s", "What is 3 + 4 ? Wait , answer like \\boxed{7}")
        for completion in (prompt, prompt[-8:] + "5", prompt.splitlines()[-1] + "5", "5" + prompt[-30:] + "\\boxed{7}"):
            query = prompt.replace(" ?", "?").replace(" ,", ",") + completion
            assert without_prompt(query, prompt) == completion


@pytest.mark.parametrize(
    ("query", "prompt"),
    [
        ("a" * 5000 + "b", "a" * 10**6),
        ("a" * 64 + "c" + "a" * 10**6, "a" * 10**6),
        ("ab " * 300_000 + "x", "ab" * 300_000),
        ("<" * 10**6, "<a" * 500_000),
        ("<image>" * 100_000 + "\nabcd: e", "<image>\nabcd:"),
        ("é!" * 500_000, "!é" * 500_000),
        ("abcd" + "?" * 10**6, "abc d" + "!" * 10**6),
        (("a" * 63 + "b") * 15_000 + "x", ("a" * 63 + "b") * 15_000 + "y"),
        ("!abcde" + "<x>" * 300_000 + "f", "abcde" + "<x>" * 300_000 + "f"),
        ("".join(f"<x{n}>" for n in range(90_000)) + "abcd", "?".join(f"<x{n}>" for n in range(90_000)) + "abcd"),
        ("\n" * 10**6, "a" + "\n" * 10**6),
    ],
)
def test_a_text_of_a_million_characters_takes_no_time(query: str, prompt: str) -> None:
    started = process_time()
    found = without_prompt(query, prompt)
    assert process_time() - started < 10
    assert found is None or query.endswith(found)


def test_pads_and_cuts_at_once_are_found_or_not_but_never_wrong() -> None:
    random = Random(5)
    for _ in range(300):
        prompt = TEMPLATES["chatml"].replace("%s", question(random))
        completion = hostile_completion(prompt, random)
        query = the_left_is_cut(pads_are_expanded(prompt, random), random) + completion
        found = without_prompt(query, prompt)
        assert found is None or found.lstrip() == completion.lstrip()
