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
PART_KEYS = MEDIA_KEYS | {"bytes": "image", "path": "image", "url": "image", "base64": "image"}
"""The first of these that a part without a `type` has says what it is."""
FILE_KEYS = ("inline_data", "inlineData", "file_data", "fileData")
"""Gemini's, whose MIME type says what they are."""

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
    """Lists in lists are one list."""
    if content is None:
        return []
    several = None if isinstance(content, str) else _as_list(content)
    if several is None:
        return [_part(content)]
    return [part for item in several for part in (_parts(item) if _as_list(item) is not None else [_part(item)])]


def _part(given: Any) -> dict[str, Any]:
    if isinstance(given, str):
        return {"type": "text", "text": given}
    part = _mapping(given)
    if part is None:
        return {"type": "image" if _is_bare_image(given) else "unknown"}
    text = part.get("text")
    kind = part["type"] if isinstance(part.get("type"), str) else None
    if kind in TEXT_TYPES or (kind is None and isinstance(text, str)):
        return {"type": "text", "text": _text(text)}
    return {"type": kind if kind is not None else _untyped(part)}


def _text(text: Any) -> str:
    """A text, also as the Assistants API has it (`{"value": …}`)."""
    value = text.get("value") if isinstance(text, Mapping) else text
    return value if isinstance(value, str) else ""


def _is_bare_image(value: Any) -> bool:
    """PIL's, the bytes of a file, or pixels."""
    return "Image" in type(value).__name__ or isinstance(value, bytes) or (getattr(value, "ndim", None) or 0) > 1


def _untyped(part: Mapping[str, Any]) -> str:
    file = next((part[key] for key in FILE_KEYS if isinstance(part.get(key), Mapping)), None)
    if file is not None:
        return str(file.get("mime_type") or file.get("mimeType") or "image").partition("/")[0]
    return next((kind for key, kind in PART_KEYS.items() if part.get(key) is not None), "unknown")


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
