"""The NeMo-Gym family: the row comes back with a float reward, whatever happened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Starter
from running_server import RunningServer


def row(*items: dict[str, Any], **columns: object) -> dict[str, Any]:
    """A dataset row with a rollout, as NeMo-Gym posts it."""
    params = {"input": [{"role": "user", "content": "2+2?", "type": "message"}]}
    response = {"id": "resp_1", "object": "response", "temperature": None, "output": list(items)}
    return {"responses_create_params": params, "response": response, **columns}


def message(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


def test_the_body_is_echoed_with_the_reward_and_its_numbers(server: RunningServer) -> None:
    body = row(message("so \\boxed"), message("{4}"), question="2+2?", expected_answer="4", weight=2.50)
    reply = server.post("/score/verifier/verify", body).json()
    assert reply == body | {"reward": 1.0, "clean": 1.0, "unscored": 0.0, "unanswered": 0.0, "timeout": 0.0}


def test_the_first_of_the_known_columns_is_the_ground_truth(server: RunningServer) -> None:
    for column in ("ground_truth", "expected_answer", "answer", "label"):
        reply = server.post("/score/verifier/verify", row(message("\\boxed{4}"), **{column: 4}))
        assert reply.json()["reward"] == 1.0
    body = row(message("\\boxed{4}"), answer="5", ground_truth="4")
    assert server.post("/score/verifier/verify", body).json()["reward"] == 1.0


def test_reasoning_items_are_read_as_thinking(server: RunningServer) -> None:
    reasoning = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "wait, hence"}]}
    reply = server.post("/score/rpr/verify?rpr_scope=think", row(reasoning, message("\\boxed{4} thus")))
    assert reply.json()["hits"] == 2.0


def test_reasoning_in_content_pays_what_it_pays_in_a_summary(server: RunningServer) -> None:
    summary = [{"type": "summary_text", "text": "wait, hence"}]
    content = [{"type": "reasoning_text", "text": "wait, hence"}]
    for reasoning in (
        {"type": "reasoning", "summary": [], "content": content},
        {"type": "reasoning", "content": content},
        {"type": "reasoning", "summary": summary, "content": content},  # not twice
        {"type": "reasoning", "summary": summary, "content": None},
        {"type": "reasoning", "summary": summary, "content": []},
        {"type": "reasoning", "summary": None, "content": "wait, hence"},
    ):
        reply = server.post("/score/rpr/verify?rpr_scope=think", row(reasoning, message("\\boxed{4} thus")))
        assert reply.json()["hits"] == 2.0, reasoning


CALL = {"type": "function_call", "name": "sum", "arguments": "{}", "call_id": "c"}
OUTPUT = {"type": "function_call_output", "call_id": "c", "output": "\\boxed{4}"}
SEARCH = {"type": "web_search_call", "status": "completed"}
REASONING = {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "wait"}]}
USER = {"type": "message", "role": "user", "content": "\\boxed{4}"}
FOUR, GIVES_UP = message("\\boxed{4}"), message("I give up.")


@pytest.mark.parametrize(
    ("items", "reward", "unanswered"),
    [
        ([FOUR, CALL, OUTPUT, GIVES_UP], 0.0, 1.0),
        ([GIVES_UP, CALL, OUTPUT, FOUR], 1.0, 0.0),
        ([message("\\boxed{5}"), CALL, OUTPUT, FOUR], 1.0, 0.0),
        ([FOUR, CALL, OUTPUT, message("\\boxed{5}")], 0.0, 0.0),
        ([FOUR, CALL, CALL, OUTPUT, OUTPUT, GIVES_UP], 0.0, 1.0),
        ([FOUR, USER, GIVES_UP], 0.0, 1.0),
        ([FOUR, SEARCH, GIVES_UP], 0.0, 1.0),
        ([FOUR, CALL, OUTPUT, REASONING], 0.0, 1.0),  # cut off while it thought
        ([FOUR, CALL, OUTPUT, CALL], 0.0, 1.0),
        ([FOUR, CALL, OUTPUT, CALL, OUTPUT], 0.0, 1.0),
        ([GIVES_UP, USER], 0.0, 1.0),
        ([CALL, OUTPUT], 0.0, 1.0),
        ([], 0.0, 1.0),
        ([FOUR, CALL, OUTPUT], 1.0, 0.0),  # the last turn is the one that called
        ([FOUR, CALL, CALL, OUTPUT, OUTPUT], 1.0, 0.0),
        ([FOUR, CALL], 1.0, 0.0),
        ([FOUR, USER], 1.0, 0.0),
        ([REASONING, FOUR], 1.0, 0.0),
        ([message("so \\boxed"), message("{4}")], 1.0, 0.0),  # one turn
        ([{"role": "assistant", "content": "\\boxed{4}"}], 1.0, 0.0),
    ],
)
def test_the_last_turn_is_the_completion(
    server: RunningServer, items: list[dict[str, Any]], reward: float, unanswered: float
) -> None:
    reply = server.post("/score/verifier/verify", row(*items, answer="4")).json()
    assert (reply["reward"], reply["unanswered"]) == (reward, unanswered)


def test_reasoning_of_an_earlier_turn_is_context(server: RunningServer) -> None:
    for items, hits in (([REASONING, CALL, OUTPUT, FOUR], 0.0), ([FOUR, CALL, OUTPUT, REASONING, FOUR], 1.0)):
        assert server.post("/score/rpr/verify", row(*items)).json()["hits"] == hits


FAILURE_KEYS = {"mask_sample", "instance_config", "_ng_failure_class", "failure_kind", "failure_reason"}


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"expected_answer": None}, "the ground truth is unusable: expected_answer is null"),
        ({"answer": ""}, 'the ground truth is unusable: answer is ""'),
        ({"ground_truth": None, "label": {"x": 1}}, 'the ground truth is unusable: label is {"x": 1}'),
        ({"answer": None, "label": None}, "the ground truth is unusable: answer is null"),
    ],
)
@pytest.mark.parametrize("reward", ["verifier", "flip"])
def test_what_cannot_be_scored_is_masked_and_never_null_and_has_no_parts(
    server: RunningServer, reward: str, columns: dict[str, Any], reason: str
) -> None:
    query = "?flip_prob=0.5&fallback_reward=0.25" if reward == "flip" else "?alpha=0.1&fallback_reward=0.25"
    body = row(message("\\boxed{4}"), **columns)
    reply = server.post(f"/score/{reward}/verify{query}", body).json()
    assert reply == body | {
        "reward": 0.25,
        "unscored": 1.0,
        "unanswered": 0.0,
        "timeout": 0.0,
        "mask_sample": True,
        "instance_config": {"mask_sample": True},
        "_ng_failure_class": "reward_ungradable",
        "failure_kind": "ungradable",
        "failure_reason": reason,
    }


@pytest.mark.parametrize(
    "config", [None, [], {"mask_sample": False, "timeout": 5}, {"mask_sample": True, "timeout": 5}]
)
def test_the_rows_own_configuration_is_kept_beside_the_mask(server: RunningServer, config: Any) -> None:
    columns = {"instance_config": config, "mask_sample": False}
    unscored = server.post("/score/verifier/verify", row(message("\\boxed{4}"), answer=None, **columns)).json()
    own = config if isinstance(config, dict) else {}
    assert (unscored["mask_sample"], unscored["instance_config"]) == (True, own | {"mask_sample": True})
    scored = server.post("/score/verifier/verify", row(message("\\boxed{4}"), answer="4", **columns)).json()
    assert (scored["mask_sample"], scored["instance_config"]) == (False, config)


def test_a_scored_sample_has_none_of_it(server: RunningServer) -> None:
    for text in ("\\boxed{4}", "\\boxed{5}", "no box", "\\boxed{" + "9" * 1001 + "}"):
        reply = server.post("/score/verifier/verify", row(message(text), answer="4")).json()
        assert not FAILURE_KEYS & reply.keys()


def mask_flags(results: list[dict[str, Any]]) -> list[bool]:
    """What NeMo-RL 0.7 makes of replies (`_extract_mask_sample_flags` in nemo_rl/experience/rollouts.py)."""
    return [bool((result.get("instance_config") or {}).get("mask_sample", False)) for result in results]


def test_nemo_rl_leaves_out_what_could_not_be_scored(server: RunningServer) -> None:
    answers = ["4", None, "", "4"]
    rows = [row(message("\\boxed{4}"), answer=answer) for answer in answers[:3]]
    rows.append(row(message("\\boxed{4}"), answer="4", instance_config={"mask_sample": True}))
    replies = [server.post("/score/verifier/verify", each).json() for each in rows]
    assert mask_flags(replies) == [False, True, True, True]


@pytest.mark.parametrize(
    ("columns", "reward"),
    [
        ({"ground_truth": None, "expected_answer": "4"}, 1.0),
        ({"ground_truth": None, "expected_answer": None, "answer": None, "label": "4"}, 1.0),
        ({"ground_truth": None, "expected_answer": "5", "answer": "4"}, 0.0),
        ({"ground_truth": None, "expected_answer": 4}, 1.0),
        ({"ground_truth": {"ground_truth": None, "group": None}, "answer": "4"}, 1.0),
        ({"ground_truth": {}, "answer": "4"}, 1.0),
        ({"answer": {"ground_truth": "4", "group": None, "origin": None}}, 1.0),
        ({"answer": '{"ground_truth": "4", "origin": null}'}, 1.0),
        ({"ground_truth": "", "answer": "4"}, None),  # an empty text is a value
        ({"ground_truth": [], "answer": "4"}, None),
        ({"answer": {"ground_truth": "4", "origin": "a"}}, None),
        ({"answer": {"ground_truth": None, "group": "q"}}, None),
    ],
)
def test_a_null_column_hides_no_other(server: RunningServer, columns: dict[str, Any], reward: float | None) -> None:
    reply = server.post("/score/verifier/verify?fallback_reward=-1", row(message("\\boxed{4}"), **columns)).json()
    assert reply["reward"] == (-1.0 if reward is None else reward)


def test_a_number_that_json_cannot_write_again_is_refused(server: RunningServer) -> None:
    content = json.dumps(row(message("\\boxed{4}"), answer="4", x=0)).replace('"x": 0', '"x": 1e999')
    reply = server.post("/score/verifier/verify", content.encode())
    assert (reply.status_code, "1e999 is beyond float64" in reply.text) == (422, True)


def test_noise_needs_a_prompt_that_is_not_empty(server: RunningServer) -> None:
    body = row(message("\\boxed{4}"), answer="4") | {"responses_create_params": {"input": []}}
    assert server.post("/score/flip/verify?flip_prob=0.5", body).status_code == 422
    assert server.post("/score/verifier/verify", body).json()["reward"] == 1.0


def test_group_visit_and_flip_are_columns_of_the_row(server: RunningServer) -> None:
    body = row(message("\\boxed{4}"), answer="4", group="q1", visit=1)
    # noise_golden.jsonl: seed 0, q1, visit 1 draws 0.8759
    rewards = [server.post(f"/score/flip/verify?flip_prob={p}", body).json()["reward"] for p in (0.8758, 0.8759)]
    assert rewards == [1.0, 0.0]
    reply = server.post("/score/flip/verify?flip_prob=1", body | {"flip": False, "flip_draw": 0.5}).json()
    assert (reply["reward"], reply["flipped"]) == (1.0, 0.0)
    assert "flip_draw" not in reply  # a log's mean of draws says nothing; an older reply's goes too


def test_rollouts_may_be_verified_again(server: RunningServer) -> None:
    assert server.get("/score/flip/reverify_mode").json() == "stateless"
    assert server.get("/score/nobody/reverify_mode").status_code == 404
    assert server.get("/reverify_mode").status_code == 404  # no verify_reward


@pytest.mark.parametrize("rollout", ["0-1", "12-3-a2", "My_run.7"])
def test_the_prefix_of_an_observed_run_is_accepted(server: RunningServer, rollout: str) -> None:
    body = row(message("\\boxed{4}"), answer="4")
    for path in (f"/score/verifier/ng-rollout/{rollout}", f"/ng-rollout/{rollout}/score/verifier"):
        assert server.post(f"{path}/verify", body).json()["reward"] == 1.0
        assert server.post(f"{path}/seed_session", body).json() == {}
        assert server.get(f"{path}/reverify_mode").json() == "stateless"
    unscored = server.post(f"/score/verifier/ng-rollout/{rollout}/verify?fallback_reward=0.5", body | {"answer": None})
    assert unscored.json()["reward"] == 0.5  # the query string is kept


@pytest.mark.parametrize(
    "path",
    [
        "/score/verifier/ng-rollout/0-1",
        "/score/verifier/ng-rollout/0-1/explain",
        "/score/verifier/ng-rollout/.x/verify",
        "/score/verifier/ng-rollout//verify",
        "/score/verifier/ng-rollout/.x/verify",
        "/score/nobody/ng-rollout/0-1/verify",
        "/ng-rollout/0-1/verify",  # no verify_reward
        "/ng-rollout/0-1/rewards",
        "/ng-rollout/0-1/explain/verifier",
    ],
)
def test_the_prefix_opens_no_other_path(server: RunningServer, path: str) -> None:
    assert server.post(path, row(message("\\boxed{4}"), answer="4")).status_code == 404


def test_seed_session_takes_any_row_and_seeds_nothing(server: RunningServer) -> None:
    assert server.post("/score/flip/seed_session", {"anything": [1]}).json() == {}
    assert server.post("/score/nobody/seed_session", {}).status_code == 404


def test_an_unknown_reward_or_no_rollout_is_an_error_in_our_shape(server: RunningServer) -> None:
    assert server.post("/score/nobody/verify", {}).json()["error"]["code"] == "unknown_reward"
    for response in (None, {}, {"output": "text"}):
        reply = server.post("/score/verifier/verify", {"response": response, "answer": "4"})
        assert reply.status_code == 422


def test_the_root_serves_the_variant_that_a_setting_names(start_server: Starter, tmp_path: Path) -> None:
    config = tmp_path / "rewards.toml"
    config.write_text('[math-noisy]\nbase = "flip"\nflip_prob = 1.0\n')
    with start_server("--config", str(config), "--verify-reward", "math-noisy") as server:
        reply = server.post("/verify", row(message("\\boxed{4}"), answer="4"))
        assert (reply.json()["reward"], reply.json()["clean"]) == (0.0, 1.0)
        assert server.post("/seed_session", {"answer": "4"}).json() == {}
        assert server.get("/reverify_mode").json() == "stateless"
        observed = server.post("/ng-rollout/0-1/verify", row(message("\\boxed{4}"), answer="4"))
        assert observed.json()["reward"] == 0.0
        assert server.post("/ng-rollout/0-1/seed_session", {"answer": "4"}).json() == {}


def test_without_that_setting_the_root_says_what_to_set(server: RunningServer) -> None:
    reply = server.post("/verify", row(message("x"), answer="4"))
    assert reply.status_code == 404
    assert "REWARD_VERIFY_REWARD" in reply.json()["error"]["message"]


def test_what_an_earlier_verification_left_in_a_row_is_gone(server: RunningServer) -> None:
    url, four = "/score/verifier/verify", row(message("\\boxed{4}"))
    failed = server.post(url, {**four, "ground_truth": ""}).json()
    again = server.post(url, {**failed, "ground_truth": "4"}).json()
    assert not FAILURE_KEYS & again.keys() - {"instance_config"}
    assert (again["reward"], again["clean"], again["instance_config"]) == (1.0, 1.0, {})
    assert "clean" not in server.post(url, {**again, "ground_truth": ""}).json()
    own = {"_ng_failure_class": "sandbox_died", "mask_sample": True, "ground_truth": "4"}
    assert own.items() <= server.post(url, {**four, **own}).json().items()


@pytest.mark.parametrize(
    "content", ["\\boxed{4}", ["\\boxed{4}"], [{"text": "\\boxed{4}"}], ["\\boxed", {"text": "{4}"}]]
)
def test_a_content_is_a_text_or_its_parts(server: RunningServer, content: Any) -> None:
    body = row({"role": "assistant", "content": content}, ground_truth="4")
    assert server.post("/score/verifier/verify", body).json()["reward"] == 1.0
