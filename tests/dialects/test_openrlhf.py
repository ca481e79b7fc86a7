"""OpenRLHF's wire format: constant numeric keys, floats, and the completion found in `query`."""

from __future__ import annotations

import pytest
from running_server import RunningServer

from reward_server.dialects.openrlhf import ASSISTANT_MARKERS, without_prompt

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
    body = {"query": ["\\boxed{4}", "\\boxed{5}"], "prompts": ["p", "p"], "labels": ["4", "4"]}
    reply = server.post("/score/flip?flip_prob=1", body).json()
    assert reply["scores"] == [0.0, 1.0]
    assert reply["extra_logs"]["clean"] == [1.0, 0.0]


def test_scores_stay_the_noisy_outcome_under_correction(server: RunningServer) -> None:
    body = {"query": ["\\boxed{4}", "\\boxed{5}"], "prompts": ["p", "p"], "labels": ["4", "4"]}
    path = "/score/flip?false_positive_prob=0&false_negative_prob=0.5&correction=backward"
    reply = server.post(path, body).json()
    # (1 - 0) / (1 - 0.5) = 2 where the 1 survives, 0 / 0.5 = 0 else
    assert reply["rewards"] in ([2.0, 0.0], [0.0, 0.0])
    assert set(reply["scores"]) <= {0.0, 1.0}


def test_a_label_object_in_a_string_carries_group_visit_and_flip(server: RunningServer) -> None:
    label = '{"ground_truth": "4", "group": "q1", "visit": 1, "flip": false}'
    body = {"query": ["\\boxed{4}"], "prompts": ["other"], "labels": [label]}
    reply = server.post("/score/flip?flip_prob=1", body).json()
    assert reply["rewards"] == [1.0]
    assert reply["extra_logs"]["flip_draw"] == [0.875899998593988]  # tests/data/noise_golden.jsonl: seed 0, q1, visit 1


def test_a_prompt_that_is_a_prefix_is_dropped() -> None:
    assert without_prompt(PROMPT + "so 4", PROMPT) == "so 4"
    assert without_prompt("so 4", "") == "so 4"


@pytest.mark.parametrize("marker", ASSISTANT_MARKERS)
def test_a_left_truncated_prompt_is_dropped_at_the_assistant_marker(marker: str) -> None:
    prompt = f"a long question {marker}"
    assert without_prompt(prompt[9:] + "so \\boxed{4}", prompt) == "so \\boxed{4}"
    # The cut fell inside a character, so that the query's beginning is no end of the prompt:
    assert without_prompt("\ufffd" + prompt[9:] + "so \\boxed{4}", prompt) == "so \\boxed{4}"


def test_a_marker_that_the_policy_writes_itself_does_not_hide_what_it_wrote_before() -> None:
    completion = "\\boxed{5}<|im_end|>\n<|im_start|>assistant\n\\boxed{4}"
    assert without_prompt(PROMPT[7:] + completion, PROMPT) == completion


def test_without_a_marker_the_longest_overlap_is_the_prompt() -> None:
    assert without_prompt("2+2? It is 4", "What is 2+2?") == " It is 4"
    assert without_prompt("nothing in common", "What is 2+2?") == "nothing in common"
    assert without_prompt("", "What is 2+2?") == ""
    assert without_prompt("aab", "baa") == "b"


def test_a_prompt_that_repeats_itself_a_million_times_is_dropped_in_no_time() -> None:
    prompt = "a" * 10**6
    assert without_prompt("a" * 5000 + "b", prompt) == "b"
    assert without_prompt("a" * 64 + "c" + "a" * 10**6, prompt) == "c" + "a" * 10**6


def test_lists_of_different_lengths_are_refused(server: RunningServer) -> None:
    for prompts, labels in (([], ["4"]), ([""], ["4", "4"])):
        body = {"query": ["x"], "prompts": prompts, "labels": labels}
        assert server.post("/score/verifier", body).status_code == 422
