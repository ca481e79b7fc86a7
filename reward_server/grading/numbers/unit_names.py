"""Units by name and by symbol, with what they are worth: `UNITS` maps a name to (factor, dimension).

A symbol counts with its case where two units differ in nothing else (`mW`, `MW`); else `KM` is `km`.
Not covered: units that mean two things (ton, Celsius and Fahrenheit against each other, US and imperial gallons in
litres): each is a dimension of its own.
"""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

Dimension = tuple[tuple[str, int], ...]
"""(base unit, power) in order; `watt` is gram^1 meter^2 second^-3."""

_PREFIXES = {
    "nano": ("n", -9),
    "micro": ("μ", -6),
    "milli": ("m", -3),
    "centi": ("c", -2),
    "deci": ("d", -1),
    "kilo": ("k", 3),
    "mega": ("M", 6),
    "giga": ("G", 9),
    "tera": ("T", 12),
}
_METRIC = """
meter | m | metre | 1 | meter | nano micro milli centi deci kilo
gram | g | gramme | 1 | gram | micro milli kilo
second | s | sec | 1 | second | nano micro milli
liter | L l | litre | 1/1000 | meter^3 | milli centi deci
newton | N | | 1000 | gram meter second^-2 | milli kilo mega
joule | J | | 1000 | gram meter^2 second^-2 | milli kilo mega giga
watt | W | | 1000 | gram meter^2 second^-3 | milli kilo mega giga
pascal | Pa | | 1000 | gram meter^-1 second^-2 | kilo mega giga
ampere | A | amp | 1 | ampere | micro milli kilo
coulomb | C | | 1 | ampere second | nano micro milli
volt | V | | 1000 | gram meter^2 second^-3 ampere^-1 | milli kilo mega
ohm | Ω | | 1000 | gram meter^2 second^-3 ampere^-2 | milli kilo mega
farad | F | | 1/1000 | gram^-1 meter^-2 second^4 ampere^2 | nano micro milli
henry | H | henrie | 1000 | gram meter^2 second^-2 ampere^-2 | micro milli
tesla | | | 1000 | gram second^-2 ampere^-1 | micro milli
hertz | Hz | | 1 | second^-1 | kilo mega giga
electronvolt | eV | | 801088317/5000000000000000000000000 | gram meter^2 second^-2 | milli kilo mega giga
calorie | cal | | 4184 | gram meter^2 second^-2 | kilo
mole | mol | | 1 | mole | micro milli kilo
kelvin | | | 1 | kelvin | milli
bit | | | 1 | bit | kilo mega giga tera
byte | | | 8 | bit | kilo mega giga tera
"""
_OTHER = """
angstrom | Å | | 1/10000000000 | meter
inch | in | inche | 127/5000 | meter
foot | ft | feet | 381/1250 | meter
yard | yd | | 1143/1250 | meter
mile | mi | | 201168/125 | meter
nautical-mile | nmi | | 1852 | meter
astronomical-unit | AU au | | 149597870700 | meter
minute | min | | 60 | second
hour | h hr | | 3600 | second
day | | | 86400 | second
week | wk | | 604800 | second
fortnight | | | 1209600 | second
month | mo mth | | 1 | month
year | yr | | 12 | month
decade | | | 120 | month
century | | centurie | 1200 | month
pound | lb | | 45359237/100000 | gram
ounce | oz | | 45359237/1600000 | gram
tonne | t | | 1000000 | gram
ton | | | 1 | ton
acre | | | 316160658/78125 | meter^2
hectare | ha | | 10000 | meter^2
gallon | gal | | 256 | tablespoon
quart | qt | | 64 | tablespoon
pint | pt | | 32 | tablespoon
cup | | | 16 | tablespoon
tablespoon | tbsp | | 1 | tablespoon
teaspoon | tsp | | 1/3 | tablespoon
barrel | bbl | | 1 | barrel
atmosphere | atm | | 101325000 | gram meter^-1 second^-2
bar | | | 100000000 | gram meter^-1 second^-2
kibibyte | KiB | | 8192 | bit
mebibyte | MiB | | 8388608 | bit
gibibyte | GiB | | 8589934592 | bit
decibel | dB | | 1 | decibel
knot | kn kt | | 463/900 | meter second^-1
rpm | | | 1 | rpm
light-year | ly | lightyear | 1 | light-year
parsec | pc | | 1 | parsec
radian | rad | | 1 | radian
degree | deg ^\\circ | | 1 | degree
arcminute | arcmin | | 1/60 | degree
arcsecond | arcsec | | 1/3600 | degree
steradian | sr | | 1 | steradian
celsius | | ^\\circc | 1 | celsius
fahrenheit | | ^\\circf | 1 | fahrenheit
dollar | \\$ | usd buck | 1 | dollar
cent | ¢ | | 1/100 | dollar
euro | € | eur | 1 | euro
pound-sterling | £ | gbp | 1 | pound-sterling
penny | | penni pence | 1 | penny
rupee | ₹ Rs | inr | 1 | rupee
paisa | | paise | 1/100 | rupee
yuan | | rmb cny | 1 | yuan
yen | ¥ | jpy | 1 | yen
won | ₩ | krw | 1 | won
ruble | ₽ | rouble rub | 1 | ruble
% | | percent percentage pct | 1 | %
unit | | | 1 | unit
"""
UNITS: dict[str, tuple[Fraction, Dimension]] = {}
WORDS: dict[str, str] = {}
"""Names in small letters, plural where it is no `-s`."""
SYMBOLS: dict[str, str] = {}


def _dimension(text: str) -> Dimension:
    parts = (part.partition("^") for part in text.split())
    return tuple(sorted((name, int(power or 1)) for name, _, power in parts))


def _add(name: str, symbols: list[str], words: list[str], factor: Fraction, dimension: Dimension) -> None:
    UNITS[name] = factor, dimension
    for word in (name, *words):
        WORDS[word] = name
    for symbol in symbols:
        SYMBOLS[symbol] = name


def _fields(table: str) -> list[list[str]]:
    return [[field.strip() for field in line.split("|")] for line in table.strip().splitlines()]


def _build() -> None:
    for name, symbols, words, factor, dimension, prefixes in _fields(_METRIC):
        value, size = Fraction(factor), _dimension(dimension)
        _add(name, symbols.split(), words.split(), value, size)
        for prefix in prefixes.split():
            letter, power = _PREFIXES[prefix]
            _add(
                prefix + name,
                [letter + symbol for symbol in symbols.split()],
                [prefix + word for word in words.split()],
                value * Fraction(10) ** power,
                size,
            )
    for name, symbols, words, factor, dimension in _fields(_OTHER):
        _add(name, symbols.split(), words.split(), Fraction(factor), _dimension(dimension))


_build()
for _prefix in ("kilo", "mega", "giga", "tera"):
    _letter = _PREFIXES[_prefix][0]
    SYMBOLS |= {f"{_letter}B": f"{_prefix}byte", f"{_letter}b": f"{_prefix}bit"}
SYMBOLS |= {"KB": "kilobyte", "hrs": "hour", "mins": "minute", "secs": "second", "yrs": "year", "wks": "week"}
SYMBOLS |= {"lbs": "pound", "cc": "milliliter", "mos": "month"}
_ALSO_SCALES = {"K": "kelvin", "T": "tesla", "B": "byte", "b": "bit"}
"""`5 K` may be five thousand: these count only where the ground truth has such a unit."""
_FOLDED: dict[str, set[str]] = defaultdict(set)
for _symbol, _name in SYMBOLS.items():
    _FOLDED[_symbol.lower()].add(_name)


def unit_named(word: str, is_expected: bool = False) -> str | None:
    """The unit that a word or symbol names, whatever its number; None for any other word."""
    word = word.replace("µ", "μ")
    if word in SYMBOLS:
        return SYMBOLS[word]
    if is_expected and word in _ALSO_SCALES:
        return _ALSO_SCALES[word]
    folded = word.lower()
    for name in (folded, folded.removesuffix("s")):
        if name in WORDS:
            return WORDS[name]
    names = _FOLDED.get(folded, ())
    return next(iter(names)) if len(word) > 1 and len(names) == 1 else None
