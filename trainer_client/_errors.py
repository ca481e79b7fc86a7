"""Every way a call can fail.

    RewardClientError
    ├── BadConfiguration (ValueError)    there is no URL, or it is not a reward's
    ├── BadBatch (ValueError)            columns of different lengths, or a value that is not JSON; nothing was sent
    ├── Unavailable (ConnectionError)    no answer before the deadline, however often it was asked
    ├── BadReply                         an answer that is not a reward server's; nothing in it can be trusted
    ├── Unscored (ValueError)            a sample has no reward, and the adapter was told to raise
    └── RequestRefused                   the server said no, and would say it again: never retried
        ├── Unauthorized          401    the key is missing or wrong
        ├── UnknownReward         404    no reward of that name, or no reward server at that URL
        ├── TooLarge              413    over the server's `max_samples` or `max_body_mb`; lower the client's
        └── InvalidRequest        422    which field or parameter is wrong, and why (ValueError)

All of them pickle: trainers pass them between processes.
"""

from __future__ import annotations

from trainer_client._types import ScoredChunk


class RewardClientError(Exception):
    """The root. `request_id`: under which the server logged the request, "" where nothing was sent. `answered`: the
    chunks of a batch that have their rewards though the call failed, and `progress` says how many of how many."""

    request_id: str = ""
    answered: tuple[ScoredChunk, ...] = ()
    progress: str = ""

    def __str__(self) -> str:
        request = f"request {self.request_id}" if self.request_id else ""
        notes = "; ".join(filter(None, (self.progress, request)))
        return f"{self.said} ({notes})" if notes else self.said

    @property
    def said(self) -> str:
        """The message without them."""
        return super().__str__()


class BadConfiguration(RewardClientError, ValueError):
    pass


class BadBatch(RewardClientError, ValueError):
    pass


class Unavailable(RewardClientError, ConnectionError):
    pass


class BadReply(RewardClientError):
    pass


class Unscored(RewardClientError, ValueError):
    pass


class RequestRefused(RewardClientError):
    """`status` is HTTP's; `code` and `detail` are the server's own words for programs, if it is a reward server."""

    def __init__(self, message: str = "", status: int = 0, code: str = "", detail: object = None) -> None:
        super().__init__(message, status, code, detail)
        self.message = message
        self.status = status
        self.code = code
        self.detail = detail

    @property
    def said(self) -> str:
        return self.message


class Unauthorized(RequestRefused):
    pass


class UnknownReward(RequestRefused, LookupError):
    pass


class TooLarge(RequestRefused):
    pass


class InvalidRequest(RequestRefused, ValueError):
    pass


BY_STATUS: dict[int, type[RequestRefused]] = {
    401: Unauthorized,
    404: UnknownReward,
    413: TooLarge,
    422: InvalidRequest,
}
