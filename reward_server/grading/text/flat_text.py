"""Normalised text with its words as plain words: without `\\text{}` around its parts."""

from __future__ import annotations

import re

_TEXT = re.compile(r"\\text ?\{([^{}]*)\}")


def flat(text: str, keep_braces: bool = False) -> str:
    plain = " ".join(_TEXT.sub(r" \1 ", text).split()) if "\\text" in text else text
    return plain if keep_braces else plain.replace("{", "").replace("}", "")
