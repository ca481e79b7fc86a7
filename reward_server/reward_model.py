"""The reward model that the settings name: loaded or refused at start, opened with the app.

Base install and all other rewards work without torch and transformers: both are imported only where a model is set.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reward_server.settings import Settings
from reward_server.workers import model_folder
from reward_server.workers.batcher import Batcher
from reward_server.workers.engine import EngineRefused, OnBatch
from reward_server.workers.engine_vllm import VllmEngine
from reward_server.workers.reward_model import RewardModel
from reward_server.workers.tokenizer import ChatTokenizer

if TYPE_CHECKING:
    from reward_server.workers.engine_transformers import TransformersModel


@dataclass(frozen=True)
class LoadedModel:
    """`config`: all of it that can change a score. `device` is None for a remote engine."""

    folder: Path
    config: dict[str, str | int]
    device: TransformersModel | None
    url: str | None

    @asynccontextmanager
    async def opened(self, on_batch: OnBatch) -> AsyncIterator[RewardModel]:
        """The model, ready to score. Raises EngineRefused or RemoteUnavailable when a remote one cannot be used."""
        tokenizer = model_folder.load_tokenizer(self.folder)
        if self.device is not None:
            limits = {"max_tokens": self.device.max_tokens or 2**31, "vocabulary": self.device.vocabulary}
            async with Batcher(self.device, on_batch=on_batch).running() as batcher:
                yield RewardModel(ChatTokenizer(tokenizer, **limits), batcher)
        else:
            async with VllmEngine.connected(self.url or "", on_batch=on_batch) as engine:
                yield RewardModel(ChatTokenizer(tokenizer, max_tokens=engine.max_tokens), engine)


def load_model(settings: Settings) -> LoadedModel | None:
    """None when no model is set. Blocks while it reads the weights. Raises EngineRefused with the reason."""
    folder = settings.rm_model
    if folder is None:
        return None
    try:
        if settings.rm_engine == "vllm":
            model_folder.load_tokenizer(folder)
            return LoadedModel(
                folder, {"engine": "vllm", "tokenizer": model_folder.digest(folder)}, None, settings.rm_url
            )
        from reward_server.workers.engine_transformers import TransformersModel

        device = TransformersModel(
            folder, dtype=settings.rm_dtype, device=settings.rm_device, threads=settings.rm_threads
        )
    except ModuleNotFoundError as error:
        raise EngineRefused(f"rm_model needs the extra rm (pip install 'reward-server[rm]'): {error}") from error
    return LoadedModel(folder, device.config, device, None)
