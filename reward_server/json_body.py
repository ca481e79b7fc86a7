"""A request body: one JSON object, read field by field with its types checked, from bytes.

The event loop waits while a body is parsed, so it is parsed by msgspec, in C, straight into lists of text. msgspec
refuses lone surrogates (`"\\ud800"`, which Python's json writes); such a body is read by the standard library.
"""

from __future__ import annotations

import json
import math
from collections.abc import Hashable
from functools import cached_property, lru_cache
from typing import Any, NoReturn, TypeVar, cast

import msgspec

from reward_server.errors import InvalidRequest

T = TypeVar("T")


class JsonNumber(str):
    """A number as its JSON text: 1.0 and 1 are two ground truths, and neither becomes a float."""

    __slots__ = ()


class JsonBody:
    """Raises InvalidRequest when `raw` is not one JSON object."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        try:
            self._fields: dict[str, msgspec.Raw] | None = _decoder(dict[str, msgspec.Raw]).decode(raw)
            self.keys = self._fields.keys()
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self._fields = None
            self._values = read_object(raw)
            self.keys = self._values.keys()

    def __contains__(self, key: str) -> bool:
        return key in self.keys

    def column(self, key: str, kind: type[T]) -> list[T]:
        """The field as a list of `kind`. Raises InvalidRequest naming the first wrong entry."""
        return self.field(key, list[kind])  # type: ignore[valid-type]

    def field(self, key: str, kind: type[T]) -> T:
        """The field, which must be there, as `kind`. Raises InvalidRequest."""
        try:
            if self._fields is None:
                return msgspec.convert(self._values[key], kind)
            value: T = _decoder(cast(Hashable, kind)).decode(self._fields[key])
            return value
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:  # a lone surrogate is no UTF-8 either
            raise InvalidRequest(f"{key}: {_in_words(key, error)}") from None

    @cached_property
    def _labels(self) -> dict[str, object]:
        return read_object(self.raw, parse_int=JsonNumber, parse_float=JsonNumber)

    def labels(self, key: str) -> list[object]:
        """The field as a list of any JSON, numbers as JsonNumber."""
        values = self.label(key)
        if not isinstance(values, list):
            raise InvalidRequest(f"{key}: expected a list")
        return values

    def label(self, key: str) -> object:
        """The field as any JSON, numbers as JsonNumber."""
        if self._fields is None:
            return self._labels[key]
        raw = self._fields[key]
        try:
            return _decoder(list[str]).decode(raw)  # by far the commonest, and the fastest
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return read_json(bytes(raw), parse_int=JsonNumber, parse_float=JsonNumber)


def read_json(raw: bytes | str, **hooks: Any) -> object:
    """Any JSON by the standard library, without NaN and infinities, also such as 1e999. Raises InvalidRequest."""
    try:
        return json.loads(raw, parse_constant=_refuse_constant, **({"parse_float": _finite} | hooks))
    except RecursionError:
        raise InvalidRequest("the JSON is nested too deeply") from None
    except ValueError as error:  # also UnicodeDecodeError, and integers of over 4,300 digits
        raise InvalidRequest(f"the body is not valid JSON: {error}") from None


def read_object(raw: bytes | str, **hooks: Any) -> dict[str, object]:
    """A JSON object by the standard library. Raises InvalidRequest."""
    value = read_json(raw, **hooks)
    if not isinstance(value, dict):
        raise InvalidRequest("the body must be a JSON object")
    return value


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is beyond float64")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


@lru_cache(maxsize=32)
def _decoder(kind: Hashable) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(cast(Any, kind))


def _in_words(key: str, error: Exception) -> str:
    """msgspec's sentence, its `$[3]` as `completions[3]`."""
    return str(error).replace("`$", f"`{key}")
