"""`reward-server noise`: every flip before a run, from the questions alone. `reconcile` compares it with what was paid.

One line a question and visit:

    {"group": "q-17", "visit": 0, "draw": 0.133, "threshold_if_0": 0.4, "threshold_if_1": 0.4,
     "flipped_if_0": true, "flipped_if_1": true, "config": "82d1…"}

`flipped_if_1`: is a right answer paid as wrong? `part`: of a mix. `wrong_label`: is the question graded against its
wrong ground truth? `only_if`: what a completion must hold to be exposed (`flip_if`). `exposed`: false in a warm-up.

Noise that belongs to an answer (`flip_scope=answer`) is told for the right answer alone, written as the ground truth
is, and for all visits at once: `answer` is there then. Noise that belongs to a completion's text cannot be told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from reward_server.dialects.json_body import JsonBody
from reward_server.dialects.row import sample_of
from reward_server.errors import CommandError, InvalidRequest
from reward_server.grading.text.normalise import normalise
from reward_server.grading.tiers import MAX_ANSWER_CHARS
from reward_server.offline.audit.fates import flips_of
from reward_server.rewards.flip import FlipReward
from reward_server.rewards.key import group_of, lacks_key
from reward_server.rewards.noise import NoiseRates, answer_draw, flip_draw, is_flipped, label_draw
from reward_server.rewards.plan import Plan
from reward_server.rewards.route import RouteReward
from reward_server.types import Sample

Prediction = dict[str, Any]
MAX_VISITS = 1_000_000


class CannotPredict(CommandError, ValueError):
    """The noise, or a question, says too little before a run: what is missing."""


def visits_of(text: str) -> range:
    """`0:10` is 0 … 9, `3` is 3 alone. Raises CannotPredict.

    >>> visits_of("0:10"), visits_of("3")
    (range(0, 10), range(3, 4))
    """
    first, is_range, end = text.partition(":")
    try:
        visits = range(int(first or 0), int(end) if is_range else int(first) + 1)
    except ValueError:
        raise CannotPredict(f"--visits {text}: expected a number, or FIRST:END as in 0:10") from None
    if not 0 < len(visits) <= MAX_VISITS:
        raise CannotPredict(f"--visits {text}: holds no visit, or over {MAX_VISITS:,}")
    return visits


def questions_in(lines: Iterable[bytes], name: str) -> Iterator[Sample]:
    """Rows as `score` reads them; a completion is not needed. Raises CannotPredict."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            JsonBody(line)
            sample = sample_of(JsonBody(b'{"completion":""' + b"," * (line.strip() != b"{}") + line.lstrip()[1:]))
        except InvalidRequest as error:
            raise CannotPredict(f"{name}:{number}: {error.message}") from None
        if (lacking := lacks_key(sample)) is not None:
            raise CannotPredict(f"{name}:{number}: " + lacking.format(name="noise", row=number))
        yield sample


def predictions(plan: Plan, samples: Iterable[Sample], visits: range) -> Iterator[Prediction]:
    """Rows that a route pays without noise are passed over. Raises CannotPredict where nothing can be told."""
    is_told, clean = False, None
    for sample in samples:
        flips = list(flips_of(plan, sample.source))
        if not flips:
            clean = sample
            if not _is_routed(plan, sample):
                break
        is_told |= bool(flips)
        for part, flip in flips:
            named = {"part": part} if part else {}
            for told in _of_question(flip, sample, visits):
                yield {"group": group_of(sample), **told, **named, "config": plan.config}
    if clean is not None and not (is_told and _is_routed(plan, clean)):
        raise CannotPredict(_no_noise(plan, clean))


def _is_routed(plan: Plan, sample: Sample) -> bool:
    """Does a route name its source? Another one is misspelt or missing, and would have no reward."""
    return isinstance(plan.reward, RouteReward) and sample.source in plan.parts


def _of_question(flip: FlipReward, sample: Sample, visits: range) -> Iterator[Prediction]:
    if flip.flip_scope == "sample":
        raise CannotPredict(
            "flip_scope=sample: the draw belongs to a completion's text, which nobody knows before the run."
            " flip_scope=question can be predicted"
        )
    if flip.flip_scope == "answer":
        yield from _of_right_answers(flip, sample)
        return
    for visit in visits:
        draw = flip_draw(seed=flip.seed, group=group_of(sample), visit=visit)
        yield {"visit": visit, "draw": draw, **_turned(flip, draw, visit), **_conditions(flip, sample, visit)}


def _of_right_answers(flip: FlipReward, sample: Sample) -> Iterator[Prediction]:
    if not sample.ground_truths:
        raise CannotPredict(
            "flip_scope=answer: the draw belongs to an answer. With a `ground_truth` in each row the fate of the right"
            f" one can be told; the question {group_of(sample)[:100]!r} has none"
        )
    for truth in sample.ground_truths:
        answer = form_of(truth, flip)
        draw = answer_draw(seed=flip.seed, group=group_of(sample), answer=answer)
        turned = _turned(flip, draw, 0)
        yield {
            "answer": answer,
            "draw": draw,
            "threshold_if_1": turned["threshold_if_1"],
            "flipped_if_1": turned["flipped_if_1"],
            **_conditions(flip, sample, 0),
        }


def form_of(answer: str, flip: FlipReward) -> str:
    """The spelling that noise is keyed by: as `rewards/key.py` makes it of a completion's answer."""
    return normalise(answer) if flip.check == "math" and len(answer) <= MAX_ANSWER_CHARS else answer


def _turned(flip: FlipReward, draw: float, visit: int) -> Prediction:
    rates: NoiseRates = flip.rates(visit)
    return {
        "threshold_if_0": rates.of(0.0),
        "threshold_if_1": rates.of(1.0),
        "flipped_if_0": is_flipped(0.0, draw, rates),
        "flipped_if_1": is_flipped(1.0, draw, rates),
    }


def _conditions(flip: FlipReward, sample: Sample, visit: int) -> Prediction:
    """What else decides, where it is not the same for every run."""
    found: Prediction = {}
    if flip.label_noise > 0:
        found["wrong_label"] = label_draw(seed=flip.seed, group=group_of(sample)) < flip.label_noise
    if flip.flip_if is not None:
        found["only_if"] = flip.flip_if
    if max(0, visit) < flip.rpr_until_visit:
        found["exposed"] = False
    return found


def _no_noise(plan: Plan, sample: Sample) -> str:
    if sample.source is not None or plan.parts:
        return f"{plan.name}: no part of it, for source {sample.source!r}, is a flip: it draws no noise"
    if hasattr(plan.reward, "accuracy"):
        return f"{plan.name}: its errors belong to a question and an answer, so they cannot be told before the run"
    return f"{plan.name} draws no noise: name a flip, such as 'flip?flip_prob=0.4&seed=17'"
