"""The task of `make experiment-lm` is what the server's rewards take it for; its training is too long to test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running_server import RunningServer

from experiments.curves import row
from experiments.lm.arms import ARMS
from experiments.lm.policy import CHAT, END, encoded, tokenizer
from experiments.lm.report import COLORS, PANELS, short
from experiments.lm.runs import planned
from experiments.lm.task import corpus_text, questions, reasoned
from reward_server.reward_model.answer_format import answer_in
from reward_server.reward_model.tokenizer import ChatTokenizer


def scored(server: RunningServer, path: str, completions: list[str], truths: list[str]) -> list[float]:
    body = {"completions": completions, "ground_truths": truths, "groups": truths}
    rewards: list[float] = server.post(path, body).json()["rewards"]
    return rewards


def test_held_out_questions_are_in_no_training() -> None:
    parts = questions()
    assert [len(part) for part in parts] == [430, 1000, 1000]
    assert len({question for part in parts for question in part}) == 2430


def test_reasoned_texts_are_right_in_the_papers_tags_and_have_phrases_and_guesses_are_neither(
    server: RunningServer,
) -> None:
    rng = np.random.default_rng(0)
    asked = questions()[0]
    truths = [question.ground_truth for question in asked]
    worked = [reasoned(question, rng) for question in asked]
    guessed = [corpus_text(question, rng, share=0) for question in asked]
    assert [answer_in(text, "tags") for text in worked] == [f"\\boxed{{{truth}}}" for truth in truths]
    assert set(scored(server, "/score/verifier", worked, truths)) == {1.0}
    assert np.mean(scored(server, "/score/verifier", guessed, truths)) < 0.05
    assert min(scored(server, "/score/rpr?phrases=math", worked, truths)) >= 2 / 20 - 1 / 1024  # two steps, two phrases
    assert set(scored(server, "/score/rpr?phrases=math", guessed, truths)) == {0.0}


@pytest.mark.parametrize("name", ARMS)
def test_the_server_takes_the_url_of_every_arm(server: RunningServer, name: str) -> None:
    question = questions()[0][0]
    body = {"completions": ["\\boxed{1}"], "ground_truths": [question.ground_truth], "prompts": [question.prompt]}
    reply = server.post(ARMS[name].url("", 3), body)
    assert reply.status_code == (501 if name.startswith("RM") else 200)  # this server has no reward model


def test_the_policy_and_the_reward_model_read_the_same_tokens_and_lose_none() -> None:
    rng = np.random.default_rng(0)
    some = questions()[1][:300]
    words: Any = tokenizer(some)
    for question in some[:50]:
        text = question.prompt + reasoned(question, rng) + END
        assert words.decode(words(text)["input_ids"]) == text
    chat = ChatTokenizer(words, max_tokens=128).encode([{"role": "user", "content": some[0].text}], "\\boxed{31}")
    assert chat.prompt  # the question is read once for all answers to it
    assert chat.text == f"User: {some[0].text}Assistant: <think></think> <answer>\\boxed{{31}}</answer>{END}"
    assert words.chat_template == CHAT
    ids, labels = encoded(words, [("User: 1", "23"), ("User: 1", "2")])
    assert (labels[0] >= 0).sum() == 2
    assert (labels[1] >= 0).sum() == 1
    assert ids[1, -1] == words.pad_token_id


def test_the_table_has_the_start_the_peak_and_each_final_accuracy_in_percent() -> None:
    curves = np.array([[0.05, 0.9, 0.8], [0.07, 0.5, 0.6]])
    assert row("p=0.4", curves) == ["p=0.4", "6.0", "70.0", "80.0, 60.0", "70.0", "48.7"]


def test_an_arm_that_is_longer_trains_on_until_its_own_learning_rate_is_0(tmp_path: Path) -> None:
    runs = planned([ARMS["p=0.4, 500 steps"], ARMS["RM"]], tmp_path, 200)
    assert [(run.name, run.steps, run.falls_for) for run in runs] == [
        ("p=0.4, 500 steps seed 0", 500, 500),
        ("RM seed 0", 200, 200),
        ("p=0.4, 500 steps seed 1", 500, 500),
        ("p=0.4, 500 steps seed 2", 500, 500),
    ]


def test_the_lines_of_a_panel_have_names_of_their_own() -> None:
    assert all(len(set(map(short, names))) == len(names) for names in PANELS.values())


def test_every_arm_is_drawn() -> None:
    assert {name for names in PANELS.values() for name in names} == set(ARMS) == set(COLORS)
