"""Words behind a number: which only name what is counted, and which say something else (`dozens`, `less`, `perhaps`).

A plain plural (`pears`) or a known countable noun (`way`, `people`) names what is counted, with any words before it
that are not of the second kind (`red balls`) and with `of` and such words behind it (`boxes of pears`).
The second kind is a list of words that change or question a value: scales, fractions, comparisons, doubt, negation,
operations, other numbers, and verbs in `-s`. Not covered: a sentence of nouns.
"""

from __future__ import annotations

import re

_SCALES = """
hundred thousand million billion trillion quadrillion dozen score gross lakh lac crore myriad ten k m bn mn mil mln tn
bln trn grand pair couple half halve third quarter fourth fifth sixth seventh eighth ninth tenth eleventh twelfth
hundredth thousandth millionth fraction percent percentage permille permil basis fold double triple quadruple twice
thrice squared cubed power exponent factorial reciprocal inverse opposite complement negative minus plus time over pi
mod modulo base imaginary
"""
_NUMBERS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen twenty thirty forty fifty sixty seventy eighty ninety first second
"""
_COMPARISONS = """
less more fewer least most greater smaller larger bigger lesser higher lower above below under beyond beneath
exceeding excess extra additional further another other rest remainder remaining missing short shy surplus deficit
deficient odd even ups downs high low rise fall gain loss spare tolerance deviation infinity infinitie increase
increased decrease decreased reduced reduction doubled tripled halved quadrupled quartered multiplied divided added
subtracted raised rounded truncated up down off between within until till max maximum min minimum atleast atmost
versus vs than compared relative against instead except excluding including without nearly almost roughly about around
approximately approx circa some several many few lot lots too enough only just exactly precisely
"""
_DOUBT = """
perhaps maybe probably possibly presumably apparently allegedly supposedly likely unlikely unsure uncertain sure
certain guess guessed guessing think thought believe believed hope doubt doubtful dubious question questionable
unclear unknown unverified unconfirmed tentative tentatively hypothetically theoretically estimate estimated
estimation approximation hmm hm hmmm um umm uh uhh er erm ah oh oops wait huh eh meh whatever dunno idk ish somewhat
kinda sorta confused ambiguous arguably conceivably seemingly suspect assumed assuming pending check verify recheck
todo tbd unchecked sometimes always often usually occasionally rarely seldom
"""
_NEGATIONS = """
no not none never nothing neither nor wrong incorrect incorrectly false falsely untrue invalid inaccurate mistaken
mistake error erroneous bad fake impossible rejected refuted disproved cancelled canceled void null nil lie bogus
fault typo flaw joke nonsense oops whoops positives bug inexact inconsistent contradiction contradictory undefined nan
failed fail failure isnt isn aint ain cannot cant doesnt dont didnt wasnt hardly barely scarcely true correct fine ok
okay yes
"""
_CONNECTIVES = """
or and not is if but then either than to by at as so it its this that these those which what who when where why how
was were are be been being has have had does do did because since though although unless besides thus hence therefore
however whereas while whether like unlike answer result equals equal equaled exceeds exceed gives give given means
mean makes make becomes become seems seem looks appears lacks needs fails misses loses varies differs depends remains
works hers ours yours theirs his us towards afterwards backwards downwards upwards says thinks believes hopes wants
suggests implies indicates shows proves contradicts conflicts violates ignores excludes includes contains requires
assumes adds subtracts multiplies divides denies refutes cancels negates nope nah goes thanks regards
alas yikes cheers nevertheless nonetheless regardless also again still yet already yes
else
"""
SAYS_MORE = frozenset(" ".join((_SCALES, _NUMBERS, _COMPARISONS, _DOUBT, _NEGATIONS, _CONNECTIVES)).split())
_MORE = re.compile(
    r"(?:un|in|mis|non|dis|over|under)?(?:certain|correct|accurate|sure|clear|likely|true|valid|known|counted|estimate)"
    r"(?:ly|s|d|ed|ies)?|(?:is|are|was|were|do|does|did|ca|wo|ha[sv]e?|had|could|should|would|ai|must)n['’]?t"
    r"|.*(?:teenth|ieth|redth|andth|lionth)s?|.*[aegijrtz]illions?|.*fold|.*ish|.*ly|h+m+|u+[hm]+|er+"
)
_PLURALS = """
people persons men women children feet mice geese teeth fish sheep deer dice oxen data criteria vertices matrices
indices axes radii foci loci formulae bacteria aircraft series species cattle zeros zeroes bees toes ores questions
"""
_IRREGULAR = frozenset(_PLURALS.split())
_COUNTABLE = """
apple arrangement ball book box boy bottle bird brick bus byte candy card car case cat chair chicken chord child
choice circle class coin color colour combination coordinate cookie cow cup customer cycle day diagonal digit dog edge
egg element employee event face factor fish flower friend game gift girl goal graph group hat head horse house integer
intersection item letter line lion man marble match member mango minute molecule atom month mouse movie orange orbit
outcome pack page part participant particle path pear pen pencil permutation person photon piece player polygon prize
problem pupil puzzle race rectangle region roll room rope rose row seat set shirt shop shot side solution sphere stamp
step stick stone store student subset success sweet table tank team term ticket tile town toy train tree triangle trip
tuple value vehicle vertex visitor vote vowel wagon way week win woman word worker year water gasoline sugar flour
milk paper land wire money banana lemon melon peach plum grape potato tomato cake pie pizza sandwich bean seed nut
"""
_SINGULAR = frozenset(_COUNTABLE.split())
_NO_PLURAL = ("ss", "us", "is")
_MATHEMATICAL = frozenset({"cos", "abs", "axis", "sinus", "cosinus"})
_BEHIND = frozenset(
    {"long", "tall", "wide", "deep", "high", "old", "each", "apart", "away", "left", "total", "altogether", "in"}
)
_OF_TUPLES, _TUPLES = frozenset({"ordered", "unordered", "integer", "such"}), frozenset({"pairs", "triples", "pair"})
"""Without such a word before them, pairs are a scale, as dozens are."""
_SHORTEST = 3


def says_more(word: str) -> bool:
    """Does a word, in small letters, say another value, a condition or a doubt?"""
    stems = {word, word.removesuffix("s"), word.removesuffix("es")}
    if word in _IRREGULAR or word in _SINGULAR:
        return False
    return not SAYS_MORE.isdisjoint(stems) or _MORE.fullmatch(word) is not None


def names_things(words: list[str]) -> bool:
    """Do words in small letters only name what is counted?"""
    if len(words) > 1 and words[0] in _OF_TUPLES and words[1] in _TUPLES:
        return True
    if not words or any(map(says_more, words)):
        return False
    if "of" in words[1:-1]:
        words = words[: words.index("of")]
    while len(words) > 1 and words[-1] in _BEHIND:
        words = words[:-1]
    return is_noun(words[-1]) and "of" not in words


def is_noun(word: str) -> bool:
    """A plain plural, or a countable noun that is known."""
    if word in _IRREGULAR or word in _SINGULAR:
        return True
    is_plural = word.endswith("s") and not word.endswith(_NO_PLURAL) and len(word) > _SHORTEST
    return is_plural and word.isalpha() and word not in _MATHEMATICAL


def stem(noun: str) -> str:
    """The same for `box` and `boxes`, `baby` and `babies`."""
    if noun.endswith("ies"):
        return noun[:-3] + "y"
    if noun.endswith(("ches", "shes", "xes", "sses")):
        return noun[:-2]
    return noun if noun.endswith(_NO_PLURAL) else noun.removesuffix("s")
