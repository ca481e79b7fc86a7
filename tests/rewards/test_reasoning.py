"""RPR: the formula on cases derived by hand, and against its direct definition on everything else."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reward_server.rewards import reasoning as module
from reward_server.rewards.reasoning import PhraseList, Rpr, load_phrases, rpr

MATH = load_phrases("math")
OPEN_ENDED = load_phrases("open_ended")
TWO = PhraseList("two", ["wait", "thus"])
BLOCK = " ".join(str(number) for number in range(10, 30))
"""Twenty different words."""
LARGE = module._PIECE + 1
"""A text of this length is read in pieces."""


def direct(text: str, phrases: PhraseList, saturation: int, repetition: str) -> Rpr:
    """The formula word by word, as slow as it reads."""
    lowered = text.lower()
    hits = sum(phrase in lowered for phrase in phrases.phrases)
    words = lowered.split()
    grams = Counter(tuple(words[i : i + 20]) for i in range(len(words) - 19))
    total = sum(grams.values())
    if total == 0:
        repeated = 0.0
    elif repetition == "paper":
        repeated = sum(1 for times in grams.values() if times > 1) / total
    else:
        repeated = 1 - len(grams) / total
    turns = lowered.count("user: ")
    return Rpr(min(1.0, max(0.0, min(1.0, hits / saturation) - repeated - turns)), hits, repeated, turns)


def assert_is_direct(text: str, phrases: PhraseList = OPEN_ENDED) -> None:
    assert rpr(text, phrases) == direct(text, phrases, 20, "paper")
    assert rpr(text, phrases, saturation=40, repetition="coverage") == direct(text, phrases, 40, "coverage")


# --- the table from the source ---


def test_the_packaged_lists_have_the_lengths_and_spellings_of_the_source() -> None:
    assert (len(MATH.phrases), len(OPEN_ENDED.phrases)) == (40, 53)
    assert OPEN_ENDED.phrases[:40] == MATH.phrases
    assert MATH.phrases[0] == "i need to" and MATH.phrases[-1] == "for example "
    assert "makes sence" in MATH.phrases and "first, " in MATH.phrases and "since we " in MATH.phrases
    assert OPEN_ENDED.phrases[-6:] == ("step 4 ", "considering the", "i'll", "i will", "i would", "i should")


@pytest.mark.parametrize("phrase", MATH.phrases)
def test_each_math_phrase_is_worth_one_twentieth(phrase: str) -> None:
    assert rpr(f"({phrase.upper()})", MATH) == Rpr(1 / 20, hits=1, repetition=0.0, user_turns=0)


def test_a_phrase_inside_another_counts_too() -> None:
    assert OPEN_ENDED.hits("step 3. ") == 2  # and "3. "


@pytest.mark.parametrize(("saturation", "value"), [(20, 1.0), (40, 1.0), (50, 0.8)])
def test_hits_saturate(saturation: int, value: float) -> None:
    # All 40 phrases: 40/20 and 40/40 are clipped to 1; 40/50 = 0.8. No 20 words of the list occur twice.
    assert rpr("\n".join(MATH.phrases), MATH, saturation=saturation).value == value


@pytest.mark.parametrize(
    ("text", "paper", "coverage"),
    [
        ("x " * 19, 0.0, 0.0),  # no 20-gram at all
        ("x " * 20, 0.0, 0.0),  # one 20-gram, once
        ("x " * 21, 1 / 2, 1 - 1 / 2),  # one distinct of two
        # A block, "other", the block again: 41 words and 22 20-grams, one of them twice. A shorter block repeats none.
        (f"{BLOCK} other {BLOCK}", 1 / 22, 1 - 21 / 22),
        (f"{BLOCK[3:]} other {BLOCK[3:]}", 0.0, 0.0),
        # k words m times: km - 19 20-grams, k distinct, all repeated. "let me check" ×10: 3/11; ×1000: 3/2981.
        ("let me check " * 10, 3 / 11, 1 - 3 / 11),
        ("let me check " * 1000, 3 / 2981, 1 - 3 / 2981),
    ],
)
def test_repetition_of_a_loop(text: str, paper: float, coverage: float) -> None:
    assert rpr(text, MATH).repetition == paper
    assert rpr(text, MATH, repetition="coverage").repetition == coverage


def test_repetition_of_the_paper_falls_as_a_loop_grows_and_coverage_does_not() -> None:
    loops = ["let me check " * times for times in (10, 1000)]
    assert [round(rpr(loop, MATH).repetition, 3) for loop in loops] == [0.273, 0.001]
    assert [round(rpr(loop, MATH, repetition="coverage").repetition, 3) for loop in loops] == [0.727, 0.999]


def test_the_parts_add_up() -> None:
    # 23 words, four 20-grams: "wait thus x…", "thus x…", and "x…" twice. One of four is repeated: 2/2 - 1/4.
    assert rpr("wait thus " + "x " * 21, TWO, saturation=2) == Rpr(0.75, hits=2, repetition=0.25, user_turns=0)


def test_each_invented_user_turn_costs_one() -> None:
    text = "\n".join(MATH.phrases)
    assert rpr(text + "\nUser: 2+3?", MATH) == Rpr(0.0, hits=40, repetition=0.0, user_turns=1)
    assert rpr(text + "\nUSER: a\nuser: b\nuser:c", MATH).user_turns == 2  # the third lacks the space


def test_scope_think_reads_what_precedes_the_first_closing_tag() -> None:
    text = "<think> wait </think> thus </think> user: "
    assert rpr(text, TWO, scope="think") == Rpr(0.05, hits=1, repetition=0.0, user_turns=0)
    assert rpr(text, TWO).user_turns == 1
    assert rpr("wait, thus", TWO, scope="think").hits == 2  # cut off while reasoning: all of it


# --- edges ---


@pytest.mark.parametrize(
    "text", ["", " ", "\0", "\ud800", "\ud83d \ude00 wait\udfff", "wait\0thus", "质疑 等等", "😀 wait"]
)
def test_odd_texts_score_like_any_other(text: str) -> None:
    assert_is_direct(text)


def test_words_are_what_str_split_gives() -> None:
    assert rpr("x\u3000x\x1cx\u00a0" * 7, TWO).repetition == 1 / 2  # 21 words


@pytest.mark.parametrize("phrases", [["wait", "wait"], ["wait", "WAIT"], ["wait", ""]])
def test_an_empty_or_repeated_phrase_is_refused(phrases: list[str]) -> None:
    with pytest.raises(ValueError, match="'mine'"):
        PhraseList("mine", phrases)


def test_an_empty_list_has_no_hits() -> None:
    none = PhraseList("none", [])
    assert rpr("wait", none).hits == 0 and rpr("wait " * LARGE, none).hits == 0 and none.spans("wait") == []


def test_a_phrase_may_be_of_any_script() -> None:
    mine = PhraseList("mine", ["WAİT", "等等", "\ud800"])
    assert mine.hits("wai̇t 等等 \ud800") == 3


def test_spans_are_the_first_occurrence_of_each_phrase_in_the_original_text() -> None:
    text = "Wait, THUS wait. Hence"
    assert MATH.spans(text) == [("wait", 0, 4), ("thus", 6, 10), ("hence", 17, 22)]


def test_spans_survive_characters_that_grow_in_lower_case() -> None:
    text = "İİİ WAIT, İ thus"
    assert [text[start:end] for _, start, end in TWO.spans(text)] == ["WAIT", "thus"]
    assert PhraseList("mine", ["i̇s"]).spans("Wİs") == [("i̇s", 1, 3)]


@pytest.mark.parametrize("before", range(-5, 2))
def test_spans_and_hits_are_found_across_the_pieces_of_a_large_text(before: int) -> None:
    text = "x" * (module._PIECE + before) + "Wait" + "y" * LARGE + " thus"
    assert rpr(text, TWO) == Rpr(0.1, hits=2, repetition=0.0, user_turns=0)
    assert [text[start:end] for _, start, end in TWO.spans(text)] == ["Wait", "thus"]


@pytest.mark.parametrize("before", range(-7, 2))
def test_user_turns_and_the_closing_tag_are_found_across_pieces(before: int) -> None:
    text = "x" * (module._PIECE + before) + "User: </think> User: " + "y" * LARGE
    assert rpr(text, TWO).user_turns == 2
    text = "x" * (module._PIECE + before) + "</think> User: " + "y" * LARGE
    assert rpr(text, TWO, scope="think").user_turns == 0


@pytest.mark.parametrize(
    "text",
    [
        "let me check " * 100_000,
        " ".join(str(number % 50_000) for number in range(120_000)),
        "ΟΔΟΣ İSTANBUL Wait, \ud800 😀\n" * 20_000,
        "x" * 1_000_000,
        ("x" * (module._PIECE * 2 + 5) + " ") * 25,
        ("x" * module._PIECE + " ") * 25,
        " " * 1_000_000,
    ],
)
def test_a_large_text_is_read_exactly(text: str) -> None:
    assert_is_direct(text)


# --- invariance ---

WORDS = st.sampled_from(["a", "B", "b", "wait", "user: ", "1.", "\ud800", "İ", "\u3000", "\0", "first, ", "</think>"])
LOOPS = st.builds(
    lambda block, times, rest: " ".join(block * times + rest), st.lists(WORDS), st.integers(0, 40), st.lists(WORDS)
)


@settings(derandomize=True, deadline=None)
@given(st.one_of(st.text(), LOOPS, st.lists(WORDS, max_size=400).map(" ".join)))
def test_any_text_scores_as_the_direct_definition(text: str) -> None:
    assert_is_direct(text)


@settings(derandomize=True, deadline=None)
@given(st.text("aAé质😀 \n\u3000", max_size=400) | LOOPS.map(lambda text: text.replace("İ", "I")), st.integers(1, 50))
def test_the_size_of_the_pieces_changes_nothing(text: str, piece: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_PIECE", piece)  # so that short texts have many cuts, in and between words
        assert_is_direct(text)
        assert len(OPEN_ENDED.spans(text)) == rpr(text, OPEN_ENDED).hits


# --- the adversary ---


def thue_morse(first: str, second: str, length: int) -> str:
    """The sequence in which every polynomial hash modulo 2^64 has collisions, whatever its base."""
    return " ".join(second if index.bit_count() % 2 else first for index in range(length))


@pytest.mark.parametrize(
    "text",
    [
        thue_morse("a", "b", 4096),
        thue_morse("a~", "b_", 4096),  # 97·31 + 126 = 98·31 + 95: equal in the usual hash of base 31
        " ".join(f"{index % 23} {index % 29}" for index in range(1000)),
        " ".join("01"[index * index // 7 % 2] for index in range(3000)),
    ],
)
def test_words_made_to_collide_are_still_told_apart(text: str) -> None:
    assert_is_direct(text)


def test_stuffing_phrases_pays_in_full() -> None:
    # What the reward cannot see: the bare list is worth as much as any reasoning. Documented, not prevented.
    assert rpr(" ".join(MATH.phrases[:20]), MATH).value == 1.0


def test_looping_one_phrase_does_not_pay() -> None:
    assert rpr("wait " * 30, MATH).value == 0.0  # 1/20 - 1/11 < 0
    # Longer loops are nearly free under `paper`: 1/20 - 1/981; under `coverage` they are not.
    assert rpr("wait " * 1000, MATH).value == pytest.approx(0.05 - 1 / 981)
    assert rpr("wait " * 1000, MATH, repetition="coverage").value == 0.0
