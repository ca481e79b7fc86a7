"""`/explain`: the whole derivation of one sample's reward, as JSON for a person."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import asdict

from reward_server import __version__
from reward_server.explaining.why import why
from reward_server.grading.box_row import answer_for
from reward_server.grading.math_verify_tier import TIER as MATH_VERIFY
from reward_server.grading.reading import repairs
from reward_server.grading.text.normalise import normalise
from reward_server.rewards.composite import Composite
from reward_server.rewards.flip import both_right
from reward_server.rewards.found import Derivation, parts_of
from reward_server.rewards.mix import MixReward
from reward_server.rewards.plan import Plan
from reward_server.rewards.recipe import NOT_OF_A_PART
from reward_server.rewards.reward import Reward
from reward_server.rewards.route import RouteReward
from reward_server.types import CHECK_TIER, JoinedScore, Outcome, Sample, Score, Verdict

MEANINGS = {
    Outcome.CORRECT: "the answer equals the ground truth",
    Outcome.PARTIAL: "the check gave a score between 0 and 1",
    Outcome.INCORRECT: "the answer differs from the ground truth",
    Outcome.UNPARSEABLE: "the answer cannot be parsed, or is longer than 1,000 characters",
    Outcome.UNANSWERED: "there is no answer in the place where it is looked for, or it is empty",
    Outcome.TIMEOUT: "the answer exhausted the budget of time or memory for grading it",
    Outcome.UNGRADABLE: "the ground truth itself is unusable, so there is no reward",
    Outcome.ERROR: "grading failed on our side, so there is no reward; the log says why",
    Outcome.SCORED: "scored",
    Outcome.BAD_FORMAT: "the completion does not have the requested format, so it scores 0",
    Outcome.TOO_LONG: "the text has more tokens than the model takes, so there is no reward",
}

_LOST = (
    "the completion cannot be told from its prompt, so there is no reward: the query does not begin with the prompt,"
    " and where the prompt ends in it is not certain"
)


def explanation(
    plan: Plan, sample: Sample, derivation: Derivation, milliseconds: dict[str, float], warnings: Sequence[str] = ()
) -> dict[str, object]:
    """Every step that led to the reward; a step that the reward lacks is left out.

    `warnings`: of how the sample was asked for, before those of the sample itself.
    """
    said = [*_sample_warnings(sample, derivation), *_warnings(plan, sample, derivation)]
    return {
        **_steps(plan, sample, derivation),
        "milliseconds": milliseconds,
        "warnings": [*warnings, *said],
        "parameters": _parameters(plan),
        "version": __version__,
        "config": plan.config,
    }


def _parameters(plan: Plan) -> dict[str, object]:
    """Of a reward that is made of others, with those of each part, under the name that `rewards.toml` has for them."""
    own: dict[str, object] = plan.reward.model_dump()
    if isinstance(plan.reward, Composite):
        parts = {name: {"reward": part.name, **_parameters(part)} for name, part in plan.parts.items()}
        own["routes" if isinstance(plan.reward, RouteReward) else "parts"] = parts
    return own


def _steps(plan: Plan, sample: Sample, derivation: Derivation) -> dict[str, object]:
    reading, score = derivation.found.reading, derivation.score
    steps = {
        "reward": plan.name,
        "value": score.reward,
        "outcome": score.outcome,
        "meaning": _meaning(sample, score),
        "why": why(plan, sample, derivation),
        "parts": score.parts,
        "turn": {"characters": len(reading.text), "ignored_characters": len(sample.completion) - len(reading.text)},
    }
    if isinstance(score, JoinedScore):
        return {**steps, **_joined(plan, sample, derivation, score)}
    return {
        **steps,
        "answer": _answer(sample, derivation),
        **_verdict(sample, derivation),
        **_noise(score),
        **_wrong_label(sample, derivation),
        **_reference(plan, derivation),
        **_rpr(plan, derivation),
        **_model(derivation),
    }


def _meaning(sample: Sample, score: Score) -> str:
    if sample.is_lost:
        return _LOST
    return (score.reason if isinstance(score, JoinedScore) else "") or MEANINGS[score.outcome]


def _joined(plan: Plan, sample: Sample, derivation: Derivation, score: JoinedScore) -> dict[str, object]:
    """What each part came to, and how they were joined."""
    asked = parts_of(derivation)
    parts = {name: _steps(plan.parts[name], sample, part) | _set(plan.parts[name]) for name, part in asked.items()}
    if isinstance(plan.reward, RouteReward):
        route: dict[str, object] = {"source": sample.source, "known": dict(plan.reward.rewards)}
        return {"route": route, "components": score.components, "made_of": parts}
    mix: dict[str, object] = {}
    if isinstance(plan.reward, MixReward):
        paid = {name: part.score for name, part in asked.items()}
        mix = {"weights": dict(plan.reward.weights), "gate": plan.reward.gate or None}
        mix["is_closed"] = score.reward is not None and plan.reward.is_closed(paid)
    return {"mix": {**mix, "unrounded": score.unrounded}, "components": score.components, "made_of": parts}


def _set(plan: Plan) -> dict[str, object]:
    """A part's parameters and the digest of all of it."""
    given = {name: value for name, value in _parameters(plan).items() if name not in NOT_OF_A_PART}
    return {"parameters": given, "config": plan.config}


def _answer(sample: Sample, derivation: Derivation) -> dict[str, object] | None:
    """`boxes`: the boxes side by side that were compared as one list, instead of the last box alone."""
    answer = derivation.found.reading.answer
    if answer is None:
        return None
    shown: dict[str, object] = {"text": answer.text, "start": answer.start, "end": answer.end}
    used = [answer_for(truth, answer.text, answer.row) for truth in sample.ground_truths or ()]
    return {**shown, "boxes": answer.row} if derivation.found.verdict and answer.row in used else shown


def _verdict(sample: Sample, derivation: Derivation) -> dict[str, object]:
    verdict = derivation.found.verdict
    if verdict is None:
        return {}
    form = normalise if verdict.tier == MATH_VERIFY else str  # only outcomes are kept of what workers grade
    return {
        "ground_truths": sample.ground_truths,
        "verdict": {
            "outcome": verdict.outcome,
            "tier": verdict.tier,
            "ground_truth_form": form(verdict.ground_truth_form),
            "answer_form": form(verdict.answer_form),
            **_check(verdict),
        },
    }


def _check(verdict: Verdict) -> dict[str, object]:
    """Of a check of one's own: which one decided, and what it said."""
    if not verdict.tier.startswith(CHECK_TIER):
        return {}
    return {"check": verdict.tier.removeprefix(CHECK_TIER), "score": verdict.clean, "reason": verdict.reason}


def _noise(score: Score) -> dict[str, object]:
    if score.noise is None:
        return {}
    return {"noise": {name: value for name, value in asdict(score.noise).items() if value is not None}}


def _wrong_label(sample: Sample, derivation: Derivation) -> dict[str, object]:
    """Of a row that is paid by its wrong ground truth."""
    wrong = derivation.found.wrong_verdict
    shown = {"wrong_ground_truths": sample.wrong_ground_truths, "outcome": wrong.outcome} if wrong else None
    return {} if shown is None else {"wrong_label": shown}


def _reference(plan: Plan, derivation: Derivation) -> dict[str, object]:
    """The second opinion. Here the sample is alone; of several rollouts of a question in a request one is asked."""
    if plan.needs.reference is None:
        return {}
    verdict = derivation.found.reference
    says = {"outcome": verdict.outcome, "tier": verdict.tier} if verdict is not None else {}
    return {"reference": {"check": plan.needs.reference, "asked": verdict is not None, **says}}


def _rpr(plan: Plan, derivation: Derivation) -> dict[str, object]:
    rpr = derivation.found.rpr
    if rpr is None or not isinstance(plan.reward, Reward):
        return {}
    spans = plan.phrases.spans(derivation.found.reading.text)
    return {
        "rpr": {
            "value": rpr.value,
            "hits": rpr.hits,
            "saturation": plan.reward.saturation,
            "repetition": rpr.repetition,
            "user_turns": rpr.user_turns,
            "phrases": [{"phrase": phrase, "start": start, "end": end} for phrase, start, end in spans],
        }
    }


def _model(derivation: Derivation) -> dict[str, object]:
    answer = derivation.found.model
    if answer is None or answer.read is None:
        return {}
    read = answer.read
    return {
        "model": {
            "text": read.text,
            "tokens": read.tokens,
            "prompt_tokens": len(read.prompt),
            "truncated": read.truncated,
            "read_at": read.read_at,
            "score": answer.value,
            "transformed": derivation.score.parts["rm"],
            "calibrated": derivation.score.parts["calibrated"],
        }
    }


def _sample_warnings(sample: Sample, derivation: Derivation) -> list[str]:
    """Of the completion, whatever the reward."""
    reading, warnings = derivation.found.reading, []
    if reading.has_eaten_escape:
        warnings.append("a JSON escape ate a backslash; write \\\\boxed")
    if len(reading.text) < len(sample.completion.rstrip()) - 32:
        warnings.append(f"what follows character {len(reading.text)} is after the end of the turn and does not count")
    return warnings


def _warnings(plan: Plan, sample: Sample, derivation: Derivation) -> list[str]:
    """Of the reward; those of a part have its name in front."""
    reading = derivation.found.reading
    warnings = list(plan.reward.warnings(sample))
    for name, part in parts_of(derivation).items():
        warnings += [f"{name}: {text}" for text in _warnings(plan.parts[name], sample, part)]
    if both_right(derivation.found.verdict, derivation.found.wrong_verdict):
        warnings.append("the wrong ground truth is met by the right answer, so this label is not wrong")
    for meant in repairs(sample.ground_truths, plan.needs.check):
        warnings.append(f"the ground truth is damaged (a backslash lost to JSON, or the like); read as {meant}")
    wants_box = plan.needs.check is not None and plan.needs.place in ("box", "auto")
    if wants_box and not reading.is_answered and "boxed" in reading.text:
        warnings.append("there is a box, but it is empty or never closed")
    return warnings
