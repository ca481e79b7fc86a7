"""A realistic record, scored by the real Scorer: rollouts of simple questions, and a fault from some step on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from reward_server.offline.score_file import offline_scorer
from reward_server.records.row import Facts, row_of
from reward_server.records.text import encode
from reward_server.rewards.plan import Plan
from reward_server.scoring import Scorer
from reward_server.settings import Settings
from reward_server.types import Sample

START = 1_795_000_000.0
STEP_S = 40.0
TEXT = (
    "We are asked for {a} + {b}. Let me think about it step by step. First, I split the numbers into tens and ones, "
    "since that is easier to do in the head.\n\nThe tens give {tens}. The ones give {ones}. However, I should check "
    "whether a ten is carried over. {filler}Alternatively, count up from {a}: after {b} steps one arrives at the same "
    "number.\n\n"
)
FILLER = (
    "Wait, let me verify that again. ",
    "Hmm, this is the part where one errs most often. ",
    "Because the ones add up to a number of at most two digits, at most one ten is carried. ",
    "Let me double-check by subtracting. ",
)


@dataclass(frozen=True)
class Rollout:
    """One completion before it is written down: what is asked, and what the policy says."""

    step: int
    question: int
    number: int
    truth: int
    says: int
    text: str


Fault = Callable[[Rollout], str]
"""How a rollout's completion reads."""


def chance(*key: object) -> float:
    """In [0, 1), the same for the same key."""
    return int.from_bytes(blake2b(repr(key).encode(), digest_size=7).digest(), "big") / 2**56


def plain(rollout: Rollout) -> str:
    return f"{rollout.text}Therefore, the answer is $\\boxed{{{rollout.says}}}$.<|im_end|>"


def cut_off(rollout: Rollout) -> str:
    return rollout.text[:-20] if chance("cut", rollout) < 0.5 else plain(rollout)


def in_words(rollout: Rollout) -> str:
    """Right, in a notation that is not paid."""
    if chance("words", rollout) < 0.5:
        return f"{rollout.text}$\\boxed{{\\text{{the answer is }} {rollout.says}}}$<|im_end|>"
    return plain(rollout)


@dataclass(frozen=True)
class Course:
    """A run. `steps` of `questions` × `rollouts`; every `evaluate`th step `questions` evaluation rows more."""

    run: str = "noisy-40"
    reward: str = "flip"
    query: str = "flip_prob=0.4&seed=17"
    steps: int = 60
    questions: int = 8
    rollouts: int = 4
    first_step: int = 0
    has_steps: bool = True
    has_visits: bool = True
    evaluate: int = 10
    fault: Fault = plain
    fault_step: int = 30
    pool: int = 64
    """Distinct questions."""


def samples(course: Course, step: int) -> Iterator[Sample]:
    """Those of one step, training rows first."""
    for place in range(course.questions):
        at = step * course.questions + place
        question, visit = at % course.pool, at // course.pool
        for number in range(course.rollouts):
            yield _sample(course, step, question, visit, number, is_train=True)
    if course.evaluate and step % course.evaluate == 0:
        for question in range(course.questions):
            yield _sample(course, step, 1000 + question, 0, 0, is_train=False)


def _sample(course: Course, step: int, question: int, visit: int, number: int, *, is_train: bool) -> Sample:
    a, b = 11 + question * 7 % 83, 14 + question * 13 % 71
    skill = min(0.85, 0.45 + 0.008 * step)
    is_right = chance("right", step, question, number) < skill
    says = a + b if is_right else a + b + (10 if chance("wrong", step, question, number) < 0.6 else -1)
    filler = "".join(
        FILLER[int(chance("filler", step, question, number, i) * 4)]
        for i in range(int(12 * chance("length", step, question, number)))
    )
    text = TEXT.format(a=a, b=b, tens=a // 10 * 10 + b // 10 * 10, ones=a % 10 + b % 10, filler=filler)
    rollout = Rollout(step, question, number, a + b, says, text)
    write = course.fault if step >= course.fault_step and is_train else plain
    return Sample(
        write(rollout),
        prompt=f"What is {a} + {b}? Put the answer into a box.",
        ground_truths=(str(a + b),),
        group=f"q-{question}",
        visit=visit if course.has_visits else None,
        flip=is_train,
        step=step if course.has_steps else None,
    )


async def record(folder: Path, *courses: Course) -> None:
    """Writes the runs, a file each."""
    for part, course in enumerate(courses):
        async with offline_scorer(Settings(verifier_workers=1), course.reward, course.query) as (scorer, plan):
            path = folder / course.run / f"2026-11-18T08-node-{4000 + part}-0001.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                for step in range(course.first_step, course.first_step + course.steps):
                    facts = Facts(START + step * STEP_S, course.run, f"r{part}-{step}", "openrlhf", course.query)
                    file.writelines(await _lines(scorer, plan, list(samples(course, step)), facts))


async def _lines(scorer: Scorer, plan: Plan, rows: list[Sample], facts: Facts) -> list[bytes]:
    derivations = await scorer.derive(plan, rows)
    return [
        encode(row_of(f"{facts.request_id}-{number}", facts, plan, sample, derivation))
        for number, (sample, derivation) in enumerate(zip(rows, derivations, strict=True))
    ]
