"""The reward model that the settings name: loaded or refused, then opened.

Base install and all other rewards work without torch and transformers: both are imported only where a model is set.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reward_server.reward_model.ending import EndsAt, ends_at, remarks
from reward_server.reward_model.engine import EngineRefused, OnBatch
from reward_server.reward_model.local import folder as model_folder
from reward_server.reward_model.local.batcher import Batcher
from reward_server.reward_model.local.folder_config import read_config
from reward_server.reward_model.model import RewardModel
from reward_server.reward_model.tokenizer import ChatTokenizer
from reward_server.reward_model.vllm.engine import VllmEngine
from reward_server.settings import Settings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from reward_server.reward_model.local.model import TransformersModel

BROUGHT_BY_EXTRAS = {"jinja2", "safetensors", "tokenizers", "torch", "transformers"}


@dataclass(frozen=True)
class LoadedModel:
    """`config`: all that is known here and can change a score. `device` is None for a remote engine.

    `ends_at`: where the score is read. `remarks`: what to say of the model when it is ready.
    """

    tokenizer: PreTrainedTokenizerBase
    config: dict[str, str | int]
    device: TransformersModel | None
    settings: Settings
    ends_at: EndsAt = "template"
    remarks: tuple[str, ...] = ()

    @asynccontextmanager
    async def opened(self, on_batch: OnBatch) -> AsyncIterator[tuple[RewardModel, dict[str, str | int]]]:
        """The model, ready to score, and all of it that can change a score.

        Raises EngineRefused when a remote one cannot be used, RemoteUnavailable when it does not answer.
        """
        if self.device is not None:
            tokenizer = ChatTokenizer(
                self.tokenizer,
                max_tokens=self.device.max_tokens or 2**31,
                vocabulary=self.device.vocabulary,
                ends_at=self.ends_at,
            )
            async with Batcher(self.device, on_batch=on_batch).running() as batcher:
                with closing(RewardModel(tokenizer, batcher)) as model:
                    yield model, self.config
        else:
            async with self._connected(on_batch) as engine:
                tokenizer = ChatTokenizer(self.tokenizer, max_tokens=engine.max_tokens, ends_at=self.ends_at)
                with closing(RewardModel(tokenizer, engine)) as model:
                    yield model, self.config | engine.config

    def _connected(self, on_batch: OnBatch) -> AbstractAsyncContextManager[VllmEngine]:
        key = self.settings.rm_api_key
        return VllmEngine.connected(
            self.settings.rm_url or "",
            served_name=self.settings.rm_served_name,
            api_key=None if key is None else key.get_secret_value(),
            on_batch=on_batch,
        )


def load_model(settings: Settings, folder: Path) -> LoadedModel:
    """The model in that folder. Blocks while it reads weights and tokenizer. Raises EngineRefused with the reason."""
    try:
        if settings.rm_engine == "vllm":
            tokenizer = model_folder.load_tokenizer(folder)
            return _as_read(folder, settings, tokenizer, {"tokenizer": model_folder.digest(folder)}, None)
        from reward_server.reward_model.local.model import TransformersModel

        device = TransformersModel(
            folder, dtype=settings.rm_dtype, device=settings.rm_device, threads=settings.rm_threads
        )
        tokenizer = model_folder.load_tokenizer(folder)
    except ModuleNotFoundError as error:
        if error.name not in BROUGHT_BY_EXTRAS:
            raise  # a package is damaged, or we are: no extra mends that
        extra = "gateway" if settings.rm_engine == "vllm" else "rm"
        command = f"in the folder of its source run `pip install '.[{extra}]'` or `make serve EXTRA={extra}`"
        raise EngineRefused(f"rm_model needs the extra `{extra}`, and {error.name} is missing: {command}") from error
    return _as_read(folder, settings, tokenizer, device.config, device)


def _as_read(
    folder: Path,
    settings: Settings,
    tokenizer: PreTrainedTokenizerBase,
    config: dict[str, str | int],
    device: TransformersModel | None,
) -> LoadedModel:
    """With where its score is read, which is part of `config` where it is not the template's last token."""
    described = read_config(folder) if (folder / "config.json").is_file() else {}  # for vllm a tokenizer is enough
    where = ends_at(described, settings.rm_ends_at)
    if where == "eos":
        config = config | {"ends_at": str(tokenizer.eos_token)}
    said = tuple(remarks(described, tokenizer, where))
    return LoadedModel(tokenizer, config, device, settings, where, said)
