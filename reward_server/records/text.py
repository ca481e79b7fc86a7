"""A row as the bytes of one line, and back, bit for bit.

A line is UTF-8 and valid JSON, whatever a policy writes. msgspec writes and reads nearly all of them. What it refuses
the standard library writes in ASCII: a lone surrogate becomes its escape (`\\ud800`), as Python's json has it.

One text has no JSON: two halves of a surrogate pair that stand side by side and are not one character, since every
reader makes one character of their escapes. Such a line has its sample a second time, in `exact`: base64 of the JSON of
those fields, in UTF-8 in which each half is three bytes of its own.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence

import msgspec

from reward_server.errors import CommandError
from reward_server.records.row import VERSION, Row

_TEXTS = ("completion", "prompt", "ground_truth", "group", "answer")
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Row)


class BadLine(CommandError, ValueError):
    """A line that is none of a record: what is wrong with it."""


class NewerLine(BadLine):
    """A line of a version that this reader does not know."""


def encode(row: Row) -> bytes:
    """The line, its end included. Raises what msgspec or the standard library raise for what is no JSON."""
    try:
        return _ENCODER.encode(row) + b"\n"
    except (UnicodeError, TypeError):  # a lone surrogate, or a subclass of str
        return _encoded_by_python(row)


def encode_all(rows: Sequence[Row]) -> bytes:
    """The lines of many at once, in two thirds of the time. Raises where `encode` would have to help itself."""
    return _ENCODER.encode_lines(rows)


def decode(line: bytes) -> Row:
    """The row of a line, with or without its end. Raises BadLine."""
    try:
        row = _DECODER.decode(line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        row = _decoded_by_python(line)
    if row.v != VERSION:
        raise NewerLine(f"a line of version {row.v}: this reader knows version {VERSION}; use a newer reward-server")
    return _exactly(row) if row.exact is not None else row


def _encoded_by_python(row: Row) -> bytes:
    fields = _fields(row)
    line = json.dumps(fields, allow_nan=False)
    if json.loads(line) != fields:
        texts = {name: fields[name] for name in _TEXTS if name in fields}
        exact = json.dumps(texts, allow_nan=False, ensure_ascii=False).encode("utf-8", "surrogatepass")
        line = json.dumps({**fields, "exact": b64encode(exact).decode()}, allow_nan=False)
    return line.encode() + b"\n"


def _fields(row: Row) -> dict[str, object]:
    """What stands in the line: as `omit_defaults` has it."""
    defaults = dict(zip(reversed(row.__struct_fields__), reversed(row.__struct_defaults__), strict=False))
    given = {name: getattr(row, name) for name in row.__struct_fields__}
    return {name: value for name, value in given.items() if name not in defaults or value is not defaults[name]}


def _decoded_by_python(line: bytes) -> Row:
    try:
        return msgspec.convert(json.loads(line.decode()), Row)  # of bytes it guesses an encoding
    except RecursionError:
        raise BadLine("the JSON is nested too deeply") from None
    except msgspec.ValidationError as error:
        raise BadLine(f"not a line of a record: {error}") from None
    except ValueError as error:  # no JSON, or no Unicode
        raise BadLine(f"not valid JSON: {error}") from None


def _exactly(row: Row) -> Row:
    try:
        texts = json.loads(b64decode(row.exact or "", validate=True).decode("utf-8", "surrogatepass"))
        known = {name: texts[name] for name in _TEXTS if name in texts}
        return msgspec.convert({**_fields(row), "exact": None, **known}, Row)
    except (ValueError, TypeError, msgspec.ValidationError) as error:
        raise BadLine(f"exact: not what this version writes: {error}") from None
