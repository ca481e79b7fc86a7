"""What goes back: ASCII JSON, and errors in their one shape."""

from __future__ import annotations

import json

from fastapi import Request, Response
from starlette.exceptions import HTTPException

from reward_server.errors import MethodNotAllowed, NotFound, RewardServerError


def json_response(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Any JSON; NaN is a bug of ours and raises ValueError."""
    return Response(json.dumps(content, allow_nan=False), status, headers, media_type="application/json")


def error_response(error: RewardServerError) -> Response:
    """The error's status, headers and body."""
    return json_response(error.body(), error.status, error.headers)


async def answer_framework_error(request: Request, error: Exception) -> Response:
    """Starlette's own 404 and 405, in our shape."""
    status = error.status_code if isinstance(error, HTTPException) else 0
    if status == MethodNotAllowed.status:
        return error_response(MethodNotAllowed(f"{request.method} is not allowed on this path"))
    return error_response(NotFound("no such path; GET /docs lists them"))
