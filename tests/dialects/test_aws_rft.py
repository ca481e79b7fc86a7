"""AWS's reinforcement fine-tuning: a list of samples in, a list of scores out."""

from __future__ import annotations

from typing import Any

import pytest
from running_server import RunningServer

QUESTION = {"role": "user", "content": "2+2?"}
FOUR = "so \\boxed{4}"
Row = dict[str, Any]


def sample(text: object, reference: object = "4", role: str = "assistant", **columns: object) -> Row:
    messages = [QUESTION, {"role": role, "content": text}]
    return {"id": "s-1", "messages": messages, "metadata": {"reference_answer": reference, **columns}}


def scores(server: RunningServer, path: str, *rows: Row) -> list[float]:
    reply = server.post(f"/score/{path}", [*rows])
    assert reply.status_code == 200, reply.text
    return [row["aggregate_reward_score"] for row in reply.json()]


def test_the_reply_has_the_documented_form(server: RunningServer) -> None:
    reply = server.post("/score/verifier", [sample(FOUR), sample("\\boxed{5}") | {"id": "s-2"}]).json()
    assert [(row["id"], row["aggregate_reward_score"]) for row in reply] == [("s-1", 1.0), ("s-2", 0.0)]
    for row in reply:
        assert set(row) == {"id", "aggregate_reward_score", "metrics_list"}
        assert type(row["aggregate_reward_score"]) is float
        paid, *parts = row["metrics_list"]
        assert paid == {"name": "verifier", "value": row["aggregate_reward_score"], "type": "Reward"}
        assert {part["type"] for part in parts} == {"Metric"}
        assert {"clean", "unscored", "unanswered", "timeout"} <= {part["name"] for part in parts}
        assert all(set(part) == {"name", "value", "type"} and type(part["value"]) is float for part in parts)


def test_the_reference_answer_may_stand_beside_the_messages_too(server: RunningServer) -> None:
    """The form of its evaluation jobs, and of amzn-nova-forge."""
    beside = {"messages": sample(FOUR)["messages"], "reference_answer": "4"}
    null = {"messages": sample(FOUR)["messages"], "metadata": {"reference_answer": None}, "reference_answer": "4"}
    other = sample(FOUR) | {"reference_answer": "5"}  # metadata wins
    assert scores(server, "verifier", beside, null, other, beside | {"metadata": None}) == [1.0] * 4
    assert server.post("/score/verifier", [beside]).json()[0]["id"] is None


@pytest.mark.parametrize(
    "reference",
    [
        *("4", 4, 4.0, ["5", "4"], {"ground_truth": "4"}, '{"ground_truth": 4}', {"ground_truth": "4", "steps": None}),
        *({"answer": "4"}, {"solution": "x = 4", "steps": ["2 + 2"]}, {"expected_answer": 4}, '{"answer": "4"}'),
        *({"ground_truth": None, "answer": "4"}, {"answer": None, "label": "4"}),
    ],
)
def test_a_reference_answer_is_a_text_a_number_or_an_object_with_the_answer(
    server: RunningServer, reference: object
) -> None:
    assert scores(server, "verifier", sample(FOUR, reference), sample("\\boxed{7}", reference)) == [1.0, 0.0]


@pytest.mark.parametrize(
    "reference",
    [None, "", {}, {"x": 4}, {"compliant": "No"}, True, [], {"ground_truth": "4", "explanation": "no"}, {"answer": {}}],
)
def test_what_cannot_be_graded_makes_the_request_an_error_and_no_silent_0(
    server: RunningServer, reference: object
) -> None:
    rows = [sample(FOUR), sample(FOUR, reference)]
    reply = server.post("/score/verifier", rows)
    assert (reply.status_code, reply.json()["error"]["code"]) == (422, "unscored")
    assert "sample 1, from 0: the ground truth is unusable" in reply.json()["error"]["message"]
    chosen = server.post("/score/verifier?fallback_reward=-0.5", rows).json()
    assert [row["aggregate_reward_score"] for row in chosen] == [1.0, -0.5]
    assert {"name": "unscored", "value": 1.0, "type": "Metric"} in chosen[1]["metrics_list"]


def test_no_reference_answer_at_all_is_a_wrong_configuration(server: RunningServer) -> None:
    bare = {"id": "1", "messages": sample(FOUR)["messages"]}
    assert (
        "needs a ground truth (ground_truths, labels, label, reference_answer)"
        in (server.post("/score/verifier", [bare]).json()["error"]["message"])
    )
    assert scores(server, "verifier?fallback_reward=-1", bare, sample(FOUR)) == [-1.0, 1.0]  # one row lacks it
    assert scores(server, "rpr?require_answer=false", bare) == [0.0]


@pytest.mark.parametrize(
    "content",
    [FOUR, [{"type": "text", "text": FOUR}], [{"text": "so "}, {"text": "\\boxed{4}"}], {"text": FOUR}],
)
def test_a_content_is_a_text_or_parts(server: RunningServer, content: object) -> None:
    for role in ("assistant", "nova_assistant"):
        assert scores(server, "verifier", sample(content, role=role)) == [1.0]


def test_only_the_last_message_is_paid(server: RunningServer) -> None:
    earlier = [{"role": "user", "content": "wait, \\boxed{4}"}, {"role": "assistant", "content": "wait, \\boxed{4}"}]
    row = sample("I cannot tell.")
    row["messages"] = [*earlier, *row["messages"]]
    assert scores(server, "verifier", row) == scores(server, "rpr?require_answer=false", row) == [0.0]


def test_what_wrote_nothing_is_unanswered(server: RunningServer) -> None:
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
    rows = [sample(""), sample(None), sample([]), sample("") | {"messages": [QUESTION, call]}]
    reply = server.post("/score/verifier", rows).json()
    assert [row["aggregate_reward_score"] for row in reply] == [0.0] * 4
    assert all({"name": "unanswered", "value": 1.0, "type": "Metric"} in row["metrics_list"] for row in reply)


def test_noise_is_that_of_the_native_dialect_and_columns_travel_in_metadata(server: RunningServer) -> None:
    for seed in range(10):
        path = f"flip?flip_prob=0.5&seed={seed}"
        body = {"completions": [FOUR], "ground_truths": ["4"], "prompts": [[QUESTION]]}
        assert scores(server, path, sample(FOUR)) == server.post(f"/score/{path}", body).json()["rewards"]
        keyed = body | {"groups": ["q"], "visits": [3]}
        row = sample(FOUR, group="q", visit=3)
        assert scores(server, path, row) == server.post(f"/score/{path}", keyed).json()["rewards"]
        assert scores(server, path, row | {"metadata": {"reference_answer": "4"}, "group": "q", "visit": 3}) == (
            scores(server, path, row)
        )
    assert scores(server, "flip?flip_prob=1", sample(FOUR), sample(FOUR, flip=False)) == [0.0, 1.0]


def test_ids_are_given_back_as_they_came(server: RunningServer) -> None:
    ids = ["", "a\ud800", 7, 1.5, -0.0, None, "007", 10**30]
    reply = server.post("/score/verifier", [sample(FOUR) | {"id": id} for id in ids])
    assert [row["id"] for row in reply.json()] == ids
    assert type(reply.json()[2]["id"]) is int


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([None], "[0]: expected a sample of AWS's, an object with `messages`"),
        ([sample(FOUR), "x"], "[1]: expected a sample of AWS's"),
        ([{}], "[0]: expected a sample"),
        ([[]], "[0]: expected a sample"),
        ([{"messages": []}], "[0].messages: expected a list of messages"),
        ([{"messages": "x"}], "[0].messages: expected a list of messages"),
        ([{"messages": ["x"]}], "[0].messages: expected a list of messages"),
        ([sample(FOUR), {"messages": [QUESTION]}], "[1].messages: the last must be the policy's"),
        ([sample(FOUR, role="user")], "[0].messages: the last must be the policy's"),
        ([sample(4)], "[0].messages: the content of the last"),
        ([sample(FOUR) | {"metadata": "x"}], "[0].metadata: expected an object"),
        ([sample(FOUR) | {"id": {}}], "[0].id: expected a text or a number"),
        ([sample(FOUR, group=[1])], "[0].group: expected"),
        ([sample(FOUR, visit="x")], "[0].visit: expected"),
        ([sample(FOUR), sample(FOUR, flip="no")], "[1].flip: expected"),
        ([sample(FOUR, ["4"] * 1001)], "[0].the ground truth has 1001 alternatives"),
        (b"[", "not valid JSON"),
        (b'[{"messages": NaN}]', "NaN is not JSON"),
        (b"[1,]", "not valid JSON"),
        (b'[], "completions": []', "not valid JSON"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_wrong_request_is_a_422_that_names_the_row(server: RunningServer, rows: object, complaint: str) -> None:
    reply = server.post("/score/verifier", rows)
    assert reply.status_code == 422
    assert complaint in reply.json()["error"]["message"]


def test_an_empty_list_is_answered_empty(server: RunningServer) -> None:
    for body in (b"[]", b" \n[ ]\t"):
        assert server.post("/score/verifier", body).json() == []


def test_an_object_is_never_taken_for_a_list(server: RunningServer) -> None:
    reply = server.post("/score/verifier", {"the body": [sample(FOUR)]})
    assert "none of the keys by which a caller is recognised" in reply.json()["error"]["message"]
    assert server.post("/score/verifier/verify", [sample(FOUR)]).status_code == 422
    assert server.post("/explain/verifier", [sample(FOUR)]).status_code == 422


def test_a_large_list_keeps_its_order_and_one_that_is_too_large_is_refused(server: RunningServer) -> None:
    rows = [sample(FOUR if number % 3 else "none") | {"id": number} for number in range(4096)]
    reply = server.post("/score/verifier", rows).json()
    assert [row["id"] for row in reply] == list(range(4096))
    assert [row["aggregate_reward_score"] for row in reply] == [float(number % 3 > 0) for number in range(4096)]
    assert server.post("/score/verifier", [*rows, sample(FOUR)]).status_code == 413


def test_the_openapi_page_knows_the_body(server: RunningServer) -> None:
    page = server.get("/openapi.json").json()
    bodies = page["paths"]["/score/rm"]["post"]["requestBody"]["content"]["application/json"]["schema"]["anyOf"]
    assert {"$ref": "#/components/schemas/AwsRftRequest"} in bodies
    schema = page["components"]["schemas"]["AwsRftRequest"]
    assert server.post("/score/verifier", schema["example"]).json()[0]["aggregate_reward_score"] == 1.0
