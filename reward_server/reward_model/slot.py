"""The place of the reward model: empty, loading, filled, or refused. The server works from the first second.

A model of many gigabytes loads for minutes, and a remote server may start later than this one. Meanwhile the other
rewards are served, and `rm` answers 503. A model that cannot give right scores is refused, which ends the server.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

from reward_server.errors import Loading, NoRewardModel, RewardServerError, Unavailable
from reward_server.reward_model.engine import OnBatch, RemoteUnavailable, UnfitModel
from reward_server.reward_model.loading import LoadedModel, load_model
from reward_server.reward_model.model import RewardModel
from reward_server.settings import Settings

log = logging.getLogger(__name__)
R = TypeVar("R")
RETRY_AFTER_S = 10.0
RECONNECT_S = 5.0


class ModelSlot:
    """Holds the model that the settings name. Open it with `async with slot.filling()`.

    `refusal`: why the model cannot be served, once that is known. Nobody else keeps it.
    """

    def __init__(self, settings: Settings, on_batch: OnBatch) -> None:
        self._settings = settings
        self._on_batch = on_batch
        self._model: RewardModel | None = None
        self._config: dict[str, str | int] | None = None
        self._progress = f"the reward model {settings.rm_model} is loading"
        self._is_decided = asyncio.Event()  # filled, or refused
        self.refusal: UnfitModel | None = None

    @property
    def model(self) -> RewardModel:
        """Raises NoRewardModel, Loading, or Unavailable after a refusal."""
        if self._model is None:
            raise self._absence()
        return self._model

    def config(self) -> dict[str, str | int] | None:
        """All of the model that can change a score; None where none is configured. Raises as `model` does."""
        if self._settings.rm_model is not None and self._config is None:
            raise self._absence()
        return self._config

    @property
    def queued_tokens(self) -> int:
        """Tokens that wait for the model; 0 without one."""
        return 0 if self._model is None else self._model.queued_tokens

    @property
    def wait_s(self) -> float:
        """Seconds that they will take; 0 without a model."""
        return 0.0 if self._model is None else self._model.wait_s

    def check_ready(self) -> None:
        """Raises Loading or Unavailable with the reason while a configured model does not work."""
        if self._settings.rm_model is not None:
            reason = self.model.engine.unready_reason
            if reason is not None:
                raise Unavailable(reason, retry_after_s=RETRY_AFTER_S)

    async def filled(self) -> None:
        """Returns once there is a model. Raises UnfitModel when there will be none, NoRewardModel without one."""
        if self._settings.rm_model is None:
            raise self._absence()
        await self._is_decided.wait()
        if self.refusal is not None:
            raise self.refusal

    @asynccontextmanager
    async def filling(self) -> AsyncIterator[None]:
        """Loads the model in the background; closes it at exit, or stops waiting for it."""
        if self._settings.rm_model is None:
            yield
            return
        closing = asyncio.Event()
        task = asyncio.create_task(self._fill(self._settings.rm_model, closing), name="reward model")
        try:
            yield
        finally:
            closing.set()
            if self._model is None:
                task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _fill(self, folder: Path, closing: asyncio.Event) -> None:
        try:
            loaded = await in_daemon_thread("reward-model loader", lambda: load_model(self._settings, folder))
            while not closing.is_set():
                await self._serve(loaded, closing)
        except UnfitModel as error:
            self.refusal = error
        except Exception as error:
            log.exception("the reward model cannot be loaded")
            self.refusal = UnfitModel(f"the reward model cannot be loaded: {type(error).__name__}: {error}")
        finally:
            self._model = None
            self._is_decided.set()

    async def _serve(self, loaded: LoadedModel, closing: asyncio.Event) -> None:
        try:
            async with loaded.opened(self._on_batch) as (model, config):
                self._model, self._config = model, config
                log.info("the reward model is ready: %s", config)
                for remark in loaded.reads.remarks:
                    log.warning("%s", remark)
                self._is_decided.set()
                await closing.wait()
        except RemoteUnavailable as error:
            self._progress = f"waits for its server: {error}"
            log.warning("%s", self._progress)
            with suppress(TimeoutError):
                await asyncio.wait_for(closing.wait(), RECONNECT_S)

    def _absence(self) -> RewardServerError:
        if self._settings.rm_model is None:
            return NoRewardModel("no reward model is configured: start with --rm-model FOLDER (REWARD_RM_MODEL)")
        if self.refusal is not None:
            return Unavailable(str(self.refusal), retry_after_s=RETRY_AFTER_S)
        return Loading(self._progress, retry_after_s=RETRY_AFTER_S)


async def in_daemon_thread(name: str, work: Callable[[], R]) -> R:
    """What `work` returns or raises. Nobody has to wait for the thread: neither a caller that cancels, nor the
    process when it ends."""
    done: Future[R] = Future()

    def run() -> None:
        done.set_running_or_notify_cancel()  # from here on it cannot be cancelled, only be left alone
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 -- whatever ended it, the one who waits must learn it
            done.set_exception(error)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        return await asyncio.wrap_future(done)
    finally:
        if done.done():
            thread.join()  # it only has to return, and must not free a model later, while the interpreter ends
