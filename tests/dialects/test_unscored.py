"""`unscored=error`: a request with a sample that has no reward is refused, whoever sent it."""

from __future__ import annotations

from typing import Any

import pytest
from running_server import RunningServer

from reward_server.dialects.reply import REASONS
from reward_server.types import Outcome

FOUR = "\\boxed{4}"
OUTPUT = [{"type": "message", "role": "assistant", "content": FOUR}]
BODIES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {  # path, a body that can be scored, one that cannot
    "native": ("", {"completions": [FOUR] * 3, "ground_truths": ["4"] * 3}, {"ground_truths": ["4", "", None]}),
    "openrlhf": ("", {"query": [FOUR] * 3, "prompts": [""] * 3, "labels": ["4"] * 3}, {"labels": ["4", "", ""]}),
    "slime": ("", {"response": FOUR, "prompt": "2+2?", "label": "4"}, {"label": None}),
    "nemo_gym": ("/verify", {"response": {"output": OUTPUT}, "answer": "4"}, {"answer": None}),
}


@pytest.mark.parametrize("dialect", BODIES)
def test_the_request_is_refused_with_the_sample_and_the_reason(server: RunningServer, dialect: str) -> None:
    path, body, wrong = BODIES[dialect]
    url = f"/score/verifier{path}?unscored=error"
    assert server.post(url, body).status_code == 200
    reply = server.post(url, body | wrong)
    row, unscored = (1, 2) if dialect in ("native", "openrlhf") else (0, 1)
    error = reply.json()["error"]
    assert (reply.status_code, error["code"]) == (422, "unscored")
    assert error["detail"] == {"row": row, "outcome": "ungradable", "unscored": unscored}
    assert f"sample {row}, from 0: the ground truth is unusable" in error["message"]
    assert "Retry-After" not in reply.headers
    for query in ("", "?unscored=fallback"):
        fallback = server.post(f"/score/verifier{path}{query}", body | wrong)
        assert (fallback.status_code, fallback.headers["X-Reward-Unscored"]) == (200, str(unscored))


def test_what_is_wrong_or_unanswered_is_no_error(server: RunningServer) -> None:
    body = {"completions": ["\\boxed{5}", "no box", ""], "ground_truths": ["4"] * 3}
    assert server.post("/score/verifier?unscored=error", body).json()["rewards"] == [0.0] * 3
    assert server.post("/score/verifier?unscored=error", {"completions": []}).json()["rewards"] == []


def test_explain_still_explains(server: RunningServer) -> None:
    reply = server.post("/explain/verifier?unscored=error", {"completion": FOUR, "ground_truth": ""}).json()
    assert (reply["value"], reply["outcome"]) == (None, "ungradable")


def test_another_value_is_refused(server: RunningServer) -> None:
    reply = server.post("/score/verifier?unscored=zero", {"completions": [], "ground_truths": []})
    assert (reply.status_code, reply.json()["error"]["detail"][0]["parameter"]) == (422, "unscored")


def test_every_outcome_without_a_reward_has_a_reason() -> None:
    assert set(REASONS) == {outcome for outcome in Outcome if outcome.is_unscored}
