"""The NeMo-Gym family: the row comes back with a float reward, whatever happened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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


def test_what_cannot_be_scored_is_marked_and_never_null(server: RunningServer) -> None:
    reply = server.post("/score/verifier/verify", row(message("\\boxed{4}"), expected_answer=None)).json()
    assert reply["reward"] == 0.0
    assert reply["_ng_failure_class"] == "reward_ungradable"


def test_a_number_that_json_cannot_write_again_is_refused(server: RunningServer) -> None:
    content = json.dumps(row(message("\\boxed{4}"), answer="4", x=0)).replace('"x": 0', '"x": 1e999')
    reply = server.post("/score/verifier/verify", content.encode())
    assert (reply.status_code, "1e999 is beyond float64" in reply.text) == (422, True)


def test_noise_needs_a_prompt_that_is_not_empty(server: RunningServer) -> None:
    body = row(message("\\boxed{4}"), answer="4") | {"responses_create_params": {"input": []}}
    assert server.post("/score/flip/verify?flip_prob=0.5", body).status_code == 422
    assert server.post("/score/verifier/verify", body).json()["reward"] == 1.0


def test_group_visit_and_flip_are_columns_of_the_row(server: RunningServer) -> None:
    body = row(message("\\boxed{4}"), answer="4", group="q1", visit=1, flip=False)
    reply = server.post("/score/flip/verify?flip_prob=1", body).json()
    assert (reply["reward"], reply["flip_draw"]) == (1.0, 0.875899998593988)  # noise_golden.jsonl: seed 0, q1, visit 1


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


def test_without_that_setting_the_root_says_what_to_set(server: RunningServer) -> None:
    reply = server.post("/verify", row(message("x"), answer="4"))
    assert reply.status_code == 404
    assert "REWARD_VERIFY_REWARD" in reply.json()["error"]["message"]
