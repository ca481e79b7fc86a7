"""Parts as the JSONL file that OpenRLHF reads: columns `input`, `label`, `datasource`, and `images` if there are any.

A label is a text that holds a JSON object: as an object, Arrow would give every row the union of all rows' keys, and
one type to ground truths of several. OpenRLHF hands the text to the server untouched, which reads it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from trainer_client.openrlhf_grpo.examples import Example, example
from trainer_client.openrlhf_grpo.mixture import Part
from trainer_client.openrlhf_grpo.options import Options
from trainer_client.openrlhf_grpo.progress import Progress
from trainer_client.openrlhf_grpo.rows import BadDataset
from trainer_client.openrlhf_grpo.template import render

INPUT, LABEL, IMAGES = "input", "label", "images"
PROBES = 256
"""Ground truths that are kept, to be tried on the server."""


@dataclass
class Prepared:
    """What was written: how many rows, the ids of their questions, and the first PROBES ground truths with their data
    sets. `visits`: how often the questions that are asked most are asked. `digest`: of the file."""

    path: Path
    visits: int
    rows: int = 0
    groups: set[str] = field(default_factory=set)
    ground_truths: list[Any] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    digest: str = ""

    def add(self, example: Example) -> None:
        self.rows += 1
        self.groups.add(example.group)
        if len(self.ground_truths) < PROBES:
            self.ground_truths.append(example.ground_truth)
            self.sources.append(example.datasource)


def prepare(
    parts: Sequence[Part],
    path: Path,
    options: Options,
    *,
    flip: bool,
    digest: str | None = None,
    with_source: bool = False,
    with_wrong: bool = False,
) -> Prepared:
    """Writes every part, whole or not at all; the images' files stay. `digest`: of the only file that may come out,
    where a run goes on with it. `with_source`: labels name the data set. `with_wrong`: each needs a wrong ground truth.
    Raises BadDataset."""
    prepared, partial = Prepared(path, max(part.visits for part in parts)), path.with_suffix(".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with partial.open("w", encoding="ascii") as file, TemporaryFile("w+", encoding="ascii") as plain:
            for part in parts:
                for example, line in _lines(part, path, options, prepared, {"flip": flip}, with_source):
                    # Arrow takes a column's type from the first rows, and cannot tell it from rows without images.
                    (plain if options.max_images and not example.images else file).write(line)
                    if with_wrong and example.wrong_ground_truth is None:
                        raise BadDataset(f"{example.question!r:.100}: label_noise needs a column wrong_ground_truth")
                    prepared.add(example)
            if options.max_images and not file.tell():
                raise BadDataset("no row has an image (--image-key names another column)")
            plain.seek(0)
            shutil.copyfileobj(plain, file)
        prepared.digest = _digest(partial)
        if digest not in (None, prepared.digest):
            raise BadDataset(
                f"these are other questions than those in {path}, with which the run began: resume with the same data, "
                "--template, --epochs and shares"
            )
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return prepared


def _digest(path: Path) -> str:
    digest = blake2b(digest_size=16)
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _lines(
    part: Part, path: Path, options: Options, prepared: Prepared, more: dict[str, Any], with_source: bool
) -> Iterator[tuple[Example, str]]:
    """The rows of one part, visit after visit."""
    source, before = part.source, prepared.rows
    progress = Progress(f"{path.name} from {source.name}", source.total * part.visits)
    for visit in range(part.visits):
        for number, (where, done, row) in enumerate(source.read()):
            if not part.is_asked(number, visit):
                continue
            try:
                asked = example(row, options, source)
                said = {**more, "source": asked.datasource} if with_source else more
                record = _record(asked, path.parent, options, visit if options.visits else 0, said)
                line = json.dumps(record) + "\n"
            except (TypeError, ValueError) as error:
                raise BadDataset(f"{where}: {error}") from None
            progress.update(visit * source.total + done, prepared.rows - before + 1)
            yield asked, line
    if prepared.rows == before:
        raise BadDataset(f"{source.name}: no questions in it")
    progress.close(prepared.rows - before)


def _record(example: Example, folder: Path, options: Options, visit: int, more: dict[str, Any]) -> dict[str, Any]:
    label = {"ground_truth": example.ground_truth, "group": example.group, "visit": visit, **more}
    if example.wrong_ground_truth is not None:
        label["wrong_ground_truth"] = example.wrong_ground_truth
    record: dict[str, Any] = {
        INPUT: render(example.question, options.template),
        LABEL: json.dumps(label, allow_nan=False),
        "datasource": example.datasource,
    }
    if options.max_images:
        record[IMAGES] = [image.stored(folder / "images") for image in example.images]
    return record
