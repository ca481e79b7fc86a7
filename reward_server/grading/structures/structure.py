"""What an answer is made of, as `shape` reads it and `matching` compares it.

| kind            | what it is                                                          | its parts' order |
|-----------------|---------------------------------------------------------------------|------------------|
| value           | one expression; what was not read further                           |                  |
| text            | a word or sign that is compared as text: `otherwise`, `\\ldots`     |                  |
| equation, chain | `2x-y = 0`, `x = 2+3 = 5`                                           | as written       |
| list            | `2, 3`: bare values                                                 | none             |
| sequence        | `[1,2,3]`; a list where `ordered` is true                           | counts           |
| set             | `\\{2,3\\}`, `\\pm 2`, "2 or 3"                                     | none             |
| (), [], (], [)  | a point, or an interval                                             | counts           |
| union           | intervals and one set, in order and apart where they could be       | none             |
| difference      | `\\mathbb{Z} \\setminus \\{0\\}`, where it could not be worked out  | counts           |
| description     | `\\{2k : k \\in \\mathbb{Z}\\}`: members and condition               | counts           |
| inequality      | a linear one in several letters, as text; the interval of its name  |                  |
| vector          | a column or row of a matrix                                         | counts           |
| components      | `3\\mathbf{i}-2\\mathbf{j}`: always three parts                     | counts           |
| matrix, row     | more rows and more columns than one                                 | counts           |
| ratio, range    | `3:4`, `10-12`; a remainder, `7 R 3`                                | counts           |
| congruence      | `x \\equiv 3 \\pmod{7}`: left side without a name, residue, modulus | counts           |
| alternatives    | `x=0 \\lor y=0`: of several names, not all of them                   | none             |
| equal           | `a=b=c`: letters                                                    | none             |
| solution        | `x=1, y=2` among others: values in the order of their names         | counts           |
| conjunction     | `p \\land q`: statements                                            | none             |
| progression     | `1, 2, \\ldots, n`: first, step, last                               | counts           |
| cases, case     | a function by cases; (value, condition)                             | none; counts     |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

INTERVALS = frozenset({"()", "[]", "(]", "[)"})
LISTS = frozenset({"list", "set"})
BRACKETS = re.compile(r"(?:\(|\[|\\\{).*(?:\)|\]|\\\})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Shape:
    """`kind`: see above. `parts` stand together in it; `name` is the x of `x = …` and `x \\in …`."""

    kind: str
    text: str
    parts: tuple[Shape, ...] = ()
    name: str = ""

    def named(self, name: str) -> Shape:
        """The same under a name; under none, itself."""
        return replace(self, name=name) if name else self


Read = Callable[[str], Shape]
"""Reads the structure of a part."""


def value(text: str, name: str = "") -> Shape:
    """One expression."""
    return Shape("value", text.strip(), name=name)


def gathered(kind: str, text: str, pieces: Iterable[str], read: Read) -> Shape:
    """The pieces together; a list within a list is one list: `\\{1 \\pm \\sqrt{5}, -2\\}` has three members."""
    parts: list[Shape] = []
    for piece in pieces:
        part = read(piece)
        is_one_list = kind in LISTS and part.kind in LISTS and not piece.startswith("\\{")
        parts.extend([each.named(part.name) for each in part.parts] if is_one_list else [part])
    return Shape(kind, text, tuple(parts))
