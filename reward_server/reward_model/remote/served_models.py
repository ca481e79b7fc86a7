"""Which model of a server is asked: one by its name, or the only one that the server has (`GET /v1/models`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reward_server.reward_model.engine import UnfitModel


@dataclass(frozen=True, slots=True)
class ServedModel:
    """`root`: where the server has read it; names with one root are the same model. `max_tokens`: its longest text."""

    name: str
    root: str
    max_tokens: int


def served_models(answer: Any) -> list[ServedModel]:
    """The models in the server's order. Raises KeyError, TypeError, ValueError or AttributeError for another answer."""
    entries = {str(entry["id"]): entry for entry in answer["data"]}
    return [
        ServedModel(name, str(entry.get("root") or name), _max_tokens(entry, entries))
        for name, entry in entries.items()
    ]


def chosen_model(models: Sequence[ServedModel], wanted: str | None, server: str) -> ServedModel:
    """The one of that name. Without a name the first, where all are names of one model. `server`: for messages.

    Raises UnfitModel where there is none of the name, and where several models could be meant: an adapter stands
    behind the model that it was trained on, which would score too.
    """
    names = ", ".join(model.name for model in models) or "none"
    if wanted is None and len({model.root for model in models}) > 1:
        raise UnfitModel(f"{server} has several models ({names}): name the reward model by rm_served_name")
    for model in models:
        if wanted in (None, model.name):
            return model
    asked = "no model" if wanted is None else f"no model {wanted!r} (rm_served_name)"
    raise UnfitModel(f"{server} has {asked}; it serves {names}")


def _max_tokens(entry: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]]) -> int:
    """An adapter tells no length of its own: it has that of the model that it was trained on."""
    length = entry["max_model_len"]
    return int(entries[entry["parent"]]["max_model_len"] if length is None else length)
