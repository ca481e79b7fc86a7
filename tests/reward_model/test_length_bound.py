"""Texts that are too long for certain are not tokenised, and everything else is read as if there were no such bound."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import CHATML, LLAMA3, SPECIAL, make_tokenizer
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from reward_server.reward_model.engine import TooLong
from reward_server.reward_model.length_bound import LengthBound
from reward_server.reward_model.tokenizer import ChatTokenizer, WhenTooLong
from reward_server.types import Message

QUESTION: list[Message] = [{"role": "user", "content": "What is 2 + 3?"}]


def normalised(form: Any) -> PreTrainedTokenizerFast:
    tokenizer = make_tokenizer()
    tokenizer.backend_tokenizer.normalizer = form
    return tokenizer


def swallowing() -> PreTrainedTokenizerFast:
    """A token that takes the white space behind it, as Phi-3's do."""
    tokenizer = make_tokenizer()
    tokenizer.add_tokens([AddedToken("<turn>", rstrip=True, special=False)])
    return tokenizer


def sentencepiece() -> PreTrainedTokenizerFast:
    """BPE over characters with bytes to fall back on, as Llama 2's and Gemma's."""
    pieces = [*SPECIAL, "<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *"abcdefghijklmnop", "ab", "abab"]
    vocabulary = {piece: n for n, piece in enumerate(dict.fromkeys(pieces))}
    backend = Tokenizer(models.BPE(vocabulary, [("a", "b"), ("ab", "ab")], unk_token="<unk>", byte_fallback=True))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.ByteFallback()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<|begin_of_text|>", eos_token="<|im_end|>", pad_token="<pad>"
    )  # type: ignore[no-untyped-call]
    tokenizer.add_special_tokens({"additional_special_tokens": SPECIAL})
    tokenizer.chat_template = CHATML
    return tokenizer


BOUNDED: dict[str, Callable[[], PreTrainedTokenizerFast]] = {
    "byte-level": make_tokenizer,
    "byte-level, Llama 3": lambda: make_tokenizer(LLAMA3),
    "NFC": lambda: normalised(normalizers.NFC()),
    "NFKC": lambda: normalised(normalizers.NFKC()),
    "NFD": lambda: normalised(normalizers.NFD()),
    "lower case": lambda: normalised(normalizers.Lowercase()),
    "swallowing": swallowing,
    "sentencepiece": sentencepiece,
}


def words_only() -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.WordLevel({"<unk>": 0, "five": 1}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>")  # type: ignore[no-untyped-call]


def split(behaviour: str) -> PreTrainedTokenizerFast:
    tokenizer = make_tokenizer()
    parts = [pre_tokenizers.Split(" ", behaviour), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(parts)
    return tokenizer


def without_byte() -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.BPE({"a": 0, "b": 1}, [], unk_token=None))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return PreTrainedTokenizerFast(tokenizer_object=backend)  # type: ignore[no-untyped-call]


UNBOUNDED: dict[str, Callable[[], PreTrainedTokenizerFast]] = {
    "words only": words_only,
    "blanks removed": lambda: split("removed"),
    "an alphabet with gaps": without_byte,
    "stripped": lambda: normalised(normalizers.Strip()),
    "accents stripped": lambda: normalised(normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()])),
    "letters replaced": lambda: normalised(normalizers.Replace("e", "..")),
    "replaced by less": lambda: normalised(normalizers.Replace("ab", "c")),
    "replaced by an expression": lambda: normalised(normalizers.Replace(Regex(" +"), " ")),
}
runs = st.tuples(
    st.sampled_from(
        ["a", "ab", " ", "\n", "five ", "<|begin_of_text|>", "<turn>", "日", "e\u0301", "\u1100\u1161\u11a8", "ﷺ", "İ",
         "\u0391\u0313\u0300\u0345", "😀", "\0", "\t", "answer", "...", "x", "\u00a0", "\u3000"]
    ),
    st.integers(1, 60),
)  # fmt: skip
texts = st.lists(runs, max_size=8).map(lambda parts: "".join(text * times for text, times in parts))
KEPT = {name: make() for name, make in BOUNDED.items()}


@pytest.mark.parametrize("name", BOUNDED)
@settings(deadline=None, max_examples=150)
@given(text=texts, limit=st.integers(1, 30))
def test_what_exceeds_the_bound_has_more_tokens(name: str, text: str, limit: int) -> None:
    tokenizer = KEPT[name]
    bound = LengthBound(tokenizer)
    if bound.is_exceeded(text, limit):
        assert len(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]) > limit
        for side in ("beginning", "end"):
            part = bound.part(text, limit, side)
            assert len(tokenizer(part, add_special_tokens=False, verbose=False)["input_ids"]) > limit


def longest(name: str) -> int:
    return max(map(len, KEPT[name].get_vocab()))


@pytest.mark.parametrize("name", BOUNDED)
def test_the_bound_is_the_longest_token_times_the_tokens(name: str) -> None:
    bound = LengthBound(KEPT[name])
    assert bound.longest_token == longest(name) >= 8
    assert not bound.is_exceeded("." * 10 * longest(name), 10)
    assert bound.is_exceeded("." * (10 * longest(name) + 1), 10)


@pytest.mark.parametrize("name", BOUNDED)
def test_of_letters_it_is_the_most_that_a_token_holds(name: str) -> None:
    bound = LengthBound(KEPT[name])
    most = max(sum(each.isascii() and each.isalnum() for each in token) for token in KEPT[name].get_vocab())
    assert most < longest(name)
    assert not bound.is_exceeded("x" * 10 * most, 10)
    assert bound.is_exceeded("x" * (10 * most + 1), 10)
    assert not bound.is_exceeded("x" * 10 * most + "." * 10, 10)


def test_composed_characters_and_swallowed_blanks_do_not_count() -> None:
    nfc, plain = LengthBound(KEPT["NFC"]), LengthBound(KEPT["byte-level"])
    most = 10 * longest("NFC")
    decomposed = "e\u0301" * (most // 2 + 1)
    assert (nfc.is_exceeded(decomposed, 10), plain.is_exceeded(decomposed, 10)) == (False, True)
    blank = "<turn>" + " " * 2 * most
    assert (LengthBound(KEPT["swallowing"]).is_exceeded(blank, 10), plain.is_exceeded(blank, 10)) == (False, True)


@pytest.mark.parametrize("name", UNBOUNDED)
def test_where_characters_may_vanish_nothing_is_certain(name: str) -> None:
    bound = LengthBound(UNBOUNDED[name]())
    assert bound.longest_token is None
    assert not bound.is_exceeded("x" * 1_000_000, 10)


def test_splits_that_keep_what_they_split_at_are_certain() -> None:
    assert LengthBound(split("isolated")).longest_token
    assert LengthBound(split("merged_with_previous")).longest_token


def without_bound(chat: ChatTokenizer) -> ChatTokenizer:
    chat._bound.longest_token = None
    return chat


def read(chat: ChatTokenizer, answer: str, too_long: WhenTooLong) -> tuple[array[int], array[int], bool] | str:
    try:
        encoded = chat.encode(QUESTION, answer, too_long)
    except TooLong:
        return "too long"
    return encoded.prompt, encoded.completion, encoded.truncated


@pytest.mark.parametrize("name", BOUNDED)
@pytest.mark.parametrize("too_long", ["null", "left", "right"])
def test_the_result_at_the_boundary_is_that_without_it(name: str, too_long: WhenTooLong) -> None:
    chat = ChatTokenizer(KEPT[name], max_tokens=80)
    reference = without_bound(ChatTokenizer(KEPT[name], max_tokens=80))
    frame = len(without_bound(ChatTokenizer(KEPT[name], max_tokens=9999)).encode(QUESTION, "").text)
    bounds = [80 * most for most in (longest(name), LengthBound(KEPT[name])._most_letters)]
    for unit in ("five ", "What is the sum of two and three? ", "ab", "abc def\n", "日本 ", "x"):
        for length in [bound * times - frame + more for bound in bounds for times in (1, 2, 5) for more in (-1, 0, 1)]:
            answer = (unit * (length // len(unit) + 1))[:length]
            found, expected = read(chat, answer, too_long), read(reference, answer, too_long)
            if too_long == "left" and (name, unit) == ("sentencepiece", "ab") and len(answer) > bounds[1] * 9 // 8:
                assert len(found[1]) == len(expected[1]) == 80  # one word of thousands of letters, cut somewhere in it
            else:
                assert found == expected, (unit, length)


@pytest.mark.parametrize("too_long", ["null", "left", "right"])
def test_megabytes_are_not_tokenised(too_long: WhenTooLong) -> None:
    chat = ChatTokenizer(make_tokenizer(), max_tokens=2048)
    started = time.process_time()
    for answer in ("x" * 4_000_000, "five six " * 450_000, "日本" * 2_000_000):
        if too_long == "null":
            with pytest.raises(TooLong, match="characters are more than the 2048 tokens"):
                chat.encode(QUESTION, answer)
        else:
            assert len(chat.encode(QUESTION, answer, too_long).text) < 100_000  # all that was tokenised
    assert time.process_time() - started < 8  # 0.1 to 0.4 s; tokenised whole, 17 s


def test_a_prompt_that_is_too_long_alone_is_not_tokenised_to_find_room_for_an_answer() -> None:
    chat = ChatTokenizer(make_tokenizer(), max_tokens=2048)
    long: list[Message] = [{"role": "user", "content": "x" * 4_000_000}]
    with pytest.raises(TooLong):
        chat.encode(long, "five", "right")
    assert chat.encode(long, "five", "left").truncated
