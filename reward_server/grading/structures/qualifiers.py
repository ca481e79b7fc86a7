"""What stands beside a value and only says for which letters it holds: `f(x)=5x \\text{ for all } x`, `6k+1, k \\in
\\mathbb{Z}`, `y=\\frac{1}{x}\\ (x>0)`, `\\text{only } x=0`.

It is cut where it binds letters of the value, and where both sides have the same condition, or one side has one and the
value a name of its own (`y=\\frac{1}{x}`). Two domains or conditions that differ are a wrong answer.
Not covered: words of other kinds (`\\text{for odd } n`), conditions before the value. Cases have their own rows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from reward_server.grading.structures.families import as_family
from reward_server.grading.structures.matching import compare
from reward_server.grading.structures.shape import read_shape
from reward_server.grading.structures.values import compare_values
from reward_server.grading.text.brackets import split_top
from reward_server.grading.text.normalise import compact

_MAY_QUALIFY = re.compile(
    r"\\text ?\{[ ,;(]*[fwipgaoO]|\\in(?![A-Za-z])|\\forall|[,(][^,()]*(?:[<>]|\\[lgn]e(?![A-Za-z]))"
    r"|(?<![A-Za-z\\])(?:for|where|with|when|[Oo]nly) "
)
_JOINED = re.compile(
    r"(?:(?<=[0-9)}\]])|(?<=\\pi)|(?<=\\circ)|(?<![A-Za-z][A-Za-z])(?<=[a-z])) (?=[a-z] ?\\in ?\\mathbb)"
)
"""`k\\pi \\quad k \\in \\mathbb{Z}`"""
_ONLY = re.compile(r"\\text ?\{ ?[Oo]nly ?\} ?|(?<![A-Za-z\\])[Oo]nly(?![A-Za-z]| if) ?")
_LEAD = r"(?:for|where|with|if|when|whenever|provided|given|assuming)"
_WORDS_BEHIND = re.compile(
    rf"[ ,;(]*\\text ?\{{[ ,;(]*{_LEAD}(?![A-Za-z])(?P<text>[^{{}}]*)\}}|[ ,;(]+{_LEAD} |[ ,;(]*\\forall(?![A-Za-z])"
)
_FILLING_WORDS = """
for where with if when whenever provided given assuming that is are be being an a the any all every each some
arbitrary constant constants parameter parameters number numbers value values of fixed free and real
"""
_FILLING = frozenset(_FILLING_WORDS.split())
_DOMAINS = (
    (re.compile(r"(?:strictly )?positive (?:integer|whole number)s?|natural numbers?|naturals?"), "P"),
    (re.compile(r"non ?-? ?negative integers?|whole numbers?"), "W"),
    (re.compile(r"integers?"), "Z"),
    (re.compile(r"complex(?: numbers?)?"), "C"),
    (re.compile(r"rationals?(?: numbers?)?"), "Q"),
    (re.compile(r"positive reals?(?: numbers?)?|positive numbers?"), "R+"),
    (re.compile(r"reals?(?: numbers?)?|\\mathbb\{R\}(?= [a-z]$)"), "R"),
)
_SET = re.compile(r"\\mathbb ?\{? ?([A-Z]) ?\}?(.*)|([ZNRQC])([+*]?)")
_SETS = {"Z": "Z", "N": "N", "R": "R", "Q": "Q", "C": "C", "Z+": "P", "N*": "P", "N+": "P", "N0": "W", "R+": "R+"}
_ALIKE = ({"N", "P"}, {"N", "W"})
"""Whether 0 is a natural number nobody agrees on."""
_LETTER = r"(?:[A-Za-z]|\\(?!in|le|ge|ne|text|mathbb|frac|sqrt|pi\b)[A-Za-z]+)(?:_(?:[0-9A-Za-z]|\{[^{}]*\}))?"
_LETTERS = re.compile(rf"{_LETTER}(?: ?, ?{_LETTER})*")
_ONE_LETTER = re.compile(_LETTER)
_IN, _COMMAS = frozenset({"\\in"}), frozenset({",", ";"})
_RELATIONS = frozenset({"<", ">", "\\le", "\\ge", "\\ne"})
_TURNED = {"<": ">", ">": "<", "\\le": "\\ge", "\\ge": "\\le", "\\ne": "\\ne"}
_NAME = re.compile(rf"({_LETTER}'*)(?:\(([^()]*)\))? ?=")
_POSITIVE, _IS_POSITIVE = frozenset({"N", "P", "W", "R+"}), re.compile(r"\S+ (?:>|\\ge) [01]")
_MAX_CHARS = 300
_BRACKETS = (("(", ")"), ("[", "]"), ("{", "}"), ("\\begin", "\\end"))


@dataclass(frozen=True, slots=True)
class Qualified:
    """A value, the domains of letters it depends on, and conditions on them."""

    value: str
    domains: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()


def without_qualifiers(ground_truth: str, answer: str) -> tuple[str, str] | None:
    """Both normalised texts without what only binds letters; None where the qualifiers contradict each other."""
    wanted = qualified(ground_truth)
    given = qualified(answer) if _MAY_QUALIFY.search(answer) else None
    if wanted is None and given is None:
        return ground_truth, answer
    wanted, given = wanted or Qualified(ground_truth), given or Qualified(answer)
    if bool(wanted.domains) != bool(given.domains) and "\\{" in (ground_truth[:2], answer[:2]):
        return ground_truth, answer  # \{2k : k \in \mathbb{Z}\} is a set, 2k alone is none
    if not _have_same_domains(wanted.domains, given.domains):
        return None
    if not _have_same_conditions(wanted.conditions, given.conditions):
        if (wanted.conditions and given.conditions) or not _is_domain(wanted, given):
            return None
        if _NAME.match(wanted.value if wanted.conditions else given.value) is None:
            return ground_truth, answer
    return wanted.value, given.value


def _have_same_domains(wanted: tuple[str, ...], given: tuple[str, ...]) -> bool:
    """The letters may have other names, so that only their domains are compared."""
    if not wanted or not given or len(wanted) != len(given):
        return True
    return all(one == other or {one, other} in _ALIKE for one, other in zip(wanted, given, strict=True))


def _is_domain(wanted: Qualified, given: Qualified) -> bool:
    """Where one has a condition and the other a domain: `n \\ge 1` for `n \\in \\mathbb{N}`, not for `\\mathbb{Z}`."""
    other, conditions = (given, wanted.conditions) if wanted.conditions else (wanted, given.conditions)
    return not other.domains or (set(other.domains) <= _POSITIVE and all(map(_IS_POSITIVE.fullmatch, conditions)))


def _have_same_conditions(wanted: tuple[str, ...], given: tuple[str, ...]) -> bool:
    if wanted == given:
        return True
    return len(wanted) == len(given) and all(
        compare(read_shape(one), read_shape(other), compare_values) for one, other in zip(wanted, given, strict=True)
    )


@lru_cache(maxsize=1024)
def qualified(text: str) -> Qualified | None:
    """The value and its qualifiers; None for a text without."""
    if len(text) > _MAX_CHARS or not _MAY_QUALIFY.search(text):
        return None
    plain = as_family(_ONLY.sub("", text, count=1).strip() if "nly" in text else text)
    found = _in_words(plain) or _behind_comma(_JOINED.sub(", ", plain)) or _in_brackets(plain)
    return found or (Qualified(plain) if plain != text and plain else None)


def _in_words(text: str) -> Qualified | None:
    """`… \\text{ for some integer } k`"""
    match = _WORDS_BEHIND.search(text)
    if match is None or not match.start() or _depth(text[: match.start()]):
        return None
    value, tail = text[: match.start()].rstrip(" ,;("), text[match.start() :]
    return _read_tail(value, tail.strip(" ,;()"), needs_letters=False)


def _behind_comma(text: str) -> Qualified | None:
    """`…, k \\in \\mathbb{Z}`"""
    pieces, _ = split_top(text, _COMMAS)
    place = len(pieces)
    while place > 1 and _is_condition(pieces[place - 1]):
        place -= 1
    if place == len(pieces):
        return None
    value = text[: _end_of(text, place)].rstrip(" ,;")
    return _read_tail(value, ", ".join(pieces[place:]), needs_letters=True)


def _in_brackets(text: str) -> Qualified | None:
    """`… (k \\in \\mathbb{Z})`"""
    if not text.endswith(")") or (at := _opening(text)) <= 0:
        return None
    value, inside = text[:at].rstrip(" ,;"), text[at + 1 : -1].strip()
    if not all(map(_is_condition, split_top(inside, _COMMAS)[0])):
        return None
    return _read_tail(value, inside, needs_letters=True)


def _is_condition(piece: str) -> bool:
    sides, signs = split_top(piece, _RELATIONS | _IN | {"="})
    return bool(signs) and "=" not in signs and all(sides) and any(map(_ONE_LETTER.fullmatch, sides))


def _read_tail(value: str, tail: str, needs_letters: bool) -> Qualified | None:
    if not value or (needs_letters and split_top(value, _RELATIONS | _IN)[1]):
        return None  # `x<1, x \in \mathbb{Z}` describes a set
    domains: list[str] = []
    conditions: list[str] = []
    letters: set[str] = set()
    for piece in split_top(_without_text(tail), _COMMAS)[0]:
        if not _read_piece(piece, domains, conditions, letters):
            return None
    if not (letters or domains):
        return None
    rest = _NAME.sub(r"\2 ", value, count=1)
    if (needs_letters or conditions) and not any(_occurs(letter, rest) for letter in letters):
        return None
    return Qualified(value, tuple(sorted(domains)), tuple(sorted(conditions)))


def _read_piece(piece: str, domains: list[str], conditions: list[str], letters: set[str]) -> bool:
    """One declaration or condition, put into the lists; False for what is neither."""
    domain = ""
    for pattern, name in _DOMAINS:
        match = pattern.search(piece)
        if match is not None and match.group().strip() not in _SETS:
            domain, piece = domain or name, piece[: match.start()] + " " + piece[match.end() :]
            break
    piece = " ".join(word for word in piece.split() if word.lower() not in _FILLING or word == "a" == piece)
    if not piece:
        domains.extend([domain] * bool(domain))
        return bool(domain)
    sides, signs = split_top(piece, _RELATIONS | _IN)
    if not signs:
        if not _LETTERS.fullmatch(piece):
            return False
        letters.update(_ONE_LETTER.findall(piece))
        domains.extend([domain] * bool(domain))
        return True
    letters.update(letter for side in sides for letter in _ONE_LETTER.findall(side))
    if signs == ["\\in"] and _LETTERS.fullmatch(sides[0]) and (name := _set_name(sides[1])):
        domains.append(name)
        return True
    conditions.append(_canonical(sides, signs))
    return "\\in" not in signs or signs == ["\\in"]


def _canonical(sides: list[str], signs: list[str]) -> str:
    """`0 < x` as `x > 0`."""
    if len(sides) == 2 and signs[0] in _TURNED and not _ONE_LETTER.search(sides[0]):
        sides, signs = sides[::-1], [_TURNED[signs[0]]]
    parts = [compact(side) for side in sides]
    return " ".join(part for pair in zip(parts, [*signs, ""], strict=True) for part in pair).strip()


def _set_name(text: str) -> str:
    match = _SET.fullmatch(text.strip())
    if match is None:
        return ""
    letter = match[1] or match[3]
    behind = re.sub(r"[\s{}^_]", "", match[2] or match[4] or "").replace("\\ast", "*").replace("\\cdot", "*")
    behind = {"geq0": "0", "\\ge0": "0", ">0": "+"}.get(behind, behind)
    return _SETS.get(letter + behind, "")


def _occurs(letter: str, text: str) -> bool:
    return re.search(rf"(?<![A-Za-z\\]){re.escape(letter)}(?![A-Za-z]{{3}})", text) is not None


def _without_text(text: str) -> str:
    return " ".join(re.sub(r"\\text ?\{([^{}]*)\}", r" \1 ", text).replace("\\forall", " for all ").split())


def _end_of(text: str, place: int) -> int:
    """Where the piece before the `place`-th begins to end: behind that many commas at the top."""
    end = 0
    for piece in split_top(text, _COMMAS)[0][:place]:
        end = text.index(piece, end) + len(piece)
    return end


def _opening(text: str) -> int:
    level = 0
    for at in range(len(text) - 1, -1, -1):
        level += (text[at] == ")") - (text[at] == "(")
        if level == 0:
            return at
    return -1


def _depth(text: str) -> int:
    return sum(text.count(opening) - text.count(closing) for opening, closing in _BRACKETS)
