"""Bodies that are much more than their bytes: shapes by a grammar, at any size. Shared by the fuzzer and the tests."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

PIECES = (
    *("[]", "{}", "0", "[0]", "[[]]", '{"":0}', '""', '"a"', "null", "-1.5e3", "123456789012345678901", "true"),
    *('"\\ud800"', '"\\u00e9\\u4e2d"', '"\\"\\\\"', '"é😀"', "[[[[[0]]]]]", '{"a":{"b":[0]}}', '["a","b"]'),
    *('{"ground_truth":"4"}', '{"ground_truth":[1,2]}', '{"role":"user","content":"x"}', '{"role":"","content":[{}]}'),
    *('"{\\"ground_truth\\":[0,1]}"', '"{\\"ground_truth\\":4,\\"group\\":\\"q\\"}"', '{"type":"text","text":""}'),
)
Shape = tuple[str, str, bytes, bytes, Callable[[int], bytes]]
"""Name, path, what stands before and after, and what fills the space: a function of the number of bytes."""


def repeated(piece: str) -> Callable[[int], bytes]:
    unit = piece.encode("utf-8") + b","
    return lambda size: (unit * (size // len(unit) + 1))[:-1]


def keys(value: str) -> Callable[[int], bytes]:
    """Fields of an object, all of other names."""
    return lambda size: b",".join(b'"k%x":%b' % (n, value.encode()) for n in range(size // (9 + len(value))))


def nested(begin: str, middle: str, end: str) -> Callable[[int], bytes]:
    def fill(size: int) -> bytes:
        depth = size // len(begin + end)
        return begin.encode() * depth + middle.encode() + end.encode() * depth

    return fill


def text(unit: str) -> Callable[[int], bytes]:
    return lambda size: b'"' + unit.encode("utf-8") * (size // len(unit.encode("utf-8"))) + b'"'


def inner(piece: str) -> Callable[[int], bytes]:
    """A text that holds an object with a long list."""
    escaped = piece.replace("\\", "\\\\").replace('"', '\\"').encode() + b","
    return lambda size: b'"{\\"ground_truth\\":[' + escaped * (size // len(escaped)) + b'0]}"'


NATIVE, FLIP = "/score/verifier", "/score/flip?flip_prob=0.5"
FRAMES = {
    "labels": (NATIVE, b'{"completions":["a"],"ground_truths":[', b"]}"),
    "one label": (NATIVE, b'{"completions":["a"],"ground_truths":[[', b"]]}"),
    "label object": (NATIVE, b'{"completions":["a"],"ground_truths":[{"ground_truth":[', b"]}]}"),
    "label prompt": (NATIVE, b'{"completions":["a"],"ground_truths":[{"ground_truth":"4","prompt":[', b"]}]}"),
    "prompts": (FLIP, b'{"completions":["a"],"ground_truths":["4"],"prompts":[', b"]}"),
    "one prompt": (FLIP, b'{"completions":["a"],"ground_truths":["4"],"prompts":[[', b"]]}"),
    "groups": (FLIP, b'{"completions":["a"],"ground_truths":["4"],"groups":[', b"]}"),
    "visits": (FLIP, b'{"completions":["a"],"ground_truths":["4"],"groups":["g"],"visits":[', b"]}"),
    "flips": (FLIP, b'{"completions":["a"],"ground_truths":["4"],"groups":["g"],"flips":[', b"]}"),
    "completions": (NATIVE, b'{"ground_truths":["4"],"completions":[', b"]}"),
    "surrogate and labels": (NATIVE, b'{"completions":["\\ud800"],"ground_truths":[', b"]}"),
    "unknown field": (NATIVE, b'{"completions":["a"],"ground_truths":["4"],"x":[', b"]}"),
    "before it is cut off": (NATIVE, b'{"completions":["a"],"ground_truths":[', b""),
    "byte order mark": (NATIVE, b'\xef\xbb\xbf{"completions":["a"],"ground_truths":[', b"]}"),
    "openrlhf query": (NATIVE, b'{"labels":["4"],"query":[', b"]}"),
    "openrlhf labels": (NATIVE, b'{"query":["a"],"labels":[', b"]}"),
    "openrlhf prompts": (NATIVE, b'{"query":["a"],"labels":["4"],"prompts":[', b"]}"),
    "slime label": (NATIVE, b'{"response":"a","label":[', b"]}"),
    "slime prompt": (NATIVE, b'{"response":"a","label":"4","prompt":[', b"]}"),
    "nemo-gym output": ("/score/verifier/verify", b'{"ground_truth":"4","response":{"output":[', b"]}}"),
    "nemo-gym input": (
        "/score/verifier/verify",
        b'{"ground_truth":"4","response":{"output":[]},"responses_create_params":{"input":[',
        b"]}}",
    ),
    "nemo-gym truth": ("/score/verifier/verify", b'{"response":{"output":[]},"ground_truth":[', b"]}"),
    "nemo-gym column": ("/score/verifier/verify", b'{"ground_truth":"4","response":{"output":[]},"x":[', b"]}"),
    "seed_session": ("/score/verifier/seed_session", b'{"x":[', b"]}"),
    "explain truth": ("/explain/verifier", b'{"completion":"a","ground_truth":[', b"]}"),
    "explain prompt": ("/explain/flip?flip_prob=0.5", b'{"completion":"a","ground_truth":"4","prompt":[', b"]}"),
}
WHOLE = (b'{"completions":["a"],"ground_truths":["4"],', b"}")
FIXED: tuple[Shape, ...] = (
    ("many fields", NATIVE, *WHOLE, keys("0")),
    ("many columns", "/score/verifier/verify", b'{"response":{"output":[]},"ground_truth":"4",', b"}", keys("0")),
    ("many keys in a column", "/score/verifier/verify", b'{"response":{"output":[]},"x":{', b"}}", keys("0")),
    ("many keys in a label", NATIVE, b'{"completions":["a"],"ground_truths":[{"ground_truth":"4",', b"}]}", keys("[]")),
    ("many keys in a message", FLIP, b'{"completions":["a"],"ground_truths":["4"],"prompts":[[{', b"}]]}", keys('"v"')),
    ("one field many times", NATIVE, *WHOLE, repeated('"flips":[true]')),
    ("nested lists", NATIVE, b'{"completions":["a"],"ground_truths":', b"}", nested("[", "", "]")),
    ("nested objects", NATIVE, b'{"completions":["a"],"prompts":', b"}", nested('{"a":', "0", "}")),
    ("nested in messages", FLIP, b'{"completions":["a"],"prompts":[[', b"]]}", nested('{"a":[', "0", "]}")),
    ("a number of digits", NATIVE, b'{"completions":["a"],"ground_truths":[', b"]}", lambda size: b"7" * size),
    ("a fraction of digits", NATIVE, b'{"completions":["a"],"ground_truths":[0.', b"]}", lambda size: b"7" * size),
    ("a visit of digits", FLIP, b'{"completions":["a"],"groups":["g"],"visits":[', b"]}", lambda size: b"7" * size),
    *(
        (f"{name} in {where}", path, begin, end, text(unit))
        for name, unit in {
            "ascii": "wait, ", "emoji": "😀", "one emoji's escapes": "\\ud83d\\ude00", "u-escapes": "\\u00e9",
            "backslashes": "\\\\", "quotes": '\\"', "lone surrogates": "\\udc00", "words": "a b ",
            "boxes": "\\\\boxed{4}", "surrogates and lines": "\\udc00\\n",
        }.items()
        for where, path, begin, end in (
            ("a completion", NATIVE, b'{"ground_truths":["4"],"completions":[', b"]}"),
            ("a label", NATIVE, b'{"completions":["\\\\boxed{4}"],"ground_truths":[', b"]}"),
            ("a prompt", FLIP, b'{"completions":["a"],"ground_truths":["4"],"prompts":[', b"]}"),
            ("a query", NATIVE, b'{"labels":["4"],"query":[', b"]}"),
            ("an output", "/score/verifier/verify",
             b'{"ground_truth":"4","response":{"output":[{"type":"message","content":', b"}]}}"),
            ("an explanation", "/explain/verifier", b'{"ground_truth":"4","completion":', b"}"),
        )
    ),
    *((f"text that holds {piece}", NATIVE, b'{"completions":["a"],"ground_truths":[', b"]}", inner(piece))
      for piece in ("0", "[]", '""', '{"":0}')),
)  # fmt: skip


def body(shape: Shape, size: int) -> bytes:
    """The whole body, of about `size` bytes."""
    _name, _path, begin, end, fill = shape
    return begin + fill(size - len(begin) - len(end)) + end


def shapes(seed: int) -> Iterator[Shape]:
    """The fixed ones; every frame filled with every piece, in random order; then mixtures without end."""
    yield from FIXED
    chance = random.Random(seed)
    pairs = [(frame, piece) for frame in FRAMES for piece in PIECES]
    chance.shuffle(pairs)
    for frame, piece in pairs:
        yield (f"{frame}: {piece}", *FRAMES[frame], repeated(piece))
    while True:
        frame = chance.choice(list(FRAMES))
        piece = ",".join(chance.choices(PIECES, k=chance.randint(2, 6)))
        if chance.random() < 0.5:
            piece = f"[{piece}]"
        yield (f"{frame}: {piece}", *FRAMES[frame], repeated(piece))
