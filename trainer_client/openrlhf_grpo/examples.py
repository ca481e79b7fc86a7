"""What of a row is used: the question, its images, its ground truth, its id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from trainer_client.adapters._shared import GROUND_TRUTH_KEYS
from trainer_client.openrlhf_grpo.images import IMAGE_KEYS, PLACE, Image, images_of
from trainer_client.openrlhf_grpo.options import Options
from trainer_client.openrlhf_grpo.rows import Row, Source

QUESTION_KEYS = ("question", "problem", "prompt")


@dataclass(frozen=True)
class Example:
    """A question. `group` is its id for noise: the row's own, else a digest of the question's text (and images) alone,
    so that neither order nor template nor file changes the noise. Where an image stands, the question has PLACE."""

    question: str
    images: list[Image]
    ground_truth: Any
    group: str
    datasource: str
    wrong_ground_truth: Any = None
    """Of the column of that name, for `label_noise`."""


def example(row: Row, options: Options, source: Source) -> Example:
    """Raises ValueError."""
    images = images_of(row, [options.image_key] if options.image_key else IMAGE_KEYS, source.folder)
    question = _question(_first(row, options.question_key, QUESTION_KEYS, "question"))
    question = _illustrated(question, len(images), options)
    ground_truth = None
    if options.ground_truth:
        ground_truth = _first(row, options.answer_key, GROUND_TRUTH_KEYS, "ground truth")
    identity = "\0".join([question, *(image.digest for image in images)])
    digest = blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    group = row.get("group")
    datasource = row.get("datasource") or row.get("data_source") or source.name
    group = digest if group is None else str(group)
    return Example(question, images, ground_truth, group, str(datasource), row.get("wrong_ground_truth"))


def _illustrated(question: str, images: int, options: Options) -> str:
    """The question with a place for each of its images. Raises ValueError where the policy would see others."""
    places = question.count(PLACE)
    if images > options.max_images:
        raise ValueError(f"{images} images: --max-images {images} shows them to the policy (now {options.max_images})")
    if images and not places:
        return PLACE * images + question
    if places != images and options.template != "paper":  # in the paper's template it is a word like any other
        raise ValueError(f"the question has {PLACE} {places} times, and the row {images} images")
    return question


def _first(row: Row, key: str | None, keys: Sequence[str], what: str) -> Any:
    """The first of `keys` that the row has, or what `key` says, with dots for objects in objects."""
    for name in (key,) if key else keys:
        value: Any = row
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            return value
    raise ValueError(f"no {what}: none of {key or ', '.join(keys)} in a row with {', '.join(row)}")


def _question(value: Any) -> str:
    """A text, or messages of which one is the user's; a system message gives way to ours."""
    if isinstance(value, list) and all(isinstance(message, dict) for message in value):
        asked = [message for message in value if message.get("role") != "system"]
        if len(asked) != 1 or asked[0].get("role") != "user":
            raise ValueError("the question has several turns; expected a text, or one message of a user")
        value = asked[0].get("content")
    if isinstance(value, list):
        value = "".join(map(_part, value))
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"the question is no text: {value!r:.80}")
    return value.strip()


def _part(part: Any) -> str:
    """A content part as text: the image itself stands in a column of its own."""
    kind = part.get("type") if isinstance(part, dict) else None
    if kind not in ("text", "image", "image_url"):
        raise ValueError(f"the question has a part that is neither text nor image: {part!r:.80}")
    return str(part.get("text") or "") if kind == "text" else PLACE
