"""Chat messages in one form, however a trainer writes their images: what a text reward reads and noise is keyed by.

A content of text parts alone is their joined text. Where another part stands among them, the content is a list of
`{"type": "text", "text": …}` and `{"type": "image"}` (`audio`, `video`, …). The image itself is gone, whether it came
as base64, as an address, as a path, or was never sent. `input_image` (Responses) and `image_url` (Chat Completions)
are both `image`. Media that a message holds beside its content (`images`) are parts before it. All else is kept.

So questions that differ in their images alone are one question to the noise, unless they are given groups.
"""

from __future__ import annotations

from collections.abc import Mapping

from reward_server.types import Message

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
Part = dict[str, object]


def without_media(messages: list[Message]) -> list[Message]:
    """The messages in their one form; those with plain texts for contents are what they were."""
    return [_message(message) for message in messages]


def _message(message: Message) -> Message:
    media = [part for key in MEDIA_KEYS if key in message for part in _media(key, message[key])]
    if not media and not isinstance(message.get("content"), list | dict):
        return message
    kept = {key: value for key, value in message.items() if key not in MEDIA_KEYS}
    return {**kept, "content": _form(media + _parts(message.get("content")))}


def _form(parts: list[Part]) -> str | list[Part]:
    texts = [part["text"] for part in parts if part["type"] == "text"]
    return "".join(map(str, texts)) if len(texts) == len(parts) else parts


def _parts(content: object) -> list[Part]:
    if content is None:
        return []
    return [_part(part) for part in (content if isinstance(content, list) else [content])]


def _part(part: object) -> Part:
    given = {"type": "text", "text": part} if isinstance(part, str) else part if isinstance(part, dict) else {}
    kind = given.get("type")
    name = (
        (kind if isinstance(kind, str) else _untyped(given))
        .removeprefix("input_")
        .removeprefix("output_")
        .removesuffix("_url")
    )
    if name != "text":
        return {"type": name}
    text = given.get("text")
    return {"type": "text", "text": text if isinstance(text, str) else ""}


def _untyped(part: Mapping[str, object]) -> str:
    if isinstance(part.get("text"), str):
        return "text"
    return next((MEDIA_KEYS[key] for key, value in part.items() if key in MEDIA_KEYS and value is not None), "unknown")


def _media(key: str, value: object) -> list[Part]:
    """One part for each that a message holds beside its content; none for null and what is empty."""
    if value in (None, "", {}, False):
        return []
    return [{"type": MEDIA_KEYS[key]}] * (len(value) if isinstance(value, list) else 1)
