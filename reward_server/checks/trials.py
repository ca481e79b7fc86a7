"""The examples of a check, tried before it grades anything: twice, a Python check in two processes.

The second time they come in the reverse order. So what depends on time, on chance, or on what was asked before shows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reward_server.checks.events import CheckEvents
from reward_server.checks.python_check import KILLED
from reward_server.checks.question import CheckFailed, Finding, Question
from reward_server.checks.remote_check import RemoteRunner
from reward_server.checks.running_check import said
from reward_server.checks.spec import AnyCheck, Example, GraderCheck, JudgeCheck, PythonCheck
from reward_server.checks.table import BadCheck
from reward_server.checks.worker import CannotLoad, grade, prepare_for_checks
from reward_server.processes.worker_process import WorkerLost, WorkerProcess
from reward_server.settings import Settings
from reward_server.types import Outcome

START_LIMIT_S = 120.0
"""Wall seconds until a module has to be imported."""
NEARLY = 1e-9
"""So far a score may be from the one that is expected."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One example, tried. `problem`: why it failed, empty where it did not. `number` from 1; 0: there is no example."""

    check: str
    number: int
    example: Example | None
    got: str
    problem: str


async def trials(check: AnyCheck, settings: Settings) -> list[Trial]:
    """Every example of the check, or one trial without one where it has none, or cannot be loaded."""
    try:
        if isinstance(check, PythonCheck):
            first, second = await _python(check, settings)
        else:
            first, second = await _remote(check, settings)
    except CannotLoad as error:
        return [Trial(check.name, 0, None, "", str(error))]
    rows = zip(check.examples, first, second, strict=True)
    tried = [_trial(check, number, *row) for number, row in enumerate(rows, 1)]
    return tried or [Trial(check.name, 0, None, "", "")]


def refuse_failed(tried: Iterable[Trial]) -> None:
    """Raises BadCheck for the first trial that failed."""
    for trial in tried:
        if trial.problem:
            where = f"[checks.{trial.check}]"
            example = f"example {trial.number}: " if trial.number else ""
            raise BadCheck(f"rewards.toml: {where}: {example}{trial.problem}")


def _trial(check: AnyCheck, number: int, example: Example, first: Finding, second: Finding) -> Trial:
    got = said(first)
    if (first.outcome, first.score) != (second.outcome, second.score):
        got = f"{said(first)}, {said(second)}"
        problem = (
            f"it gave {said(first)}, and the second time {said(second)}: the same question has to get the same score"
        )
        return Trial(check.name, number, example, got, problem)
    expected = "ungradable" if example.expected is None else f"{example.expected:g}"
    because = f" ({first.reason})" if first.reason else ""
    is_right = _is_expected(example, first)
    return Trial(check.name, number, example, got, "" if is_right else f"expected {expected}, got {got}{because}")


def _is_expected(example: Example, finding: Finding) -> bool:
    if example.expected is None or finding.value is None:
        return example.expected is None and finding.outcome is Outcome.UNGRADABLE
    return abs(finding.value - example.expected) <= NEARLY


async def _python(check: PythonCheck, settings: Settings) -> tuple[list[Finding], list[Finding]]:
    if not check.examples:
        await (await _worker(check, settings)).end()
        return [], []
    forwards, backwards = check.examples, check.examples[::-1]
    passes = [_pass(check, forwards, settings), _pass(check, backwards, settings)]
    found = []
    for each in await asyncio.gather(*passes, return_exceptions=True):  # both end before one is told to have failed
        if isinstance(each, BaseException):
            raise each
        found.append(each)
    return found[0], found[1][::-1]


async def _pass(check: PythonCheck, examples: Sequence[Example], settings: Settings) -> list[Finding]:
    worker: WorkerProcess | None = None
    found = []
    try:
        for example in examples:
            if worker is None or not worker.is_alive:
                worker = await _worker(check, settings)
            found.append(await _graded(worker, check, example, settings))
    finally:
        if worker is not None:
            await worker.end()
    return found


async def _worker(check: PythonCheck, settings: Settings) -> WorkerProcess:
    prepared = prepare_for_checks, (settings.worker_memory_mb, (check.target,))
    try:
        async with asyncio.timeout(START_LIMIT_S):
            return await WorkerProcess.start(*prepared)
    except WorkerLost:
        raise CannotLoad(f"the process ended while it imported {check.module} and ran its examples") from None
    except TimeoutError:
        raise CannotLoad(f"{check.module} was not imported, and its examples run, in {START_LIMIT_S:g} s") from None


async def _graded(worker: WorkerProcess, check: PythonCheck, example: Example, settings: Settings) -> Finding:
    asked = check.target, example.answer, example.ground_truth, settings.soft_timeout_s
    try:
        async with asyncio.timeout(settings.hard_timeout_s):
            return await worker.run(grade, asked)
    except TimeoutError:
        return KILLED
    except WorkerLost:
        return _failed(CheckFailed("its process ended"))
    except CheckFailed as failed:
        return _failed(failed)


async def _remote(check: GraderCheck | JudgeCheck, settings: Settings) -> tuple[list[Finding], list[Finding]]:
    timeout_s = settings.request_timeout_s
    async with RemoteRunner.opened(check, CheckEvents(), cache_size=0, request_timeout_s=timeout_s) as runner:

        async def asked(example: Example) -> Finding:
            question = Question(example.answer, example.ground_truth, example.prompt)
            try:
                return await runner.ask_again(question.key(b""), question)
            except CheckFailed as failed:
                return _failed(failed)

        first = await asyncio.gather(*map(asked, check.examples))
        return first, await asyncio.gather(*map(asked, check.examples))


def _failed(failed: CheckFailed) -> Finding:
    return Finding(Outcome.ERROR, None, failed.reason)
