"""Messages with images: one question, whichever dialect and whatever form they come in."""

from __future__ import annotations

import math
from typing import Any

import pytest
from running_server import RunningServer

from reward_server.dialects.messages import without_media
from reward_server.rewards.noise import group_of_prompt

FOUR = "\\boxed{4}"
TEXT = {"type": "text", "text": "How many?"}
IMAGE = {"type": "image"}
ONE_FORM = [{"role": "user", "content": [IMAGE, TEXT]}]
SAME = [
    ONE_FORM,
    [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}, TEXT]}],
    [{"role": "user", "content": [{"type": "input_image", "image_url": "https://a/b.png"}, "How many?"]}],
    [
        {
            "role": "user",
            "content": [{"type": "image", "image": "/a/b.png"}, {"type": "input_text", "text": "How many?"}],
        }
    ],
    [{"role": "user", "content": [{"type": "image", "image": [[0, 1], [2, 3]], "text": None}, TEXT | {"image": None}]}],
    [{"role": "user", "content": [{"image": "b.png"}, {"text": "How many?"}]}],
    [{"role": "user", "content": [TEXT], "images": ["b.png"]}],
    [{"role": "user", "content": "How many?", "image": {"bytes": "AAAA", "path": None}, "audio": None, "videos": []}],
]


def draws(server: RunningServer, prompt: object, visit: int) -> set[float]:
    """What every way to send a prompt draws."""
    url = "/flip?flip_prob=0.5"
    label = {"ground_truth": "4", "visit": visit}
    columns = {"completions": [FOUR], "ground_truths": ["4"], "visits": [visit], "prompts": [prompt]}
    in_label = {"completions": [FOUR], "ground_truths": [label | {"prompt": prompt}]}
    sample = {"completion": FOUR, "ground_truth": "4", "prompt": prompt, "visit": visit}
    gym = {
        "responses_create_params": {"input": prompt},
        "response": {"output": [{"type": "message", "role": "assistant", "content": FOUR}]},
        "answer": "4",
        "visit": visit,
    }
    query = {"query": [FOUR], "prompts": [""], "labels": [label | {"prompt": prompt}]}
    slime = {"prompt": prompt, "response": FOUR, "label": label}
    found = [
        *server.post(f"/score{url}", columns).json()["parts"]["flip_draw"],
        *server.post(f"/score{url}", in_label).json()["parts"]["flip_draw"],
        server.post(f"/explain{url}", sample).json()["noise"]["draw"],
    ]
    for probability, flipped in ((found[0], 0.0), (math.nextafter(found[0], 1), 1.0)):  # no log shows the draw itself
        rate = f"flip_prob={probability!r}"
        assert server.post(f"/score/flip/verify?{rate}", gym).json()["flipped"] == flipped
        assert server.post(f"/score/flip?{rate}", query).json()["extra_logs"]["flipped"] == [flipped]
        assert server.post(f"/score/flip?{rate}", slime).json() == 1 - flipped
    return set(found)


@pytest.mark.parametrize("prompt", SAME, ids=range(len(SAME)))
def test_a_prompt_with_an_image_is_one_question_over_every_dialect(server: RunningServer, prompt: Any) -> None:
    for visit in range(4):
        assert draws(server, prompt, visit) == draws(server, ONE_FORM, visit)


@pytest.mark.parametrize(
    "content", ["How many?", [TEXT], ["How ", "many?"], [{"type": "input_text", "text": "How many?"}], TEXT, [TEXT, ""]]
)
def test_parts_that_are_all_text_are_their_joined_text(server: RunningServer, content: Any) -> None:
    plain = draws(server, [{"role": "user", "content": "How many?"}], 0)
    assert draws(server, [{"role": "user", "content": content}], 0) == plain


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"role": "user", "content": "2+2?", "id": 1, "weights": [0.5, None], "tool_calls": []}],
        [{"role": "assistant", "content": None, "tool_calls": [{"arguments": {"image": "a.png"}}]}, {"role": "tool"}],
        [{"role": "user", "content": 5}, {"role": "user", "content": ""}, {}],
    ],
)
def test_messages_of_plain_texts_keep_their_group(messages: list[dict[str, object]]) -> None:
    assert group_of_prompt(without_media(messages)) == group_of_prompt(messages)


@pytest.mark.parametrize(
    ("content", "form"),
    [
        ([{"type": "video", "video": "a"}, {"type": "audio_url"}], [{"type": "video"}, {"type": "audio"}]),
        ([{"type": "tool_use", "input": {"x": "y" * 99}}], [{"type": "tool_use"}]),
        ([None, 5, {}, [], {"type": 5}], [{"type": "unknown"}] * 4),
        ([[IMAGE, [["How"]], []], " many?"], [IMAGE, TEXT]),
        ([["How many?"]], "How many?"),
        ([IMAGE, "How ", "", "many?", ""], [IMAGE, TEXT]),
        ([{"type": "text", "text": {"value": "How many?", "annotations": []}}], "How many?"),
        ([{"type": "IMAGE"}, {"type": "image_file"}, {"type": "img_url"}, {"type": "image_pil"}], [IMAGE] * 4),
        ([{"bytes": "AA", "path": None}, {"url": "a"}, {"base64": "AA"}], [IMAGE] * 3),
        ([{"inline_data": {"mime_type": "audio/wav"}}, {"fileData": {"fileUri": "a"}}], [{"type": "audio"}, IMAGE]),
        ([{"type": "text"}, {"type": "text", "text": None}, {"type": "text", "text": 5}], ""),
        ([], ""),
        ({"type": "image"}, [{"type": "image"}]),
    ],
)
def test_parts_of_any_kind_have_one_form(content: object, form: object) -> None:
    assert without_media([{"role": "user", "content": content}]) == [{"role": "user", "content": form}]


@pytest.mark.parametrize(
    "beside", [{"name": None}, {"tool_calls": None, "reasoning_content": None}, {"images": [], "audio": None}]
)
def test_what_is_null_or_holds_no_media_beside_a_content_says_nothing(
    server: RunningServer, beside: dict[str, object]
) -> None:
    """Arrow writes a null for every key that another row has."""
    plain = {"role": "user", "content": "How many?"}
    assert draws(server, [plain | beside], 0) == draws(server, [plain], 0)


def test_a_list_within_lists_without_end_is_read() -> None:
    content: object = "2+2?"
    for _ in range(100_000):
        content = [content]
    assert without_media([{"role": "user", "content": content}]) == [{"role": "user", "content": "2+2?"}]


def test_media_beside_a_content_are_parts_before_it() -> None:
    message: dict[str, object] = {"role": "user", "content": [TEXT], "videos": ["a"], "images": ["a", "b"], "name": "n"}
    parts = [IMAGE, IMAGE, {"type": "video"}, TEXT]
    assert without_media([message]) == [{"role": "user", "content": parts, "name": "n"}]
