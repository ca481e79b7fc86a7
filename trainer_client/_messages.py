"""Prompts as a reward of texts reads them: no image, audio or video ever travels, in whatever form a trainer holds it.

A message's content parts keep their texts. Every other part becomes `{"type": …}`, so that the server still sees that
something stood there. Media that a message holds beside its content (`images`) become such parts before it. All else
of a message (`role`, `tool_calls`, …) is sent as it is, as long as it is JSON. A value that is not, or a long array,
becomes `{"type": …}` too, with the name of its class. The server makes one form of all spellings, so that the
question's id does not depend on the trainer.

Not covered: an image that is written into a text (a `data:` URI inside a string) is text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainer_client._errors import BadBatch

TEXT_TYPES = ("text", "input_text", "output_text")
MEDIA_KEYS = {
    "image": "image",
    "images": "image",
    "image_url": "image",
    "input_image": "image",
    "video": "video",
    "videos": "video",
    "audio": "audio",
    "audios": "audio",
    "input_audio": "audio",
}
"""What a message, or a part without a `type`, calls its media, and the type of the part that it becomes."""


LONGEST_ARRAY = 64
"""Numbers beside a message's content, such as weights; what is longer is tokens, pixels or sound."""


def texts_only(prompt: Any) -> Any:
    """A prompt without its media: a text, or messages; what is neither is left for the server to judge.

    Raises BadBatch for messages that are nested too deeply.
    """
    try:
        if isinstance(prompt, str) or prompt is None:
            return prompt
        messages = _as_list(prompt)
        return prompt if messages is None else [_message(message) for message in messages]
    except RecursionError:
        raise BadBatch("prompts: the messages are nested too deeply") from None


def label_texts_only(label: Any) -> Any:
    """A ground truth as it is; of a label object, its prompt without media."""
    if isinstance(label, Mapping) and label.get("prompt") is not None:
        return {**label, "prompt": texts_only(label["prompt"])}
    return label


def joined_texts(content: Any) -> str:
    """The texts of what the policy wrote: a text, a list of parts, or nothing."""
    if isinstance(content, str):
        return content
    parts = [part if isinstance(part, str) else (_mapping(part) or {}).get("text") for part in _as_list(content) or []]
    return "".join(text for text in parts if isinstance(text, str))


def _message(given: Any) -> Any:
    message = _mapping(given)
    if message is None:
        return given  # no message; JSON or the server will say so
    media = [part for key in MEDIA_KEYS if key in message for part in _media(MEDIA_KEYS[key], message[key])]
    kept = {key: _json(value) for key, value in message.items() if key != "content" and not _is_media(key, value)}
    content = _content(message.get("content"))
    if media:
        kept["content"] = [*media, *_parts(content)]
    elif "content" in message:
        kept["content"] = content
    return kept


def _content(content: Any) -> Any:
    """A text, nothing or a number as it is; all else as parts."""
    return content if isinstance(content, str | int | float) or content is None else _parts(content)


def _parts(content: Any) -> list[dict[str, Any]]:
    if content is None:
        return []
    several = None if isinstance(content, str) else _as_list(content)
    return [_part(part) for part in ([content] if several is None else several)]


def _part(given: Any) -> dict[str, Any]:
    if isinstance(given, str):
        return {"type": "text", "text": given}
    part = _mapping(given)
    if part is None:
        return {"type": "image" if "Image" in type(given).__name__ else "unknown"}
    text = part.get("text")
    kind = part["type"] if isinstance(part.get("type"), str) else None
    if kind in TEXT_TYPES or (kind is None and isinstance(text, str)):
        return {"type": "text", "text": text if isinstance(text, str) else ""}
    media = (MEDIA_KEYS[key] for key, value in part.items() if key in MEDIA_KEYS and value is not None)
    return {"type": kind if kind is not None else next(media, "unknown")}


def _is_media(key: str, value: Any) -> bool:
    return key in MEDIA_KEYS and bool(_media(MEDIA_KEYS[key], value))


def _media(kind: str, value: Any) -> list[dict[str, Any]]:
    """One part for each that a message holds beside its content; none for null and what is empty."""
    if value is None or (isinstance(value, str | Mapping | bool) and not value):
        return []
    several = _as_list(value)
    return [{"type": kind}] * (1 if several is None else len(several))


def _mapping(value: Any) -> Mapping[str, Any] | None:
    """A message or part, also as an object of pydantic."""
    if hasattr(value, "model_dump"):
        value = value.model_dump()
    return value if isinstance(value, Mapping) else None


def _as_list(value: Any) -> list[Any] | None:
    """A list, a tuple, or a NumPy array of objects or texts, as Arrow and pandas give; None for all else."""
    if isinstance(value, list | tuple):
        return list(value)
    if getattr(getattr(value, "dtype", None), "kind", "") in ("O", "U", "S", "T") and value.ndim > 0:
        listed: list[Any] = value.tolist()
        return listed
    return None


def _json(value: Any) -> Any:
    """What JSON can carry, as it is; `{"type": …}` for bytes, objects, and large arrays."""
    if isinstance(value, str | int | float) or value is None:
        return value
    if isinstance(value, Mapping):
        return {key: _json(item) for key, item in value.items()}
    items = _as_list(value)
    if items is not None:
        return [_json(item) for item in items]
    axes = getattr(value, "ndim", None)
    if hasattr(value, "tolist") and (axes == 0 or (axes == 1 and len(value) <= LONGEST_ARRAY)):
        return value.tolist()
    return {"type": type(value).__name__}
