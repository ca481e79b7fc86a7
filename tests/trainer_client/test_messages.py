"""Prompts with images: none of them travels, and all forms of one prompt are one question."""

from __future__ import annotations

import io
import json
import random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from trainer_client import BadBatch, RewardClient
from trainer_client._messages import joined_texts, label_texts_only, texts_only
from trainer_client._rollout import without_ballast

FOUR = r"so \boxed{4}"
TEXT = "How many?"
PIXELS = np.zeros((64, 64, 3), dtype=np.uint8)
BASE64 = "data:image/png;base64," + "A" * 100_000


class PngImageFile:
    """As PIL's: nothing that JSON knows."""


class Tensor:
    """As torch's: axes and `tolist`, and a dtype that tells no kind."""

    def __init__(self, *shape: int) -> None:
        self.shape, self.ndim, self.dtype = shape, len(shape), object()

    def __len__(self) -> int:
        return self.shape[0]

    def tolist(self) -> Any:
        return np.zeros(self.shape).tolist()


def asked(*parts: Any, **beside: Any) -> list[dict[str, Any]]:
    return [{"role": "system", "content": "Count."}, {"role": "user", "content": [*parts], **beside}]


WORDS = {"type": "text", "text": TEXT}
ONE_IMAGE = [
    asked({"type": "image", "image": PngImageFile()}, WORDS),
    asked({"type": "image", "image": PIXELS}, WORDS),
    asked({"type": "image", "image": Tensor(3, 64, 64)}, WORDS),
    asked({"type": "image", "image": "/data/1.png"}, WORDS),
    asked({"type": "image", "image": {"bytes": b"\x89PNG", "path": None}}, WORDS),
    asked({"type": "image", "image": BASE64}, WORDS),
    asked({"type": "image"}, WORDS),
    asked({"type": "image", "text": None, "image": BASE64}, {"type": "text", "text": TEXT, "image": None}),
    asked({"type": "image_url", "image_url": {"url": BASE64, "detail": "low"}}, WORDS),
    asked({"type": "input_image", "image_url": BASE64}, {"type": "input_text", "text": TEXT}),
    asked({"image": "/data/1.png"}, {"text": TEXT}),
    asked(PngImageFile(), TEXT),
    asked(PIXELS, TEXT),
    asked(b"\x89PNG", "How ", "many?"),
    asked({"bytes": b"\x89PNG", "path": None}, TEXT),
    asked({"inline_data": {"mime_type": "image/png", "data": b"x"}}, {"text": TEXT}),
    asked([PngImageFile(), [WORDS]]),
    asked({"type": "image_pil", "image": PngImageFile()}, {"type": "text", "text": {"value": TEXT}}),
    asked(WORDS, images=[PngImageFile()]),
    asked(TEXT, image=BASE64),
    asked(WORDS, images=["/data/1.png"], videos=[]),
    [{"role": "system", "content": "Count."}, {"role": "user", "content": TEXT, "images": [PIXELS]}],
    [
        {"role": "system", "content": [{"type": "text", "text": "Count."}]},
        {"role": "user", "content": [{"type": "image", "image": io.BytesIO(b"x")}, WORDS]},
    ],
    np.array(asked({"type": "image", "image": PngImageFile()}, WORDS), dtype=object),
    [
        {"role": "system", "content": "Count."},
        {"role": "user", "content": np.array([{"type": "image", "image": b"x"}, WORDS], dtype=object)},
    ],
]
NO_IMAGE = [
    [{"role": "user", "content": TEXT}],
    [{"role": "user", "content": [WORDS]}],
    [{"role": "user", "content": ["How ", "many?"]}],
    [{"role": "user", "content": [{"type": "input_text", "text": "How "}, {"text": "many?"}], "images": []}][:1],
    [{"role": "user", "content": WORDS}],
    [{"role": "user", "content": [[WORDS]]}],
    [{"role": "user", "content": TEXT, "images": None, "tool_calls": None}],
]


def draws(server: str, prompts: list[Any]) -> list[float | None]:
    with RewardClient(f"{server}/score/flip?flip_prob=0.5") as client:
        return client.score([FOUR] * len(prompts), prompts=prompts, ground_truths=["4"] * len(prompts)).parts[
            "flip_draw"
        ]


def test_one_prompt_with_an_image_is_one_question_in_all_of_its_forms(server: str) -> None:
    found = draws(server, ONE_IMAGE)
    assert found == [found[0]] * len(ONE_IMAGE)


def test_parts_that_are_all_text_are_the_text(server: str) -> None:
    found = draws(server, NO_IMAGE)
    assert found == [found[0]] * len(NO_IMAGE)


def test_other_texts_and_other_media_are_other_questions(server: str) -> None:
    prompts = [
        asked({"type": "image"}, WORDS),
        asked({"type": "video"}, WORDS),
        asked({"type": "image"}, {"type": "image"}, WORDS),
        asked(WORDS, {"type": "image"}),
        asked(WORDS),
        asked({"type": "image"}, {"type": "text", "text": "How many!"}),
    ]
    assert len(set(draws(server, prompts))) == len(prompts)


@pytest.mark.parametrize("prompt", ONE_IMAGE, ids=range(len(ONE_IMAGE)))
def test_no_image_is_sent(prompt: Any) -> None:
    assert len(json.dumps(texts_only(prompt))) < 400


@pytest.mark.parametrize(
    "prompt",
    [
        "text",
        "",
        None,
        [],
        [{"role": "user", "content": "2+2?", "id": 1, "weights": [0.5, None], "audio": None, "images": []}],
        [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"function": {"name": "f", "arguments": {"image": 1}}}],
            }
        ],
        [{"role": "tool", "content": "5", "name": "sum"}, {"role": "user"}, {"role": "user", "content": 5}],
    ],
)
def test_what_is_plain_already_is_sent_as_it_is(prompt: Any) -> None:
    assert texts_only(prompt) == prompt


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        ({"content": PngImageFile()}, {"content": [{"type": "image"}]}),
        ({"content": PIXELS}, {"content": [{"type": "image"}]}),
        ({"content": b"\x89PNG"}, {"content": [{"type": "image"}]}),
        ({"content": np.zeros(9)}, {"content": [{"type": "unknown"}]}),
        ({"content": [None, {"type": "text"}]}, {"content": [{"type": "unknown"}, {"type": "text", "text": ""}]}),
        ({"content": [{"type": "audio", "audio": np.zeros(160_000)}]}, {"content": [{"type": "audio"}]}),
        ({"content": None, "audio": {"id": "a"}}, {"content": [{"type": "audio"}]}),
        ({"pixel_values": Tensor(1, 3, 64, 64)}, {"pixel_values": {"type": "Tensor"}}),
        ({"input_ids": Tensor(4096)}, {"input_ids": {"type": "Tensor"}}),
        ({"weights": np.array([0.5, 1.0]), "n": np.int64(2)}, {"weights": [0.5, 1.0], "n": 2}),
        (
            {"meta": {"deep": [{"raw": b"x"}, PngImageFile()]}},
            {"meta": {"deep": [{"raw": {"type": "bytes"}}, {"type": "PngImageFile"}]}},
        ),  # fmt: skip
    ],
)
def test_whatever_a_message_holds_becomes_json(message: Any, sent: Any) -> None:
    assert texts_only([message]) == [sent]
    assert json.loads(json.dumps(texts_only([message]))) == [sent]


def test_random_messages_of_hostile_parts_become_small_json() -> None:
    source = random.Random(7)
    leaves = [PngImageFile(), PIXELS, Tensor(3, 64, 64), Tensor(), b"\x00" * 99, None, 1, True, "text", np.float32(0.5)]
    keys = ["type", "text", "image", "images", "audio", "content", "image_url", "x", "tool_calls"]

    def value(depth: int) -> Any:
        kind = source.random()
        if depth == 0 or kind < 0.5:
            return source.choice(leaves)
        if kind < 0.75:
            return {source.choice(keys): value(depth - 1) for _ in range(3)}
        return [value(depth - 1) for _ in range(3)]

    for _ in range(2000):
        prompt = [{"role": "user", "content": value(3), source.choice(keys): value(3)}]
        assert len(json.dumps(texts_only(prompt))) < 4000


def test_objects_of_pydantic_are_read_as_messages() -> None:
    made = SimpleNamespace(model_dump=lambda: {"role": "user", "content": [SimpleNamespace(model_dump=lambda: WORDS)]})
    assert texts_only([made]) == [{"role": "user", "content": [WORDS]}]


def test_what_is_no_message_is_refused_and_not_dropped() -> None:
    with RewardClient("http://127.0.0.1:9/score/verifier") as client, pytest.raises(BadBatch, match="cannot carry"):
        client.score([FOUR], prompts=[[PngImageFile()]])


def test_messages_nested_without_end_are_refused() -> None:
    nested: list[Any] = []
    nested.append(nested)
    with pytest.raises(BadBatch, match="nested too deeply"):
        texts_only([{"role": "user", "content": "q", "x": nested}])


def test_the_prompt_of_a_label_object_loses_its_images_too() -> None:
    label = {"ground_truth": "4", "prompt": ONE_IMAGE[0]}
    assert label_texts_only(label) == {"ground_truth": "4", "prompt": texts_only(ONE_IMAGE[0])}
    assert [label_texts_only(each) for each in ("4", 4, ["4"], None)] == ["4", 4, ["4"], None]


def test_of_a_nemo_gym_row_only_what_rewards_read_is_sent() -> None:
    written = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": FOUR}]}
    thought = {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "wait"}]}
    seen = {"type": "function_call_output", "output": [{"type": "input_image", "image_url": BASE64}]}
    shown = {"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": BASE64}]}
    tokens = {"generation_token_ids": [1] * 9999, "generation_log_probs": [-0.5] * 9999}
    params = {"input": ONE_IMAGE[9], "tools": [{"name": "f"}], "temperature": 1.0}
    row = {"response": {"output": [thought | tokens, seen, shown, written | tokens], "id": "r"}, "answer": "4"}
    row["responses_create_params"] = params
    assert without_ballast(row) == {
        "responses_create_params": {"input": texts_only(ONE_IMAGE[9])},
        "response": {"output": [thought, {"type": seen["type"]}, {"type": "message", "role": "user"}, written]},
        "answer": "4",
    }
    for strange in ({}, {"response": None, "responses_create_params": 5}, {"response": {"output": "x"}}):
        assert without_ballast(dict(strange)) == strange


def test_what_a_policy_wrote_may_be_parts_of_any_kind() -> None:
    parts = [None, "a", {"type": "image", "image": PngImageFile()}, {"type": "text", "text": "b"}, {"text": None}, 5]
    assert joined_texts(parts) == "ab"
    nothing: list[Any] = [None, {}, 5, PngImageFile()]
    assert {joined_texts(content) for content in nothing} == {""}
    assert joined_texts(np.array(["a", "b"])) == "ab"
