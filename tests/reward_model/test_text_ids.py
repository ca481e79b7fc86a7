"""The ids that are asked for cheaply are those of the tokenizer itself, whatever kind of tokenizer it is."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from tiny_models import CHATML, LLAMA3, make_tokenizer
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from reward_server.reward_model.engine import TokenIds, UnusableChat
from reward_server.reward_model.text_ids import TextIds
from reward_server.reward_model.tokenizer import ChatTokenizer
from reward_server.types import EndsAt

WORDS = [
    "the answer is",
    "12",
    " ",
    "\n",
    "\n\n",
    "naïve",
    "e\u0301",
    "\u0301",
    "日本",
    "\\frac{1}{2}",
    "<",
    "|",
    "im_start",
]
CORPUS = ["the answer is 12 user assistant system naïve 日本 <|im_start|>\n"] * 4
MARKS = ["<|im_start|>", "<|im_end|>"]


def byte_level(*added: AddedToken) -> PreTrainedTokenizerFast:
    tokenizer = make_tokenizer()
    tokenizer.add_tokens(list(added))
    return tokenizer


def metaspace_first() -> PreTrainedTokenizerFast:
    """As T5 and newer Llama 2: a blank before the first word of a text, and not behind a special token."""
    return trained(Tokenizer(models.Unigram()), unigrams("<unk>"), pre_tokenizers.Metaspace(prepend_scheme="first"))


def unigrams(unknown: str | None) -> trainers.UnigramTrainer:
    special = ["<unk>", *MARKS]
    return trainers.UnigramTrainer(vocab_size=200, special_tokens=special, unk_token=unknown, show_progress=False)


def prepended() -> PreTrainedTokenizerFast:
    """As Llama 2 and Mistral 7B: a normaliser writes a blank before every part of a text."""
    backend = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return trained(
        backend, trainers.BpeTrainer(vocab_size=200, special_tokens=["<unk>", *MARKS], show_progress=False), None
    )


def word_pieces() -> PreTrainedTokenizerFast:
    """As BERT: lower case, accents dropped, white space gone."""
    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer()
    trainer = trainers.WordPieceTrainer(vocab_size=200, special_tokens=["[UNK]", *MARKS], show_progress=False)
    return trained(backend, trainer, pre_tokenizers.BertPreTokenizer())


def trained(backend: Tokenizer, trainer: Any, splitter: Any) -> PreTrainedTokenizerFast:
    if splitter is not None:
        backend.pre_tokenizer = splitter
    backend.decoder = decoders.Fuse()
    backend.train_from_iterator(CORPUS, trainer)
    backend.add_special_tokens(MARKS)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|im_end|>")  # type: ignore[no-untyped-call]
    tokenizer.chat_template = CHATML
    return tokenizer


def with_template(template: str) -> PreTrainedTokenizerFast:
    return make_tokenizer(template)


JOINED: dict[str, Callable[[], PreTrainedTokenizerFast]] = {
    "ChatML": byte_level,
    "Llama 3": lambda: with_template(LLAMA3),
    "Metaspace before the first word": metaspace_first,
    "Prepend before every part": prepended,
    "WordPiece": word_pieces,
    "a token that takes the blanks behind it": lambda: byte_level(
        AddedToken("<|im_end|>", rstrip=True, normalized=False)
    ),
}
WHOLE: dict[str, Callable[[], PreTrainedTokenizerFast]] = {
    "special tokens that are ordinary text": lambda: make_tokenizer(split_special_tokens=True),
    "no token at the border": lambda: with_template(
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    ),
    "nothing at the border": lambda: with_template("{% for m in messages %}{{ m.content }}{% endfor %}"),
    "a token that takes the blanks before it": lambda: byte_level(
        AddedToken("<|im_start|>", lstrip=True, normalized=False)
    ),
    "a token that is a word": lambda: byte_level(AddedToken("<|im_start|>", single_word=True, normalized=False)),
    "a token that is normalised": lambda: byte_level(AddedToken("<|im_start|>", normalized=True, special=False)),
    "a token round the border": lambda: byte_level(AddedToken("\n<|im_start|>", normalized=False)),
    "a token over the border": lambda: byte_level(AddedToken("\n<|im_st", normalized=False)),
}


def texts(chosen: random.Random) -> str:
    return "".join(chosen.choices(WORDS, k=chosen.randrange(8)))


@pytest.mark.parametrize("ends_at", ["template", "eos"])
@pytest.mark.parametrize("name", [*JOINED, *WHOLE])
def test_every_completion_of_a_prompt_has_the_tokenizers_own_ids(
    name: str, ends_at: EndsAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = (JOINED | WHOLE)[name]()
    chat = ChatTokenizer(tokenizer, max_tokens=10_000, ends_at=ends_at)
    asked: list[str] = []
    of = TextIds.of

    def noted(self: TextIds, text: str) -> TokenIds[int]:
        asked.append(text)
        return of(self, text)

    monkeypatch.setattr(TextIds, "of", noted)
    chosen = random.Random(name)
    for _ in range(8):
        prompt = [{"role": "user", "content": texts(chosen)}, {"role": "user", "content": texts(chosen)}]
        for n in range(6):
            asked.clear()
            encoded = chat.encode(prompt, texts(chosen))
            ids = tokenizer(encoded.text, add_special_tokens=False)["input_ids"]
            if ends_at == "eos":
                ids[-1] = tokenizer.eos_token_id
            assert list(encoded.prompt + encoded.completion) == ids
            is_whole = encoded.text in asked
            assert is_whole == (n == 0 or name in WHOLE), asked


def test_a_tokenizer_whose_class_does_more_is_asked_itself() -> None:
    class Lower(PreTrainedTokenizerFast):
        def _encode_plus(self, text: Any, *args: Any, **options: Any) -> Any:
            return super()._encode_plus(text.lower(), *args, **options)

    backend = make_tokenizer().backend_tokenizer
    tokenizer = Lower(tokenizer_object=backend, eos_token="<|im_end|>")  # type: ignore[no-untyped-call]
    ids = TextIds(tokenizer)
    assert list(ids.of("ABC")) == tokenizer("abc", add_special_tokens=False)["input_ids"]
    assert not ids.stands_alone("<|im_start|>assistant")


def test_a_text_that_the_tokenizer_refuses_is_an_error_of_the_sample() -> None:
    tokenizer = trained(Tokenizer(models.Unigram()), unigrams(None), pre_tokenizers.Metaspace())
    chat = ChatTokenizer(tokenizer, max_tokens=1000)
    assert chat.encode([{"role": "user", "content": "12"}], "the answer").tokens
    with pytest.raises(UnusableChat, match="the tokenizer refuses the text: .*unknown token"):
        chat.encode([{"role": "user", "content": "12"}], "😀")


def test_a_token_of_the_prompt_beyond_the_embeddings_is_an_error_of_every_sample() -> None:
    tokenizer = make_tokenizer()
    known = max(tokenizer("ok", add_special_tokens=False)["input_ids"])
    chat = ChatTokenizer(tokenizer, max_tokens=1000, vocabulary=max(known + 1, 270))
    for _ in range(3):
        with pytest.raises(UnusableChat, match="beyond"):
            chat.encode([{"role": "user", "content": "the answer is " * 20}], "ok")
