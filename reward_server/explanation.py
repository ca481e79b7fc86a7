"""`/explain`: the whole derivation of one sample's reward, as JSON for a person."""

from __future__ import annotations

from reward_server import __version__
from reward_server.catalog import Plan
from reward_server.derivation import Derivation, group_of, is_answered, repairs
from reward_server.grading.box_row import answer_for
from reward_server.grading.math_verify_tier import TIER as MATH_VERIFY
from reward_server.grading.text.normalise import normalise
from reward_server.parameters import FlipParameters, VerifierParameters
from reward_server.rewards.settlement import is_exposed
from reward_server.types import Outcome, Sample

MEANINGS = {
    Outcome.CORRECT: "the answer equals the ground truth",
    Outcome.INCORRECT: "the answer differs from the ground truth",
    Outcome.UNPARSEABLE: "the answer cannot be parsed, or is longer than 1,000 characters",
    Outcome.UNANSWERED: "there is no closed \\boxed{…}, or it is empty",
    Outcome.TIMEOUT: "the answer exhausted the budget of time or memory for grading it",
    Outcome.UNGRADABLE: "the ground truth itself is unusable, so there is no reward",
    Outcome.ERROR: "grading failed on our side, so there is no reward; the log says why",
    Outcome.SCORED: "scored",
    Outcome.BAD_FORMAT: "the completion has not the format that was asked for, which scores 0",
    Outcome.TOO_LONG: "the text has more tokens than the model takes, so there is no reward",
}

_LOST = (
    "the completion cannot be told from its prompt, so there is no reward: the query does not begin with the prompt,"
    " and where the prompt ends in it is not certain"
)


def explanation(
    plan: Plan, sample: Sample, derivation: Derivation, milliseconds: dict[str, float]
) -> dict[str, object]:
    """Every step that led to the reward; a step that the reward lacks is left out."""
    reading, score = derivation.reading, derivation.score
    return {
        "reward": plan.name,
        "value": score.reward,
        "outcome": score.outcome,
        "meaning": _LOST if sample.is_lost else MEANINGS[score.outcome],
        "parts": score.parts,
        "turn": {"characters": len(reading.text), "ignored_characters": len(sample.completion) - len(reading.text)},
        "answer": _answer(sample, derivation),
        **_verdict(sample, derivation),
        **_noise(plan, sample, derivation),
        **_rpr(plan, derivation),
        **_model(derivation),
        "milliseconds": milliseconds,
        "warnings": _warnings(plan, sample, derivation),
        "parameters": plan.parameters.model_dump(),
        "version": __version__,
        "config": plan.config,
    }


def _answer(sample: Sample, derivation: Derivation) -> dict[str, object] | None:
    """`boxes`: the boxes side by side that were compared as one list, instead of the last box alone."""
    answer = derivation.reading.answer
    if answer is None:
        return None
    shown: dict[str, object] = {"text": answer.text, "start": answer.start, "end": answer.end}
    used = [answer_for(truth, answer.text, answer.row) for truth in sample.ground_truths or ()]
    return {**shown, "boxes": answer.row} if derivation.verdict and answer.row in used else shown


def _verdict(sample: Sample, derivation: Derivation) -> dict[str, object]:
    verdict = derivation.verdict
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
        },
    }


def _noise(plan: Plan, sample: Sample, derivation: Derivation) -> dict[str, object]:
    parameters, clean = plan.parameters, derivation.score.outcome.clean
    if not isinstance(parameters, FlipParameters):
        return {}
    false_positive_prob, false_negative_prob = parameters.noise_rates
    return {
        "noise": {
            "seed": parameters.seed,
            "group": group_of(sample),
            "visit": sample.visit,
            "scope": parameters.flip_scope,
            "draw": derivation.draw,
            "threshold": false_negative_prob if clean == 1 else false_positive_prob,
            "exposed": sample.flip and is_exposed(derivation.score.outcome, parameters),
            "flipped": bool(derivation.score.parts["flipped"]),
        }
    }


def _rpr(plan: Plan, derivation: Derivation) -> dict[str, object]:
    rpr = derivation.rpr
    if rpr is None:
        return {}
    spans = plan.phrases.spans(derivation.reading.text)
    return {
        "rpr": {
            "value": rpr.value,
            "hits": rpr.hits,
            "saturation": plan.parameters.saturation,
            "repetition": rpr.repetition,
            "user_turns": rpr.user_turns,
            "phrases": [{"phrase": phrase, "start": start, "end": end} for phrase, start, end in spans],
        }
    }


def _model(derivation: Derivation) -> dict[str, object]:
    model = derivation.model
    if model is None:
        return {}
    encoded = model.encoded
    return {
        "model": {
            "text": encoded.text,
            "tokens": encoded.tokens,
            "prompt_tokens": len(encoded.prompt),
            "truncated": encoded.truncated,
            "read_at": encoded.read_at,
            "score": model.value,
            "transformed": derivation.score.parts["rm"],
            "calibrated": derivation.score.parts["calibrated"],
        }
    }


def _warnings(plan: Plan, sample: Sample, derivation: Derivation) -> list[str]:
    reading = derivation.reading
    warnings = list(plan.warnings)
    if reading.lost_backslash:
        warnings.append("a JSON escape ate a backslash; write \\\\boxed")
    for meant in repairs(plan, sample):
        warnings.append(f"the ground truth is damaged (a backslash lost to JSON, or the like); read as {meant}")
    if len(reading.text) < len(sample.completion.rstrip()) - 32:
        warnings.append(f"what follows character {len(reading.text)} is after the end of the turn and does not count")
    if isinstance(plan.parameters, VerifierParameters) and not is_answered(reading) and "boxed" in reading.text:
        warnings.append("there is a box, but it is empty or never closed")
    return warnings
