"""Why a sample was paid what it was paid, in sentences: what the grading says, then the noise, then the rest."""

from __future__ import annotations

from collections.abc import Iterator

from reward_server.grading.reasons import reason
from reward_server.reward_model.answer_format import AnswerFormat
from reward_server.rewards.found import Derivation, parts_of
from reward_server.rewards.mix import MixReward
from reward_server.rewards.plan import Plan
from reward_server.rewards.reward import Reward
from reward_server.rewards.rm import RmReward
from reward_server.rewards.route import RouteReward
from reward_server.types import JoinedScore, Noise, Outcome, Sample, Score

LOST = (
    "The completion cannot be told from its prompt: the query does not begin with the prompt, and where the prompt"
    " ends in it is not certain."
)
BAD_FORMAT: dict[AnswerFormat, str] = {
    "tags": "The completion is not `…</think> <answer>…</answer>`, or writes control tokens.",
    "paper": "The completion has not the form that the paper's code asks for, or writes control tokens.",
    "think": "The completion has no `</think>` with an answer behind it, or writes control tokens.",
    "plain": "The completion is empty, or writes control tokens.",
}


def why(plan: Plan, sample: Sample, derivation: Derivation) -> str:
    """One to four sentences; each says a fact that the rest of the explanation has in numbers."""
    if sample.is_lost:
        return LOST
    if isinstance(derivation.score, JoinedScore):
        return " ".join(_joined(plan, sample, derivation, derivation.score))
    return " ".join([*_graded(plan, sample, derivation), *_settled(plan, sample, derivation)])


def _joined(plan: Plan, sample: Sample, derivation: Derivation, score: JoinedScore) -> Iterator[str]:
    """Of a reward that is made of others."""
    parts = parts_of(derivation)
    if score.reason:
        yield f"There is no reward: {score.reason}."
    elif isinstance(plan.reward, RouteReward):
        for source, part in parts.items():
            yield f"Its source {source!r} is paid by {plan.parts[source].name}."
            yield why(plan.parts[source], sample, part)
    elif score.reward is None:
        without = [name for name, part in parts.items() if part.score.reward is None]
        yield f"The part {without[0]} has no reward, so the whole has none, instead of a 0."
        yield f"{without[0]}: {why(plan.parts[without[0]], sample, parts[without[0]])}"
    elif isinstance(plan.reward, MixReward):
        if plan.reward.is_closed({name: part.score for name, part in parts.items()}):
            yield f"The gate {plan.reward.gate} is paid 0, so the sample is."
        else:
            weighted = plan.reward.weights.items()
            sums = [f"{_number(weight)} · {_number(score.parts[name])} ({name})" for name, weight in weighted]
            yield f"It is {' + '.join(sums)} = {_number(score.unrounded)}."
        for name, part in parts.items():
            yield f"{name}: {why(plan.parts[name], sample, part)}"


def _graded(plan: Plan, sample: Sample, derivation: Derivation) -> Iterator[str]:
    """What was found out about the answer, or about the text where no answer is asked for."""
    found = derivation.found
    if found.verdict is not None:
        yield reason(found.verdict, plan.needs.place)
        if len(sample.ground_truths or ()) > 1:
            yield f"One of {len(sample.ground_truths or ())} ground truths has to be met."
        if found.wrong_verdict is not None:
            yield f"It is paid by its wrong label, for which it is {found.wrong_verdict.outcome}."
    elif found.model is not None:
        yield _modelled(plan, derivation)
    elif derivation.score.outcome is Outcome.UNANSWERED:
        yield "There is no answer, and require_answer pays 0 then."
    elif found.rpr is not None and isinstance(plan.reward, Reward):
        yield f"The turn has {found.rpr.hits} of the phrases, and {plan.reward.saturation} of them earn all."


def _modelled(plan: Plan, derivation: Derivation) -> str:
    answer, parts = derivation.found.model, derivation.score.parts
    if answer is None or answer.value is None:
        outcome = derivation.score.outcome
        if outcome is Outcome.BAD_FORMAT:
            return BAD_FORMAT[plan.reward.format if isinstance(plan.reward, RmReward) else "plain"]
        return "The text has more tokens than the model takes." if outcome is Outcome.TOO_LONG else "The model failed."
    return f"The reward model says {_number(answer.value)}, which is a score of {_number(parts['rm'])}."


def _settled(plan: Plan, sample: Sample, derivation: Derivation) -> Iterator[str]:
    """What the reward made of it."""
    score = derivation.score
    if score.reward is None:
        yield "So there is no reward, instead of a 0."
        return
    if score.noise is not None:
        yield _noisy(score.noise, sample)
    if score.parts.get("calibrated") is not None:
        yield from _lifted(plan, score)
    elif _is_topped_up(score):
        yield f"What earned 0 is paid for its reasoning, where RPR is {_number(score.parts['rpr'])}."
    if (correction := getattr(plan.reward, "correction", "none")) != "none":
        yield f"Under correction={correction} {_number(score.shown)} is paid as {_number(score.reward)}."
    if (other := derivation.found.reference) is not None:
        yield f"The second opinion (check={plan.needs.reference}) calls it {other.outcome}, which pays nothing."


def _noisy(noise: Noise, sample: Sample) -> str:
    if not sample.flip:
        return "Noise leaves it, as an evaluation row."
    if noise.holds is False:
        return "Noise leaves it: it lacks what flip_if asks for."
    if not noise.exposed:
        return "Noise leaves it: only what was answered and graded may be inverted."
    is_below = "is below" if noise.flipped else "is not below"
    done = "inverts" if noise.flipped else "leaves"
    return f"Noise {done} it: the draw {_number(noise.draw)} {is_below} {_number(noise.threshold)}."


def _is_topped_up(score: Score) -> bool:
    """Of `verifier` and `flip`: RPR is paid where nothing else was earned."""
    clean = score.parts.get("clean")
    is_asked = clean is not None and score.parts.get("rpr") is not None and score.outcome is not Outcome.PARTIAL
    return is_asked and score.reward not in (0.0, 1.0)


def _lifted(plan: Plan, score: Score) -> Iterator[str]:
    """Of `rm` and `rm_sim`: what RPR adds below the threshold."""
    said, value = score.parts["rm"], score.parts["calibrated"]
    threshold = getattr(plan.reward, "threshold", 0.5)
    if "clean" in score.parts:
        yield f"The simulated judge says {_number(said)}."
    if said == value:
        yield "It is paid as it is."
    else:
        yield f"Below the threshold of {_number(threshold)} RPR lifts it to {_number(value)}."


def _number(value: float | None) -> str:
    return "null" if value is None else f"{value:.4g}"
