"""A body is read in pieces and bounds, and gives what Python's json gives: the same samples, number for number."""

from __future__ import annotations

import json
import sys
import tracemalloc
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hostile_bodies import FIXED, FRAMES, PIECES, Shape, body, repeated
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from running_server import RunningServer

from reward_server.dialects import json_body, json_outline, json_text, native, nemo_gym, recognise
from reward_server.dialects.json_body import JsonBody
from reward_server.dialects.json_outline import outline
from reward_server.dialects.json_text import JsonNumber, read_object
from reward_server.errors import InvalidRequest, TooLarge
from reward_server.types import Sample

MIB = 2**20


class PlainBody(JsonBody):
    """The same by the standard library, at once and without bounds: what is right."""

    def __init__(self, raw: bytes) -> None:
        self._values, self._exact = read_object(raw), read_object(raw, parse_int=JsonNumber, parse_float=JsonNumber)
        self.keys = self._values.keys()

    def column(self, key: str, kind: Any) -> list[Any]:
        return self.field(key, list[kind])  # type: ignore[no-any-return]

    def field(self, key: str, kind: Any) -> Any:
        try:
            return msgspec.convert(self._values[key], kind)
        except (msgspec.ValidationError, UnicodeError) as error:
            raise InvalidRequest(str(error)) from None

    def label(self, key: str) -> object:
        return self._exact[key]

    def labels(self, key: str) -> list[object]:
        if not isinstance(values := self._exact[key], list):
            raise InvalidRequest(key)
        return values

    def whole(self) -> dict[str, object]:
        return self._values


TEXT_PARTS = [
    *'abc,:[]{}"\\/ \n\x7f', "é", "中", "😀", "\ud800", "\udc00", "\udfff", "\ud83d", "\ude00", "\\u", "ud800",
    '{"ground_truth": 1}', '{"ground_truth": "4", "visit": 2}', "\\boxed{4}", "\u2028", "\0",
]  # fmt: skip
texts = st.lists(st.sampled_from(TEXT_PARTS), max_size=12).map("".join)
NUMBERS = [
    "0", "-0", "1.50", "-0.0", "1e5", "1E-7", "1e400", "4", "123456789012345678901234567890", "9223372036854775808",
    "-9223372036854775809", "0.1", "1.0", "12345678901234567890.5", "1e-400",
]  # fmt: skip
written_texts = st.builds(lambda text, is_ascii: json.dumps(text, ensure_ascii=is_ascii), texts, st.booleans())
written_names = st.builds(
    lambda text, is_ascii: json.dumps(text.encode("utf-8", "ignore").decode(), ensure_ascii=is_ascii),
    texts,
    st.booleans(),
)
"""Names of fields: a lone surrogate in one is refused where its object is larger than a piece."""
scalars = st.sampled_from(["null", "true", "false", *NUMBERS]) | written_texts
spaces = st.sampled_from(["", " ", "\n\t"])


def written_list(items: list[str], space: str) -> str:
    return "[" + space + f"{space},{space}".join(items) + space + "]"


def written_object(pairs: list[tuple[str, str]], space: str) -> str:
    return "{" + f",{space}".join(f"{space}{key}{space}:{space}{value}" for key, value in pairs) + space + "}"


label_keys = st.sampled_from(
    ['"ground_truth"', '"group"', '"visit"', '"prompt"', '"flip"', '"step"', '"role"', '"content"']
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.builds(written_list, st.lists(inner, max_size=4), spaces)
        | st.builds(written_object, st.lists(st.tuples(label_keys | written_names, inner), max_size=4), spaces)
    ),
    max_leaves=12,
)
ROW = {
    "completions": written_texts, "prompts": written_texts | values, "ground_truths": values, "groups": scalars,
    "visits": st.sampled_from(NUMBERS) | st.just("null"), "flips": st.sampled_from(["true", "false", "null"]),
    "steps": st.sampled_from(NUMBERS) | st.just("null"),
    "query": written_texts, "labels": values,
}  # fmt: skip
ALONE = {"response": written_texts, "prompt": values, "label": values, "x": values}


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Of one dialect, mostly well-formed; a key may come twice; written with any spaces, in any encoding."""
    names = draw(st.sampled_from([list(ROW)[:7], ["query", "prompts", "labels"], list(ALONE)]))
    rows = draw(st.integers(0, 4))
    first, *others = names
    chosen = [first, *draw(st.lists(st.sampled_from(others), max_size=5))]
    pairs = []
    for name in chosen:
        value = (
            draw(ALONE[name]) if name in ALONE else written_list([draw(ROW[name]) for _ in range(rows)], draw(spaces))
        )
        pairs.append((f'"{name}"', value))
    text = draw(spaces) + written_object(pairs, draw(spaces)) + draw(spaces)
    encoding = draw(st.sampled_from(["utf-8"] * 6 + ["utf-16", "utf-16-le", "utf-32", "utf-8-sig"]))
    return text.encode(encoding, "surrogatepass")


def outcome(body: type[JsonBody], raw: bytes) -> object:
    """The samples, or that it is refused; a number's type counts."""
    try:
        read = body(raw)
        return [shown(sample) for sample in recognise(read).parse(read)[0]], repr(sorted(read.whole().items()))
    except InvalidRequest:
        return "refused"


def shown(sample: Sample) -> str:
    truths = sample.ground_truths
    return repr(replace(sample, ground_truths=truths and tuple(str(truth) for truth in truths)))


@settings(max_examples=600, deadline=None)
@example(rb'{"completions":["\u007f\ud800\ud800{\"ground_truth\": 1}\\ud800a"]}', 40)  # a cut behind \\ud800
@given(bodies(), st.sampled_from([16, 40, 2**18]))
def test_what_is_read_is_what_pythons_json_reads(raw: bytes, piece: int) -> None:
    """Also where every piece is tiny, so that everything is taken apart."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (json_body, json_text):
            patch.setattr(module, "PIECE_BYTES", piece)
        patch.setattr(json_text, "PIECE_MARKS", 1 if piece == 16 else 2**16)
        patch.setattr(json_text, "MAX_LARGE_LEVELS", 100)
        right = outcome(PlainBody, raw)
        assert right in (outcome(JsonBody, raw), "refused")  # a value that nobody reads may be wrong


@settings(max_examples=300, deadline=None)
@given(values, values)
def test_a_row_of_the_nemo_gym_family_is_read_the_same(response: str, truth: str) -> None:
    raw = ('{"response": {"output": [' + response + ']}, "x": ' + response + ', "answer": ' + truth + "}").encode(
        "utf-8", "surrogatepass"
    )
    try:
        read_object(raw)
    except InvalidRequest:
        with pytest.raises(InvalidRequest):
            nemo_gym.parse(JsonBody(raw))
    else:
        try:
            _, row = nemo_gym.parse(JsonBody(raw))
        except InvalidRequest:
            return  # its label has a wrong group, say
        assert repr(row) == repr(read_object(raw))


def test_a_lone_surrogate_in_the_name_of_a_field_is_read_in_small_objects() -> None:
    raw = b'{"completions": ["a"], "prompts": [[{"role": "user", "content": "x", "\\ud800": 1.50}]]}'
    assert outcome(JsonBody, raw) == outcome(PlainBody, raw)
    with pytest.raises(InvalidRequest, match="not Unicode"):
        JsonBody(b'{"\\ud800": 1}')


def counted(raw: bytes) -> tuple[int, int]:
    """The outline by a loop over the bytes."""
    marks, commas, depth, at, is_inside = 0, 0, 0, 0, False
    while at < len(raw):
        byte = raw[at : at + 1]
        if is_inside and byte == b"\\":
            at += 1
        elif byte == b'"':
            is_inside = not is_inside
        elif not is_inside:
            marks += byte in (b",", b":", b"[", b"{")
            depth += (byte in (b"[", b"{")) - (byte in (b"]", b"}"))
            commas += byte == b"," and depth == 1
        at += 1
    return marks, commas + 1


@settings(max_examples=400, deadline=None)
@given(values, st.sampled_from([1, 2, 3, 7, 2**18]), st.sampled_from([1, 3, 32]), st.integers(0, 200))
def test_the_outline_counts_what_is_there(value: str, chunk: int, short_run: int, backslashes: int) -> None:
    text = '"' + "\\" * 2 * backslashes + '"'
    raw = f"[{value}, {text}, {value}]".encode("utf-8", "surrogatepass")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_outline, "CHUNK", chunk)
        patch.setattr(json_outline, "SHORT_RUN", short_run)
        found = outline(raw, sys.maxsize)
    assert (found.marks, found.members) == counted(raw)


SHAPES: list[Shape] = [
    *(shape for shape in FIXED if shape[1] != "/score/verifier/seed_session"),
    *((f"{frame}: {piece}", *FRAMES[frame], repeated(piece)) for frame in FRAMES for piece in PIECES[::4]),
]


def read(shape: Shape, raw: bytes) -> None:
    if "/verify" in shape[1]:
        nemo_gym.parse(JsonBody(raw))
    elif "/score" in shape[1]:
        read = JsonBody(raw, 4096)
        recognise(read).parse(read)
    else:
        JsonBody(raw, 4096).whole()


def test_no_shape_becomes_much_more_than_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside 16 MiB that any body may have: here they are taken away, so that small bodies show what large ones do."""
    monkeypatch.setattr(json_body, "FREE_MARKS", 0)
    for module, name in ((json_body, "PIECE_BYTES"), (json_text, "PIECE_BYTES"), (json_outline, "CHUNK")):
        monkeypatch.setattr(module, name, 2**13)
    grown = {}
    for shape in SHAPES:
        raw = body(shape, MIB // 2)
        tracemalloc.start()
        try:
            read(shape, raw)
        except (InvalidRequest, TooLarge):
            pass
        finally:
            grown[shape[0]] = tracemalloc.get_traced_memory()[1] / len(raw)
            tracemalloc.stop()
    assert {name: ratio for name, ratio in grown.items() if ratio > 5.5} == {}


def test_the_standard_library_gets_pieces_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its calls hold the interpreter's lock, and build an object for each number and escape."""
    sizes = []
    exact, plain = json_text._exact_piece, json_text.read_json

    def exact_piece(raw: bytes) -> object:
        sizes.append(len(raw))
        return exact(raw)

    def read_json(raw: bytes | str, **hooks: Any) -> object:
        sizes.append(len(raw))
        return plain(raw, **hooks)

    monkeypatch.setattr(json_text, "_exact_piece", exact_piece)
    monkeypatch.setattr(json_text, "read_json", read_json)
    for shape in SHAPES:
        if "digits" not in shape[0]:  # one number of a million digits is one value
            with suppress(InvalidRequest, TooLarge):
                read(shape, body(shape, MIB // 2))
    assert sizes and max(sizes) <= json_text.PIECE_BYTES + 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"ground_truths": ["4", [4] * 1001]}, "ground_truths[1]: the ground truth has 1001 alternatives"),
        ({"ground_truths": ["4", {"ground_truth": ["4"] * 1001}]}, "ground_truths[1]: the ground truth has 1001"),
        ({"ground_truths": ["4", json.dumps({"ground_truth": ["4"] * 1001})]}, "ground_truths[1]: the ground truth"),
        ({"ground_truths": ["4", json.dumps({"ground_truth": "4", "prompt": [[]] * 30_000})]}, "[1]: the label, a"),
        ({"ground_truths": ["4", {"ground_truth": "4", "group": 1.5}]}, "ground_truths[1]: group: expected"),
        ({"ground_truths": ["4"] * 4097}, "4097"),
        ({"ground_truths": [[0]] * 200_000}, "ground_truths: over max_samples=4096 entries"),
        ({"prompts": [[{}] * 600_000]}, "prompts: over"),
        ({f"x{number}": 0 for number in range(40_000)}, "over 4096 fields"),
    ],
)  # fmt: skip
def test_a_bound_that_is_passed_is_told_with_its_place(
    server: RunningServer, fields: dict[str, object], message: str
) -> None:
    raw = json.dumps({"completions": ["\\boxed{4}"] * 2, **fields}, separators=(",", ":")).encode()
    reply = server.post("/score/verifier", raw)
    assert reply.status_code in (413, 422) and message in reply.json()["error"]["message"], reply.text


def test_what_is_just_within_the_bounds_is_scored(server: RunningServer) -> None:
    alternatives = [str(number) for number in range(1000)]
    messages = [{"role": "user", "content": "What is 2 + 2?"}] * 40
    long = {"ground_truth": "4", "prompt": [{"role": "user", "content": "x" * 300_000}], "group": "q"}
    body = {
        "completions": ["\\boxed{4}"] * 400,
        "ground_truths": [alternatives, {"ground_truth": alternatives}, long, json.dumps(long), *["4"] * 396],
        "prompts": [messages] * 400,
    }
    assert server.post("/score/verifier", body).json()["rewards"] == [1.0] * 400


def test_a_text_of_millions_of_characters_is_no_usable_ground_truth_and_costs_little(server: RunningServer) -> None:
    body = {"completions": ["\\boxed{4}", "\\boxed{4}"], "ground_truths": ["4, " * 500_000, "4"]}
    assert server.post("/score/verifier", body).json()["outcomes"] == ["ungradable", "correct"]


def test_every_column_is_known_as_common() -> None:
    """Else large bodies with it are counted whole first."""
    assert set(native.COLUMNS) <= set(json_body.COMMON)
