"""A first chat, rendered and tokenised at start: what makes no text of it would fail every sample of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reward_server.reward_model.engine import SampleError, UnfitModel
from reward_server.reward_model.model_folder import TOKENIZER_OF_TRAINING
from reward_server.reward_model.tokenizer import ChatTokenizer, Encoded

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ANY_LENGTH = 2**31 - 1
_QUESTION = {"role": "user", "content": "What is 2 + 3?"}
_CHATS = ([_QUESTION], [{"role": "system", "content": "Be brief."}, _QUESTION])
"""The second for templates that ask for a system message."""
_ANSWERS = ("It is 5.", "Nobody knows that, and nobody ever will.")


def last_token(folder: Path, chats: ChatTokenizer) -> int:
    """The token with which a text ends. Raises UnfitModel where there is no text, or one for all answers."""
    first, second = _encoded(folder, chats)
    if first.prompt + first.completion == second.prompt + second.completion:
        raise UnfitModel(
            f"{folder}: two answers become the same tokens ({first.text[:200]!r} for the first), so every answer would"
            " have one score. Its chat template leaves answers out, or its tokenizer has no vocabulary:"
            f" {TOKENIZER_OF_TRAINING}"
        )
    return first.completion[-1]


def refuse_unknown_tokens(folder: Path, tokenizer: PreTrainedTokenizerBase, vocabulary: int) -> None:
    """Raises UnfitModel where the model has no embedding for tokens of ordinary text, or for those of every chat.

    Added tokens that no text has may be beyond them: a padding token, say.
    """
    added = tokenizer.get_added_vocab()
    last = max((id for text, id in tokenizer.get_vocab().items() if text not in added), default=0)
    if last >= vocabulary:
        raise UnfitModel(
            f"{folder}: its tokenizer has tokens up to {last}, and the model {vocabulary} embeddings. Is it the"
            f" tokenizer of another model? Then {TOKENIZER_OF_TRAINING}"
        )
    last_token(folder, ChatTokenizer(tokenizer, max_tokens=ANY_LENGTH, vocabulary=vocabulary))


def _encoded(folder: Path, chats: ChatTokenizer) -> list[Encoded]:
    """Both answers to the first chat that can be rendered."""
    failures = []
    for chat in _CHATS:
        try:
            return [chats.encode(chat, answer) for answer in _ANSWERS]
        except SampleError as error:
            failures.append(error)
    raise UnfitModel(
        f"{folder}: its tokenizer makes no text of a question and its answer, so no sample would have a score:"
        f" {failures[0]}; {TOKENIZER_OF_TRAINING}"
    )
