"""Each line of docs/papers.md: the reward at its URL behaves as the line says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from running_server import RunningServer, running_server

from reward_server.catalog.catalog import Catalog
from reward_server.grading.reading import Reading
from reward_server.reward_model.request import ModelAnswer
from reward_server.rewards.found import Found
from reward_server.rewards.reasoning import Rpr
from reward_server.settings import Settings
from reward_server.types import Outcome, Sample

PAGE = (Path(__file__).parents[1] / "docs" / "papers.md").read_text()
URLS = sorted(set(re.findall(r"^\|[^|]*\| `(/score/[^`]*)` \|", PAGE, re.MULTILINE)))
QUESTIONS = 200
TEXTS = {
    "right": "First: \\boxed{4}",
    "right, with phrases": "Wait, let me check: \\boxed{4}",
    "wrong": "First: \\boxed{5}",
    "wrong, with phrases": "Wait, let me check: \\boxed{5}",
    "long": "First: \\boxed{5000}",
    "no box": "It is 4.",
}
"""Rollouts of each question; its ground truth is 4, and the wrong one of its label 5."""
RIGHT, WRONG = ("right", "right, with phrases"), ("wrong", "wrong, with phrases")
Rows = NDArray[np.float64]
Paid = dict[str, Rows]
"""By text, (visits, questions)."""
Ask = Callable[[str], Paid]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """The rewards of every text at two visits of each question; server, reply and all."""
    with running_server(tmp_path_factory.mktemp("papers") / "log", "--verifier-workers", "1") as server:
        yield partial(paid_at, server)


def reply_at(server: RunningServer, url: str, visit: int) -> dict[str, Any]:
    names = [(text, question) for text in TEXTS.values() for question in range(QUESTIONS)]
    label = {"ground_truth": "4", "wrong_ground_truth": "5", "visit": visit}
    body = {
        "completions": [text for text, _ in names],
        "ground_truths": [label | {"group": f"q-{question}"} for _, question in names],
    }
    reply: dict[str, Any] = server.post(url, body).json()
    return reply


def paid_at(server: RunningServer, url: str) -> Paid:
    visits = [np.array(reply_at(server, url, visit)["rewards"]).reshape(len(TEXTS), QUESTIONS) for visit in (0, 1)]
    return {name: np.stack([visit[row] for visit in visits]) for row, name in enumerate(TEXTS)}


def is_rate(rows: Rows, rate: float) -> bool:
    """0 and 1 only, and 1 as often as the rate says: within 99.9 % of the binomial, 3.29 standard errors."""
    error = 3.29 * np.sqrt(rate * (1 - rate) / rows.size)
    return set(rows.flat) <= {0.0, 1.0} and bool(abs(rows.mean() - rate) <= error)


def pays(paid: Paid, right: float, wrong: float, no_box: float = 0.0) -> None:
    """How often each kind of answer is paid 1, of the first visit: draws may be the same at the second."""
    assert all(is_rate(paid[name][0], right) for name in RIGHT)
    assert all(is_rate(paid[name][0], wrong) for name in (*WRONG, "long"))
    assert is_rate(paid["no box"][0], no_box)


def is_of_questions(paid: Paid) -> None:
    """One draw for all rollouts, another one at the next visit."""
    assert (paid["right"] == paid["right, with phrases"]).all() and (paid["wrong"] == paid["long"]).all()
    for name in ("right", "wrong"):
        assert len(set(paid[name].flat)) == 1 or (paid[name][0] != paid[name][1]).any()


def is_of_texts(paid: Paid) -> None:
    """Another draw for each text."""
    assert (paid["wrong"] != paid["wrong, with phrases"]).any()


def is_of_answers(paid: Paid) -> None:
    """One draw for each answer, in whatever words, at every visit; another one for another answer."""
    for plain, reasoned in (RIGHT, WRONG):
        assert (paid[plain] == paid[reasoned]).all() and (paid[plain][0] == paid[plain][1]).all()
    assert len(set(paid["wrong"].flat)) == 1 or (paid["wrong"] != paid["long"]).any()


def question_noise(right: float, wrong: float, paid: Paid) -> None:
    pays(paid, right, wrong)
    is_of_questions(paid)


def text_noise(right: float, wrong: float, no_box: float, paid: Paid) -> None:
    pays(paid, right, wrong, no_box)
    is_of_texts(paid)


def answer_noise(right: float, wrong: float, paid: Paid) -> None:
    pays(paid, right, wrong)
    is_of_answers(paid)


def everything(rewards: dict[str, float], paid: Paid) -> None:
    """What each text is paid, always; 0 where it is not named."""
    for name in TEXTS:
        assert set(paid[name].flat) == {rewards.get(name, 0.0)}, name


CLEAN = {"right": 1.0, "right, with phrases": 1.0}
RPR = 102 / 1024  # two of twenty phrases, 0.1, on the grid


def wrong_labels(share: float, paid: Paid) -> None:
    for name in RIGHT:
        assert is_rate(paid[name][0], 1 - share)
        assert (paid[name] == 1 - paid["wrong"]).all()  # one or the other, at both visits
    assert not paid["long"].any() and not paid["no box"].any()


def noisy_with_phrases(paid: Paid) -> None:
    for name, rate in (("right", 0.6), ("wrong", 0.4)):
        assert is_rate(paid[name][0], rate)
        assert (np.where(paid[name] == 1, 1.0, RPR) == paid[f"{name}, with phrases"]).all()


def judged(accuracy: float, alpha: float, paid: Paid) -> None:
    """The right side of 0.5 so often: answers of three kinds."""
    for name, is_right in (("right", True), ("wrong", False), ("long", False)):
        score = paid[name][0]
        assert is_rate(((score > 0.5) == is_right).astype(float), accuracy)
        assert (score == paid[name][1]).all() and 0 <= score.min() < score.max() <= 1
        if name != "long":
            lifted = paid[f"{name}, with phrases"][0] - score  # 0.1 · RPR: two of twenty phrases of either list
            assert (lifted[score > 0.501] == 0).all()  # rewards are rounded, and so are compared at a distance
            assert (lifted[score < 0.499] > 0).all() == (alpha > 0)
    assert not paid["no box"].any()


def bias(rate: float, paid: Paid) -> None:
    assert (paid["right"] == 1).all() and (paid["right, with phrases"] == 1).all()
    assert not paid["wrong"].any() and not paid["long"].any() and not paid["no box"].any()
    assert is_rate(paid["wrong, with phrases"][0], rate)


def long_answers_pay(paid: Paid) -> None:
    everything(CLEAN | {"long": 1.0}, paid)


def corrected(zero: float, one: float, of_right: float, of_wrong: float, paid: Paid) -> None:
    """Two values, whose mean over the noise is as the line says: within 3.29 standard errors."""
    for names, mean in ((RIGHT, of_right), ((*WRONG, "long"), of_wrong)):
        rows = np.concatenate([paid[name][0] for name in names])
        assert set(rows) == {zero, one}
        assert abs(rows.mean() - mean) <= 3.29 * rows.std() / np.sqrt(rows.size) + 1 / 1024
    assert len(set(paid["no box"].flat)) == 1


def warm_up(paid: Paid) -> None:
    everything(dict.fromkeys((RIGHT[1], WRONG[1]), RPR), paid)


ON_GRID = 1024
BACKWARD = {  # (0 - 0.1) / 0.7, (1 - 0.1) / 0.7; and with 0.2
    0.1: (round(-ON_GRID / 7) / ON_GRID, round(ON_GRID * 9 / 7) / ON_GRID),
    0.2: (round(-ON_GRID * 2 / 7) / ON_GRID, round(ON_GRID * 8 / 7) / ON_GRID),
}
FORWARD = (round(-0.8 * ON_GRID) / ON_GRID, round(0.2 * ON_GRID) / ON_GRID)
MIXED = {
    name: round(reward * ON_GRID) / ON_GRID
    for name, reward in {RIGHT[0]: 0.8, RIGHT[1]: 0.8 + 0.2 * 0.1, WRONG[1]: 0.2 * 0.1}.items()
}
ASYMMETRIC = "/score/flip?false_positive_prob=0.1&false_negative_prob=0.2&flip_scope=sample"
BEHAVIOUR: dict[str, Callable[[Paid], None]] = {
    "/score/verifier": partial(everything, CLEAN),
    "/score/verifier?check=string": partial(everything, CLEAN),
    "/score/verifier?check=string&reference=math": partial(everything, CLEAN),
    "/score/verifier?check=string&reference=math&reference_share=0.1": partial(everything, CLEAN),
    "/score/verifier?alpha=1": partial(everything, CLEAN | {WRONG[1]: RPR}),
    "/score/verifier?rpr_until_visit=10": warm_up,
    "/score/rpr": warm_up,
    "/score/flip?flip_prob=0.4": partial(question_noise, 0.6, 0.4),
    "/score/flip?flip_prob=0.2": partial(question_noise, 0.8, 0.2),
    "/score/flip?flip_prob=0.4&flip_scope=sample": partial(text_noise, 0.6, 0.4, 0.0),
    "/score/flip?flip_prob=0.15&flip_scope=sample": partial(text_noise, 0.85, 0.15, 0.0),
    "/score/flip?flip_prob=0.5&flip_unanswered=true&flip_scope=sample": partial(text_noise, 0.5, 0.5, 0.5),
    "/score/flip?false_positive_prob=0&false_negative_prob=0.4": partial(question_noise, 0.6, 0.0),
    "/score/flip?false_positive_prob=1&false_negative_prob=0": partial(question_noise, 1.0, 1.0),
    "/score/flip?flip_prob=1": partial(question_noise, 0.0, 1.0),
    "/score/flip?flip_prob=0.4&alpha=1": noisy_with_phrases,
    "/score/flip?false_positive_prob=0&false_negative_prob=0.3&flip_scope=answer": partial(answer_noise, 0.7, 0.0),
    "/score/flip?false_positive_prob=0&false_negative_prob=0.38&flip_scope=answer": partial(answer_noise, 0.62, 0.0),
    "/score/flip?false_positive_prob=0.3&false_negative_prob=0&flip_scope=answer": partial(answer_noise, 1.0, 0.3),
    "/score/flip?false_positive_prob=0.02&false_negative_prob=0.28&flip_scope=answer": partial(
        answer_noise, 0.72, 0.02
    ),
    "/score/flip?label_noise=0.5": partial(wrong_labels, 0.5),
    "/score/flip?label_noise=1": partial(wrong_labels, 1.0),
    "/score/flip?false_positive_prob=1&false_negative_prob=0&flip_if=answer_length%3E3": long_answers_pay,
    "/score/flip?false_positive_prob=1&false_negative_prob=0&flip_if=phrase:let+me+check": partial(bias, 1.0),
    "/score/flip?false_positive_prob=0.3&false_negative_prob=0&flip_if=phrase:let+me+check&flip_scope=sample": partial(
        bias, 0.3
    ),
    "/score/mix?verifier=0.8&rpr=0.2": partial(everything, MIXED),
    ASYMMETRIC: partial(text_noise, 0.8, 0.1, 0.0),
    f"{ASYMMETRIC}&correction=backward": partial(corrected, *BACKWARD[0.1], 1.0, 0.0),
    f"{ASYMMETRIC}&correction=forward": partial(corrected, *FORWARD, 0.0, -0.7),
    "/score/flip?false_positive_prob=0.2&false_negative_prob=0.1&flip_scope=sample&correction=backward": partial(
        corrected, *BACKWARD[0.2], 1.0, 0.0
    ),
    "/score/rm_sim?accuracy=0.65&alpha=0.1": partial(judged, 0.65, 0.1),
    "/score/rm_sim?accuracy=0.85&alpha=0": partial(judged, 0.85, 0.0),
}
OF_A_MODEL = {"/score/rm?alpha=0": (0.3, 0.7), "/score/rm?threshold=0.5&alpha=0.1": (0.31, 0.7)}
"""What a score of 0.3 and one of 0.7 is paid, beside an RPR of 0.1."""


def test_every_url_of_the_page_has_a_test_and_every_test_a_line() -> None:
    assert set(BEHAVIOUR) | set(OF_A_MODEL) == set(URLS)
    assert len(re.findall(r"^\|[^|]*\| `/score/", PAGE, re.MULTILINE)) >= 30


@pytest.mark.parametrize("url", sorted(BEHAVIOUR))
def test_a_line_pays_as_it_says(url: str, ask: Ask) -> None:
    BEHAVIOUR[url](ask(url))


@pytest.mark.parametrize("url", sorted(OF_A_MODEL))
def test_a_line_of_a_reward_model_pays_as_it_says(url: str) -> None:
    name, _, query = url.removeprefix("/score/").partition("?")
    reward = Catalog(Settings(), lambda: "a model").resolve(name, query).reward
    for score, paid in zip((0.3, 0.7), OF_A_MODEL[url], strict=True):
        found = Found(
            Reading("", None, has_eaten_escape=False),
            rpr=Rpr(0.1, hits=2, repetition=0.0, user_turns=0),
            model=ModelAnswer(Outcome.SCORED, score),
        )
        assert reward.settle(Sample("", prompt="?"), found).reward == round(paid * ON_GRID) / ON_GRID


def test_the_paper_names_are_links_and_all_that_were_promised_are_there() -> None:
    papers = "2505.22653 2603.16140 2604.07666 2605.02909 2606.04923 2510.00915 2510.18924 2505.14625 2506.10947"
    for paper in papers.split():
        assert f"[arXiv {paper}](https://arxiv.org/abs/{paper})" in PAGE


def test_the_string_rule_and_the_second_opinion_differ_as_the_page_says(ask: Ask) -> None:
    server: RunningServer = ask.args[0]  # type: ignore[attr-defined]
    body = {"completions": ["\\boxed{\\frac{2}{4}}"] * 2, "ground_truths": ["0.5"] * 2, "groups": ["f-1", "f-2"]}
    reply = server.post("/score/verifier?check=string&reference=math", body).json()
    assert (reply["rewards"], reply["parts"]["reference"]) == ([0.0, 0.0], [1.0, 1.0])
    (found,) = server.get("/rewards/verifier/noise?check=string&reference=math").json()["configs"].values()
    assert found["check"]["by_kind_of_ground_truth"]["decimal"]["k0"] == 2
    tenth = reply_at(server, "/score/verifier?check=string&reference=math&reference_share=0.1", 5)["parts"]["reference"]
    asked = sum(opinion is not None for opinion in tenth)
    assert abs(asked - 0.1 * QUESTIONS) <= 3.29 * np.sqrt(QUESTIONS * 0.1 * 0.9)
