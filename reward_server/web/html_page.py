"""A page for people: HTML with its style inside, which asks nothing of any other host and runs no script.

Whatever is not ours goes through `text` or `marked`. The browser's policy (CSP) allows nothing but this one style, and
the icon from here: even text that got through as HTML could load nothing and run nothing.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from functools import cache
from pathlib import Path
from string import Template

from fastapi import Response

PAGES = Path(__file__).parent / "pages"
STYLE = (PAGES / "style.css").read_text(encoding="utf-8")
POLICY = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}';"
    " img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="4" fill="#3355cc"/>'
    '<path d="M4 8.5l2.8 2.8L12 5.5" fill="none" stroke="#fff" stroke-width="2"/></svg>'
)
"""At `/favicon.ico`, where browsers look for it on every page, JSON too."""
_CODE = re.compile(r"`([^`]+)`")


def text(value: object) -> str:
    """Any text as HTML.

    >>> text("<b> & 'x'")
    '&lt;b&gt; &amp; &#x27;x&#x27;'
    """
    return html.escape(str(value))


def marked(value: str) -> str:
    """A text whose backticks mean code.

    >>> marked("before `</think>` & so on")
    'before <code>&lt;/think&gt;</code> &amp; so on'
    """
    return _CODE.sub(r"<code>\1</code>", text(value))


def filled(name: str, **values: str) -> str:
    """A template of `pages/` with its places filled; values are HTML."""
    return _template(name).substitute(values)


def html_response(title: str, body: str) -> Response:
    """The whole page around `body`."""
    headers = {
        "Content-Security-Policy": POLICY,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    page = filled("layout.html", title=text(title), style=STYLE, body=body)
    return Response(page, media_type="text/html", headers=headers)


@cache
def _template(name: str) -> Template:
    return Template((PAGES / name).read_text(encoding="utf-8"))
