"""Backslashes that were lost to an escape, or doubled by one.

`"\\text{cone}"` written into JSON or Python with one backslash is a tab before `ext{cone}`, with four it has two.
Not covered: a control character that became a blank; `\\n` and `\\t` before what may be a word, a variable or a unit.
"""

from __future__ import annotations

import re

_COMMAND_NAMES = """
    aleph alpha amalg angle approx arccos arccot arccsc arcsec arcsin arctan arg ast asymp bar because begin beta beth
    bf big bigcap bigcirc bigcup bigg biggl biggr bigl bigr bigoplus bigotimes bigstar bigtriangleup bigvee bigwedge
    binom blacksquare bm bmod boldsymbol bot bowtie boxed breve bullet backslash backprime cap cbrt cdot cdots cfrac
    check chi choose circ colon color complement cong coprod cos cosh cot coth cup csc dbinom ddots deg degree delta
    det dfrac diamond dim displaystyle div dot dots downarrow ell emptyset end epsilon equiv eta exists exp fbox flat
    forall frac frak frown gamma gcd ge geq geqslant gg hat hbar hline iff iiint iint imath implies in inf infty int
    iota jmath kappa ker lambda land langle lbrace lceil ldots le left leftarrow leftrightarrow leq leqslant lfloor
    lg lim liminf limits limsup ll ln log longrightarrow lor lvert mapsto mathbb mathbf mathcal mathfrak mathit
    mathop mathrm mathsf mathtt max mbox measuredangle mid min mod mp mu nabla natural ncong ne nearrow neg neq
    newline nexists ngeq ngtr nleq nless nmid nolimits nonumber normalsize not notin nparallel nrightarrow nsim
    nsubseteq nu nwarrow odot oint omega operatorname oplus otimes over overbrace overleftarrow overline
    overrightarrow overset parallel partial perp phi pi pm pmod prec prime prod propto psi qquad quad rangle rbrace
    rceil rfloor rho right rightarrow rightharpoonup rightleftharpoons rm root rvert searrow sec setminus sigma sim
    simeq sin sinh sqrt square stackrel star subset subseteq substack succ sum sup supset supseteq tan tanh tau
    tbinom text textbf textcirc textcolor textdegree textdollar textit textnormal textrm textsc textsf textstyle
    textsubscript textsuperscript texttt tfrac tg therefore theta thickapprox thickspace thinspace tilde times tiny
    to top triangle triangleleft triangleq triangleright underbrace underline underset uparrow upsilon varepsilon
    varkappa varnothing varphi varpi varrho varsigma vartheta vdash vdots vec vee veebar vert vspace wedge widehat
    widetilde wp wr xi zeta Alpha Beta Big Bigg Delta Gamma Im Lambda Leftrightarrow Longrightarrow Omega Phi Pi Psi
    Re Rightarrow Sigma Theta Upsilon Xi
"""
COMMANDS = frozenset(_COMMAND_NAMES.split())
ESCAPES = {"\a": "a", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t", "\v": "v"}
_EATEN = {control: frozenset(name[1:] for name in COMMANDS if name[0] == at) for control, at in ESCAPES.items()}
_EATEN["\n"] |= {"ight", "ightarrow"}  # a reader of text turns a carriage return into a newline
_EATEN["\n"] -= {"exists", "less", "mid", "parallel", "sim"}  # words: "the lines are", newline, "parallel"
_MAY_BE_BLANK = {  # (what was eaten, the rest): how it goes on where it is the command and no line, column or word
    ("\t", "an"): re.compile(r"(?! [A-Za-z]{2})"),  # an ellipse
    ("\t", "au"): re.compile(r"(?! [A-Za-z]{2})"),
    ("\t", "g"): re.compile(r" ?(?:[\\(]|[A-Za-z](?![A-Za-z]))"),  # 5 g
    ("\t", "o"): re.compile(r" ?[-+0-9A-Za-z\\(]"),
    ("\r", "m"): re.compile(r"\{| ?[A-Za-z]{1,3}(?![A-Za-z])"),  # m = 5
    ("\n", "e"): re.compile(r" ?[-+0-9\\(]| [A-Za-z](?![A-Za-z])"),  # e = 5, e^2
    ("\n", "u"): re.compile(r"(?! ?(?:[=:<>,]|\\[lg]e))"),  # u = 5
    ("\n", "eg"): re.compile(r" ?[\\(A-Z]| [a-z](?![A-Za-z])"),
    ("\n", "ot"): re.compile(r" ?[=<>\\]"),
}
_CONTROL = re.compile(r"([\a\b\f\n\r\t\v])([A-Za-z]+)")
_DOUBLED = re.compile(r"(?<!\\)(?:\\\\){1,2}(?=([A-Za-z]+)|[%!,;:]|\$[0-9])")
_RUN = re.compile(r"\\+(?=([A-Za-z]+)|([{}$%|!,;:])|)")
_ENVIRONMENT = re.compile(r"(?<!\\)\\(begin|end)(?![A-Za-z])")
_ROWS = re.compile(r"(\\begin\{((?:[pbvBV]|small)?matrix|cases|array)\}(?:\{[clr| ]*\})?)(.*?)(\\end\{\2\})", re.DOTALL)
_ROW_BREAK = re.compile(r"\\(?=[\s0-9-])")


def with_commands(text: str) -> str:
    """The text with each command whose backslash and first letter became a control character."""
    return _CONTROL.sub(_put_back, text)


def _put_back(match: re.Match[str]) -> str:
    """The command whose backslash and first letter a control character stands for."""
    control, rest = match.groups()
    guard = _MAY_BE_BLANK.get((control, rest))
    if rest not in _EATEN[control] or (guard and not guard.match(match.string, match.end())):
        return match.group()
    name = ESCAPES[control] + rest
    return "\\" + (name if name in COMMANDS else "r" + rest)


def undoubled(text: str) -> str:
    """`\\\\frac` as `\\frac`: a doubled backslash before a command, where it can be no row break.

    Where every backslash is doubled all are halved, so that a row break of four becomes one of two. Else what stands in
    an environment is left alone: there `\\\\` ends a row.
    """
    if "\\\\" not in text:
        return text
    runs = list(_RUN.finditer(text))
    is_set = "\\\\{" in text and "\\\\}" in text
    if all(len(run[0]) % 2 == 0 for run in runs) and (is_set or any(run[1] in COMMANDS for run in runs)):
        return undoubled(_RUN.sub(_halved, text))
    pieces, at, level = [], 0, 0
    for match in [*_ENVIRONMENT.finditer(text), None]:
        end = match.start() if match else len(text)
        pieces.append(text[at:end] if level else _DOUBLED.sub(_single, text[at:end]))
        at, level = end, level + (0 if match is None else 1 if match[1] == "begin" else -1)
    return "".join(pieces)


def _halved(run: re.Match[str]) -> str:
    """Two that end a row stay."""
    is_row_end = len(run[0]) == 2 and run[1] not in COMMANDS and run[2] is None
    return run[0] if is_row_end else run[0][: len(run[0]) // 2]


def _single(doubled: re.Match[str]) -> str:
    return "\\" if doubled[1] is None or doubled[1] in COMMANDS else doubled[0]


def with_row_breaks(text: str) -> str:
    """Matrices in which each row break lost one of its backslashes: `1 \\ 2` in one column is two rows."""
    return _ROWS.sub(_with_row_breaks, text) if "\\begin" in text else text


def _with_row_breaks(match: re.Match[str]) -> str:
    body = match[3]
    rows = _ROW_BREAK.split(body)
    if "\\\\" in body or len(rows) < 2 or len({row.count("&") for row in rows}) > 1 or not all(map(str.strip, rows)):
        return match[0]
    return match[1] + "\\\\".join(rows) + match[4]
