"""What keeps other web pages and hostile texts away from this one.

A page on the loopback can be reached by any page that the same browser has open. So the name in `Host` has to be an
address or `localhost`: a name of somebody's own that suddenly leads to 127.0.0.1 (DNS rebinding) is refused. What
changes something has to come from this very origin. The policy lets the browser run and load nothing but our own files.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
_HOST = re.compile(r"(localhost|[\d.]+|\[[\da-f:.]+\])(?::\d{1,5})?", re.IGNORECASE | re.ASCII)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with no-referrer a browser would send no origin with a form
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Wraps an app: refuses what comes from elsewhere, and adds the headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refusal = _refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send_guarded)
        else:
            await PlainTextResponse(refusal, 403)(scope, receive, send_guarded)


def _refusal(scope: Scope) -> str | None:
    headers = Headers(scope=scope)
    host = headers.get("host", "")
    if not is_own_name(host):
        return "403: open this page by its address or as localhost; another name may be somebody else's\n"
    if scope["method"] in ("GET", "HEAD"):
        return None
    origin = urlsplit(headers.get("origin", ""))
    if origin.scheme not in ("http", "https") or origin.netloc != host:
        return "403: only a form of this page itself may change something\n"
    return None


def is_own_name(host: str) -> bool:
    """Is the value of a `Host` header an address, or localhost?

    >>> [is_own_name(host) for host in ("127.0.0.1:8100", "[::1]:8100", "localhost")]
    [True, True, True]
    >>> [is_own_name(host) for host in ("evil.example:8100", "", "me@127.0.0.1", "127.0.0.1:80;x", "localhost#x")]
    [False, False, False, False, False]
    """
    found = _HOST.fullmatch(host)
    if found is None:
        return False
    try:
        return found[1].lower() == "localhost" or bool(ip_address(found[1].strip("[]")))
    except ValueError:
        return False
