"""A row of NeMo-Gym with its rollout, as far as rewards read it: no images, token ids or log probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainer_client._messages import texts_only

READ = ("type", "role", "content", "summary")


def without_ballast(row: dict[str, Any]) -> dict[str, Any]:
    """The row with the texts of `responses_create_params.input`, and of `response.output` what the policy wrote.

    What has another shape is left for the server to judge.
    """
    params, response = row.get("responses_create_params"), row.get("response")
    sent = dict(row)
    if isinstance(params, Mapping):
        sent["responses_create_params"] = {"input": texts_only(params.get("input"))}
    if isinstance(response, Mapping) and isinstance(response.get("output"), list):
        sent["response"] = {"output": [_item(item) for item in response["output"]]}
    return sent


def _item(item: Any) -> Any:
    if not isinstance(item, Mapping):
        return item
    is_own = item.get("type") == "reasoning" or item.get("role") in ("assistant", None)
    return {key: item[key] for key in READ if key in item and (is_own or key in ("type", "role"))}
