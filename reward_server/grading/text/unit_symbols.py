"""Units and money in LaTeX's own symbols as words for `units`: `\\SI{7}{cm}`, `3\\ \\mu\\text{m}`, `12\\ k\\Omega`.

Rules for `rewrites`: what must be in the text, the pattern, what it becomes.
"""

from __future__ import annotations

import re

_TEXT = r"\\text ?\{"
_PREFIXES = "nano|micro|milli|centi|deci|kilo|mega|giga|tera"
_PREFIX = re.compile(rf"\\({_PREFIXES}) ?\\")
_COMMAND = re.compile(r"\\([A-Za-z]+)")
_MONEY = r"[€£¥₹₩₽]|(?:Rs|INR|USD|EUR|GBP)\.?"
_SYMBOLS = {"micro": "micro", "degreeCelsius": "^\\circ C", "celsius": "^\\circ C", "percent": "%", "degree": "degree"}


def _of_siunitx(match: re.Match[str]) -> str:
    """`\\SI{7}{\\centi\\meter}`, `\\qty{9.8}{m/s^2}`"""
    words = _PREFIX.sub(r"\\\1", match[2])
    words = _COMMAND.sub(lambda command: f" {_SYMBOLS.get(command[1], command[1])} ", words)
    words = " ".join(re.sub(r"[{}~]", " ", words).split())
    behind = words if words in _SYMBOLS.values() and not words.isalpha() else rf"\text{{{words}}}"
    return f"{match[1].strip()} {behind}"


UNIT_RULES = (
    ("\\SI", r"\\SI ?\{([^{}]*)\} ?\{((?:[^{}]|\{[^{}]*\})*)\}", _of_siunitx),
    ("\\qty", r"\\qty ?\{([^{}]*)\} ?\{((?:[^{}]|\{[^{}]*\})*)\}", _of_siunitx),
    ("\\num", r"\\num ?\{([^{}]*)\}", r"\1"),
    ("\\mu", rf"(?<=[0-9}}]) ?\\mu ?{_TEXT} ?([A-Za-z]{{1,2}}) ?\}}", r"\\text{μ\1}"),
    ("\\mu", rf"{_TEXT} ?\\mu ?(?:{_TEXT} ?)?([A-Za-z]{{1,2}}) ?\}}", r"\\text{μ\1}"),
    ("\\mu", rf"{_TEXT} ?\\mu ?\}} ?{_TEXT} ?([A-Za-z]{{1,2}}) ?\}}", r"\\text{μ\1}"),
    ("\\Omega", rf"(?<=[0-9}}]) ?{_TEXT} ?([mkMG]?) ?\\Omega ?\}}", r"\\text{\1Ω}"),
    ("\\Omega", rf"(?<=[0-9}}]) ?{_TEXT} ?([mkMG]) ?\}} ?\\Omega(?![A-Za-z])", r"\\text{\1Ω}"),
    ("\\Omega", r"(?<=[0-9}]) ?([kM]) ?\\Omega ?$", r"\\text{\1Ω}"),
    ("\\text", rf"{_TEXT} ?({_MONEY}) ?\}} ?(?=[0-9.])", r"\1 "),
    ("\\text", rf"(?<![0-9.]){_TEXT} ?([0-9][0-9.,]*) ?\}}(?! ?[0-9])", r"\1 "),
)
