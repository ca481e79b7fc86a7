"""A label cell: what the answer is compared with, and what the trainer itself cannot carry.

Trainers pass a dataset's label cell through untouched, so a cell may be an object, or a string that holds one, of these
keys only: `ground_truth` (required), `wrong_ground_truth`, `group`, `visit`, `prompt`, `flip`, `ordered`, `step`,
`source`. What stands in a label wins over what the trainer sends beside it: somebody wrote it there for this row. An
object without the key `ground_truth` is a ground truth itself, for checks of one's own: for all others it is unusable,
since its text would be one that no answer matches, a reward of 0 for everybody. With `ground_truth` and a key that is
none of these it is unusable for all. A key whose value is null says nothing, whatever its name: Arrow writes them for
every key that another row has.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import cast

from msgspec.structs import replace

from reward_server.dialects.json_outline import outline
from reward_server.dialects.json_text import JsonNumber, read_json
from reward_server.dialects.messages import without_media
from reward_server.errors import InvalidRequest
from reward_server.types import JsonTruth, Sample

LABEL_KEYS = frozenset(
    {"ground_truth", "wrong_ground_truth", "group", "visit", "prompt", "flip", "ordered", "step", "source"}
)
MAX_ALTERNATIVES = 1000
MAX_JSON_CHARS = 2**20
"""Of a ground truth that is a JSON object or list. Writing it takes the interpreter's lock for as long as it takes."""
MAX_QUICK_DIGITS = 4000
"""Of an integer that needs no second look: Python refuses those of over 4,300."""
LARGE_CHARS = 65_536
MAX_MARKS = 16_384
"""Commas, colons and opening brackets of a label that is a text of over `LARGE_CHARS`."""
SOURCE_KEYS = ("source", "data_source", "datasource")
"""Columns that name the data set of a row, in the words of several trainers: the first that is a text."""
INTEGERS = range(-(2**63), 2**63)


def labelled(sample: Sample, label: object) -> Sample:
    """The sample with what its label says. A label object of the wrong types raises InvalidRequest."""
    label = object_in(label)
    if not (isinstance(label, dict) and _is_label_object(label)):
        return replace(sample, ground_truths=ground_truths_of(label) if _is_truth(label) else ())
    wrong = label.get("wrong_ground_truth")
    return replace(
        sample,
        ground_truths=ground_truths_of(label["ground_truth"]),
        wrong_ground_truths=ground_truths_of(wrong) if wrong is not None else sample.wrong_ground_truths,
        prompt=checked_prompt(label["prompt"]) if label.get("prompt") is not None else sample.prompt,
        group=checked_group(label["group"]) if label.get("group") is not None else sample.group,
        visit=checked_visit(label["visit"]) if label.get("visit") is not None else sample.visit,
        flip=checked_flip(label["flip"]) if label.get("flip") is not None else sample.flip,
        ordered=ordered_of(label["ordered"]) if label.get("ordered") is not None else sample.ordered,
        step=checked_step(label["step"]) if label.get("step") is not None else None,
        source=checked_source(label["source"]) if label.get("source") is not None else sample.source,
    )


def is_null(label: object) -> bool:
    """True for null, and for an object of nulls, which is how Arrow writes a missing one."""
    return label is None or (isinstance(label, dict) and all(value is None for value in label.values()))


def all_labelled(samples: list[Sample], labels: list[object], key: str) -> list[Sample]:
    """Each sample with its label; an error names the row of the column `key`."""
    done: list[Sample] = []
    try:
        for sample, label in zip(samples, labels, strict=True):
            done.append(labelled(sample, label))
    except InvalidRequest as error:
        raise InvalidRequest(f"{key}[{len(done)}]: {error.message}") from None
    return done


def truths_of_text(label: object) -> tuple[str, ...] | None:
    """The ground truth of a label that is nothing but its text, the commonest; None for any other."""
    if not isinstance(label, str) or (text := label.strip()).startswith("{"):
        return None
    return (label,) if text else ()


def ground_truths_of(value: object) -> tuple[str, ...]:
    """A text, a number (its JSON text) or a list of those. An object, or a list that has an object or a list in it, is
    one JsonTruth. Everything else is unusable: ()."""
    check_alternatives(value)
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict | list) for item in value)):
        return _json_truth(value)
    alternatives = value if isinstance(value, list) else [value]
    texts = tuple(_ground_truth_text(item) for item in alternatives)
    return texts if all(text.strip() for text in texts) else ()


def check_alternatives(label: object) -> None:
    """Raises InvalidRequest for a label, or the ground truth in one, of more than MAX_ALTERNATIVES."""
    value = label.get("ground_truth") if isinstance(label, dict) else label
    if isinstance(value, list) and len(value) > MAX_ALTERNATIVES:
        raise InvalidRequest(f"the ground truth has {len(value)} alternatives; {MAX_ALTERNATIVES} are the most")


def checked_group(value: object) -> str:
    """A question's id: a text, or an integer as decimal text."""
    is_fraction = isinstance(value, JsonNumber) and not _is_integer(value)
    if isinstance(value, bool) or is_fraction or not isinstance(value, str | int):
        raise InvalidRequest("group: expected a text or an integer")
    return str(value)


def checked_visit(value: object) -> int:
    """Which visit of the question: an integer of 64 bits."""
    return _checked_integer("visit", value)


def checked_step(value: object) -> int:
    """Which step of the training: an integer of 64 bits."""
    return _checked_integer("step", value)


def checked_flip(value: object) -> bool:
    """False pays the clean score."""
    if not isinstance(value, bool):
        raise InvalidRequest("flip: expected true or false")
    return value


def checked_source(value: object) -> str:
    """The name of a data set."""
    if isinstance(value, JsonNumber) or not isinstance(value, str):
        raise InvalidRequest("source: expected a text")
    return value


def source_of(row: Mapping[str, object]) -> str | None:
    """What a row of somebody's data set says of it, where that is a text."""
    named = (row.get(key) for key in SOURCE_KEYS)
    return next((str(value) for value in named if isinstance(value, str) and not isinstance(value, JsonNumber)), None)


def ordered_of(value: object) -> bool:
    """True asks for the ground truth's order in lists of values."""
    if not isinstance(value, bool):
        raise InvalidRequest("ordered: expected true or false")
    return value


def checked_prompt(value: object) -> str | list[dict[str, object]]:
    """A text, or chat messages in their one form, in which numbers are numbers again: the noise depends on them."""
    if isinstance(value, str) and not isinstance(value, JsonNumber):
        return value
    if isinstance(value, list) and all(isinstance(message, dict) for message in value):
        try:
            return without_media(cast(list[dict[str, object]], _with_numbers(value)))
        except RecursionError:
            raise InvalidRequest("prompt: the messages are nested too deeply") from None
    raise InvalidRequest("prompt: expected a text or a list of messages")


def object_in(label: object) -> object:
    """The JSON object that a text holds; anything else as it is."""
    if isinstance(label, str) and '"' in label and label.lstrip().startswith("{"):
        _check_size(label)
        with suppress(InvalidRequest):
            value = read_json(label, parse_int=JsonNumber, parse_float=JsonNumber)
            return value if isinstance(value, dict) else label
    return label


def _is_label_object(label: dict[str, object]) -> bool:
    return "ground_truth" in label and all(key in LABEL_KEYS or value is None for key, value in label.items())


def _is_truth(label: object) -> bool:
    """False for an object that was meant for a label object: it has one of its keys too many, or none but those."""
    if not isinstance(label, dict):
        return True
    return label.get("ground_truth") is None and not label.keys() <= LABEL_KEYS


def _json_truth(value: object) -> tuple[str, ...]:
    """Numbers are numbers again. Unusable: an object of nulls, numbers beyond a float, what is nested too deeply."""
    if is_null(value) or not _is_small(value):
        return ()
    try:
        return (JsonTruth.of(_with_numbers(value)),)
    except (InvalidRequest, ValueError, RecursionError):
        return ()


def _is_small(value: object) -> bool:
    """Has it at most MAX_JSON_CHARS, a value counting 8 more? What is too large is not read to its end."""
    left, waiting = MAX_JSON_CHARS, [value]
    while waiting and left >= 0:
        item = waiting.pop()
        left -= 8
        if isinstance(item, dict):
            left -= sum(map(len, item))
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, str):
            left -= len(item)
    return left >= 0


def _check_size(label: str) -> None:
    """The body's own structure was counted, but not what stands within a text of it."""
    if len(label) <= LARGE_CHARS:
        return
    if outline(label.encode("utf-8", "surrogatepass"), MAX_MARKS).marks > MAX_MARKS:
        raise InvalidRequest(f"the label, a text that holds an object, has over {MAX_MARKS} fields and entries")


def _with_numbers(value: object) -> object:
    if isinstance(value, JsonNumber):
        return int(value) if _is_integer(value) and len(value) <= MAX_QUICK_DIGITS else read_json(value)
    if isinstance(value, list):
        return [_with_numbers(item) for item in value]
    return {key: _with_numbers(item) for key, item in value.items()} if isinstance(value, dict) else value


def _ground_truth_text(value: object) -> str:
    """Empty for what cannot be a ground truth."""
    return value if isinstance(value, str) else ""


def _checked_integer(name: str, value: object) -> int:
    if isinstance(value, JsonNumber):
        value = int(value) if _is_integer(value) and len(value) <= len(str(-(2**63))) else None
    if isinstance(value, bool) or not isinstance(value, int) or value not in INTEGERS:
        raise InvalidRequest(f"{name}: expected an integer of 64 bits")
    return value


def _is_integer(number: JsonNumber) -> bool:
    return number.removeprefix("-").isdecimal()
