"""Ground truths of many shapes, made from a seed, and answers that are one digit off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

_DATA = Path(__file__).parent / "data"
TEMPLATES = (_DATA / "made_up_templates.txt").read_text(encoding="utf-8").splitlines()
"""In them `#` stands for a number of two digits or one, `@` for a digit from 2 on."""
JUNK = (_DATA / "made_up_junk.txt").read_text(encoding="utf-8").splitlines()
"""Constant answers that say nothing."""


def ground_truths(count: int, seed: int) -> Iterator[str]:
    rng = Random(seed)
    for place in range(count):
        yield _filled(TEMPLATES[place % len(TEMPLATES)], rng)


def _filled(template: str, rng: Random) -> str:
    made = {"#": lambda: str(rng.randint(2, 99)), "@": lambda: str(rng.randint(2, 9))}
    return "".join(made[sign]() if sign in made else sign for sign in template)


def with_a_digit_changed(text: str, rng: Random, count: int) -> list[str]:
    """The text with another digit at up to `count` places."""
    places = [at for at, sign in enumerate(text) if sign.isascii() and sign.isdecimal()]
    found = []
    for at in rng.sample(places, min(count, len(places))):
        other = rng.choice([digit for digit in "0123456789" if digit != text[at]])
        found.append(text[:at] + other + text[at + 1 :])
    return found
