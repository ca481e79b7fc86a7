"""One check at work: from a sample to its verdict, and now and then a second opinion of its own."""

from __future__ import annotations

import asyncio
import logging

from reward_server.checks.events import CheckEvents
from reward_server.checks.python_check import KILLED, PythonRunner
from reward_server.checks.question import CheckFailed, Finding, Question
from reward_server.checks.remote_check import RemoteRunner
from reward_server.checks.second_opinion import NotAsked, SecondOpinions
from reward_server.checks.spec import AnyCheck
from reward_server.grading.reading import Reading
from reward_server.grading.verdicts import NO_ANSWER, NO_GROUND_TRUTH, first_right
from reward_server.types import CHECK_TIER, Outcome, Sample, Verdict

log = logging.getLogger(__name__)
AGAIN_EVERY = 1000
"""Of so many answers that are kept and asked for again, one is graded again."""
AT_ONCE = 16
"""So many of one sample's ground truths are asked about at a time. One that is right ends it."""


Runner = PythonRunner | RemoteRunner | SecondOpinions


class RunningCheck:
    """`close()` ends what still runs."""

    def __init__(self, check: AnyCheck, runner: Runner, events: CheckEvents) -> None:
        self.runner = runner
        self._check = check
        self._key = check.digest.encode()
        self._tier = CHECK_TIER + check.name
        self._events = events
        self._hits = 0
        self._again: set[asyncio.Task[None]] = set()

    async def verdict(self, sample: Sample, reading: Reading, problems: list[str]) -> Verdict:
        """The verdict; what went wrong is added to `problems`, without a word of the sample."""
        if not sample.ground_truths:
            return NO_GROUND_TRUTH
        if reading.answer is None or not reading.is_answered:
            return NO_ANSWER
        prompt = sample.prompt if self._check.reads_prompt else None
        questions = [Question(reading.answer.text, truth, prompt) for truth in sample.ground_truths]
        if len(questions) == 1:
            return await self._said(questions[0], problems)
        room = asyncio.Semaphore(AT_ONCE)

        async def said(question: Question) -> Verdict:
            async with room:
                return await self._said(question, problems)

        return await first_right([said(question) for question in questions])

    async def close(self) -> None:
        """Ends what was to be graded again."""
        for task in self._again:
            task.cancel()
        await asyncio.gather(*self._again, return_exceptions=True)

    async def _said(self, question: Question, problems: list[str]) -> Verdict:
        finding = await self._found(question, problems)
        texts = question.ground_truth, question.answer
        return Verdict(finding.outcome, self._tier, *texts, score=finding.score, reason=finding.reason)

    async def _found(self, question: Question, problems: list[str]) -> Finding:
        key = question.key(self._key)
        known = self.runner.known(key)
        if known is not None:
            self._doubt(key, question, known)
            return known
        try:
            return await self.runner.ask(key, question)
        except CheckFailed as failed:
            if not isinstance(failed, NotAsked):
                problems.append(failed.problem)
            return Finding(Outcome.ERROR, None, failed.reason)
        except Exception:
            log.exception("check %s: grading failed; the sample has no reward", self._check.name)
            return Finding(Outcome.ERROR, None, "grading failed; the log says why")

    def _doubt(self, key: bytes, question: Question, known: Finding) -> None:
        self._hits += 1
        if self._hits % AGAIN_EVERY == 0:
            task = asyncio.create_task(self._compare(key, question, known))
            self._again.add(task)
            task.add_done_callback(self._again.discard)

    async def _compare(self, key: bytes, question: Question, known: Finding) -> None:
        try:
            found = await self.runner.ask_again(key, question)
        except CheckFailed as failed:
            log.warning("check %s: it could not be asked again: %s", self._check.name, failed.problem)
            return
        if found is not KILLED and (found.outcome, found.score) != (known.outcome, known.score):
            self._events.on_difference(self._check.name)
            log.warning(
                "check %s is not deterministic: asked the same again it said %s, and before %s. The first stays on this"
                " server, but another replica, or a rerun, may pay something else",
                *(self._check.name, said(found), said(known)),
            )


def said(finding: Finding) -> str:
    """What a check said, for people."""
    return finding.outcome if finding.value is None else f"{finding.value:g}"
