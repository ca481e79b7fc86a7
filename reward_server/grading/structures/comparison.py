"""Two structures compared: of one kind, or of two kinds that say the same.

- A column, a row, a tuple, components in i, j, k: one vector where the components are the same in order.
- `[1,2,3]` is the list `1, 2, 3` in order, and the tuple; `[4,9]` is also the list `4, 9`, but not the point (4, 9).
- A bare list has no order; a set has none either, and `2, 3` may stand for `\\{2,3\\}`.
- Names that only the ground truth has ask for its order: `a=2, b=5` is not `5, 2`. So do words that only the answer has
  (`7 \\text{ goats}, 4 \\text{ cars}` for `7, 4`). Letters that only the answer has do not: `a=5, b=2` is `2, 5`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from reward_server.grading.numbers.units import split_unit
from reward_server.grading.structures.congruences import is_family_of
from reward_server.grading.structures.pairing import Same, pair
from reward_server.grading.structures.ratios import same_ratio
from reward_server.grading.structures.structure import INTERVALS, Shape
from reward_server.grading.symbolic.equations import all_true
from reward_server.grading.text.normalise import compact

_VECTORS = frozenset({"vector", "components"})
_LISTED = {  # ground truth: answers that may list the same
    "list": frozenset({"list", "set", "sequence", "[]"}),
    "set": frozenset({"list", "set"}),
    "sequence": frozenset({"list", "sequence", "()", "[]"}),
    "[]": frozenset({"list", "[]"}),
    "()": frozenset({"sequence", "()"}),
}
_NO_ORDER = frozenset({"union", "cases", "conjunction", "alternatives", "equal"})
_INDEX = re.compile(r"_(?:[0-9A-Za-z]|\{[0-9A-Za-z]+\})$")
_TUPLE_OF_NAMES = re.compile(r"\(.*,.*\)")

Leaf = Callable[[str, str], bool | None]
"""Are two values equal? None: cannot say here."""


def compare_structures(ground_truth: Shape, answer: Shape, same: Same, leaf: Leaf) -> bool | None:
    """Is the answer the ground truth? `same` compares two parts, `leaf` two values; names count in lists only."""
    if ground_truth.kind == answer.kind == "value":
        return leaf(ground_truth.text, answer.text)
    if {ground_truth.kind, answer.kind} == {"range", "value"}:  # 4-1 in 4 \pm 1 is written like a range
        return compact(ground_truth.text) == compact(answer.text)
    if "inequality" in (ground_truth.kind, answer.kind):
        return _inequalities(ground_truth, answer, same)
    ground_truth, answer = _spelled(ground_truth, answer), _spelled(answer, ground_truth)
    if ground_truth.kind in _VECTORS or answer.kind in _VECTORS:
        return _vectors(ground_truth, answer, same, leaf)
    if _list_the_same(ground_truth, answer):
        return _lists(ground_truth, answer, same)
    if ground_truth.kind == "ratio":
        return _ratios(ground_truth, answer, same)
    return _alike(ground_truth, answer, same)


def _list_the_same(ground_truth: Shape, answer: Shape) -> bool:
    """`x=3 \\lor y=4` may be two lines, which a comma lists as well; `x>0, y>0` is never `x>0 \\lor y>0`."""
    if ground_truth.kind == "alternatives" and answer.kind == "list":
        return all(part.kind == "value" for part in ground_truth.parts)
    return answer.kind in _LISTED.get(ground_truth.kind, ()) and not _is_named_interval(ground_truth, answer)


def _is_named_interval(*shapes: Shape) -> bool:
    """`1 \\le x \\le 2` beside a list, which `[1,2]` may be."""
    kinds = {shape.kind for shape in shapes}
    return kinds != {"[]"} and any(shape.kind == "[]" and shape.name for shape in shapes)


def in_order(shape: Shape) -> Shape:
    """The same with every bare list a sequence."""
    kind = "sequence" if shape.kind == "list" else shape.kind
    return replace(shape, kind=kind, parts=tuple(map(in_order, shape.parts)))


def _alike(ground_truth: Shape, answer: Shape, same: Same) -> bool | None:
    if ground_truth.kind == "congruence" and answer.kind == "value":
        return is_family_of(ground_truth, answer)
    if {ground_truth.kind, answer.kind} == {"()", "solution"}:  # a point without names may have any
        return ground_truth.name == answer.name and _each(ground_truth.parts, answer.parts, same)
    if ground_truth.kind != answer.kind or len(ground_truth.parts) != len(answer.parts):
        return False
    if ground_truth.kind == "text":
        return compact(ground_truth.text) == compact(answer.text)
    if ground_truth.kind in _NO_ORDER:
        return pair(ground_truth.parts, answer.parts, same)
    return _each(ground_truth.parts, answer.parts, same)


def _each(wanted: Iterable[Shape], given: Iterable[Shape], same: Same) -> bool | None:
    return all_true(same(one, other) for one, other in zip(wanted, given, strict=True))


def _inequalities(ground_truth: Shape, answer: Shape, same: Same) -> bool | None:
    if ground_truth.kind == answer.kind:
        return ground_truth.text == answer.text
    wanted, given = (
        shape.parts[0] if shape.kind == "inequality" and shape.parts else shape for shape in (ground_truth, answer)
    )
    return wanted.kind in INTERVALS and given.kind in INTERVALS and same(wanted, given)


def _spelled(shape: Shape, other: Shape) -> Shape:
    """`(x,y) = (1,2)` beside a list: `x=1, y=2`, in this order where the other has no names."""
    if shape.kind != "()" or other.kind not in {"list", "set", "sequence"} or not _TUPLE_OF_NAMES.fullmatch(shape.name):
        return shape
    names = shape.name[1:-1].split(",")
    if len(names) != len(shape.parts):
        return shape
    has_names = any(part.name for part in other.parts)
    parts = zip(names, shape.parts, strict=True)
    return Shape("list" if has_names else "sequence", shape.text, tuple(part.named(name) for name, part in parts))


def _vectors(ground_truth: Shape, answer: Shape, same: Same, leaf: Leaf) -> bool | None:
    kinds = {ground_truth.kind, answer.kind}
    if kinds == {"components", "value"}:
        return leaf(ground_truth.text, answer.text)
    if not kinds <= {*_VECTORS, "()", "[]", "sequence"}:
        return False
    wanted, given = (_coordinates(shape, len(other.parts)) for shape, other in _both_ways(ground_truth, answer))
    return len(wanted) == len(given) and _each(wanted, given, same)


def _both_ways(one: Shape, other: Shape) -> tuple[tuple[Shape, Shape], tuple[Shape, Shape]]:
    return (one, other), (other, one)


def _coordinates(shape: Shape, dimensions: int) -> tuple[Shape, ...]:
    """Of components only i and j, where that is all and the other side has two."""
    is_plane = shape.kind == "components" and compact(shape.parts[-1].text) == "0"
    return shape.parts[:dimensions] if is_plane and dimensions == len(shape.parts) - 1 else shape.parts


def _lists(ground_truth: Shape, answer: Shape, same: Same) -> bool | None:
    wanted, given = ground_truth.parts, answer.parts
    if len(wanted) != len(given):
        return False
    has_order = ground_truth.kind not in {"list", "set"} or (answer.kind == "sequence" and bool(answer.parts[0].name))
    wanted_names, given_names = ({part.name for part in parts if part.name} for parts in (wanted, given))
    if len(wanted_names) > 1 and len(given_names) < 2 and not given_names & wanted_names:
        has_order = True
        given = _without_names(given, _bases(wanted_names))
    elif len(given_names) > 1 and len(wanted_names) < 2:
        has_order = has_order or (not wanted_names and any(name.startswith("\\text") for name in given_names))
        given = _without_names(given, wanted_names) if _bases(given_names) == wanted_names else given
    has_order = has_order or _has_other_words(wanted, given)
    return _each(wanted, given, same) if has_order else pair(wanted, given, same)


def _bases(names: set[str]) -> set[str]:
    """`x` of `x_1` and `x_2`."""
    return {_INDEX.sub("", name) for name in names}


def _without_names(parts: tuple[Shape, ...], names: set[str]) -> tuple[Shape, ...]:
    return tuple(replace(part, name="") if _INDEX.sub("", part.name) in names else part for part in parts)


def _has_other_words(wanted: tuple[Shape, ...], given: tuple[Shape, ...]) -> bool:
    """Are the numbers of one side of different things, which the other side leaves out?"""
    if not any("\\text" in part.text for part in (*wanted, *given)):
        return False
    both = [{split_unit(part.text)[1] for part in parts} - {""} for parts in (wanted, given)]
    return not all(both) and max(map(len, both)) > 1


def _ratios(ground_truth: Shape, answer: Shape, same: Same) -> bool | None:
    if answer.kind != "ratio":  # 5 for 5:1
        is_number = len(ground_truth.parts) == 2 and compact(ground_truth.parts[1].text) == "1"
        return answer.kind == "value" and is_number and same(ground_truth.parts[0], answer)
    verdict = same_ratio(ground_truth, answer)
    return _alike(ground_truth, answer, same) if verdict is None else verdict
