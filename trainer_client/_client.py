"""The client for programs that wait. Its twin for event loops is in `_async_client`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from trainer_client._base import CHUNKS_AT_ONCE, BaseClient, Batch, Column
from trainer_client._parallel import Pause, in_order
from trainer_client._steps import Answer, Exchange, Lost, Sleep
from trainer_client._types import Readiness, Rewards, ScoredChunk

if TYPE_CHECKING:
    from trainer_client._http import Session

T = TypeVar("T")


class RewardClient(BaseClient):
    """Blocks while it waits; safe to share between threads. See `BaseClient` for the arguments."""

    def score(
        self,
        completions: Sequence[str],
        *,
        prompts: Column | None = None,
        ground_truths: Column | None = None,
        groups: Column | None = None,
        visits: Column | None = None,
        flips: Column | None = None,
        steps: Column | None = None,
        sources: Column | None = None,
    ) -> Rewards:
        """Scores N samples; every column has one entry a sample, and the result is in their order.

        A completion is what the policy wrote, without its prompt; a prompt is text or chat messages. `groups` name the
        question (default: its prompt), `visits` count its visits, `flips` False pays the clean score (evaluation),
        `steps` are recorded with them and change no reward, `sources` name data sets (for `route`).
        Raises BadBatch before anything is sent, RequestRefused, BadReply, Unavailable: all of the batch or nothing, but
        `answered` of the error has the chunks that were answered.
        """
        given = {
            "prompts": prompts,
            "ground_truths": ground_truths,
            "groups": groups,
            "visits": visits,
            "flips": flips,
            "steps": steps,
            "sources": sources,
        }
        batch = self._batch(completions, given)
        return batch.joined(list(self._each(batch)))

    def score_iter(
        self,
        completions: Sequence[str],
        *,
        prompts: Column | None = None,
        ground_truths: Column | None = None,
        groups: Column | None = None,
        visits: Column | None = None,
        flips: Column | None = None,
        steps: Column | None = None,
        sources: Column | None = None,
    ) -> Iterator[ScoredChunk]:
        """As `score`, a chunk (of at most `max_samples`) at a time, in order: to show the progress of a long batch.

        A wrong batch raises at once, all else while it is read. To stop early, stop reading.
        """
        given = {
            "prompts": prompts,
            "ground_truths": ground_truths,
            "groups": groups,
            "visits": visits,
            "flips": flips,
            "steps": steps,
            "sources": sources,
        }
        return self._each(self._batch(completions, given))

    def explain(
        self,
        completion: str,
        *,
        prompt: Any = None,
        ground_truth: Any = None,
        group: str | int | None = None,
        visit: int | None = None,
        flip: bool | None = None,
        source: str | None = None,
    ) -> dict[str, Any]:
        """The whole derivation of one sample's reward, for people: why did this score so?"""
        given = {"prompt": prompt, "ground_truth": ground_truth, "group": group, "visit": visit, "flip": flip}
        given["source"] = source
        return self._run(self._explain({"completion": completion, **given}))

    def ready(self) -> Readiness:
        """Asks once whether the server takes work; false, with the reason, also when nobody answers."""
        return self._run(self._ready())

    def rewards(self) -> dict[str, Any]:
        """What the server can pay: `rewards`, each with its meaning and its parameters as JSON schema; `version`."""
        return self._run(self._rewards())

    def post(self, body: dict[str, object], suffix: str = "") -> Any:
        """For adapters: another dialect's body to the reward's own path, with the same retries; returns the JSON."""
        return self._run(self._dialect(body, suffix))

    def close(self) -> None:
        """Closes this process's connections; a later call opens new ones."""
        session = self._sessions.pop(os.getpid(), None)
        if session is not None:
            session.close()

    def __enter__(self) -> RewardClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _each(self, batch: Batch) -> Iterator[ScoredChunk]:
        self._session()  # now, or each thread might make one
        return in_order([partial(self._run, exchange) for exchange in batch.exchanges], CHUNKS_AT_ONCE)

    def _run(self, exchange: Exchange[T], pause: Pause = time.sleep) -> T:
        came: Answer | Lost | None = None
        try:
            while True:
                step = exchange.send(came)
                if isinstance(step, Sleep):
                    came = None
                    pause(step.seconds)
                else:
                    came = self._session().send(step)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    def _session(self) -> Session:
        """This process's; sessions inherited through fork are neither used nor closed, for they are the parent's."""
        session: Session | None = self._sessions.get(os.getpid())
        if session is None:
            from trainer_client._http import Session

            session = self._sessions.setdefault(os.getpid(), Session())  # a thread may have been faster
        return session
