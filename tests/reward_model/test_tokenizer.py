from __future__ import annotations

import threading
from array import array
from concurrent.futures import ThreadPoolExecutor

import pytest
from tiny_models import CHATML, LLAMA3, make_tokenizer

from reward_server.reward_model.engine import TooLong, UnusableChat
from reward_server.reward_model.tokenizer import ChatTokenizer
from reward_server.types import Message

QUESTION: list[Message] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 2 + 3?"}]
TEXT = (
    "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhat is 2 + 3?<|im_end|>\n"
    "<|im_start|>assistant\nfive<|im_end|>\n"
)

STRIPS_EARLIER_THINKING = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{{ m.content if loop.last else m.content | upper }}<|im_end|>\n{% endfor %}"
)
"""A template that writes a message otherwise when another follows, as Qwen3's does with thoughts."""


def chat_tokenizer(max_tokens: int = 1000, template: str = "", vocabulary: int | None = None) -> ChatTokenizer:
    tokenizer = make_tokenizer(template) if template else make_tokenizer()
    return ChatTokenizer(tokenizer, max_tokens=max_tokens, vocabulary=vocabulary)


def text_of(ids: array[int]) -> str:
    return make_tokenizer().backend_tokenizer.decode(list(ids), skip_special_tokens=False)


def test_the_split_is_where_the_prompt_ends_and_nothing_is_prompted() -> None:
    encoded = chat_tokenizer().encode(QUESTION, "five")
    assert encoded.text == TEXT
    assert text_of(encoded.prompt) == TEXT.removesuffix("<|im_start|>assistant\nfive<|im_end|>\n")
    assert text_of(encoded.completion) == "<|im_start|>assistant\nfive<|im_end|>\n"
    assert not encoded.truncated


def test_there_is_one_bos() -> None:
    tokenizer = make_tokenizer(LLAMA3, add_bos_token=True)
    encoded = ChatTokenizer(tokenizer, max_tokens=1000).encode(QUESTION, "five")
    ids = encoded.prompt + encoded.completion
    assert ids[0] == tokenizer.bos_token_id
    assert list(ids).count(ids[0]) == 1
    assert text_of(encoded.completion) == "<|start_header_id|>assistant<|end_header_id|>\n\nfive<|eot_id|>"


def test_padding_and_truncation_saved_with_the_tokenizer_do_not_apply() -> None:
    tokenizer = make_tokenizer()
    tokenizer.backend_tokenizer.enable_padding(length=300)
    tokenizer.backend_tokenizer.enable_truncation(3)
    encoded = ChatTokenizer(tokenizer, max_tokens=1000).encode(QUESTION, "five")
    assert text_of(encoded.prompt + encoded.completion) == TEXT


def test_a_template_that_rewrites_the_prompt_runs_unsplit() -> None:
    encoded = chat_tokenizer(template=STRIPS_EARLIER_THINKING).encode(QUESTION, "five")
    assert not encoded.prompt
    assert text_of(encoded.completion) == encoded.text
    assert "WHAT IS 2 + 3?" in encoded.text


def test_a_template_that_refuses_the_prompt_alone_runs_unsplit() -> None:
    needs_two = "{% if messages | length < 3 %}{{ raise_exception('no answer') }}{% endif %}" + STRIPS_EARLIER_THINKING
    assert not chat_tokenizer(template=needs_two).encode(QUESTION, "five").prompt


def test_a_token_across_the_border_runs_unsplit() -> None:
    glued = "{% for m in messages %}{{ m.content }}{% endfor %}"
    encoded = chat_tokenizer(template=glued).encode([{"role": "user", "content": "the answ"}], "er is")
    assert text_of(encoded.completion) == "the answer is"
    assert not encoded.prompt
    whole_words = chat_tokenizer(template=glued).encode([{"role": "user", "content": "the answer"}], " is")
    assert text_of(whole_words.prompt) == "the answer"


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user"}],
        [{"role": "user", "content": None}],
        [{"role": "user", "content": [{"type": "text", "text": "hello"}]}],
        [{"content": "hello"}],
    ],
)
def test_messages_that_are_not_text_are_refused(messages: list[Message]) -> None:
    with pytest.raises(UnusableChat, match="role and a content"):
        chat_tokenizer().encode(messages, "five")


def test_what_the_template_refuses_is_an_error_of_the_sample() -> None:
    template = (
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}{% endfor %}"
    )
    with pytest.raises(UnusableChat, match="no system"):
        chat_tokenizer(template=template).encode(QUESTION, "five")


def test_a_template_that_renders_nothing_is_an_error_of_the_sample() -> None:
    with pytest.raises(UnusableChat, match="to nothing"):
        chat_tokenizer(template="{# nothing #}").encode(QUESTION, "five")


def test_a_token_beyond_the_embeddings_is_an_error_of_the_sample() -> None:
    with pytest.raises(UnusableChat, match="beyond the 260 embeddings"):
        chat_tokenizer(vocabulary=260).encode(QUESTION, "five")


def test_any_text_can_be_scored() -> None:
    for text in ("", "\0", "\ud800", "a\udfffb", "\U0010ffff", "日本語", "\u202eright to left", "x" * 5000):
        encoded = chat_tokenizer(max_tokens=11_000).encode([{"role": "user", "content": text}], text)
        assert len(encoded.completion) > 0
    assert "a\ufffdb" in chat_tokenizer().encode(QUESTION, "a\udfffb").text
    assert "\U0001f600" in chat_tokenizer().encode(QUESTION, "\ud83d\ude00").text  # a pair is a character


def test_too_long_has_no_score_unless_asked() -> None:
    tokenizer = chat_tokenizer(max_tokens=60)
    with pytest.raises(TooLong, match="the model takes 60"):
        tokenizer.encode(QUESTION, "five " * 50)


def test_cutting_left_keeps_the_end_and_bos() -> None:
    tokenizer = chat_tokenizer(max_tokens=60, template=LLAMA3)
    encoded = tokenizer.encode(QUESTION, "one two three " * 30, "left")
    assert encoded.truncated
    assert (len(encoded.prompt), len(encoded.completion)) == (0, 60)
    text = text_of(encoded.completion)
    assert text.startswith("<|begin_of_text|>")
    assert text.endswith("one two three<|eot_id|>")
    assert encoded.text.endswith(text.removeprefix("<|begin_of_text|>"))


def test_cutting_right_keeps_the_start_and_what_closes_the_turn() -> None:
    tokenizer = chat_tokenizer(max_tokens=90)
    encoded = tokenizer.encode(QUESTION, "one two three " * 30, "right")
    assert encoded.truncated
    assert len(encoded.completion) == 90
    text = text_of(encoded.completion)
    assert text.endswith("<|im_end|>\n")
    assert encoded.text.startswith(text.removesuffix("<|im_end|>\n"))


def test_cutting_right_needs_room_for_some_of_the_answer() -> None:
    tokenizer = chat_tokenizer(max_tokens=20)
    for answer in ("one two three", "", "end"):
        with pytest.raises(TooLong):
            tokenizer.encode(QUESTION, answer, "right")


def test_threads_agree() -> None:
    tokenizer = chat_tokenizer()
    start = threading.Barrier(4)

    def encode(n: int) -> list[str]:
        start.wait()
        chats: list[list[Message]] = [[{"role": "user", "content": f"What is {k} + {n}?"}] for k in range(50)]
        return [text_of(e.prompt + e.completion) for e in (tokenizer.encode(chat, str(n)) for chat in chats)]

    with ThreadPoolExecutor(4) as pool:
        for n, texts in enumerate(pool.map(encode, range(4))):
            assert all(f"+ {n}?" in text and text.endswith(f"{n}<|im_end|>\n") for text in texts)


@pytest.mark.parametrize("start", ["", "\n", "  {% if true %}{% endif %}", " \n\n {%- if true %}{% endif %}\n"])
def test_a_template_that_asks_for_the_date_gets_the_same_every_day(start: str) -> None:
    llama = (
        "{%- if not date_string is defined %}{%- if strftime_now is defined %}"
        "{%- set date_string = strftime_now('%d %b %Y') %}{%- else %}{%- set date_string = '' %}{%- endif %}"
        "{%- endif %}"
    )
    inner = "{% macro day() %}{{ strftime_now('%A, %-d %B %Y %H:%M')[:-3] }}{% endmacro %}"
    dated = start + llama + inner + "{{ date_string + ' ' + day() }}\n" + CHATML
    plain = start + llama.replace("strftime_now", "absent") + "26 Jul 2024 Friday, 26 July 2024 00\n" + CHATML
    assert chat_tokenizer(template=dated).encode(QUESTION, "five") == chat_tokenizer(template=plain).encode(
        QUESTION, "five"
    )
