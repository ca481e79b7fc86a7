"""Every error a caller can meet, and the one answer each becomes.

    RewardServerError
    ├── InvalidRequest          422  the request is wrong: which field, and why
    ├── Unscored                422  `unscored=error`, and a sample has no reward
    ├── Unauthorized            401  the key is missing or wrong
    ├── NotFound                404  no such path, or a route that no setting switches on
    │   └── UnknownReward       404  no reward of that name; names the known ones
    ├── MethodNotAllowed        405  the path exists, the method does not
    ├── TooLarge                413  the body, or the batch, could never fit
    ├── UnsupportedEncoding     415  the body is compressed
    ├── InternalError           500  our fault; the request id leads to the log
    ├── NoRewardModel           501  `rm` without a model; says how to configure one
    └── Unavailable             503  come back after `retry_after_s`
        ├── Loading                  the reward model is not loaded yet
        ├── Overloaded               more is queued than could be scored in time
        ├── Draining                 the server is shutting down
        └── DeadlineExceeded         the request was not finished in time; what is finished is kept

A command may end with a `CommandError` too, which no caller over HTTP meets.

No 429: verl never retries a 4xx, and a refused burst would end the run.
"""

from __future__ import annotations

import math
from http import HTTPStatus

MAX_MESSAGE_CHARS = 1000
"""An answer does not repeat more than this of what a request named."""


def shortened(text: str, limit: int) -> str:
    """The text, or its beginning and its end where it has more than `limit` characters."""
    half = limit // 2
    return text if len(text) <= limit else f"{text[:half]} … {text[-half:]}"


class CommandError(Exception):
    """Ends a command with one sentence and exit code 2: a file, a setting or an option that it cannot work with."""


class RewardServerError(Exception):
    """The root. `detail` is extra JSON for programs; the message is for people."""

    status: int = HTTPStatus.INTERNAL_SERVER_ERROR
    code = "internal_error"

    def __init__(self, message: str = "", detail: object = None) -> None:
        super().__init__(message, detail)
        self.message = message
        self.detail = detail

    def __str__(self) -> str:
        return self.message

    @property
    def headers(self) -> dict[str, str]:
        """Headers that the answer needs beside the body."""
        return {}

    def body(self) -> dict[str, object]:
        """The one shape of every error."""
        error: dict[str, object] = {"code": self.code, "message": shortened(self.message, MAX_MESSAGE_CHARS)}
        if self.detail is not None:
            error["detail"] = self.detail
        return {"error": error}


class InvalidRequest(RewardServerError, ValueError):
    """The request is wrong. The message names the field or the parameter, and the valid ones."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "invalid_request"


class Unscored(RewardServerError):
    """A sample has no reward, and `unscored=error` asks for an error then. The message names the first one and why."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "unscored"


class Unauthorized(RewardServerError):
    """The key is missing or wrong. Send `Authorization: Bearer KEY`, or put it into the URL: `http://user:KEY@host`."""

    status = HTTPStatus.UNAUTHORIZED
    code = "unauthorized"

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": "Bearer"}


class NotFound(RewardServerError, LookupError):
    """There is no such path, or a setting has to switch it on. `GET /docs` lists the paths."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class UnknownReward(NotFound):
    """No reward has that name. The message names the known ones."""

    code = "unknown_reward"


class MethodNotAllowed(RewardServerError):
    """The path exists, but takes another method. The header `Allow` lists those that it takes."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    code = "method_not_allowed"

    def __init__(self, message: str = "", detail: object = None, allowed: str = "") -> None:
        super().__init__(message, detail)
        self.args = (message, detail, allowed)
        self.allowed = allowed

    @property
    def headers(self) -> dict[str, str]:
        return {"Allow": self.allowed}


class TooLarge(RewardServerError):
    """The body or the batch could never fit. Send fewer samples, or raise the limit that the message names."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "too_large"


class UnsupportedEncoding(RewardServerError):
    """The body is compressed (`Content-Encoding`). Send it as it is."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported_encoding"

    @property
    def headers(self) -> dict[str, str]:
        return {"Accept-Encoding": "identity"}


class InternalError(RewardServerError):
    """A defect of the server. Its log has the reason, under the request's id."""


class NoRewardModel(RewardServerError):
    """No reward model is configured. Start the server with `--rm-model FOLDER`."""

    status = HTTPStatus.NOT_IMPLEMENTED
    code = "no_reward_model"


class Unavailable(RewardServerError):
    """The workers or the reward model do not work now. The message says which and why.

    `retry_after_s`: seconds until it is worth asking again, at least 1 in the header.
    """

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "unavailable"

    def __init__(self, message: str = "", detail: object = None, retry_after_s: float = 1.0) -> None:
        super().__init__(message, detail)
        self.args = (message, detail, retry_after_s)
        self.retry_after_s = retry_after_s

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(max(1, math.ceil(self.retry_after_s)))}


class Loading(Unavailable):
    """The reward model is not loaded yet. The other rewards are served meanwhile."""

    code = "loading"


class Overloaded(Unavailable):
    """More is queued than a limit allows, or than can be scored in time."""

    code = "overloaded"


class Draining(Unavailable):
    """The server is shutting down. Only `/ready` says so: requests that still come are answered."""

    code = "draining"


class DeadlineExceeded(Unavailable, TimeoutError):
    """The request was not finished in `request_timeout_s`. Finished samples are kept, and a retry resumes."""

    code = "deadline_exceeded"
