"""JSON values from bytes, in pieces: no call into C gets more than one of them, for it holds the interpreter's lock.

msgspec reads what it can. The standard library reads what msgspec refuses (lone surrogates, written as `"\\ud800"` by
Python's json), and numbers whose text must be kept.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, cast

import msgspec

from reward_server.dialects.json_outline import BACKSLASH, outline
from reward_server.errors import InvalidRequest, TooLarge

PIECE_BYTES = 2**18
PIECE_MARKS = 2**16
MAX_LARGE_LEVELS = 16
"""So many lists and objects of over a piece may stand within each other."""
NESTED = "the JSON is nested too deeply"
NOT_JSON = "the body is not valid JSON"
MSGSPEC_ERRORS = (msgspec.MsgspecError, UnicodeError, RecursionError)

_ANY = msgspec.json.Decoder()
_ROWS = msgspec.json.Decoder(list[msgspec.Raw])
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])

SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
RUN_OF_SURROGATES = re.compile(rb"(?:\\u[dD][89a-fA-F][0-9a-fA-F]{2}){1,4096}")
HIGH_AT_END = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\Z")
ESCAPE_BYTES = len("\\ud800")
MAX_RUNS = 2**18
"""Runs of escaped surrogates in one body, and what only looks like them: each costs some microseconds."""


class JsonNumber(str):
    """A number as its JSON text: 1.0 and 1 are two ground truths, and neither becomes a float."""

    __slots__ = ()


def plain(raw: bytes | msgspec.Raw) -> object:
    """Any JSON. Raises InvalidRequest."""
    return _in_pieces(raw, _plain_piece, 0)


def exact(raw: bytes | msgspec.Raw) -> object:
    """Any JSON, numbers as JsonNumber. Raises InvalidRequest."""
    return _in_pieces(raw, _exact_piece, 0)


def rows(raw: bytes | msgspec.Raw) -> list[msgspec.Raw]:
    """The entries of a list, unread. Raises what msgspec raises."""
    return _ROWS.decode(raw)


def fields(raw: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    """The fields of an object, unread; of a key given twice the last. Raises what msgspec raises."""
    return _FIELDS.decode(raw)


def is_piece(raw: bytes | msgspec.Raw) -> bool:
    """True for what may be read at once: it is small, or it is texts and little else."""
    piece = memoryview(raw)
    return len(piece) <= PIECE_BYTES or piece[0] not in b"[{" or outline(piece, PIECE_MARKS).marks <= PIECE_MARKS


def read_json(raw: bytes | str, **hooks: Any) -> object:
    """Any JSON by the standard library, without NaN and infinities, also such as 1e999. Raises InvalidRequest."""
    try:
        return json.loads(raw, parse_constant=_refuse_constant, **({"parse_float": _finite} | hooks))
    except RecursionError:
        raise InvalidRequest(NESTED) from None
    except ValueError as error:  # also UnicodeDecodeError, and integers of over 4,300 digits
        raise InvalidRequest(f"{NOT_JSON}: {error}") from None


def read_object(raw: bytes | str, **hooks: Any) -> dict[str, object]:
    """A JSON object by the standard library. Raises InvalidRequest."""
    value = read_json(raw, **hooks)
    if not isinstance(value, dict):
        raise InvalidRequest("the body must be a JSON object")
    return value


def in_utf8(raw: bytes) -> bytes:
    """The same JSON in UTF-8 without a mark before it. Raises InvalidRequest for what is no text."""
    encoding = json.detect_encoding(raw)
    if encoding == "utf-8":
        return raw
    try:
        return raw.decode(encoding, "surrogatepass").encode("utf-8", "surrogatepass")
    except UnicodeError as error:
        raise InvalidRequest(f"{NOT_JSON}: {error}") from None


def with_surrogates_as_bytes(raw: bytes) -> bytes:
    """The same JSON, the escape of a lone surrogate as the three bytes that `surrogatepass` makes of it.

    msgspec passes these over where it only looks for the end of a value, and refuses them where it reads the text:
    then that value alone goes to the standard library. Raises InvalidRequest, TooLarge.
    """
    if b"\\ud" not in raw and b"\\uD" not in raw:
        return raw
    written, done, start = bytearray(), 0, _next_surrogate(raw, 0)
    for _ in range(MAX_RUNS):
        if start is None:
            return bytes(written + raw[done:]) if done else raw
        if _backslashes_before(raw, start) % 2:
            start = _next_surrogate(raw, start + 1)
            continue
        end = cast(re.Match[bytes], RUN_OF_SURROGATES.match(raw, start)).end()
        if end - start > ESCAPE_BYTES and HIGH_AT_END.search(raw, start, end):
            end -= ESCAPE_BYTES  # its other half may follow
        written += raw[done:start]
        written += json.loads(b'"%b"' % raw[start:end]).encode("utf-8", "surrogatepass")
        done, start = end, _next_surrogate(raw, end)
    raise TooLarge(f"over {MAX_RUNS} runs of lone surrogates; send fewer samples a request")


def _next_surrogate(raw: bytes, begin: int) -> int | None:
    for start in range(begin, len(raw), PIECE_BYTES):
        if found := SURROGATE.search(raw, start, start + PIECE_BYTES + ESCAPE_BYTES - 1):
            return found.start()
    return None


def _backslashes_before(raw: bytes, end: int) -> int:
    start = end
    while start and raw[start - 1] == BACKSLASH:
        start -= 1
    return end - start


def _in_pieces(raw: bytes | msgspec.Raw, read: Callable[[bytes], object], level: int) -> object:
    piece = memoryview(raw)
    if len(piece) <= PIECE_BYTES or piece[0] not in b'"[{':
        return read(bytes(piece))
    try:
        if piece[0] == ord('"') or (read is _plain_piece and is_piece(raw)):
            return _ANY.decode(raw)
    except UnicodeError:
        if piece[0] == ord('"'):
            return "".join(_parts_of_text(piece[1:-1]))
    except msgspec.MsgspecError as error:
        raise InvalidRequest(f"{NOT_JSON}: {error}") from None
    return _split(raw, read, level)


def _split(raw: bytes | msgspec.Raw, read: Callable[[bytes], object], level: int) -> object:
    if level >= MAX_LARGE_LEVELS:
        raise InvalidRequest(NESTED)
    try:
        if memoryview(raw)[0] == ord("["):
            entries: list[object] = [*rows(raw)]
            for number, entry in enumerate(entries):  # in its place: both lists at once would be twice the memory
                entries[number] = _in_pieces(cast(msgspec.Raw, entry), read, level + 1)
            return entries
        return {key: _in_pieces(value, read, level + 1) for key, value in fields(raw).items()}
    except UnicodeError:
        raise InvalidRequest(f"a field's name in an object of over {PIECE_BYTES} bytes is not Unicode") from None
    except msgspec.MsgspecError as error:
        raise InvalidRequest(f"{NOT_JSON}: {error}") from None


def _parts_of_text(content: memoryview) -> Iterator[str]:
    """A large text that has lone surrogates, read in parts: the standard library makes an object of each escape."""
    start = 0
    while start < len(content):
        end = _end_of_part(content, start)
        yield cast(str, read_json(b'"%b"' % bytes(content[start:end])))
        start = end


def _end_of_part(content: memoryview, start: int) -> int:
    """Not within a character, an escape, or a pair of them."""
    end = start + PIECE_BYTES
    if end >= len(content):
        return len(content)
    while content[end] & 0xC0 == 0x80:  # within a character of several bytes
        end -= 1
    window = bytes(content[start:end])
    last = window.rfind(b"\\")
    if last > len(window) - ESCAPE_BYTES and _backslashes_before(window, last) % 2 == 0:
        window = window[:last]
    high = HIGH_AT_END.search(window)
    if high and _backslashes_before(window, high.start()) % 2 == 0:  # else it is text behind an escaped backslash
        window = window[: high.start()]
    return start + len(window)


def _plain_piece(raw: bytes) -> object:
    try:
        return _ANY.decode(raw)
    except MSGSPEC_ERRORS:  # what is wrong for the standard library too is refused in its words
        return read_json(raw)


def _exact_piece(raw: bytes) -> object:
    if raw.startswith(b'"'):
        return _plain_piece(raw)
    try:
        return _EXACT.decode(raw.decode("utf-8", "surrogatepass"))
    except RecursionError:
        raise InvalidRequest(NESTED) from None
    except ValueError as error:
        raise InvalidRequest(f"{NOT_JSON}: {error}") from None


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is beyond float64")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_EXACT = json.JSONDecoder(parse_int=JsonNumber, parse_float=JsonNumber, parse_constant=_refuse_constant)
