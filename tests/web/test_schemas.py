"""The published schemas: every reply that is sent fits its own, and a body fits its own where its parser takes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from running_server import RunningServer

from reward_server.dialects import DIALECTS, Dialect, nemo_gym, row
from reward_server.dialects.json_body import JsonBody
from reward_server.errors import InvalidRequest
from reward_server.rewards.table import REWARDS

RIGHT, WRONG, BOMB = "wait, so \\boxed{4}", "so \\boxed{5}", "\\boxed{x^{9^{9^{9}}}}"
COLUMNS = {"completions": [RIGHT, WRONG, "none"], "ground_truths": ["4", "4", None], "groups": ["q", 2, "q"]}
QUERIES = {"query": ["p " + RIGHT, "p " + WRONG], "prompts": ["p", "p"], "labels": ["4", "4"]}
SLIME = {"prompt": "p", "response": RIGHT, "label": "4"}
AWS = [{"id": 1, "messages": [{"role": "user", "content": "p"}, {"role": "assistant", "content": RIGHT}], "label": 1}]
AWS_LABELLED = [{**AWS[0], "id": "a", "metadata": {"reference_answer": "4"}}]
ROLLOUT = {
    "response": {"output": [{"type": "message", "content": [{"type": "output_text", "text": RIGHT}]}]},
    "ground_truth": "4",
    "group": "q",
    "mine": {"any": ["thing"]},
}
CHAT = {"messages": ["<|im_start|>user\np<|im_end|>\n<|im_start|>assistant\n" + RIGHT + "<|im_end|>\n"]}
SCORED: list[tuple[str, object]] = [
    ("/score/verifier", COLUMNS),
    ("/score/verifier?alpha=1", COLUMNS),
    ("/score/verifier", {"completions": [], "ground_truths": []}),
    ("/score/flip?flip_prob=0.4", COLUMNS),
    ("/score/rpr", COLUMNS),
    ("/score/rm_sim", COLUMNS),
    ("/score/mix?verifier=1&rpr=0.2", COLUMNS),
    ("/score/mix?verifier=1&rpr=0.2", QUERIES),
    ("/score/flip?flip_prob=0.4", QUERIES),
    ("/score/verifier", {**QUERIES, "labels": ["4", None]}),
    ("/score/verifier", {"query": [], "prompts": [], "labels": []}),
    ("/score/flip?flip_prob=0.4", SLIME),
    ("/score/flip?flip_prob=0.4&reply=object", SLIME),
    ("/score/rpr?reply=object", SLIME),
    ("/score/rpr", CHAT),
    ("/score/verifier", AWS_LABELLED),
    ("/score/rpr", AWS),
    ("/score/flip/verify?flip_prob=0.4", ROLLOUT),
    ("/score/verifier/verify", {**ROLLOUT, "ground_truth": None}),
    ("/score/verifier/seed_session", ROLLOUT),
]
EXPLAINED: list[tuple[str, object]] = [
    ("/explain/verifier", {"completion": RIGHT, "ground_truth": ["4", "5"]}),
    ("/explain/verifier?alpha=1", {"completion": WRONG, "ground_truth": "4"}),
    ("/explain/verifier", {"completion": "none", "ground_truth": None}),
    ("/explain/verifier?check=string&reference=math", {"completion": RIGHT, "ground_truth": "4", "group": "q"}),
    ("/explain/flip?flip_prob=0.4&flip_if=phrase:wait", {"completion": RIGHT, "ground_truth": "4", "group": "q"}),
    ("/explain/verifier", {"completion": "so \\boxed{1}, \\boxed{2}", "ground_truth": "1,2"}),
    ("/explain/verifier", {"query": "another thing", "prompt": "What is 4+4?\nA:", "ground_truth": "7"}),
    ("/explain/flip?flip_prob=0.4", {"completion": RIGHT, "ground_truth": "4", "group": "q"}),
    (
        "/explain/flip?label_noise=1",
        {"completion": RIGHT, "ground_truth": {"ground_truth": "4", "wrong_ground_truth": "5"}, "group": "q"},
    ),
    ("/explain/rpr", {"completion": RIGHT}),
    ("/explain/mix?verifier=1&rpr=0.2", {"completion": RIGHT, "ground_truth": "4", "group": "q"}),
    ("/explain/rm_sim", {"completion": RIGHT, "ground_truth": "4", "group": "q"}),
]
ASKED_ELSEWHERE = {"rm", "route"}
"""They need a model, or a file that names the rewards."""
REFUSED = [
    ("/score/verifier", {"nothing": 1}, 422),
    ("/score/verifier?unscored=error", COLUMNS, 422),
    ("/score/rm", {"completions": ["x"], "prompts": ["p"]}, 501),
    ("/explain/flip", {"completion": "x"}, 422),
]


@pytest.fixture(scope="module")
def document(server: RunningServer) -> dict[str, Any]:
    found: dict[str, Any] = server.get("/openapi.json").json()
    return found


def check(document: dict[str, Any], path: str, method: str, status: int, reply: object) -> None:
    """The reply fits what the document says of the path: one shape and no other."""
    answers = document["paths"][path.partition("?")[0]][method]["responses"]
    schema = answers[str(status)]["content"]["application/json"]["schema"]
    assert schema, path
    Draft202012Validator({**schema, "components": document["components"]}).validate(reply)


@pytest.mark.parametrize(("path", "body"), [*SCORED, *EXPLAINED])
def test_a_reply_fits_its_schema(server: RunningServer, document: dict[str, Any], path: str, body: object) -> None:
    reply = server.post(path, body)
    assert reply.status_code == 200, reply.text
    check(document, path, "post", 200, reply.json())


@pytest.mark.parametrize(("path", "body", "status"), REFUSED)
def test_an_error_fits_its_schema(
    server: RunningServer, document: dict[str, Any], path: str, body: object, status: int
) -> None:
    reply = server.post(path, body)
    assert reply.status_code == status
    check(document, path, "post", status, reply.json())


def test_what_the_server_tells_of_itself_fits_its_schema(server: RunningServer, document: dict[str, Any]) -> None:
    for path in ("/rewards", "/health", "/ready", "/score/flip/reverify_mode"):
        check(document, path, "get", 200, server.get(path).json())


def test_every_dialect_and_every_reward_was_asked() -> None:
    bodies = [JsonBody.of_any(json.dumps(body).encode(), 100) for path, body in SCORED if "/verify" not in path]
    assert all(any(dialect.matches(body.keys) for body in bodies) for dialect in DIALECTS)
    asked = " ".join(path for path, _ in (*SCORED, *EXPLAINED))
    assert all(
        f"/score/{name}" in asked and f"/explain/{name}" in asked for name in REWARDS if name not in ASKED_ELSEWHERE
    )


def test_an_unknown_field_or_another_type_does_not_fit(document: dict[str, Any]) -> None:
    reply = {"rewards": [1.0], "scores": [1.0], "extra_logs": {"clean": [1.0]}}
    check(document, "/score/flip", "post", 200, reply)
    for wrong in ({**reply, "more": 1}, {**reply, "rewards": [None]}, {"rewards": [1.0]}, "1.0", None):
        with pytest.raises(Exception, match="is not valid under any of the given schemas"):
            check(document, "/score/flip", "post", 200, wrong)


def test_operations_have_names_of_their_own_and_one_tag(document: dict[str, Any]) -> None:
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert {"score_flip", "explain_flip", "verify_flip", "seed_session_flip", "reverify_mode_flip"} <= set(names)
    assert {"rewards", "health", "ready", "metrics"} <= set(names)
    tags = {tag["name"] for tag in document["tags"]}
    assert tags == {"score", "explain", "NeMo-Gym", "service"}
    assert all(len(operation["tags"]) == 1 and operation["tags"][0] in tags for operation in operations)
    assert all("schema" in kind for each in operations for kind in each["responses"]["200"]["content"].values())


def nodes(node: object) -> Iterator[dict[str, Any]]:
    """Every object within."""
    if isinstance(node, dict):
        yield node
    for each in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from nodes(each)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = {each["$ref"] for each in nodes(document) if "$ref" in each}
    assert found
    assert {f"#/components/schemas/{name}" for name in document["components"]["schemas"]} >= found


def test_generators_of_clients_can_read_every_schema(document: dict[str, Any]) -> None:
    found = [each["schema"] for each in nodes(document["paths"]) if "schema" in each]
    assert len(found) > 100
    for schema in (*found, *document["components"]["schemas"].values()):
        Draft202012Validator.check_schema(schema)  # among others, no empty anyOf
        assert all({"items", "prefixItems"} & set(each) for each in nodes(schema) if each.get("type") == "array")


def test_no_parameter_may_be_null_and_a_needed_one_says_so(document: dict[str, Any]) -> None:
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    shown = {each["name"]: each for operation in operations for each in operation.get("parameters", ())}
    assert "null" not in [kind.get("type") for each in shown.values() for kind in each["schema"].get("anyOf", ())]
    assert all(each["schema"].get("default", "") is not None for each in shown.values())
    assert shown["flip_prob"]["schema"]["anyOf"] == [{"maximum": 1, "minimum": 0, "type": "number"}, {"type": "string"}]
    assert shown["label"]["schema"] == {"type": "integer", "minimum": 0}
    assert shown["label_weights"]["explode"] is False
    assert "`</think>`" in shown["rpr_scope"]["description"]


WHOLE: dict[str, Any] = {
    "native": {
        "completions": ["x"],
        "prompts": ["p"],
        "ground_truths": ["4"],
        "groups": ["q"],
        "visits": [0],
        "flips": [True],
        "steps": [7],
    },
    "openrlhf": {"query": ["p x"], "prompts": ["p"], "labels": ["4"]},
    "slime": SLIME,
    "llama_factory": {"model": "model", **CHAT},
    "aws_rft": AWS_LABELLED,
    "nemo_gym": {**ROLLOUT, "responses_create_params": {"input": "p"}, "visit": 0, "flip": True},
}
OTHERS: list[Any] = [None, True, 0, 1.5, "x", [], {}, [None], [True], [1], [1.5], ["x"], [{}], [[]], {"a": 1}]
NOT_IN_A_SCHEMA = ("entries for", "the last must be the policy's")
"""What a parser asks that no schema can say: columns of one length, and who wrote the last message."""


def changed(body: Any) -> Iterator[Any]:
    """The body with each field left out, each field of another type, and one field more."""
    if isinstance(body, list):
        yield from ([each] for each in changed(body[0]))
        return
    yield {**body, "unknown": 1}
    for key in body:
        yield {other: value for other, value in body.items() if other != key}
        yield from ({**body, key: other} for other in OTHERS)


def refusal(parse: Any, *arguments: Any) -> str | None:
    try:
        parse(*arguments)
    except InvalidRequest as error:
        return error.message
    return None


@pytest.mark.parametrize("dialect", [*DIALECTS, nemo_gym], ids=lambda dialect: dialect.NAME)
def test_a_body_fits_its_schema_where_its_parser_takes_it(dialect: Dialect) -> None:
    schema = Draft202012Validator(dialect.SCHEMA)
    assert schema.is_valid(WHOLE[dialect.NAME])
    for body in changed(WHOLE[dialect.NAME]):
        read = JsonBody.of_any(json.dumps(body).encode(), 100)
        if dialect is nemo_gym or dialect.matches(read.keys):
            said = refusal(dialect.parse, read)
            if said is None or not any(part in said for part in NOT_IN_A_SCHEMA):
                assert schema.is_valid(body) == (said is None), (said, body)


def test_the_example_of_a_body_is_one() -> None:
    for dialect in (*DIALECTS, nemo_gym):
        example = dialect.SCHEMA["example"]
        assert Draft202012Validator(dialect.SCHEMA).is_valid(example)
        assert refusal(dialect.parse, JsonBody.of_any(json.dumps(example).encode(), 100)) is None


def test_what_explain_is_asked_fits_its_schema_where_the_parser_takes_it() -> None:
    schema = Draft202012Validator(row.SCHEMA)
    sample = {"completion": "x", "prompt": "p", "ground_truth": "4", "group": "q", "visit": 0, "flip": True}
    query = {"query": "p x", "prompt": "p", "ground_truth": "4"}
    for body in (*changed(sample), *changed(query), {**sample, "query": "p x"}, {"completion": "x", "query": "p"}):
        said = refusal(row.parse_explain, json.dumps(body).encode(), "application/json", "")
        assert schema.is_valid(body) == (said is None), (said, body)
