"""The native wire format, through a live server."""

from __future__ import annotations

import pytest
from running_server import RunningServer

BOX = "\\boxed{4}"


def test_columns_come_back_in_request_order(server: RunningServer) -> None:
    body = {"completions": [BOX, "\\boxed{5}", "no box", BOX], "ground_truths": ["4", "4", "4", None]}
    reply = server.post("/score/verifier", body).json()
    assert reply["rewards"] == [1.0, 0.0, 0.0, None]
    assert reply["outcomes"] == ["correct", "incorrect", "unanswered", "ungradable"]
    assert reply["parts"] == {"clean": [1.0, 0.0, 0.0, None]}
    assert reply["reward"] == "verifier"
    assert len(reply["config"]) == 12


def test_an_empty_batch_is_answered_with_empty_columns(server: RunningServer) -> None:
    reply = server.post("/score/verifier", {"completions": []})
    assert reply.status_code == 200
    assert reply.json()["rewards"] == []


def test_the_config_is_in_the_header_too_and_unscored_samples_are_counted(server: RunningServer) -> None:
    reply = server.post("/score/verifier", {"completions": [BOX, BOX], "ground_truths": ["", {"a": 1}]})
    assert reply.headers["x-reward-config"] == reply.json()["config"]
    assert reply.headers["x-reward-unscored"] == "2"


@pytest.mark.parametrize(
    ("ground_truth", "outcome"),
    [
        (4, "correct"),
        (4.0, "correct"),
        (["3", 4], "correct"),
        ([], "ungradable"),
        (["4", None], "ungradable"),
        (None, "ungradable"),
        ("", "ungradable"),
        ("  ", "ungradable"),
        (True, "ungradable"),
        ({"answer": "4"}, "ungradable"),
        ({"ground_truth": "4"}, "correct"),
        ({"ground_truth": 4, "group": 7, "visit": 1, "flip": False}, "correct"),
        ({"ground_truth": "4", "weight": 2}, "ungradable"),
        ('{"ground_truth": "4", "visit": 3}', "correct"),
        ('{"ground_truth": null}', "ungradable"),
        ('{"ground_truth": "4", "weight": 2}', "ungradable"),
        (' {"ground_truths": "4"}', "ungradable"),
        ('{"ground_truth": "4",', "ungradable"),
        ('{"ground_truth": [5, "4"]}', "correct"),
    ],
)
def test_a_ground_truth_is_a_text_a_number_a_list_or_a_label_object(
    server: RunningServer, ground_truth: object, outcome: str
) -> None:
    reply = server.post("/score/verifier", {"completions": [BOX], "ground_truths": [ground_truth]})
    assert reply.json()["outcomes"] == [outcome]


@pytest.mark.parametrize("visit", [2**63, -(2**63) - 1, 2**64, 10**30, 1.5, "1", True])
def test_a_visit_is_an_integer_of_64_bits_in_a_column_as_in_a_label(server: RunningServer, visit: object) -> None:
    label = {"ground_truth": "4", "visit": visit}
    for ground_truth, column in ((label, [0]), ("4", [visit])):
        body = {"completions": [BOX], "ground_truths": [ground_truth], "groups": ["g"], "visits": column}
        reply = server.post("/score/flip?flip_prob=0.5", body)
        assert reply.status_code == 422 and "visit" in reply.json()["error"]["message"], reply.text


@pytest.mark.parametrize("visit", [2**63 - 1, -(2**63), 0, None])
def test_a_visit_draws_the_same_noise_from_a_column_as_from_a_label(server: RunningServer, visit: int | None) -> None:
    label = {"ground_truth": "4", "visit": visit}
    body = {"completions": [BOX] * 2, "ground_truths": [label, "4"], "groups": ["g"] * 2, "visits": [None, visit]}
    draws = server.post("/score/flip?flip_prob=0.5", body).json()["parts"]["flip_draw"]
    assert draws[0] == draws[1]


@pytest.mark.parametrize(
    "row",
    [{"groups": [""]}, {"groups": ["  \n"]}, {"groups": [""], "prompts": ["2 + 2?"]}, {"prompts": [""]},
     {"prompts": ["\t "]}, {"prompts": [[]]}, {"prompts": [[{"role": "user", "content": " "}]]},
     {"prompts": [[{"role": "system", "content": None}, {"role": "user"}]]}, {"prompts": [[{"content": [""]}]]},
     {"groups": [None], "prompts": [None]},
     {"ground_truths": [{"ground_truth": "4", "group": ""}]}, {"ground_truths": [{"ground_truth": "4", "prompt": " "}]},
     {"ground_truths": [{"ground_truth": "4", "group": " "}], "prompts": ["2 + 2?"]}],
)  # fmt: skip
def test_a_blank_group_is_no_key_for_noise(server: RunningServer, row: dict[str, object]) -> None:
    """All rows that have it would share one flip."""
    body = {"completions": [BOX], "ground_truths": ["4"], **row}
    reply = server.post("/score/flip?flip_prob=0.5", body)
    assert reply.status_code == 422 and "group" in reply.json()["error"]["message"], reply.text
    assert server.post("/score/verifier", body).json()["rewards"] == [1.0], "the others need none"


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"completions": "x"}, "completions: Expected `array`"),
        ({"completions": [1]}, "`completions[0]`"),
        ({"completions": ["x", None]}, "`completions[1]`"),
        ({"completions": ["x"]}, "row 0 has none"),
        ({"completions": ["x"], "ground_truths": []}, "ground_truths: 0 entries for 1"),
        ({"completions": ["x"], "ground_truths": "4"}, "ground_truths: expected a list"),
        ({"completions": ["x"], "ground_truths": ["4"], "visits": [1.5]}, "`visits[0]`"),
        ({"completions": ["x"], "ground_truths": ["4"], "visits": [True]}, "`visits[0]`"),
        ({"completions": ["x"], "ground_truths": ["4"], "flips": ["no"]}, "`flips[0]`"),
        ({"completions": ["x"], "ground_truths": ["4"], "groups": [[1]]}, "`groups[0]`"),
        ({"completions": ["x"], "ground_truth": ["4"]}, "ground_truth: no such field (fields: completions, prompts"),
        ({"prompts": []}, "none of the keys by which a caller is recognised"),
        (b"null", "must be a JSON object"),
        (b"{", "not valid JSON"),
        (b'{"completions": ["x"], "ground_truths": [NaN]}', "NaN is not JSON"),
        (b'{"completions": ["\xff"]}', "utf-8"),
        (b"", "the body is empty"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"completions": ' + b"[" * 100_000, "nested too deeply"),
        (b'{"completions": ["x"], "ground_truths": [' + b"9" * 5000 + b"]}", None),
    ],
)
def test_a_wrong_request_is_a_422_that_names_the_field(
    server: RunningServer, body: object, complaint: str | None
) -> None:
    reply = server.post("/score/verifier", body)
    if complaint is None:  # a number of any length is its JSON text
        assert reply.json()["outcomes"] == ["unanswered"]
        return
    assert reply.status_code == 422
    assert reply.json()["error"]["code"] == "invalid_request"
    assert complaint in reply.json()["error"]["message"]


def test_lone_surrogates_and_nul_are_scored_like_any_text(server: RunningServer) -> None:
    texts = ["\ud800 \\boxed{4}", "\x00\\boxed{4}", "\udc00\ud800", "🙂 \\boxed{4}"]
    body = {"completions": texts, "ground_truths": ["4"] * 4, "groups": ["\ud800", "\x00", "\udc00", 10**30]}
    reply = server.post("/score/flip?flip_prob=0", body)
    assert reply.json()["outcomes"] == ["correct", "correct", "unanswered", "correct"]
    assert reply.content.isascii()


def test_one_bad_sample_does_not_fail_its_neighbours(server: RunningServer) -> None:
    body = {"completions": [BOX, "\\boxed{9^{9^{9^{9}}}}", BOX], "ground_truths": ["4", "x^2", "4"]}
    assert server.post("/score/verifier", body).json()["rewards"] == [1.0, 0.0, 1.0]


def test_a_batch_over_the_limit_is_a_413(server: RunningServer) -> None:
    reply = server.post("/score/verifier", {"completions": [BOX] * 4097, "ground_truths": ["4"] * 4097})
    assert reply.status_code == 413
    assert "max_samples=4096" in reply.json()["error"]["message"]


def test_flip_needs_a_group_or_a_prompt(server: RunningServer) -> None:
    body: dict[str, object] = {"completions": [BOX], "ground_truths": ["4"]}
    assert server.post("/score/flip?flip_prob=0.4", body).status_code == 422
    for column in ({"groups": [3]}, {"prompts": ["2+2?"]}, {"prompts": [[{"role": "user", "content": "2+2?"}]]}):
        assert server.post("/score/flip?flip_prob=0.4", body | column).status_code == 200


def test_an_integer_group_is_its_decimal_text(server: RunningServer) -> None:
    rows = {"completions": [BOX, BOX], "ground_truths": ["4", "4"], "groups": [17, "17"]}
    draws = server.post("/score/flip?flip_prob=0.4", rows).json()["parts"]["flip_draw"]
    assert draws[0] == draws[1]
