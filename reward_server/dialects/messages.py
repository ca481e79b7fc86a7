"""Chat messages in one form, however a trainer writes their images: what a text reward reads and noise is keyed by.

A content of text parts alone is their joined text. Where another part stands among them, the content is a list of
`{"type": "text", "text": …}` and `{"type": "image"}` (`audio`, `video`, …). The image itself is gone, whether it came
as base64, as an address, as a path, or was never sent. `input_image` (Responses) and `image_url` (Chat Completions)
are both `image`. Media that a message holds beside its content (`images`) are parts before it. Texts that follow each
other are one, lists in lists are one list, and a key whose value is null says nothing. All else is kept.

So questions that differ in their images alone are one question to the noise, unless they are given groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby

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
_PART_KEYS = MEDIA_KEYS | {"bytes": "image", "path": "image", "url": "image", "base64": "image"}
"""The first of these that a part without a `type` has says what it is."""
_FILE_KEYS = ("inline_data", "inlineData", "file_data", "fileData")
"""Gemini's, whose MIME type says what they are."""
Part = dict[str, object]
PROMPT_SCHEMA: dict[str, object] = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "object"}}, {"type": "null"}],
    "description": "Text, or messages.",
}


def without_media(messages: list[Message]) -> list[Message]:
    """The messages in their one form; those with plain texts for contents are what they were."""
    return [_message(message) for message in messages]


def _message(message: Message) -> Message:
    media = [part for key in MEDIA_KEYS if key in message for part in _media(key, message[key])]
    content = message.get("content")
    said = {key: value for key, value in message.items() if key == "content" or _says_something(key, value)}
    if not media and not isinstance(content, list | dict):
        return said
    return {**said, "content": _form([*media, *_parts(content)])}


def _says_something(key: str, value: object) -> bool:
    return value is not None and key not in MEDIA_KEYS


def _form(parts: list[Part]) -> str | list[Part]:
    """Texts that follow each other become one, and empty ones nothing; texts alone are a text."""
    joined: list[Part] = []
    for kind, run in groupby(parts, key=lambda part: part["type"]):
        if kind != "text":
            joined.extend(run)
        elif text := "".join(str(part["text"]) for part in run):
            joined.append({"type": "text", "text": text})
    if all(part["type"] == "text" for part in parts):
        return str(joined[0]["text"]) if joined else ""
    return joined


def _parts(content: object) -> list[Part]:
    return [] if content is None else [_part(part) for part in _flat(content)]


def _flat(content: object) -> Iterator[object]:
    """What is no list, in lists of any depth."""
    waiting = [content]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting.extend(reversed(item))
        else:
            yield item


def _part(part: object) -> Part:
    given = {"type": "text", "text": part} if isinstance(part, str) else part if isinstance(part, dict) else {}
    kind = given.get("type")
    name = _kind(kind) if isinstance(kind, str) else _untyped(given)
    return {"type": "text", "text": _text(given.get("text"))} if name == "text" else {"type": name}


def _kind(written: str) -> str:
    """`input_image`, `image_url`, `image_file` and `IMAGE` are an `image`."""
    name = written.lower().removeprefix("input_").removeprefix("output_").removesuffix("_url")
    medium = next((medium for medium in ("image", "video", "audio") if name.startswith(medium)), None)
    return medium or ("image" if name == "img" else name)


def _text(text: object) -> str:
    """A text, also as the Assistants API has it (`{"value": …}`)."""
    value = text.get("value") if isinstance(text, dict) else text
    return value if isinstance(value, str) else ""


def _untyped(part: Mapping[str, object]) -> str:
    if isinstance(part.get("text"), str):
        return "text"
    file = next((part[key] for key in _FILE_KEYS if isinstance(part.get(key), dict)), None)
    if isinstance(file, dict):
        return str(file.get("mime_type") or file.get("mimeType") or "image").partition("/")[0]
    return next((kind for key, kind in _PART_KEYS.items() if part.get(key) is not None), "unknown")


def _media(key: str, value: object) -> list[Part]:
    """One part for each that a message holds beside its content; none for null and what is empty."""
    if value in (None, "", {}, False):
        return []
    return [{"type": MEDIA_KEYS[key]}] * (len(value) if isinstance(value, list) else 1)
