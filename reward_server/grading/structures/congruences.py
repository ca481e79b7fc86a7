"""Congruences: `x \\equiv 3 \\pmod{7}` has a residue and a modulus. Whole residues are reduced, `10` is `3` there.

`n \\equiv 1, 5 \\pmod{6}` is two of them. `x = 7k+3` says the same as the first where k stands for a whole number.
Not covered: systems that could be worked out, sides turned round.
"""

from __future__ import annotations

import re

from reward_server.grading.structures.structure import Read, Shape, value
from reward_server.grading.symbolic.linear import letters_of, linear_form
from reward_server.grading.text.names import is_name
from reward_server.grading.text.normalise import compact

_CONGRUENCE = re.compile(r"(?:([^,;]+?) ?\\equiv ?)?([^=<>]+?) ?\\pmod ?\{([^{}]*)\}")
_WHOLE = frozenset("jklmnt")


def read_congruence(text: str, read: Read) -> Shape | None:
    """One residue, or the set of several."""
    if text.count("\\pmod") != 1 or text.count("\\equiv") > 1 or not (match := _CONGRUENCE.fullmatch(text)):
        return None
    left, modulus = match[1] or "", value(match[3])
    residues = read(match[2])
    found = residues.parts if residues.kind in {"list", "set"} else (residues,)
    if any(residue.kind != "value" for residue in found):
        return None
    name = compact(left) if is_name(left) else ""
    before = (value(left),) if left and not name else ()
    shapes = [Shape("congruence", text, (*before, _reduced(each, modulus), modulus), name) for each in found]
    return shapes[0] if len(shapes) == 1 else Shape("set", text, tuple(shapes))


def is_family_of(congruence: Shape, answer: Shape) -> bool:
    """Is it `7k+3` for the residue 3 and the modulus 7?"""
    form = linear_form(answer.text) if answer.kind == "value" and len(congruence.parts) == 2 else None
    letters = [] if form is None else letters_of(form)
    if form is None or len(letters) != 1 or letters[0] not in _WHOLE - {congruence.name, answer.name}:
        return False
    residue, modulus = (_whole(part) for part in congruence.parts)
    constant, factor = form.get("", 0), form[letters[0]]
    if residue is None or modulus is None or not set(form) <= {"", *letters}:
        return False
    return abs(factor) == modulus and (constant - residue) % modulus == 0


def _reduced(residue: Shape, modulus: Shape) -> Shape:
    number, divisor = _whole(residue), _whole(modulus)
    return residue if number is None or not divisor else value(str(number % divisor))


def _whole(shape: Shape) -> int | None:
    form = linear_form(shape.text)
    number = None if form is None or set(form) - {""} else form.get("", 0)
    return None if number is None or number != int(number) else int(number)
