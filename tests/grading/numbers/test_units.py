"""Units behind a value, and the words that are none. More pairs: `tests/data/verifier_pairs.jsonl`, `unit words`."""

from fractions import Fraction

import pytest

from reward_server.grading.numbers.nouns import names_things
from reward_server.grading.numbers.units import conversion, split_unit


@pytest.mark.parametrize(
    "words",
    [
        "apples",
        "red balls",
        "people",
        "ways",
        "boxes of pears",
        "ordered pairs",
        "students in total",
        "fish",
        "children",
        "points",
        "sides",
    ],
)
def test_words_that_name_what_is_counted_are_a_unit(words: str) -> None:
    assert split_unit(rf"7\text{{ {words}}}")[0] == "7"


SAY_MORE = """
    less more doubled negative dozens thousands lakh crores k halves thirds sixths perhaps unsure hmm false untrue
    mistakenly fewer versus unless always approximately rounded scores pairs tenfold thousandths isn't
    errors guesses sometimes not or pluses minuses infinities whoops jokes odds evens increases exceeds implies wrongly
unlikely quadrupled halved sixes twentieth tenths yes true correct ish
"""


@pytest.mark.parametrize("words", SAY_MORE.split())
def test_words_that_say_more_are_none(words: str) -> None:
    for text in (words, f"{words} apples", f"apples {words}"):
        assert not names_things(text.split())
        assert split_unit(rf"7\text{{ {text}}}")[1] == ""


@pytest.mark.parametrize(
    ("wanted", "given", "factor"),
    [
        ("5 km", r"5\text{ m}", Fraction(1, 1000)),
        ("5 km/h", "5 m/s", Fraction(18, 5)),  # 3.6
        (r"5\text{ J}", r"5\text{ N m}", Fraction(1)),
        ("5 hours", "5 min", Fraction(1, 60)),
        ("5 days", "5 weeks", Fraction(7)),
        ("5 MB", "5 kB", Fraction(1, 1000)),
        (r"5\text{ mW}", r"5\text{ MW}", Fraction(10) ** 9),
        ("5 cm", "5 kg", None),
        ("5 months", "5 days", None),
        ("5 cm", r"5\text{ square units}", None),
        (r"5\text{ cm}^2", r"5\text{ square units}", Fraction(1)),
        ("5 apples", "5 red apples", Fraction(1)),
        ("5 apples", "5 pears", None),
    ],
)
def test_units_of_one_dimension_are_converted(wanted: str, given: str, factor: Fraction | None) -> None:
    (_, one), (_, other) = split_unit(wanted, is_number=True), split_unit(given, is_number=True)
    assert one and other
    assert conversion(one, other) == factor


@pytest.mark.parametrize("word", ["blah", "lol", "meh", "k", "M"])
def test_a_word_that_is_no_noun_is_none(word: str) -> None:
    assert split_unit(rf"7\text{{ {word}}}", is_number=True)[1] == ""


def test_letters_behind_a_value_stay_letters() -> None:
    for text in ("17 m", "17x", "3 kt", "2 MN", "4 ab", r"2\Omega", "5 cos"):
        assert split_unit(text) == (text, "")


@pytest.mark.parametrize(
    "text", ["3kt", "3 kt", "2pt", "2 MN", "5ha", "3 m/s", "3 sinx", "2 abc", "2 pqrs", r"3\text{ x}", r"2\text{n}"]
)
def test_a_ground_truth_of_a_number_and_letters_may_be_a_product(text: str) -> None:
    """Read as a number with a unit, it would pay the number alone."""
    assert split_unit(text, is_ground_truth=True, is_number=True) == (text, "")
