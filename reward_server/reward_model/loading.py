"""The reward model that the settings name: loaded or refused, then opened.

Base install and all other rewards work without torch and transformers: both are imported only where a model is set.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import SecretStr

from reward_server.reward_model.ending import (
    VALUE_HEAD,
    dropped_at_end,
    ends_at,
    refuse_early_end,
    remarks,
    unknown_padding,
)
from reward_server.reward_model.engine import OnBatch, UnfitModel
from reward_server.reward_model.local.batcher import Batcher
from reward_server.reward_model.model import RewardModel
from reward_server.reward_model.model_folder import (
    folder_digest,
    pad_token_id,
    read_config,
    read_tokenizer,
    refuse_pairs,
)
from reward_server.reward_model.remote.engine import RemoteEngine
from reward_server.reward_model.remote.kinds import KINDS, Kind
from reward_server.reward_model.remote.sglang_bias import bias_remark
from reward_server.reward_model.text_limit import limit_remark, text_limit
from reward_server.reward_model.tokenizer import ChatTokenizer
from reward_server.reward_model.trial import ANY_LENGTH, last_token, refuse_unknown_tokens
from reward_server.settings import Settings
from reward_server.types import EndsAt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from reward_server.reward_model.local.model import TransformersModel

BROUGHT_BY_EXTRAS = {"jinja2", "safetensors", "tokenizers", "torch", "transformers"}

Config = dict[str, str | int]
"""All that is known here of a model and can change a score."""


class LoadedModel(Protocol):
    """A model whose folder was read. `reads`: its texts. It may be opened again after it was closed."""

    @property
    def reads(self) -> Texts: ...

    def opened(self, on_batch: OnBatch) -> AbstractAsyncContextManager[tuple[RewardModel, Config]]:
        """The model, ready to score, and its config.

        Raises UnfitModel when a remote one cannot be used, RemoteUnavailable when it does not answer.
        """
        ...


@dataclass(frozen=True)
class Texts:
    """How the texts of a model are made: by which tokenizer, where they end, and how long they may be.

    `dropped`: the token that every text ends with and that the model does not read. `remarks`: what to say of all that
    at start.
    """

    tokenizer: PreTrainedTokenizerBase
    ends_at: EndsAt
    dropped: int | None
    max_tokens: int | None
    remarks: tuple[str, ...]

    @property
    def config(self) -> Config:
        """What is not in the folder's digest: nothing for the template's end, and for the tokenizer's limit."""
        found: Config = {"ends_at": str(self.tokenizer.eos_token)} if self.ends_at == "eos" else {}
        if self.dropped is not None:
            found["ends_at"] = f"before {self.tokenizer.decode([self.dropped])}"
        return found if self.max_tokens is None else found | {"max_tokens": self.max_tokens}

    def chats(self, positions: int | None, **of_model: Any) -> ChatTokenizer:
        """The tokenizer of a model with so many positions."""
        return ChatTokenizer(
            self.tokenizer,
            max_tokens=self.limit(positions),
            ends_at=self.ends_at,
            dropped=self.dropped,
            **of_model,
        )

    def limit(self, positions: int | None) -> int:
        """Tokens of the longest text. Raises UnfitModel where the settings want more than the model has positions."""
        return text_limit(self.max_tokens, self.tokenizer, positions)


@dataclass(frozen=True)
class LocalModel:
    """A model in this process."""

    reads: Texts
    device: TransformersModel

    @asynccontextmanager
    async def opened(self, on_batch: OnBatch) -> AsyncIterator[tuple[RewardModel, Config]]:
        device = self.device
        tokenizer = self.reads.chats(device.max_tokens, vocabulary=device.vocabulary, can_split=device.can_share)
        async with Batcher(device, on_batch=on_batch).running() as batcher:
            with closing(RewardModel(tokenizer, batcher, device.labels)) as model:
                yield model, device.config | self.reads.config


@dataclass(frozen=True)
class RemoteModel:
    """A model on a server of that kind. `digest`: of the folder with its tokenizer."""

    reads: Texts
    digest: str
    kind: Kind
    url: str
    served_name: str | None
    api_key: SecretStr | None

    @asynccontextmanager
    async def opened(self, on_batch: OnBatch) -> AsyncIterator[tuple[RewardModel, Config]]:
        key = None if self.api_key is None else self.api_key.get_secret_value()
        server = RemoteEngine.connected(
            self.kind, self.url, served_name=self.served_name, api_key=key, on_batch=on_batch
        )
        async with server as engine:
            tokenizer = self.reads.chats(engine.max_tokens)
            with closing(RewardModel(tokenizer, engine)) as model:
                yield model, {"tokenizer": self.digest} | self.reads.config | engine.config


def load_model(settings: Settings, folder: Path) -> LoadedModel:
    """The model in that folder. Blocks while it reads weights and tokenizer. Raises UnfitModel with the reason."""
    try:
        return _local(settings, folder) if settings.rm_url is None else _remote(settings, folder, settings.rm_url)
    except ModuleNotFoundError as error:
        if error.name not in BROUGHT_BY_EXTRAS:
            raise  # a package is damaged, or we are: no extra mends that
        extra = "gateway" if settings.is_remote else "rm"
        command = f"in the folder of its source run `pip install '.[{extra}]'` or `make serve EXTRA={extra}`"
        raise UnfitModel(f"rm_model needs the extra `{extra}`, and {error.name} is missing: {command}") from error


def _local(settings: Settings, folder: Path) -> LocalModel:
    import torch  # noqa: F401 - a missing extra is told before a wrong folder
    import transformers  # noqa: F401

    from reward_server.reward_model.local.model import TransformersModel

    texts = _texts(settings, folder, read_config(folder))
    device = TransformersModel(
        folder,
        dtype=settings.rm_dtype,
        device=settings.rm_device,
        threads=settings.rm_threads,
        packing=settings.rm_packing,
        head_at=settings.rm_head,
    )
    refuse_unknown_tokens(folder, texts.tokenizer, device.vocabulary)
    if device.is_value_head:
        texts = replace(texts, remarks=(*texts.remarks, VALUE_HEAD))
    return LocalModel(texts, device)


def _remote(settings: Settings, folder: Path, url: str) -> RemoteModel:
    described = read_config(folder) if (folder / "config.json").is_file() else {}
    texts = _texts(settings, folder, described)
    if settings.rm_engine == "sglang" and (remark := bias_remark(described, folder)) is not None:
        texts = replace(texts, remarks=(*texts.remarks, remark))
    kind = KINDS[settings.rm_engine]
    return RemoteModel(texts, folder_digest(folder), kind, url, settings.rm_served_name, settings.rm_api_key)


def _texts(settings: Settings, folder: Path, described: Mapping[str, Any]) -> Texts:
    """`described`: the folder's config.json; empty where for a remote engine there is a tokenizer only."""
    tokenizer = read_tokenizer(folder)
    refuse_pairs(folder, described)
    where = ends_at(described, settings.rm_ends_at)
    last = last_token(folder, ChatTokenizer(tokenizer, max_tokens=ANY_LENGTH, ends_at=where))
    refuse_early_end(described, tokenizer)
    pad = pad_token_id(folder, described)
    dropped = dropped_at_end(described, pad, last, settings.rm_ends_at)
    said: list[str | None] = [*remarks(described, tokenizer, where, dropped)]
    said.append(unknown_padding(described, pad, last, settings.rm_ends_at, tokenizer))
    said.append(limit_remark(described, tokenizer) if settings.rm_max_tokens is None else None)
    return Texts(tokenizer, where, dropped, settings.rm_max_tokens, tuple(filter(None, said)))
