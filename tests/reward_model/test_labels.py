"""Which of several numbers is the score: the choice, its errors, and what the reward shows. No model is needed."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from reward_server.catalog.catalog import Catalog
from reward_server.errors import InvalidRequest
from reward_server.reward_model.labels import Choice, Spread, spread
from reward_server.reward_model.request import ModelAnswer, ModelQuestion
from reward_server.rewards.rm import RmReward
from reward_server.settings import Settings
from reward_server.types import Outcome

FIVE = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")
SAID = (0.5, 2.0, -1.0)


@pytest.mark.parametrize(
    ("choice", "score"),
    [(Choice(0), 0.5), (Choice(2), -1.0), (Choice(weights=(0.5, 0.25, 0.25)), 0.5), (Choice(weights=(0, 1, 0)), 2.0)],
)
def test_one_label_or_a_weighted_sum_is_the_score(choice: Choice, score: float) -> None:
    assert choice.score(SAID) == score


def test_a_model_of_one_label_needs_no_choice_and_takes_the_only_one() -> None:
    for choice in (Choice(), Choice(0)):
        choice.check(("LABEL_0",))
        assert choice.score(0.25) == 0.25
    assert Choice(weights=(2.0,)).score(0.25) == 0.5


@pytest.mark.parametrize(
    ("choice", "labels", "message"),
    [
        (
            Choice(),
            FIVE,
            "the reward model has 5 labels (0 helpfulness, 1 correctness, 2 coherence, 3 complexity",
        ),
        (Choice(5), FIVE, "label: 5 is given, and the reward model has 5 labels"),
        (Choice(1), ("LABEL_0",), "label: 1 is given, and the reward model has one label"),
        (Choice(weights=(1.0, 2.0)), FIVE, "label_weights: 2 numbers are given, and the reward model has 5 labels"),
        (Choice(), [f"L{n}" for n in range(40)], "9 L9, …)"),
    ],
)
def test_a_choice_that_does_not_fit_the_model_is_an_error(choice: Choice, labels: list[str], message: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        choice.check(labels)
    assert message in str(refused.value)


def test_the_spread_is_mean_least_and_deviation() -> None:
    # mean (0.5 + 2 - 1) / 3 = 0.5; squares 0 + 2.25 + 2.25 over 3 = 1.5
    assert spread(SAID) == Spread(0.5, -1.0, math.sqrt(1.5))
    assert spread(0.25) == Spread(0.25, 0.25, 0.0)


def question(query: str) -> ModelQuestion:
    asked = Catalog(Settings()).resolve("rm", query).needs.model
    assert asked is not None
    return asked


def test_the_query_string_says_it() -> None:
    assert question("").choice == Choice()
    assert question("label=3").choice == Choice(label=3)
    assert question("label_weights=0.3,0,-0.7").choice == Choice(weights=(0.3, 0.0, -0.7))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("label=-1", "label"),
        ("label=a", "label"),
        ("label_weights=", "label_weights"),
        ("label_weights=1,nan", "label_weights"),
        ("label=0&label_weights=1,2", "give label, or label_weights, not both"),
    ],
)
def test_a_wrong_choice_is_refused_by_name(query: str, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        question(query)


def test_a_call_replaces_the_choice_of_its_variant(tmp_path: Path) -> None:
    file = tmp_path / "rewards.toml"
    file.write_text('[helpful]\nbase = "rm"\nlabel_weights = [0.5, 0.25]\n')
    catalog = Catalog(Settings(config=file))
    choices = {query: catalog.resolve("helpful", query).needs.model for query in ("", "label=1")}
    assert [each.choice for each in choices.values() if each] == [Choice(weights=(0.5, 0.25)), Choice(label=1)]


def test_digests_of_calls_without_a_choice_stay_and_others_differ() -> None:
    catalog = Catalog(Settings())
    configs = [catalog.resolve("rm", query).config for query in ("", "label=0", "label=1", "label_weights=1,0")]
    assert len(set(configs)) == 4
    assert not {"label", "label_weights"} & RmReward().counted().keys()


def test_parts_have_the_spread_only_where_a_label_is_chosen() -> None:
    plain, chosen = RmReward(), RmReward(label=1)
    scored = ModelAnswer(Outcome.SCORED, 2.0, spread(SAID))
    nothing = ModelAnswer(Outcome.BAD_FORMAT)
    assert set(plain._labels(scored)) == set()
    assert chosen._labels(scored) == {"label_mean": 0.5, "label_min": -1.0, "label_std": math.sqrt(1.5)}
    assert chosen._labels(nothing) == {"label_mean": None, "label_min": None, "label_std": None}
