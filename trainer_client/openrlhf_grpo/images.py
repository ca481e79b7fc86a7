"""The images of a row, as OpenRLHF can open them on any node: absolute paths and URLs.

Bytes (of Parquet and of hub data sets) and base64 become files beside the prepared data, named by their content.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import Any

from trainer_client.openrlhf_grpo.rows import Row

IMAGE_KEYS = ("images", "image")
PLACE = "<image>"
"""Where an image stands in a question; OpenRLHF makes it the model's own placeholder."""
BASE64 = re.compile(r"[A-Za-z0-9+/\s]{256,}=*\s*")


@dataclass(frozen=True)
class Image:
    """`reference`: a path or URL, or None where `content` is still to be stored. `digest`: of the content, or of the
    URL: the name of a file does not change the noise."""

    reference: str | None
    content: bytes
    digest: str

    def stored(self, folder: Path) -> str:
        """What OpenRLHF is to open; writes the content into the folder where it has no place of its own."""
        if self.reference is not None:
            return self.reference
        path, partial = folder / self.digest, folder / f"{self.digest}.partial"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(self.content)
            os.replace(partial, path)
        return str(path)


def images_of(row: Row, keys: Sequence[str], folder: Path) -> list[Image]:
    """The images under the first of `keys` that the row has. A path begins in `folder`. Raises ValueError."""
    value: Any = next((row[key] for key in keys if row.get(key) is not None), [])
    values = value if isinstance(value, list) else [value]
    return [image(each, folder) for each in values if each is not None]


def image(given: Any, folder: Path) -> Image:
    """A path, a URL, base64, bytes, or an object with `bytes`, `path` or `url`. Raises ValueError."""
    value: Any = given
    if isinstance(given, dict):
        value = next((given[key] for key in ("bytes", "path", "url") if given.get(key)), None)
    if isinstance(value, bytes):
        return Image(None, checked(value, "bytes"), _digest(value))
    if not isinstance(value, str) or not value:
        raise ValueError(f"an image is {given!r:.80}; expected a path, a URL, base64 or bytes")
    if value.startswith(("http://", "https://")):
        return Image(value, b"", _digest(value.encode()))
    if value.startswith("data:image") or BASE64.fullmatch(value):
        return _decoded(value)
    path = (folder / value.removeprefix("file://")).resolve()
    if not path.is_file():
        raise ValueError(f"no image {path}")
    content = checked(path.read_bytes(), str(path))
    return Image(str(path), content, _digest(content))


def _decoded(text: str) -> Image:
    try:
        content = base64.b64decode("".join(text.rpartition(",")[2].split()), validate=True)
    except binascii.Error as error:
        raise ValueError(f"an image in base64 that cannot be read: {error}") from None
    return Image(None, checked(content, "base64"), _digest(content))


def checked(content: bytes, where: str) -> bytes:
    """The content, if it is an image as far as Pillow can tell; OpenRLHF ends the run at the first that is none."""
    try:
        from PIL import Image as pillow
    except ImportError:
        return content
    try:
        with pillow.open(BytesIO(content)) as opened:
            opened.verify()
    except Exception as error:  # noqa: BLE001 - each of Pillow's formats raises its own
        raise ValueError(f"an image that cannot be read ({where}): {error}") from None
    return content


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()
