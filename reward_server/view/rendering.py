"""Templates, and how numbers and times are written in them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from reward_server.records.row import Row
from reward_server.view.facts import truths_in
from reward_server.view.marks import seen

NOTHING = "–"


def page(template: str, *, status: int = 200, **values: object) -> HTMLResponse:
    """A page. Lone surrogates that got so far become question marks: no text of a sample is shown but by `marks.py`."""
    html = _environment().get_template(template).render(**values)
    return HTMLResponse(html.encode("utf-8", "replace"), status)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("reward_server.view"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(number=number, share=share, count=count, when=when, text=text)
    made.filters.update(brief=brief, truth=truth, code=code, seen=seen, urlencode=url, shell=shell)
    return made


def number(value: object) -> str:
    """A reward or a part of one: 1, 0.4, 0.123; a dash for none."""
    if value is None:
        return NOTHING
    return f"{value:.4g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def share(value: float | None, digits: int = 3) -> str:
    """A mean or a share, always with as many digits."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def count(value: float | None) -> str:
    """A whole number, with commas."""
    return NOTHING if value is None else f"{value:,.0f}"


def when(seconds: float) -> str:
    """2026-11-26 22:40:01, UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"


def brief(value: object, chars: int = 60) -> str:
    """The beginning of a text, in one line."""
    line = seen(" ".join(str(value)[: 10 * chars].split()))
    return line if len(line) <= chars else line[: chars - 1] + "…"


def url(value: object) -> str:
    """Any text as a part of a URL."""
    return quote(str(value), safe="", errors="surrogatepass")


def shell(value: object) -> str:
    """Any text as one word of a command."""
    return shlex.quote(str(value))


def truth(row: Row) -> str:
    """Its ground truths, as one text."""
    return " or ".join(truths_in(row))


def code(sentence: str) -> Markup:
    """A sentence, what stands in `backticks` as code."""
    parts = seen(sentence).split("`")
    if len(parts) % 2 == 0:
        return escape(seen(sentence))
    return Markup("").join(Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(parts))


def text(value: object) -> str:
    """Any value of an explanation."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {text(each)}" for key, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(text, value))
    return number(value) if isinstance(value, float) or value is None else str(value)
