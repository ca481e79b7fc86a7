"""slime and miles: one sample in, the reward itself out."""

from __future__ import annotations

import pytest
from running_server import RunningServer


def test_the_reply_is_a_bare_number(server: RunningServer) -> None:
    body = {"prompt": "2+2?", "response": "\\boxed{4}<|im_end|>", "label": "4"}
    assert server.post("/score/verifier", body).content == b"1.0"
    unscored = server.post("/score/verifier?fallback_reward=0.25", body | {"label": None})  # without --label-key
    assert (unscored.content, unscored.headers["X-Reward-Unscored"]) == (b"0.25", "1")


def test_the_object_has_constant_keys(server: RunningServer) -> None:
    body = {"prompt": "2+2?", "response": "\\boxed{4}", "label": "4"}
    reply = server.post("/score/flip?flip_prob=1&reply=object", body).json()
    assert reply == {"reward": 0.0, "score": 0.0, "clean": 1.0, "unscored": 0.0}
    ungradable = server.post("/score/verifier?reply=object&fallback_reward=0.25", body | {"label": None})
    assert ungradable.json() == {"reward": 0.25, "score": 0.25, "clean": 0.25, "unscored": 1.0}
    rpr = server.post("/score/rpr?reply=object&require_answer=false", {"response": "wait, hence"})
    assert rpr.json() == {"reward": 0.099609375, "score": 0.099609375, "clean": 0.099609375, "unscored": 0.0}


def test_a_prompt_may_be_messages(server: RunningServer) -> None:
    messages = [{"role": "user", "content": "2+2?"}]
    body = {"prompt": messages, "response": "\\boxed{4}", "label": {"ground_truth": 4}}
    assert server.post("/score/flip?flip_prob=0", body).json() == 1.0


def test_the_same_messages_get_the_same_noise_as_natively(server: RunningServer) -> None:
    messages = [{"role": "user", "content": "2+2?", "id": 1, "weights": [0.5, None]}]
    body = {"prompt": messages, "response": "\\boxed{4}", "label": "4"}
    columns = {"prompts": [messages], "completions": ["\\boxed{4}"], "ground_truths": ["4"]}
    sample = {"prompt": messages, "completion": "\\boxed{4}", "ground_truth": "4"}
    for seed in range(20):
        query = f"/flip?flip_prob=0.5&seed={seed}"
        (native,) = server.post(f"/score{query}", columns).json()["rewards"]
        assert server.post(f"/score{query}", body).json() == native
        assert server.post(f"/explain{query}", sample).json()["value"] == native


@pytest.mark.parametrize(
    "wrong",
    [
        {"response": ["x"]},
        {"response": []},
        {"response": None},
        {"response": 4},
        {"prompt": 4},
        {"label": {"ground_truth": 4, "visit": "x"}},
    ],
)
def test_a_wrong_type_is_a_422(server: RunningServer, wrong: dict[str, object]) -> None:
    assert server.post("/score/verifier", {"prompt": "p", "response": "x", "label": "4"} | wrong).status_code == 422
