"""Is this answer the ground truth? Tiers, cheapest first; the first that decides names itself in the verdict.

| tier        | decides                                                                  | where        |
|-------------|--------------------------------------------------------------------------|--------------|
| length      | answers over 1,000 characters: unparseable; ground truths over 10,000:   | server, 0 µs |
|             | ungradable                                                               |              |
| damaged     | ground truths that lost what nobody can know: ungradable (`text/damaged.py`)| server       |
| text        | equal after `normalise`: correct                                         | server       |
| qualifier   | conditions beside the values (`x > 0`) that contradict each other, or an | server       |
|             | approximation that contradicts its value (`2 \\approx 3`)              |              |
| instant     | the ground truth is a time of day or a date: the same one                | server       |
| number      | the ground truth is a plain number: only that number, written out        | server       |
| choice      | … a choice letter                                                        | server       |
| numeral     | … a numeral with a base: same digits, same base                          | server       |
| word        | … a word or name: same letters and signs                                 | server       |
| depth       | answers nested deeper than 12 brackets: unparseable                      | server       |
| structure   | another structure (point, interval, set, …), or values all decided by    | server       |
|             | text, number, unit, or algebra in a finite field (`symbolic/`)           |              |
| math_verify | the pairs of values that are left                                        | worker       |

Choices, where a right value could be paid or not. A plain number has to be written out: `2+2`, `5!` and `\\log_2 8` are
incorrect for 4, 120 and 3, since a policy that may box the question instead of its answer learns to. So are integrals,
sums, products, limits, binomials for any ground truth without them. Decimals have to be exact (`0.66667` is not 2/3),
but a ground truth of three digits may be rounded. Fractions may be unreduced, units may be missing but not wrong, a
base may not be missing, a name may be missing (`x = 5`) but not wrong. Several values never match one; a sentence is
no answer.
Not covered: whether an expression had to be expanded or factored (`2(k+1)` is `2k+2`: a restated polynomial is paid).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from reward_server.grading.numbers.clock import Instant, instant_matches, read_instant
from reward_server.grading.numbers.exact_number import Number, is_same_number, read_ground_truth, read_number
from reward_server.grading.numbers.not_mathematics import numeral_matches
from reward_server.grading.string_check import is_same_string, string_form
from reward_server.grading.structures.additions import without_additions
from reward_server.grading.structures.comparison import Leaf, in_order
from reward_server.grading.structures.matching import compare, compare_texts
from reward_server.grading.structures.shape import read_shape
from reward_server.grading.structures.structure import Shape
from reward_server.grading.structures.values import compare_values
from reward_server.grading.text.brackets import MAX_DEPTH, depth
from reward_server.grading.text.choices import choice_matches
from reward_server.grading.text.damaged import repaired
from reward_server.grading.text.normalise import compact, normalise
from reward_server.grading.text.word_rule import word_matches
from reward_server.types import Outcome, Verdict

MAX_ANSWER_CHARS = 1000
MAX_GROUND_TRUTH_CHARS = 10_000
"""A longer one could be no answer's equal; reading it would only take time."""

MAX_WORK = 3000
"""Characters that the rules read and compare in the server. More is left to a worker, which applies the same rules
first: a list of hundreds of members in another order, an equation of hundreds of sides."""
WORK_A_VALUE = 12
"""So many characters' work a value is, however short it is."""
_BETWEEN_VALUES = (",", ";", ":", "=", "<", ">", "&", "\\\\", "\\cup")
MAX_KEPT_CHARS = 256
"""So long may a ground truth and an answer be together for their verdict to be kept."""


_STAND_FOR_MANY = ("\\ldots", "\\mathbb{Z}", "\\mathbb{N}")
_VALUES_OF_MANY = 40
"""`1, 2, \\ldots, 99` is read as the values that it stands for."""


@dataclass(frozen=True, slots=True)
class _GroundTruth:
    """A ground truth read once; the rollouts of a group share it."""

    raw: str
    text: str
    number: Number | None
    ordered: bool
    instant: Instant | None


class _TooMuchWork(Exception):
    """The rules would take longer than the event loop may wait."""


def judge_cheaply(ground_truth: str, answer: str, ordered: bool = False) -> Verdict | None:
    """The verdict where no worker is needed, else None. Pure; 3 to 90 µs, at most 10 ms, however long the texts are.

    `ordered`: bare lists have to have the ground truth's order.
    """
    judge = _kept if len(ground_truth) + len(answer) <= MAX_KEPT_CHARS else _judge_bounded
    return judge(ground_truth, answer, ordered)


def _judge_bounded(ground_truth: str, answer: str, ordered: bool) -> Verdict | None:
    try:
        return _judge(ground_truth, answer, ordered, MAX_WORK)
    except (_TooMuchWork, RecursionError):  # for a worker, which has a budget of its own
        return None


_kept = lru_cache(maxsize=4096)(_judge_bounded)
"""The rollouts of a group share their answers as well: at most 6 MB."""


def judge_by_rules(ground_truth: str, answer: str, ordered: bool = False) -> Verdict | None:
    """As `judge_cheaply`, however long it takes. May raise RecursionError."""
    return _judge(ground_truth, answer, ordered, None)


def _judge(ground_truth: str, answer: str, ordered: bool, max_work: int | None) -> Verdict | None:
    if len(answer) > MAX_ANSWER_CHARS:
        return Verdict(Outcome.UNPARSEABLE, "length", "", "")
    if len(ground_truth) > MAX_GROUND_TRUTH_CHARS:
        return Verdict(Outcome.UNGRADABLE, "length", "", "")
    if max_work is not None and len(ground_truth) > max_work:
        return None
    meant = repaired(ground_truth)
    if meant is None:
        return Verdict(Outcome.UNGRADABLE, "damaged", "", "")
    wanted = _read(meant, ordered)
    given = wanted.text if answer == meant else normalise(answer)
    if not wanted.text:
        return Verdict(Outcome.UNGRADABLE, "text", wanted.text, given)
    tier, is_correct = _decide(wanted, given, max_work)
    if tier == "depth":
        return Verdict(Outcome.UNPARSEABLE, tier, wanted.text, given)
    return None if is_correct is None else Verdict(_outcome(is_correct), tier, wanted.text, given)


def judge_string(ground_truth: str, answer: str) -> Verdict:
    """`check=string`: see `string_check`."""
    is_correct = is_same_string(ground_truth, answer)
    return Verdict(_outcome(is_correct), "string", string_form(ground_truth), string_form(answer))


@lru_cache(maxsize=1024)
def _read(ground_truth: str, ordered: bool) -> _GroundTruth:
    return _read_text(ground_truth, normalise(ground_truth), ordered)


@lru_cache(maxsize=1024)
def _read_text(ground_truth: str, text: str, ordered: bool) -> _GroundTruth:
    return _GroundTruth(ground_truth, text, read_ground_truth(text), ordered, read_instant(text))


@lru_cache(maxsize=1024)
def shape_of(text: str, ordered: bool = False) -> Shape:
    """The structure of a normalised ground truth, read once."""
    shape = read_shape(text)
    return in_order(shape) if ordered else shape


def _decide(wanted: _GroundTruth, given: str, max_work: int | None) -> tuple[str, bool | None]:
    """(tier, is it correct), or None for correct where Math-Verify has to decide. Raises _TooMuchWork."""
    if compact(wanted.text) == compact(given):
        return "text", True
    pair = without_additions(wanted.text, given)
    if pair is None:
        return "qualifier", False
    if pair != (wanted.text, given):
        return _decide_value(_read_text(wanted.raw, pair[0], wanted.ordered), pair[1], max_work)
    return _decide_value(wanted, given, max_work)


def _decide_value(wanted: _GroundTruth, given: str, max_work: int | None) -> tuple[str, bool | None]:
    """The same for values without qualifiers."""
    if compact(wanted.text) == compact(given):
        return "text", True
    if (verdict := instant_matches(wanted.instant, given)) is not None:
        return "instant", verdict
    leaf = compare_values if max_work is None else _bounded(compare_values, max_work - _work(wanted.text, given))
    if wanted.number is not None:
        return _decide_number(wanted, wanted.number, given, leaf)
    if (verdict := choice_matches(wanted.text, given)) is not None:
        return "choice", verdict
    if (verdict := numeral_matches(wanted.text, given)) is not None:
        return "numeral", verdict
    if (verdict := word_matches(wanted.raw, wanted.text, given)) is not None:
        return "word", verdict
    if depth(given) > MAX_DEPTH:
        return "depth", None
    return "structure", compare_texts(wanted.raw, wanted.text, shape_of(wanted.text, wanted.ordered), given, leaf)


def _decide_number(wanted: _GroundTruth, number: Number, given: str, leaf: Leaf) -> tuple[str, bool | None]:
    """The answer may be a number as it stands, or behind a name (`x = 5`)."""
    if (other := read_number(given, number.unit)) is not None:
        return "number", is_same_number(number, other)
    if depth(given) > MAX_DEPTH:
        return "depth", None
    return "number", compare(shape_of(wanted.text, wanted.ordered), read_shape(given), leaf)


def _work(*texts: str) -> int:
    """What it takes to read them."""
    values = sum(text.count(separator) for text in texts for separator in _BETWEEN_VALUES)
    values += _VALUES_OF_MANY * sum(text.count(many) for text in texts for many in _STAND_FOR_MANY)
    return sum(map(len, texts)) + WORK_A_VALUE * values


def _bounded(leaf: Leaf, max_work: int) -> Leaf:
    """The same for `max_work` characters in all, and _TooMuchWork beyond them, or at once where there are none."""
    left = max_work

    def bounded(ground_truth: str, answer: str) -> bool | None:
        nonlocal left
        left -= WORK_A_VALUE + len(ground_truth) + len(answer)
        if left < 0:
            raise _TooMuchWork
        return leaf(ground_truth, answer)

    if left < 0:
        raise _TooMuchWork
    return bounded


def _outcome(is_correct: bool) -> Outcome:
    return Outcome.CORRECT if is_correct else Outcome.INCORRECT
