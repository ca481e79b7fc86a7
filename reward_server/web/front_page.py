"""`GET /`: what this is and what to do first; HTML for a browser, JSON for everybody else."""

from __future__ import annotations

import re

from fastapi import Request, Response

from reward_server import __version__
from reward_server.errors import Unavailable
from reward_server.web.html_page import filled, html_response, text
from reward_server.web.responses import json_response
from reward_server.web.service import Service
from reward_server.web.try_these import try_these

WHAT = "Rewards for reinforcement learning of language models, over HTTP."
READY = "ready"
LINKS = {
    "/docs": "every path with its parameters, bodies and replies",
    "/rewards": "the rewards and their parameters, as JSON",
    "/metrics": "metrics for Prometheus",
    "/ready": "does the server take work?",
    "/openapi.json": "the same as /docs, for programs that make clients",
}
SAYS = (
    "Is the answer right? Asked in our own columns.",
    "The same, wrong with probability 0.4. Asked as OpenRLHF asks.",
    "Why was it paid what it was paid?",
)
"""What each of `try_these` shows."""
_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


def front_page(request: Request, service: Service) -> Response:
    """By `Accept`; both say the same."""
    commands = try_these(own_url(request), bool(service.settings.api_keys))
    state = _state(service)
    if "text/html" in request.headers.get("accept", ""):
        response = html_response("reward-server", _body(commands, state))
    else:
        shown = {"name": "reward-server", "version": __version__, "what": WHAT, "state": state}
        response = json_response({**shown, "try": commands, "links": LINKS}, indent=2)
    response.headers["Vary"] = "Accept"
    return response


def own_url(request: Request) -> str:
    """As the caller wrote it, where that is a name or an address; else the address that was connected to.

    It goes into commands for a shell, so nothing else of the header is repeated. A proxy that ends TLS says so.
    """
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        address, port = request.scope["server"]
        host = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    is_https = request.headers.get("x-forwarded-proto", "").strip().lower() == "https"
    return f"{'https' if is_https else 'http'}://{host}"


def _state(service: Service) -> str:
    """`ready`, or why it is not."""
    try:
        service.check_ready()
    except Unavailable as error:
        return error.message
    return READY


def _body(commands: list[str], state: str) -> str:
    shown = [
        f'<h4>{text(says)}</h4>\n<pre class="command" tabindex="0">{text(command)}</pre>'
        for says, command in zip(SAYS, commands, strict=True)
    ]
    links = [f'<dt><a href="{path}">{path}</a></dt><dd>{text(says)}</dd>' for path, says in LINKS.items()]
    return filled(
        "front.html",
        what=text(WHAT),
        version=text(__version__),
        kind="ready" if state == READY else "",
        state=text(state),
        commands="\n".join(shown),
        links="\n".join(links),
    )
