"""A line holds all that a sample was paid for, and reads back to the same sample, bit for bit."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_record import FACTS, derivation_of, made_rows, plan_of
from msgspec.structs import replace

from reward_server.dialects.json_body import JsonBody
from reward_server.dialects.row import sample_of
from reward_server.records.noise import flipped_in
from reward_server.records.row import NoText, Row, row_of, sample_digest
from reward_server.records.text import BadLine, decode, encode
from reward_server.types import JsonTruth, Sample

ODD = [
    "",
    "\0",
    "\ud800",
    "\udfff\ud800",
    "\ud83d\ude00",  # two halves that are no character
    "😀\ud83d\ude00😀",
    "a\u2028b\u0085c\x7f\\u0000 \\ud83d",
    "e\u0301 \u202eabc\u202c",
    '"}\n{"completion": "',
]


def test_a_line_has_the_fields_of_the_contract() -> None:
    sample = Sample("so \\boxed{4}", "2+2?", ("4",), group="q-17", visit=0, step=400)
    (row,) = made_rows([sample], "flip", "flip_prob=0.4&seed=17", replace(FACTS, run="noisy-40"))
    line = json.loads(encode(row))
    parts, config = line.pop("parts"), line.pop("config")
    assert set(parts) == {"clean", "flipped", "flip_draw"} | set(parts)
    assert config == plan_of("flip", "flip_prob=0.4&seed=17").config
    assert line.pop("version")
    assert line == {
        "v": 1,
        "id": "3f9c1a2b-1",
        "time": "2026-11-26T22:40:01.123Z",
        "run": "noisy-40",
        "step": 400,
        "request_id": "r-1",
        "dialect": "native",
        "reward": "flip",
        "query": "flip_prob=0.4&seed=17",
        "completion": "so \\boxed{4}",
        "prompt": "2+2?",
        "ground_truth": "4",
        "group": "q-17",
        "visit": 0,
        "flip": True,
        "chars": 12,
        "turn_chars": 12,
        "answer": "4",
        "paid": 1.0 - parts["flipped"],
        "outcome": "correct",
        "noise": {"threshold": 0.4, "exposed": True},
        "tier": "text",
    }


def test_a_line_of_a_mix_says_what_noise_did_to_each_part() -> None:
    sample = Sample("so \\boxed{4}", "2+2?", ("4",), group="q-17")
    query = "verifier=1&flip=1&flip.flip_prob=1&rpr=1&mix=1&mix.flip=1&mix.flip.flip_prob=0.001"
    (row,) = made_rows([sample], "mix", query)
    line = json.loads(encode(row))
    assert "noise" not in line
    assert line["part_noise"] == {
        "flip": {"threshold": 1.0, "exposed": True},
        "mix/flip": {"threshold": 0.001, "exposed": True},
    }
    assert flipped_in(row.parts) == ["flip"] and row.parts["flip/flip_draw"] == row.parts["mix/flip/flip_draw"]
    assert decode(encode(row)) == row


@pytest.mark.parametrize(
    ("query", "noise", "part_noise"),
    [
        ("a=flip&a.flip_prob=0.4&b=rpr", {"threshold": 0.4, "exposed": False}, None),
        ("a=mix&a.flip=1&a.flip.flip_prob=0.4&b=rpr", None, {"flip": {"threshold": 0.4, "exposed": False}}),
        ("a=rpr&b=flip&b.flip_prob=0.4", None, None),
    ],
)
def test_a_line_of_a_route_has_the_noise_of_the_reward_that_pays_it(
    query: str, noise: object, part_noise: object
) -> None:
    sample = Sample("\\boxed{4}", ground_truths=("4",), group="q", flip=False, source="a")
    (row,) = made_rows([sample], "route", query)
    assert (row.noise, row.part_noise) == (noise, part_noise)


def test_what_is_absent_is_left_out_and_a_missing_reward_is_null() -> None:
    (row,) = made_rows([Sample("\\boxed{4}", ground_truths=())])
    line = json.loads(encode(row))
    assert line["paid"] is None and line["outcome"] == "ungradable"
    assert line["ground_truth"] is None
    assert not {"prompt", "group", "visit", "step", "variant", "lost", "noise", "digest", "exact"} & set(line)
    assert "ground_truth" not in json.loads(encode(*made_rows([Sample("x")], "rpr")))


MESSAGES: list[dict[str, object]] = [
    {"role": "user", "content": "2+2?", "weight": 1.0, "n": 2**70, "nested": {"a": [1, -0.0, 1e300, None, True]}},
    {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "é"}]},
]
SAMPLES = [
    Sample("x"),
    Sample("x", group=""),
    Sample("x", prompt=""),
    Sample("x", prompt=MESSAGES),
    Sample("x", ground_truths=()),
    Sample("x", ground_truths=("4",), visit=-3, flip=False),
    Sample("x", ground_truths=("1", "2", "3")),
    Sample("x", ground_truths=('{"ground_truth": "5"}',)),
    Sample("x", ground_truths=("{1, 2}",), ordered=False),
    Sample("x", ground_truths=(), ordered=True),
    Sample("x", ground_truths=("4",), wrong_ground_truths=("5", "6")),
    Sample("x", ground_truths=("4",), source="gsm8k", group="g"),
    Sample("x", ground_truths=("4",), wrong_ground_truths=(), ordered=True),
    Sample("", prompt="p", is_lost=True, ground_truths=("4",)),
    Sample("x", ground_truths=(JsonTruth.of({"tests": ["a", {"b": 1.0}], "ground_truth": None}),)),
    Sample("x", ground_truths=(JsonTruth.of([["a"], "b"]),), ordered=False),
    *(Sample(text, text, (f"4{text}",), group=text) for text in ODD),
]


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_sample_reads_back_and_score_reads_the_same(sample: Sample) -> None:
    (row,) = made_rows([sample], "rpr")
    line = encode(row)
    assert line.count(b"\n") == 1 and line.endswith(b"\n")
    json.loads(line.decode())  # UTF-8 and JSON
    assert decode(line) == row and decode(line).sample == sample
    assert decode(line[:-1]).sample == sample
    if row.exact is None and "\ud83d\ude00" not in sample.completion:
        assert sample_of(JsonBody(line)) == sample


@settings(deadline=None, max_examples=60)
@given(texts=st.lists(st.text(st.characters(codec=None, categories=None)), min_size=4, max_size=4))
def test_any_text_reads_back(texts: list[str]) -> None:
    completion, prompt, group, truth = texts
    sample = Sample(completion, [{"role": prompt, "content": prompt}], (truth + "4",), group=group)
    (row,) = made_rows([sample], "rpr")
    assert decode(encode(row)).sample == sample


def test_a_label_number_is_kept_as_its_text() -> None:
    sample = sample_of(JsonBody(b'{"completion": "\\\\boxed{1}", "ground_truth": [1.0, 1]}'))
    plan = plan_of("rpr")
    row = row_of("a-1", FACTS, plan, sample, derivation_of(plan, sample))
    assert decode(encode(row)).sample.ground_truths == ("1.0", "1")


def test_without_texts_a_line_has_digests_the_answer_and_the_numbers() -> None:
    sample = Sample("secret one \\boxed{42}", "secret two", ("secret three",), group="q-17", visit=3)
    (row,) = made_rows([sample], "flip", "flip_prob=0.4", text=False)
    line = encode(row)
    assert b"secret" not in line and b"three" not in line
    assert (row.answer, row.group, row.visit, row.chars) == ("42", "q-17", 3, 21)
    assert row.digest == sample_digest(sample) and row.completion_digest and row.prompt_digest
    with pytest.raises(NoText):
        decode(line).sample  # noqa: B018


@pytest.mark.parametrize("group", ["secret two", "x" * 65, "2+2?", "a b", "é", ""])
def test_without_texts_a_group_that_may_be_a_question_is_a_digest(group: str) -> None:
    sample = Sample("\\boxed{4}", "secret two", ("4",), group=group)
    (row,) = made_rows([sample], "rpr", text=False)
    assert row.group is None and row.group_digest is not None


@pytest.mark.parametrize("group", ["q-17", "secret", "a b", None, ""])
def test_a_question_has_one_name_with_and_without_texts(group: str | None) -> None:
    sample = Sample("x", "secret", group=group)
    (full,), (bare,) = made_rows([sample], "rpr"), made_rows([sample], "rpr", text=False)
    assert full.question == bare.question


def test_a_reader_skips_what_it_does_not_know() -> None:
    (row,) = made_rows([Sample("x", ground_truths=("4",))])
    newer = json.loads(encode(row)) | {"colour": [1, {"a": None}]}
    assert decode(json.dumps(newer).encode()) == row


@pytest.mark.parametrize(
    "line, told",
    [
        (b"", "not valid JSON"),
        (b'{"v": 1', "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b"[]", "Expected `object`"),
        (b'{"completion": "x"}', "missing required field `v`"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_line_is_told(line: bytes, told: str) -> None:
    with pytest.raises(BadLine, match=told):
        decode(line)


def test_a_line_of_another_version_and_a_wrong_field_are_told() -> None:
    (row,) = made_rows([Sample("x", ground_truths=("4",))])
    line = json.loads(encode(row))
    with pytest.raises(BadLine, match="version 2: this reader knows version 1"):
        decode(json.dumps(line | {"v": 2}).encode())
    with pytest.raises(BadLine, match=r"Expected `float \| null`, got `str` - at `\$.paid`"):
        decode(json.dumps(line | {"paid": "1"}).encode())
    with pytest.raises(BadLine, match="exact"):
        decode(json.dumps(line | {"exact": "%"}).encode())


def test_the_digest_of_a_sample_holds_all_that_can_change_its_reward() -> None:
    different = [*SAMPLES, Sample("x", visit=0), Sample("x", prompt="[]"), Sample("x", prompt=[])]
    assert len({sample_digest(sample) for sample in different}) == len(different)
    assert sample_digest(Sample("x", step=3)) == sample_digest(Sample("x"))


FILLED: dict[str, object] = {
    "completion": "x",
    "prompt": "p",
    "ground_truths": ("4",),
    "group": "g",
    "visit": 1,
    "flip": False,
    "is_lost": True,
    "ordered": True,
    "wrong_ground_truths": ("5",),
    "step": 7,
    "source": "gsm8k",
}


def test_no_field_of_a_sample_is_left_out() -> None:
    """A field that Sample gets must be recorded too: a replay would pay something else without it."""
    assert set(FILLED) == {*Sample.__struct_fields__}
    sample = Sample(**FILLED)  # type: ignore[arg-type]  # of several fields
    assert all(getattr(sample, field.name) != field.default for field in msgspec.structs.fields(Sample))
    (row,) = made_rows([sample], "rpr")
    assert decode(encode(row)).sample == sample


def test_the_page_has_every_field_of_a_line() -> None:
    page = (Path(__file__).parents[2] / "docs" / "record.md").read_text()
    named = {name for line in page.splitlines() if line.startswith("| `") for name in re.findall("`(\\w+)`", line)}
    assert set(Row.__struct_fields__) <= named


def test_a_row_is_small_enough_to_be_kept() -> None:
    (row,) = made_rows([Sample("x" * 6000, "q", ("4",), group="q-17", visit=0)], "flip", "flip_prob=0.4")
    assert isinstance(row, Row) and len(encode(row)) < 6700
