"""`reward-server check-golds`: what a data set's ground truths would pay, before a run trusts them.

Each ground truth is graded against itself, against itself with one digit changed, and against constants. What comes out
is about the data as much as about the verifier: a row whose right answer cannot be paid teaches nothing, one that pays
wrong answers teaches them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from rich.console import Console
from rich.table import Table
from rich.text import Text

from reward_server.dialects.json_body import JsonBody
from reward_server.dialects.label import ground_truths_of, labelled
from reward_server.dialects.nemo_gym import GROUND_TRUTH_KEYS, ground_truth_key
from reward_server.errors import InvalidRequest
from reward_server.grading.answer import last_box
from reward_server.grading.process import judge_and_time, prepare_worker
from reward_server.grading.text.damaged import repaired
from reward_server.grading.tiers import judge_cheaply
from reward_server.grading.turn import own_turn
from reward_server.offline.probes import CONSTANTS, changed, is_other_value, plus_one
from reward_server.offline.score_file import BadRow
from reward_server.processes.job import WorkerKilled
from reward_server.processes.pool import QUICK_SHARE, ProcessPool
from reward_server.settings import Settings
from reward_server.system import check_system
from reward_server.types import JsonTruth, Outcome, Sample

EXAMPLES, SHOWN_CHARS = 4, 60
AT_ONCE = 64
"""So many ground truths are under work at a time."""


class Kind(StrEnum):
    """What can be found; in the order of the report."""

    WRONG = "pays a wrong value"
    UNSURE = "pays another value"
    NOT_PAID = "not paid to itself"
    UNGRADABLE = "ungradable"
    SLOW = "slow"
    REPAIRED = "repaired"


MEANINGS = {
    Kind.WRONG: "an answer that is certainly another value is paid: a policy can learn it",
    Kind.UNSURE: "one digit changed, or a constant, is paid: wrong, unless both are equal, which could not be told",
    Kind.NOT_PAID: "the ground truth itself, in a box, is not correct",
    Kind.UNGRADABLE: "unusable: answers that are not equal to it letter by letter get no reward",
    Kind.SLOW: "grading one answer took long, or was given up",
    Kind.REPAIRED: "damaged (a backslash lost to JSON, a stray comma or brace), and read otherwise than it stands",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about one ground truth. `answer`: the one that showed it; for REPAIRED how the ground truth is read.

    `cpu_s`: what grading it took.
    """

    kind: Kind
    ground_truth: str
    answer: str
    outcome: str
    cpu_s: float


FoundInRow = tuple[int, Finding]
"""The line of the file, from 1, and what was found there."""


@dataclass(frozen=True, slots=True)
class _Graded:
    answer: str
    outcome: Outcome
    cpu_s: float


_NOT_DECIDED = (Outcome.TIMEOUT, Outcome.ERROR)
"""Too slow, or twice not graded on a busy machine: both are worth a look."""


class GroundTruthCheck:
    """Checks ground truths in worker processes. Open it with `async with ground_truth_check(settings, slow_s)`."""

    def __init__(self, pool: ProcessPool, settings: Settings, slow_s: float) -> None:
        self._pool = pool
        self._slow_s = slow_s
        self._hard_timeout_s = settings.hard_timeout_s
        budget = partial(judge_and_time, soft_timeout_s=settings.soft_timeout_s * (1 - QUICK_SHARE))
        self._judge = budget
        self._judge_quickly = partial(
            judge_and_time, soft_timeout_s=settings.soft_timeout_s * QUICK_SHARE, is_whole_budget=False
        )

    async def findings(self, rows: Iterable[tuple[int, str]]) -> AsyncIterator[tuple[list[int], list[Finding]]]:
        """For each distinct ground truth its rows, and what was found; as they come."""
        numbers: dict[str, list[int]] = {}
        for number, text in rows:
            numbers.setdefault(text, []).append(number)
        room = asyncio.Semaphore(AT_ONCE)

        async def checked(text: str) -> tuple[list[int], list[Finding]]:
            async with room:
                return numbers[text], await self.check(text)

        for task in asyncio.as_completed([asyncio.ensure_future(checked(text)) for text in numbers]):
            yield await task

    async def check(self, ground_truth: str) -> list[Finding]:
        """All that is found about one ground truth."""
        meant = repaired(ground_truth) if ground_truth.strip() else None
        if meant is None:
            return [Finding(Kind.UNGRADABLE, ground_truth, "", Outcome.UNGRADABLE, 0.0)]
        found = [] if meant == ground_truth else [Finding(Kind.REPAIRED, ground_truth, meant, "", 0.0)]
        box = last_box(own_turn(f"\\boxed{{{meant}}}"))
        if box is None or box.text != meant:
            found.append(Finding(Kind.NOT_PAID, ground_truth, meant, "no box can hold it", 0.0))
        answers = dict.fromkeys([meant, *changed(meant), *plus_one(meant), *CONSTANTS])
        graded = await asyncio.gather(*(self._graded(ground_truth, answer) for answer in answers))
        return found + [
            Finding(kind, ground_truth, each.answer, each.outcome, round(each.cpu_s, 4))
            for kind, each in _judged(graded, self._slow_s)
        ]

    async def _graded(self, ground_truth: str, answer: str) -> _Graded:
        started = time.process_time()
        known = judge_cheaply(ground_truth, answer)
        if known is not None:
            return _Graded(answer, known.outcome, time.process_time() - started)
        job = self._pool.submit(self._judge, ground_truth, answer, quick_call=self._judge_quickly)
        try:
            verdict, cpu_s = await job.result()
        except WorkerKilled:
            return _Graded(answer, Outcome.TIMEOUT, self._hard_timeout_s)
        except Exception:  # noqa: BLE001 - whatever it was, the other ground truths are checked
            return _Graded(answer, Outcome.ERROR, self._hard_timeout_s)
        return _Graded(answer, verdict.outcome, cpu_s)


@asynccontextmanager
async def ground_truth_check(settings: Settings, slow_s: float) -> AsyncIterator[GroundTruthCheck]:
    """A check with its worker processes. `slow_s`: CPU seconds beyond which an answer is slow to grade."""
    check_system()
    pool = ProcessPool(workers=settings.verifier_workers, hard_timeout_s=settings.hard_timeout_s)
    async with pool.running(prepare_worker, settings.worker_memory_mb):
        yield GroundTruthCheck(pool, settings, slow_s)


def _judged(graded: list[_Graded], slow_s: float) -> Iterator[tuple[Kind, _Graded]]:
    """What the grades of one ground truth say; the first is that of itself."""
    itself, *others = graded
    if itself.outcome not in (Outcome.CORRECT, Outcome.UNGRADABLE):
        yield Kind.NOT_PAID, itself
    for each in others:
        is_other = is_other_value(itself.answer, each.answer) if each.outcome is Outcome.CORRECT else False
        if is_other is not False:
            yield (Kind.WRONG if is_other else Kind.UNSURE), each
    unusable = next((each for each in graded if each.outcome is Outcome.UNGRADABLE), None)
    if unusable is not None:
        yield Kind.UNGRADABLE, unusable
    slowest = max(graded, key=lambda each: (each.outcome in _NOT_DECIDED, each.cpu_s))
    if slowest.outcome in _NOT_DECIDED or slowest.cpu_s > slow_s:
        yield Kind.SLOW, slowest


def ground_truths_in(lines: Iterable[bytes], key: str | None) -> Iterator[tuple[int, str]]:
    """(line, ground truth) of each row of a JSONL file, several where a row has alternatives; "" where it has none.

    `key` names the column, with points into objects (`reward_model.ground_truth`); else it is the first that is
    not null of `ground_truth`, `expected_answer`, `answer`, `label`. Raises BadRow.
    """
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                texts = _ground_truths(JsonBody(line), key)
            except InvalidRequest as error:
                raise BadRow(f"line {number}: {error.message}") from None
            if texts is None:
                raise BadRow(f"line {number}: no {key or ', '.join(GROUND_TRUTH_KEYS)} (--key names another column)")
            yield from ((number, text) for text in texts or ("",))


def _ground_truths(row: JsonBody, key: str | None) -> tuple[str, ...] | None:
    """() where the column holds nothing that can be one; None where there is no such column."""
    columns = {each: row.label(each) for each in GROUND_TRUTH_KEYS if each in row}
    name, *inner = key.split(".") if key else [ground_truth_key(columns) or ""]
    if name not in row:
        return None
    value = row.label(name)
    for part in inner:
        if not isinstance(value, dict) or part not in value:
            return None
        value = value[part]
    texts = ground_truths_of(value) if inner else labelled(Sample(""), value).ground_truths or ()
    return () if texts and isinstance(texts[0], JsonTruth) else texts


def findings_table(ground_truths: int, found: list[FoundInRow]) -> str:
    """The findings by kind, with how many rows have each and the first of them."""
    if not found:
        return f"{ground_truths} ground truths: nothing found"
    table = Table(title=f"{ground_truths} ground truths", title_justify="left")
    table.add_column("found", max_width=40)
    table.add_column("rows", justify="right")
    table.add_column("the first of them")
    for kind in Kind:
        of_kind = [(row, finding) for row, finding in found if finding.kind is kind]
        if of_kind:
            rows = str(len({row for row, _ in of_kind}))
            shown = [f"line {row}: {_example(finding)}" for row, finding in of_kind[:EXAMPLES]]
            table.add_row(Text(f"{kind}: {MEANINGS[kind]}"), rows, Text("\n".join(shown)), end_section=True)
    console = Console(width=120)
    with console.capture() as printed:
        console.print(table)
    return printed.get()


def _example(finding: Finding) -> str:
    shown = _visible(finding.ground_truth)
    if not finding.answer or finding.kind is Kind.NOT_PAID:
        return f"{shown} ({finding.outcome})"
    took = f" ({finding.outcome}, {finding.cpu_s:.2f} s)" if finding.kind is Kind.SLOW else ""
    return f"{shown} <- {_visible(finding.answer)}{took}"


def _visible(text: str) -> str:
    shown = "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
    return shown if len(shown) <= SHOWN_CHARS else f"{shown[:SHOWN_CHARS]}…"
