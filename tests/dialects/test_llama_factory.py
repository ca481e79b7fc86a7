"""LLaMA-Factory's reward API: texts of prompt and response in, `scores` out."""

from __future__ import annotations

import pytest
from running_server import RunningServer

PROMPT = "<|im_start|>user\nWait, let me check: 2+2?<|im_end|>\n<|im_start|>assistant\n"
RPR = "/score/rpr?require_answer=false"


def body(*completions: str, prompt: str = PROMPT) -> dict[str, object]:
    return {"model": "model", "messages": [prompt + completion for completion in completions]}


def test_scores_are_those_of_the_completions_alone(server: RunningServer) -> None:
    completions = ["Wait, hence 4.<|im_end|>", "4", "", "Hmm, so\n" * 30, "4<|im_end|>\n<|im_start|>user\nwait, hence"]
    reply = server.post(RPR, body(*completions))
    assert set(reply.json()) == {"scores"}
    assert reply.json()["scores"] == server.post(RPR, {"completions": completions}).json()["rewards"]
    assert reply.json()["scores"][1:3] == [0.0, 0.0]  # the prompt says "wait" and "let me", and is paid nothing


def test_a_text_that_cannot_be_parted_makes_the_request_an_error_and_no_silent_0(server: RunningServer) -> None:
    lost = server.metric("reward_completions_lost_total", reward="rpr")
    for whole in ("Wait. User: 2+2? Assistant: wait", "wait", "", PROMPT + "wait <|im_start|>assistant\n4"):
        reply = server.post(RPR, {"model": "model", "messages": [PROMPT + "wait", whole]})
        error = reply.json()["error"]
        assert (reply.status_code, error["code"]) == (422, "unscored")
        assert "1 of 2 samples have no reward (no fallback_reward is set); sample 1, from 0" in error["message"]
    assert server.metric("reward_completions_lost_total", reward="rpr") == lost + 4


def test_a_fallback_that_somebody_chose_is_paid(server: RunningServer) -> None:
    whole = {"model": "model", "messages": ["wait", PROMPT + "wait"]}
    reply = server.post(f"{RPR}&fallback_reward=-1", whole)
    assert reply.json() == {"scores": [-1.0, 0.0498046875]}  # 1 of 20 phrases, on the grid of 1/1024
    assert reply.headers["x-reward-unscored"] == "1"
    assert server.post(f"{RPR}&fallback_reward=0", whole).json() == {"scores": [0.0, 0.0498046875]}
    for query in ("unscored=fallback", "unscored=error", "fallback_reward=0&unscored=error"):
        assert server.post(f"{RPR}&{query}", whole).status_code == 422


@pytest.mark.parametrize("path", ["verifier", "flip?flip_prob=0.4"])
def test_rewards_that_need_a_ground_truth_are_refused_with_the_reason(server: RunningServer, path: str) -> None:
    for completion in ("\\boxed{4}", PROMPT):
        reply = server.post(f"/score/{path}", body(completion))
        assert reply.status_code == 422
        assert "LLaMA-Factory sends none at all: use rm or rpr" in reply.json()["error"]["message"]


def test_no_reward_model_is_an_error_with_the_reason(server: RunningServer) -> None:
    assert server.post("/score/rm", body("4")).status_code == 501


def test_an_empty_batch_is_answered_empty(server: RunningServer) -> None:
    assert server.post(RPR, body()).json() == {"scores": []}
    assert server.post(RPR, {"messages": []}).json() == {"scores": []}


@pytest.mark.parametrize(
    ("messages", "complaint"),
    [
        (None, "messages: Expected `array`, got `null`"),
        ("text", "messages: Expected `array`, got `str`"),
        ({}, "messages: Expected `array`, got `object`"),
        ([None], "`messages[0]`"),
        (["x", 4], "`messages[1]`"),
        ([["x"]], "`messages[0]`"),
        ([{"role": "user", "content": "2+2?"}], "chat messages belong into `prompts`, beside `completions`"),
    ],
)
def test_messages_that_are_no_texts_are_refused(server: RunningServer, messages: object, complaint: str) -> None:
    reply = server.post(RPR, {"model": "model", "messages": messages})
    assert reply.status_code == 422
    assert complaint in reply.json()["error"]["message"]


def test_bodies_of_other_dialects_that_have_messages_stay_theirs(server: RunningServer) -> None:
    chat = [{"role": "user", "content": "2+2?"}]
    for given, key in (
        ({"query": ["wait"], "prompts": [""]}, "rewards"),
        ({"queries": ["wait"], "prompts": [""]}, "extra_logs"),
    ):
        assert key in server.post(RPR, given | {"messages": chat}).json()
    assert server.post(RPR, {"response": "wait", "messages": chat}).json() == 0.0498046875
    assert "no such field" in server.post(RPR, {"completions": ["wait"], "messages": chat}).text
    row = {"response": {"output": []}, "messages": chat}
    assert server.post("/score/rpr/verify", row).json()["messages"] == chat


def test_a_large_batch_keeps_its_order_and_one_that_is_too_large_is_refused(server: RunningServer) -> None:
    completions = ["wait" if number % 3 else "no" for number in range(4096)]
    scores = server.post(RPR, body(*completions)).json()["scores"]
    assert scores == [0.0498046875 if number % 3 else 0.0 for number in range(4096)]
    assert server.post(RPR, body(*completions, "one more")).status_code == 413


def test_the_openapi_page_knows_the_body(server: RunningServer) -> None:
    page = server.get("/openapi.json").json()
    bodies = page["paths"]["/score/rm"]["post"]["requestBody"]["content"]["application/json"]["schema"]["anyOf"]
    assert {"$ref": "#/components/schemas/LlamaFactoryRequest"} in bodies
    schema = page["components"]["schemas"]["LlamaFactoryRequest"]
    assert schema["properties"]["messages"]["items"] == {"type": "string"}
