"""OpenRLHF's wire format: constant numeric keys, floats, and the completion found in `query`."""

from __future__ import annotations

from running_server import RunningServer

PROMPT = "<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n"


def test_the_reply_has_lists_of_floats_and_the_same_keys_for_every_sample(server: RunningServer) -> None:
    queries = [PROMPT + text for text in ("\\boxed{4}<|im_end|>", "\\boxed{5}", "none", "\\boxed{4}")]
    body = {"query": queries, "prompts": [PROMPT] * 4, "labels": ["4", "4", "4", None]}
    reply = server.post("/score/verifier", body).json()
    assert reply == {
        "rewards": [1.0, 0.0, 0.0, 0.0],
        "scores": [1.0, 0.0, 0.0, 0.0],
        "extra_logs": {
            "clean": [1.0, 0.0, 0.0, 0.0],
            "unscored": [0.0, 0.0, 0.0, 1.0],
            "unanswered": [0.0, 0.0, 1.0, 0.0],
            "timeout": [0.0, 0.0, 0.0, 0.0],
        },
    }
    assert all(type(value) is float for value in [*reply["rewards"], *reply["scores"]])


def test_empty_lists_are_answered_with_empty_lists(server: RunningServer) -> None:
    reply = server.post("/score/verifier", {"query": [], "prompts": [], "labels": []})
    assert reply.status_code == 200
    assert reply.json() == {"rewards": [], "scores": [], "extra_logs": {}}


def test_the_older_key_queries_is_read_too(server: RunningServer) -> None:
    body = {"queries": ["p\\boxed{4}"], "prompts": ["p"], "labels": ["4"]}
    assert server.post("/score/verifier", body).json()["rewards"] == [1.0]


def test_an_unscored_sample_pays_the_fallback_and_says_so(server: RunningServer) -> None:
    body = {"query": ["\\boxed{4}"], "prompts": [""], "labels": [""]}
    reply = server.post("/score/verifier?fallback_reward=-0.5", body)
    assert reply.json()["rewards"] == [-0.5]
    assert reply.json()["scores"] == [0.0]  # clipped to 0 … 1, where dynamic filtering looks
    assert reply.json()["extra_logs"]["unscored"] == [1.0]
    assert reply.headers["x-reward-unscored"] == "1"


def test_scores_are_the_noisy_outcome_so_that_clean_labels_do_not_leak(server: RunningServer) -> None:
    body = {"query": ["p\\boxed{4}", "p\\boxed{5}"], "prompts": ["p", "p"], "labels": ["4", "4"]}
    reply = server.post("/score/flip?flip_prob=1", body).json()
    assert reply["scores"] == [0.0, 1.0]
    assert reply["extra_logs"]["clean"] == [1.0, 0.0]


def test_scores_stay_the_noisy_outcome_under_correction(server: RunningServer) -> None:
    body = {"query": ["p\\boxed{4}", "p\\boxed{5}"], "prompts": ["p", "p"], "labels": ["4", "4"]}
    path = "/score/flip?false_positive_prob=0&false_negative_prob=0.5&correction=backward"
    reply = server.post(path, body).json()
    # (1 - 0) / (1 - 0.5) = 2 where the 1 survives, 0 / 0.5 = 0 else
    assert reply["rewards"] in ([2.0, 0.0], [0.0, 0.0])
    assert set(reply["scores"]) <= {0.0, 1.0}


def test_a_label_object_in_a_string_carries_group_visit_and_flip(server: RunningServer) -> None:
    labels = ['{"ground_truth": "4", "group": "q1", "visit": 1' + end for end in ("}", ', "flip": false}')]
    body = {"query": ["other\\boxed{4}"] * 2, "prompts": ["other"] * 2, "labels": labels}
    # tests/data/noise_golden.jsonl: seed 0, q1, visit 1 draws 0.8759
    for flip_prob, rewards in ((0.8758, [1.0, 1.0]), (0.8759, [0.0, 1.0])):
        reply = server.post(f"/score/flip?flip_prob={flip_prob}", body).json()
        assert (reply["rewards"], reply["extra_logs"]["clean"]) == (rewards, [1.0, 1.0])
        assert "flip_draw" not in reply["extra_logs"]  # whose mean says nothing


CHANGED = "What is 3+4? answer like \\boxed{7}<｜Assistant｜><think>"
ASKED = "What is 3 + 4? answer like \\boxed{7}<｜Assistant｜><think>"
UNLIKE = "What is 3 plus 4? answer like \\boxed{7}<｜Assistant｜><think>"


def test_a_prompt_that_decoding_changed_is_not_paid(server: RunningServer) -> None:
    body = {"query": [CHANGED + "I do not know."], "prompts": [ASKED], "labels": ["7"]}
    reply = server.post("/score/verifier", body).json()
    assert reply["rewards"] == [0.0]
    assert reply["extra_logs"]["unanswered"] == [1.0]
    assert reply["extra_logs"]["unscored"] == [0.0]


def test_behind_a_prompt_that_decoding_changed_the_answer_is_paid(server: RunningServer) -> None:
    body = {
        "query": [CHANGED + "so \\boxed{7}", CHANGED + "so \\boxed{8}"],
        "prompts": [ASKED] * 2,
        "labels": ["7"] * 2,
    }
    assert server.post("/score/verifier", body).json()["rewards"] == [1.0, 0.0]


def test_the_phrases_of_a_changed_prompt_are_not_paid(server: RunningServer) -> None:
    prompt = "Wait, let me check 3 + 4 . <|assistant|>\n"
    body = {"query": ["Wait, let me check 3+4.<|assistant|>\n\\boxed{7}"], "prompts": [prompt]}
    assert server.post("/score/rpr", body).json()["rewards"] == [0.0]


def test_a_completion_that_cannot_be_told_from_its_prompt_is_an_error_for_every_reward(server: RunningServer) -> None:
    before = server.metric("reward_completions_lost_total", reward="verifier")
    body = {"query": [UNLIKE + "\\boxed{7}", ASKED + "\\boxed{7}"], "prompts": [ASKED] * 2, "labels": ["7"] * 2}
    for path in ("verifier", "verifier?alpha=1", "flip?flip_prob=1", "rpr"):
        reply = server.post(f"/score/{path}&fallback_reward=-0.25".replace("&", "?" if "?" not in path else "&"), body)
        assert reply.headers["x-reward-unscored"] == "1"
        lost, found = reply.json()["rewards"]
        assert (lost, found >= 0) == (-0.25, True)
        assert reply.json()["extra_logs"]["unscored"] == [1.0, 0.0]
    assert server.metric("reward_completions_lost_total", reward="verifier") == before + 2


def test_without_prompts_the_query_is_the_completion(server: RunningServer) -> None:
    assert server.post("/score/verifier", {"query": ["\\boxed{4}"], "labels": ["4"]}).json()["rewards"] == [1.0]


def test_lists_of_different_lengths_are_refused(server: RunningServer) -> None:
    for prompts, labels in (([], ["4"]), ([""], ["4", "4"])):
        body = {"query": ["x"], "prompts": prompts, "labels": labels}
        assert server.post("/score/verifier", body).status_code == 422
