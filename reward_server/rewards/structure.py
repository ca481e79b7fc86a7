"""What an answer is made of, as `shape` reads it and `matching` compares it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shape:
    """`kind` is "value", "equation", or how `parts` stand together; `name` is the x of `x = …` and `x \\in …`."""

    kind: str
    text: str
    parts: tuple[Shape, ...] = ()
    name: str = ""
