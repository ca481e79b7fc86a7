"""A source as the JSONL file that OpenRLHF reads: columns `input`, `label`, `datasource`.

A label is a text that holds a JSON object: as an object, Arrow would give every row the union of all rows' keys, and
one type to ground truths of several. OpenRLHF hands the text to the server untouched, which reads it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from trainer_client.adapters._shared import GROUND_TRUTH_KEYS
from trainer_client.openrlhf_grpo.options import Options
from trainer_client.openrlhf_grpo.progress import Progress
from trainer_client.openrlhf_grpo.sources import BadDataset, Row, Source
from trainer_client.openrlhf_grpo.template import render

QUESTION_KEYS = ("question", "problem", "prompt")
INPUT, LABEL = "input", "label"
PROBES = 256
"""Ground truths that are kept, to be tried on the server."""


@dataclass(frozen=True)
class Example:
    """A question. `group` is its id for noise: the row's own, else a digest of the question's text alone, so that
    neither order nor template nor file changes the noise."""

    question: str
    ground_truth: Any
    group: str
    datasource: str


@dataclass
class Prepared:
    """What was written: how many questions, their ids, and the first PROBES ground truths."""

    path: Path
    rows: int = 0
    groups: set[str] = field(default_factory=set)
    ground_truths: list[Any] = field(default_factory=list)

    def add(self, example: Example) -> None:
        self.rows += 1
        self.groups.add(example.group)
        if len(self.ground_truths) < PROBES:
            self.ground_truths.append(example.ground_truth)


def prepare(source: Source, path: Path, options: Options, *, visits: Sequence[int], flip: bool) -> Prepared:
    """Writes the source once for each of `visits`, whole or not at all. Raises BadDataset."""
    prepared, partial = Prepared(path), path.with_suffix(".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    progress = Progress(f"{path.name} from {source.name}", source.total * len(visits))
    try:
        with partial.open("w", encoding="ascii") as file:
            for copy, visit in enumerate(visits):
                for done, example, line in _lines(source, options, visit, flip):
                    file.write(line)
                    prepared.add(example)
                    progress.update(copy * source.total + done, prepared.rows)
        if not prepared.rows:
            raise BadDataset(f"{source.name}: no questions in it")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    progress.close(prepared.rows)
    return prepared


def _lines(source: Source, options: Options, visit: int, flip: bool) -> Iterator[tuple[int, Example, str]]:
    for where, done, row in source.read():
        try:
            example = _example(row, options, source.name)
            label = {"ground_truth": example.ground_truth, "group": example.group, "visit": visit, "flip": flip}
            record = {
                INPUT: render(example.question, options.template),
                LABEL: json.dumps(label, allow_nan=False),
                "datasource": example.datasource,
            }
        except (TypeError, ValueError) as error:
            raise BadDataset(f"{where}: {error}") from None
        yield done, example, json.dumps(record) + "\n"


def _example(row: Row, options: Options, name: str) -> Example:
    question = _question(_first(row, options.question_key, QUESTION_KEYS, "question"))
    ground_truth = None
    if options.ground_truth:
        ground_truth = _first(row, options.answer_key, GROUND_TRUTH_KEYS, "ground truth")
    digest = blake2b(question.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    group = row.get("group")
    datasource = row.get("datasource") or row.get("data_source") or name
    return Example(question, ground_truth, digest if group is None else str(group), str(datasource))


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
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"the question is no text: {value!r:.80}")
    return value.strip()
