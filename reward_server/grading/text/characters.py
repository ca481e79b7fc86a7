"""Mathematics in Unicode as LaTeX: `√(x+2)`, `2½`, `x₁`, `10⁻³`, `α`, full-width digits and signs, Chinese units.

Only signs that mean one thing; each character is looked at once. Not covered: letters of other scripts that look like
Latin ones (they stay other letters), arrows as implications.
"""

from __future__ import annotations

import re
from functools import partial

_GREEK_LETTERS = "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩϵϑϕ"
_GREEK_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi "
    "omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega epsilon theta phi"
)
_GREEK = {letter: name for letter, name in zip(_GREEK_LETTERS, _GREEK_NAMES.split(), strict=True) if name != "mu"}
_COMMANDS = _GREEK | {
    "×": "times", "·": "cdot", "⋅": "cdot", "∙": "cdot", "∞": "infty", "∪": "cup", "∩": "cap", "±": "pm", "∓": "mp",
    "≤": "le", "≦": "le", "⩽": "le", "≥": "ge", "≧": "ge", "⩾": "ge", "≠": "ne", "≈": "approx", "≃": "simeq",
    "∈": "in", "∉": "notin", "∅": "emptyset", "∖": "setminus", "∨": "lor", "∧": "land", "¬": "lnot", "→": "to",
    "⇒": "Rightarrow", "∂": "partial", "∇": "nabla", "∫": "int", "∑": "sum", "∏": "prod", "∠": "angle",
    "△": "triangle", "⌊": "lfloor", "⌋": "rfloor", "⌈": "lceil", "⌉": "rceil", "⟨": "langle", "⟩": "rangle",
    "〈": "langle", "〉": "rangle", "…": "ldots", "⋯": "ldots", "ℓ": "ell", "∘": "circ", "⊂": "subset", "⊆": "subseteq",
    "≡": "equiv", "≅": "cong", "∼": "sim", "∥": "parallel", "⊥": "perp",
}  # fmt: skip
_FRACTIONS = {
    "½": "1 2", "⅓": "1 3", "⅔": "2 3", "¼": "1 4", "¾": "3 4", "⅕": "1 5", "⅖": "2 5", "⅗": "3 5", "⅘": "4 5",
    "⅙": "1 6", "⅚": "5 6", "⅛": "1 8", "⅜": "3 8", "⅝": "5 8", "⅞": "7 8", "⅐": "1 7", "⅑": "1 9", "⅒": "1 10",
}  # fmt: skip
_SETS = {letter: f"\\mathbb{{{name}}}" for letter, name in zip("ℝℤℕℚℂ", "RZNQC", strict=True)}
_PLAIN = {
    "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "°": "^\\circ ", "º": "^\\circ ", "÷": "/", "⁄": "/", "∕": "/",
    "∶": ":", "∣": "|", "∗": "*", "′": "'", "″": "''", "’": "'", "‘": "'", "“": '"', "”": '"', "、": ",", "。": ".",
    "【": "[", "】": "]", "《": "\\langle ", "》": "\\rangle ", "￥": "¥", "∎": "", "■": "", "□": "", "✓": "", "✔": "",
    "或": "\\text{ or }", "和": "\\text{ and }", "与": "\\text{ and }", "及": "\\text{ and }",
    **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f", ""),
}  # fmt: skip
_FULL_WIDTH = {chr(code + 0xFEE0): chr(code) for code in range(0x21, 0x7F)} | {"\u3000": " "}
_TABLE = str.maketrans(
    _FULL_WIDTH
    | {character: f"\\{name} " for character, name in _COMMANDS.items()}
    | {character: "\\frac{{{}}}{{{}}}".format(*parts.split()) for character, parts in _FRACTIONS.items()}
    | _SETS
    | _PLAIN
)

_SMALL = "0123456789+-=()"
_RAISED, _LOWERED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎"
_SCRIPTS = (
    (re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱᵏˣ]+"), "^", str.maketrans(_RAISED + "ⁿⁱᵏˣ", _SMALL + "nikx")),
    (re.compile(r"[₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₙᵢₖₓ]+"), "_", str.maketrans(_LOWERED + "ₙᵢₖₓ", _SMALL + "nikx")),
)
_MU = re.compile(r"[μµ](?![A-Za-z])|(?<![0-9 ])[μµ]")
"""Else it is a prefix: `3 μm`."""
_CIRCLED = {chr(0x2460 + place): str(place + 1) for place in range(20)}
_ONLY_CIRCLED = re.compile(r"[①-⑳](?:[ ,，、;]*[①-⑳])*")

_UNITS = {
    "小时": "hours", "分钟": "minutes", "秒": "seconds", "天": "days", "周": "weeks", "月": "months", "年": "years",
    "岁": "years", "元": "yuan", "米": "m", "千米": "km", "公里": "km", "厘米": "cm", "毫米": "mm", "克": "g",
    "千克": "kg", "公斤": "kg", "吨": "tonnes", "升": "l", "毫升": "ml", "平方米": "m^2", "平方厘米": "cm^2",
    "立方米": "m^3", "立方厘米": "cm^3",
}  # fmt: skip
_COUNTED = "个只人名种次本条张辆棵件支枚块项组台位页朵袋箱盒根间"
"""Measure words: they count something, and say no more."""
_BEHIND = re.compile(rf"(?<=[0-9}}]) ?({'|'.join(sorted((*_UNITS, *_COUNTED, '度'), key=len, reverse=True))})$")


def as_latex(text: str) -> str:
    """The text with LaTeX for what Unicode writes in a character of its own; an ASCII text as it is.

    >>> as_latex("√(x−1) ≤ 2½"), as_latex("（1，2）"), as_latex("8小时")
    ('√(x-1) \\\\le  2\\\\frac{1}{2}', '(1,2)', '8\\\\text{hours}')
    """
    if text.isascii():
        return text
    text = text.strip()
    if _ONLY_CIRCLED.fullmatch(text):
        return ", ".join(_CIRCLED[character] for character in text if character in _CIRCLED)
    text = _BEHIND.sub(_unit, text)
    for pattern, sign, small in _SCRIPTS:
        text = pattern.sub(partial(_script, sign, small), text)
    return _MU.sub(r"\\mu ", text.translate(_TABLE))


def _script(sign: str, small: dict[int, int], run: re.Match[str]) -> str:
    return f"{sign}{{{run[0].translate(small)}}}"


def _unit(match: re.Match[str]) -> str:
    if match[1] == "度":
        return "^\\circ"
    return f"\\text{{{_UNITS[match[1]]}}}" if match[1] in _UNITS else ""
