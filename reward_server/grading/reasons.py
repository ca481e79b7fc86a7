"""Why a verdict came out as it did: a sentence for each tier and outcome, for `/explain`.

The tiers are those of `tiers.py`, `math_verify_tier.py` and `verdicts.py`. What a sentence cannot know: which of two
texts is the mathematics that was meant.
"""

from __future__ import annotations

from reward_server.grading.math_verify_tier import TIER as MATH_VERIFY
from reward_server.grading.numbers.exact_number import read_number
from reward_server.grading.places import Place
from reward_server.types import CHECK_TIER, Outcome, Verdict

_RIGHT, _WRONG = Outcome.CORRECT, Outcome.INCORRECT
_BUDGET = "the CPU time or the memory that grading one answer may take"
REASONS: dict[tuple[str, Outcome], str] = {
    ("ground_truth", Outcome.UNGRADABLE): "There is no ground truth that could be compared: it is null, or no text,"
    " number or list of them.",
    ("box", Outcome.UNANSWERED): "{nowhere}",
    ("length", Outcome.UNPARSEABLE): "The answer has more than 1,000 characters, so it was not read.",
    ("length", Outcome.UNGRADABLE): "The ground truth has more than 10,000 characters, so no answer can equal it.",
    ("damaged", Outcome.UNGRADABLE): "The ground truth lost characters on its way (a backslash that JSON ate, say), and"
    " what they were cannot be known.",
    ("text", _RIGHT): "Answer and ground truth are the same text once both are written in one way: `{given}`.",
    ("text", Outcome.UNGRADABLE): "The ground truth is empty once spaces and delimiters are taken away.",
    ("qualifier", _WRONG): "What stands beside the value, a condition or an approximation, contradicts it or the other"
    " side's: `{given}` for `{wanted}`.",
    ("instant", _RIGHT): "The ground truth is a time of day or a date, `{wanted}`, and the answer names the same one.",
    ("instant", _WRONG): "The ground truth is a time of day or a date, `{wanted}`, and the answer `{given}` is another"
    " one, or none.",
    ("number", _RIGHT): "The ground truth is a plain number, `{wanted}`, and the answer has its value, written out.",
    ("number", _WRONG): "The ground truth is a plain number, `{wanted}`, and the answer `{given}` is {otherwise}.",
    ("choice", _RIGHT): "The ground truth is a choice letter, `{wanted}`, and the answer chooses it.",
    ("choice", _WRONG): "The ground truth is a choice letter, `{wanted}`, and the answer `{given}` does not choose it"
    " alone.",
    ("numeral", _RIGHT): "The ground truth is a numeral with a base, `{wanted}`, and the answer has its digits and its"
    " base.",
    ("numeral", _WRONG): "The ground truth is a numeral with a base, `{wanted}`, and the answer `{given}` has other"
    " digits, another base, or none.",
    ("word", _RIGHT): "The ground truth is a word or a name, `{wanted}`, and the answer has its letters and signs.",
    ("word", _WRONG): "The ground truth is a word or a name, `{wanted}`, and the answer `{given}` has other letters or"
    " signs. A sentence is no answer.",
    ("depth", Outcome.UNPARSEABLE): "The answer is nested deeper than 12 brackets, so it was not read.",
    ("structure", _RIGHT): "Part by part the answer `{given}` has the values of the ground truth `{wanted}`.",
    ("structure", _WRONG): "The answer `{given}` is built otherwise than the ground truth `{wanted}` (as a point, an"
    " interval, a set, by the number of its values), or a value in it differs.",
    (MATH_VERIFY, _RIGHT): "Algebra shows that `{given}` and `{wanted}` have the same value.",
    (MATH_VERIFY, _WRONG): "By algebra `{given}` and `{wanted}` differ, or cannot be shown to be equal.",
    (MATH_VERIFY, Outcome.UNPARSEABLE): "The parser of the algebra cannot read the answer `{given}`.",
    (MATH_VERIFY, Outcome.TIMEOUT): f"Comparing `{{given}}` with `{{wanted}}` used up {_BUDGET}.",
    (MATH_VERIFY, Outcome.UNGRADABLE): f"The ground truth `{{wanted}}` cannot be read by the algebra's parser, or used"
    f" up {_BUDGET} by itself.",
    ("killed", Outcome.TIMEOUT): f"Grading `{{given}}` used up {_BUDGET}, and its worker had to be killed.",
    ("string", _RIGHT): "By check=string answer and ground truth are the same text: `{given}`.",
    ("string", _WRONG): "By check=string they are two texts: `{given}` for `{wanted}`.",
    ("error", Outcome.ERROR): "Grading failed on the server's side: its log says why.",
}
"""`given` and `wanted`: answer and ground truth as they were compared. `nowhere`: that there is no answer.
`otherwise`: how an answer that is not the number differs from it."""
_ANOTHER, _NOT_WRITTEN_OUT = (
    "another one",
    "no number written out: words beside it, or an expression that has still to be computed, do not count",
)

_NOWHERE: dict[Place, str] = {
    "box": "The turn that was read has no `\\boxed{…}` that is closed and has something in it.",
    "tags": "The turn that was read has no `<answer>…</answer>` with something in it.",
    "hash": "The turn that was read has no line that begins with `####` and goes on.",
    "auto": "The turn that was read has no closed `\\boxed{…}`, no `<answer>…</answer>` and no line behind `####` with"
    " something in it.",
    "turn": "The turn that was read is empty.",
}
CONTAINED = "The text of the ground truth stands in the answer, beside something else."
"""What is added then: the commonest of wrong verdicts that a person would not have given."""
_OWN: dict[Outcome, str] = {
    _RIGHT: "gives the answer 1",
    Outcome.PARTIAL: "gives the answer {score:.4g}",
    _WRONG: "gives the answer 0",
    Outcome.UNGRADABLE: "cannot use the ground truth",
    Outcome.TIMEOUT: "used up its budget of time or memory",
    Outcome.ERROR: "failed",
}
"""What a check of one's own did."""
_SHOWN_CHARS = 80


def reason(verdict: Verdict, place: Place) -> str:
    """Why, in a sentence or two. `place`: where the answer was looked for.

    >>> print(reason(Verdict(Outcome.INCORRECT, "choice", "B", "C"), "box"))
    The ground truth is a choice letter, `B`, and the answer `C` does not choose it alone.
    """
    if verdict.tier.startswith(CHECK_TIER):
        said = _OWN[verdict.outcome].format(score=verdict.score)
        told = f" It says: {verdict.reason}" if verdict.reason else ""
        return f"The check `{verdict.tier.removeprefix(CHECK_TIER)}` {said}.{told}"
    sentence = REASONS.get((verdict.tier, verdict.outcome), f"It was decided by the rule `{verdict.tier}`.")
    wanted, given = _short(verdict.ground_truth_form), _short(verdict.answer_form)
    otherwise = _NOT_WRITTEN_OUT if read_number(verdict.answer_form) is None else _ANOTHER
    said = sentence.format(wanted=wanted, given=given, nowhere=_NOWHERE[place], otherwise=otherwise)
    return f"{said} {CONTAINED}" if verdict.outcome is _WRONG and _contains(verdict) else said


def _contains(verdict: Verdict) -> bool:
    """Does the ground truth's text stand in the answer, not as a part of a longer word or number?"""
    wanted, given = verdict.ground_truth_form.strip(), verdict.answer_form
    start = given.find(wanted) if wanted else -1
    before, after = given[max(0, start - 1) : max(0, start)], given[start + len(wanted) :][:1]
    return start >= 0 and not any(sign.isalnum() or sign in ".,-^_" for sign in (before + after))


def _short(text: str) -> str:
    half = _SHOWN_CHARS // 2
    return text if len(text) <= _SHOWN_CHARS else f"{text[:half]} … {text[-half:]}"
