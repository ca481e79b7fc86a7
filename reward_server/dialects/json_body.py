"""A request body: one JSON object, or a list, read field by field with its types checked, from bytes.

What a body would become is bounded before it is built (`json_outline.py`). A small body is bounded by its size; of a
larger one each list is counted first, and read in pieces where it is more than texts.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Hashable, Set
from functools import lru_cache
from typing import Any, TypeVar, cast

import msgspec
import numpy as np

from reward_server.dialects import json_text
from reward_server.dialects.json_outline import CHUNK, QUOTE, outline
from reward_server.dialects.json_text import MSGSPEC_ERRORS, NOT_JSON, PIECE_BYTES, is_piece
from reward_server.errors import InvalidRequest, TooLarge

T = TypeVar("T")
FREE_MARKS = 2**18
BYTES_A_MARK = 21
"""A mark stands for some 65 bytes of memory: so what is built of the structure is three times the text, and 16 MiB."""
MAX_FIELDS = 4096
COMMON = (
    *("completions", "prompts", "ground_truths", "groups", "visits", "flips", "steps", "sources"),
    *("completion", "prompt", "ground_truth", "group", "visit", "flip", "source"),
    *("query", "queries", "labels", "response", "label"),
)
"""Fields of the dialects. A large body of these only is the common case, whose fields need not be counted."""
LIST = "the body"
LIST_KEYS = frozenset({LIST})
"""The keys of a body that is a list: by this very object, and not by what it holds, it is told from an object."""
_BEGINS_LIST = re.compile(rb"[ \t\r\n]*\[")
_Common = msgspec.defstruct("_Common", [(name, msgspec.Raw, None) for name in COMMON], forbid_unknown_fields=True)


class JsonBody:
    """Raises InvalidRequest when `raw` is not one JSON object, TooLarge when it has too much structure for its size.

    No list of it may have more than `max_rows` entries.
    """

    def __init__(self, raw: bytes, max_rows: int = sys.maxsize) -> None:
        self._max_rows = max_rows
        self._is_small = len(raw) <= PIECE_BYTES
        try:
            self._fields = json_text.fields(raw) if self._is_small else _common_fields(raw)
        except MSGSPEC_ERRORS:
            self._fields, self._is_small = _other_fields(raw), False  # in UTF-8 they may be longer than they came
        self.keys: Set[str] = self._fields.keys()

    @classmethod
    def of_any(cls, raw: bytes, max_rows: int) -> JsonBody:
        """The same for a body that may be a list. It is the field LIST then, and nothing of it is read yet."""
        if _BEGINS_LIST.match(raw) is None:
            return cls(raw, max_rows)
        body = cls.__new__(cls)
        body._max_rows, body._is_small = max_rows, False
        body._fields = {LIST: msgspec.Raw(json_text.with_surrogates_as_bytes(json_text.in_utf8(raw).strip(b" \t\r\n")))}
        body.keys = LIST_KEYS
        return body

    def __contains__(self, key: str) -> bool:
        return key in self.keys

    def column(self, key: str, kind: Any) -> list[Any]:
        """The field as a list of `kind`. Raises InvalidRequest naming the first wrong entry, TooLarge."""
        raw = self._fields[key]
        if not self._is_small:
            self._check(key, is_text=kind is str)
        try:
            if kind is str or is_piece(raw):
                return self._counted(_decoder(list[kind]).decode(raw))
        except UnicodeError:  # a lone surrogate
            pass
        except (msgspec.MsgspecError, RecursionError) as error:
            raise _invalid(key, error) from None
        return self._counted([_value(f"{key}[{row}]", raw, kind) for row, raw in enumerate(_rows(key, raw))])

    def field(self, key: str, kind: type[T]) -> T:
        """The field, which must be there, as `kind`. Raises InvalidRequest, TooLarge."""
        return _value(key, self._fields[key], kind)

    def labels(self, key: str) -> list[object]:
        """The field as a list of any JSON, numbers as JsonNumber. Raises InvalidRequest, TooLarge."""
        raw = self._fields[key]
        if not self._is_small:
            self._check(key)
        try:
            return self._counted(_decoder(list[str]).decode(raw))  # by far the commonest, and the fastest
        except MSGSPEC_ERRORS:
            values = json_text.exact(raw)
        if not isinstance(values, list):
            raise InvalidRequest(f"{key}: expected a list")
        return self._counted(values)

    def label(self, key: str) -> object:
        """The field as any JSON, numbers as JsonNumber. Raises InvalidRequest, TooLarge."""
        self._check(key, is_list=False)
        return json_text.exact(self._fields[key])

    def whole(self) -> dict[str, object]:
        """All of it, numbers as numbers. Raises InvalidRequest, TooLarge."""
        for key in self.keys:
            self._check(key, is_list=False)
        return {key: json_text.plain(raw) for key, raw in self._fields.items()}

    def _check(self, key: str, *, is_list: bool = True, is_text: bool = False) -> None:
        """Before a large field is read. Of texts the quotes tell enough, and are counted sooner."""
        raw = memoryview(self._fields[key])
        if len(raw) <= PIECE_BYTES:
            return
        limit = _limit(len(raw))
        if is_text and _quotes(raw) // 2 <= limit:
            return
        found = outline(raw, limit)
        if is_list and found.members > self._max_rows:
            raise TooLarge(f"{key}: over max_samples={self._max_rows} entries; send fewer")
        if found.marks > limit:
            raise _too_much(key, len(raw))

    def _counted(self, values: list[Any]) -> list[Any]:
        if len(values) > self._max_rows:
            raise TooLarge(f"{len(values)} samples are over max_samples={self._max_rows}; send fewer")
        return values


def _common_fields(raw: bytes) -> dict[str, msgspec.Raw]:
    found = _decoder(_Common).decode(raw)
    return {name: value for name in COMMON if (value := getattr(found, name)) is not None}


def _other_fields(raw: bytes) -> dict[str, msgspec.Raw]:
    """Of a body that is large and has fields of its own, or that msgspec did not read as it is."""
    raw = json_text.in_utf8(raw)
    if len(raw) > PIECE_BYTES:
        limit = _limit(len(raw))
        found = outline(raw, limit)
        if found.members > MAX_FIELDS:
            raise InvalidRequest(f"the body has over {MAX_FIELDS} fields")
        if found.marks > limit:
            raise _too_much("the body", len(raw))
    try:
        return json_text.fields(json_text.with_surrogates_as_bytes(raw))
    except UnicodeError:
        raise InvalidRequest("the name of a field is not Unicode") from None
    except (msgspec.MsgspecError, RecursionError) as error:
        if len(raw) <= PIECE_BYTES:
            json_text.read_object(raw)  # the standard library knows better what is wrong, and where
        raise InvalidRequest(f"{NOT_JSON}: {error}") from None


def _limit(size: int) -> int:
    return FREE_MARKS + size // BYTES_A_MARK


def _too_much(where: str, size: int) -> TooLarge:
    return TooLarge(
        f"{where}: over {_limit(size)} lists, objects, fields and entries in {size} bytes; send fewer samples a request"
    )


def _quotes(raw: memoryview) -> int:
    text = np.frombuffer(raw, np.uint8)
    return sum(int(np.count_nonzero(text[i : i + CHUNK] == QUOTE)) for i in range(0, len(text), CHUNK))


def _rows(key: str, raw: msgspec.Raw) -> list[msgspec.Raw]:
    try:
        return json_text.rows(raw)
    except msgspec.MsgspecError:
        raise InvalidRequest(f"{key}: expected a list") from None


def _value(where: str, raw: msgspec.Raw, kind: type[T]) -> T:
    """One value as `kind`; in pieces where it is large, and by the standard library where it has a lone surrogate."""
    try:
        if is_piece(raw):
            value: T = _decoder(cast(Hashable, kind)).decode(raw)
            return value
    except UnicodeError:
        pass
    except (msgspec.MsgspecError, RecursionError) as error:
        raise _invalid(where, error) from None
    try:
        return msgspec.convert(json_text.plain(raw), kind)
    except MSGSPEC_ERRORS as error:
        raise _invalid(where, error) from None


@lru_cache(maxsize=32)
def _decoder(kind: Hashable) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(cast(Any, kind))


def _invalid(where: str, error: Exception) -> InvalidRequest:
    """msgspec's sentence, its `$[3]` as `completions[3]`."""
    return InvalidRequest(f"{where}: {str(error).replace('`$', f'`{where}')}")
