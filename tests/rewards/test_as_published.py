"""What reproduces the authors' code: `turn=all`, `format=paper`, RPR before verdicts."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from running_server import RunningServer

from reward_server.reward_model.answer_format import answer_in

INVENTED = "Wait, so \\boxed{4}\nUser: What is 3 + 3?\nAssistant: \\boxed{6}"
"""The right answer to 2 + 2, then a question that the policy made up, and answers."""


def score(server: RunningServer, url: str, **columns: list[Any]) -> dict[str, Any]:
    reply = httpx.post(f"{server.url}/score/{url}", json=columns)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


@pytest.mark.parametrize("completion", [INVENTED, "so \\boxed{4}<|im_end|>\\boxed{6}", "so \\boxed{4}</s> \\boxed{6}"])
def test_turn_all_grades_the_last_box_of_everything(server: RunningServer, completion: str) -> None:
    columns: dict[str, list[Any]] = {"completions": [completion, completion], "ground_truths": ["4", "6"]}
    assert score(server, "verifier", **columns)["rewards"] == [1.0, 0.0]
    assert score(server, "verifier?turn=all", **columns)["rewards"] == [0.0, 1.0]


def test_turn_all_charges_rpr_for_invented_turns(server: RunningServer) -> None:
    own, everything = (
        score(server, "rpr", completions=[INVENTED]),
        score(server, "rpr?turn=all", completions=[INVENTED]),
    )
    assert (own["parts"]["user_turns"], everything["parts"]["user_turns"]) == ([0.0], [1.0])
    assert (own["rewards"], everything["rewards"]) == ([0.0498046875], [0.0])
    assert own["config"] != everything["config"]


def test_explain_says_that_nothing_was_ignored(server: RunningServer) -> None:
    for turn, ignored in (("own", len(INVENTED) - INVENTED.index("\nUser")), ("all", 0)):
        url = f"{server.url}/explain/verifier?turn={turn}"
        shown = httpx.post(url, json={"completion": INVENTED, "ground_truth": "4"}).json()
        assert shown["turn"]["ignored_characters"] == ignored
        assert any("does not count" in warning for warning in shown["warnings"]) == (ignored > 0)


PUBLISHED = re.compile(
    r".*<think>(?!.*<think>).+</think>(?!.*</think>).*<answer>(?!.*<answer>)(.+)</answer>(?!.*</answer>).*", re.S
)
"""The authors' rule a second time: the last of each tag, in this order, something between each pair."""


@given(
    st.lists(st.sampled_from(["<think>", "</think>", "<answer>", "</answer>", "a", " ", "\n"]), max_size=12).map(
        "".join
    )
)
def test_format_paper_takes_what_the_authors_code_takes(turn: str) -> None:
    found = PUBLISHED.fullmatch(turn)
    assert answer_in(turn, "paper") == ((found[1].strip() or None) if found else None)


@pytest.mark.parametrize(
    ("turn", "ours", "published"),
    [
        ("<think>I add.</think> <answer>4</answer>", "4", "4"),
        ("I add.</think> <answer>4</answer>", "4", None),  # the prompt has opened it
        ("<think>I add.</think> <answer>4</answer> Bye.", None, "4"),
        ("<think>I add.</think> <answer>3</answer> <answer>4</answer>", None, "4"),
        ("<think>a</think> <think>b</think> <answer>4</answer>", None, "4"),
        ("<think>I <answer>4</answer> add.</think>", None, None),
        ("<think>I add.</think> <answer>4", None, None),
        ("<think></think> <answer>4</answer>", "4", None),
    ],
)
def test_how_the_two_formats_differ(turn: str, ours: str | None, published: str | None) -> None:
    assert (answer_in(turn, "tags"), answer_in(turn, "paper")) == (ours, published)


ROWS: dict[str, list[Any]] = {
    "completions": ["Wait, \\boxed{4}", "Wait, \\boxed{5}", "Wait, 4", "Wait, \\boxed{4}", "Wait, \\boxed{4}"],
    "ground_truths": ["4", "4", "4", None, "4"],
    "groups": ["q-3"] * 5,
    "flips": [True, True, True, True, False],
}


@pytest.mark.parametrize("url", ["verifier?rpr_until_visit=40", "flip?rpr_until_visit=40&flip_prob=1"])
def test_before_that_visit_an_answer_pays_its_rpr_and_nothing_else(server: RunningServer, url: str) -> None:
    warm = score(server, url, **ROWS, visits=[39] * 5)
    assert warm["rewards"] == [0.0498046875, 0.0498046875, 0.0, None, 1.0]
    assert warm["parts"]["warmup"] == [1.0, 1.0, 1.0, 1.0, 0.0]
    assert warm["parts"]["clean"] == [1.0, 0.0, 0.0, None, 1.0]
    if "flipped" in warm["parts"]:
        assert sum(warm["parts"]["flipped"]) == 0


@pytest.mark.parametrize(
    ("url", "rewards"),
    [
        ("verifier?rpr_until_visit=40", [1.0, 0.0, 0.0, None, 1.0]),
        ("flip?rpr_until_visit=40&flip_prob=1", [0.0, 1.0, 0.0, None, 1.0]),
    ],
)
def test_from_that_visit_on_it_pays_as_ever(server: RunningServer, url: str, rewards: list[float | None]) -> None:
    assert score(server, url, **ROWS, visits=[40] * 5)["rewards"] == rewards


def test_the_scores_that_a_trainer_filters_by_tell_no_verdict_in_the_warm_up(server: RunningServer) -> None:
    body = {"query": ["Q Wait, \\boxed{4}", "Q Wait, \\boxed{5}"], "prompts": ["Q ", "Q "], "labels": ["4", "4"]}
    reply = httpx.post(f"{server.url}/score/flip?flip_prob=0.4&rpr_until_visit=40", json=body).json()
    assert reply["scores"] == reply["rewards"] == [0.0498046875, 0.0498046875]


def test_a_warm_up_without_visits_is_warned_of(server: RunningServer) -> None:
    url = f"{server.url}/explain/verifier?rpr_until_visit=40"
    asked = {"completion": "\\boxed{4}", "ground_truth": "4"}
    assert any("never ends" in warning for warning in httpx.post(url, json=asked).json()["warnings"])
    assert httpx.post(url, json={**asked, "visit": 3}).json()["warnings"] == []
