"""The thin client that points a trainer at a reward server.

    from trainer_client import RewardClient

    client = RewardClient("http://127.0.0.1:8000/score/flip?flip_prob=0.4")
    client.score([r"so \\boxed{4}"], ground_truths=["4"], groups=["q-17"]).rewards

`trainer_client.adapters` has the one callable or class that each trainer asks for. Needs Python >= 3.10 and httpx.
"""

from trainer_client._async_client import AsyncRewardClient
from trainer_client._client import RewardClient
from trainer_client._errors import (
    BadBatch,
    BadConfiguration,
    BadReply,
    InvalidRequest,
    RequestRefused,
    RewardClientError,
    TooLarge,
    Unauthorized,
    Unavailable,
    UnknownReward,
    Unscored,
)
from trainer_client._types import Readiness, Rewards, ScoredChunk

__all__ = [
    "AsyncRewardClient",
    "BadBatch",
    "BadConfiguration",
    "BadReply",
    "InvalidRequest",
    "Readiness",
    "RequestRefused",
    "RewardClient",
    "RewardClientError",
    "Rewards",
    "ScoredChunk",
    "TooLarge",
    "Unauthorized",
    "Unavailable",
    "UnknownReward",
    "Unscored",
]
