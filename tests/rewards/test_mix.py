"""mix: the sum, the gate, nulls, the outcome, the names of parts; and route: whose reward a sample has."""

from __future__ import annotations

import random
from itertools import product
from pathlib import Path

import pytest

from reward_server.catalog.catalog import Catalog
from reward_server.grading.reading import Reading, read
from reward_server.grading.verdicts import Pair, judge_at_once, pair_of
from reward_server.rewards.composite import Composite
from reward_server.rewards.found import Derivation, Found
from reward_server.rewards.grid import to_grid
from reward_server.rewards.plan import Plan, blank
from reward_server.rewards.reward import Reward
from reward_server.settings import Settings
from reward_server.types import JoinedScore, Outcome, Sample, Score, Verdict
from reward_server.work import joined, settled

RIGHT, WRONG, BARE = "Wait, let me check: \\boxed{4}", "Wait, let me check: \\boxed{5}", "Wait, let me check: 4"
"""Two of the 40 phrases: an RPR of 0.1."""
MIX = "verifier=0.8&rpr=0.2"


def plan_of(query: str, name: str = "mix", toml: str = "", folder: Path | None = None) -> Plan:
    if folder is None:
        return Catalog(Settings()).resolve(name, query)
    path = folder / "rewards.toml"
    path.write_text(toml)
    return Catalog(Settings(config=path)).resolve(name, query)


def score_of(plan: Plan, sample: Sample) -> Score:
    """What the server pays, without its workers: what the cheap rules decide."""
    return _derivation(plan, sample).score


def _derivation(plan: Plan, sample: Sample) -> Derivation:
    if isinstance(plan.reward, Composite):
        asked = {name: plan.parts[name] for name, rows in plan.reward.rows([sample]).items() if rows}
        found: Found = joined([sample], [{name: _derivation(part, sample) for name, part in asked.items()}])[0]
    else:
        assert isinstance(plan.reward, Reward)
        (reading,) = read([sample.completion], plan.needs.check, plan.needs.place)
        verdict = _verdict(plan, sample, reading) if plan.needs.check else None
        rpr = plan.reward.reasoning(reading.text, plan.phrases) if plan.needs.rpr else None
        found = Found(reading, verdict, rpr)
    return settled(plan, [sample], [found])[0]


def _verdict(plan: Plan, sample: Sample, reading: Reading) -> Verdict:
    asked = pair_of(sample, reading, plan.needs.ordered)
    verdict = judge_at_once(plan.needs.check or "math", asked) if isinstance(asked, Pair) else asked
    assert isinstance(verdict, Verdict)
    return verdict


def sample(completion: str, truth: str | None = "4", **more: object) -> Sample:
    return Sample(completion, ground_truths=() if truth is None else (truth,), group="q", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("query", "completion", "reward"),
    [
        (MIX, RIGHT, 0.82),  # 0.8 · 1 + 0.2 · 0.1
        (MIX, WRONG, 0.02),  # 0.2 · 0.1
        (MIX, BARE, 0.0),  # rpr needs a box
        (f"{MIX}&gate=verifier", WRONG, 0.0),
        (f"{MIX}&gate=verifier", RIGHT, 0.82),
        ("verifier=1&rpr=0.5&rpr.require_answer=false", BARE, 0.05),
        ("verifier=1&rpr=-0.5", WRONG, -0.05),
        ("verifier=0&rpr=1&gate=verifier", WRONG, 0.0),  # a gate that adds nothing
        ("verifier=0&rpr=1&gate=verifier", RIGHT, 0.1),
        ("verifier=2&rpr=3", RIGHT, 2.3),
        ("verifier=0.5&verifier.alpha=0.5&rpr=0.5", WRONG, 0.075),  # 0.5 · 0.05 + 0.5 · 0.1
    ],
)
def test_the_reward_is_the_weighted_sum_rounded_once(query: str, completion: str, reward: float) -> None:
    score = score_of(plan_of(query), sample(completion))
    assert score.reward == round(1024 * reward) / 1024
    assert score.unrounded == pytest.approx(reward, abs=1e-12)


def test_a_part_goes_in_before_its_own_rounding() -> None:
    """An RPR of 0.05 is 51/1024 alone. Ten times 0.05 is 0.5, and ten times 51/1024 would be 510/1024."""
    assert score_of(plan_of("", "rpr"), sample("wait \\boxed{4}")).reward == 51 / 1024
    assert score_of(plan_of("rpr=10"), sample("wait \\boxed{4}")).reward == 0.5


@pytest.mark.parametrize(
    "name",
    [
        "verifier?alpha=0.37",
        "verifier?rpr_until_visit=5",
        "flip?flip_prob=0.4&alpha=0.37",
        "flip?flip_prob=0.2&correction=backward",
        "flip?flip_prob=0.2&correction=forward",
        "rpr",
        "rm_sim",
    ],
)
def test_every_reward_says_what_it_pays_before_it_is_rounded(name: str) -> None:
    """A new reward that does not cannot be a part."""
    plan = plan_of(name.partition("?")[2], name.partition("?")[0])
    for completion, truth, flip in product((RIGHT, WRONG, BARE, ""), ("4", None), (True, False)):
        score = score_of(plan, sample(completion, truth, flip=flip))
        assert (score.unrounded is None) == (score.reward is None)
        assert score.unrounded is None or to_grid(score.unrounded) == score.reward


@pytest.mark.parametrize("gate", ["", "&gate=verifier", "&gate=rpr"])
@pytest.mark.parametrize("weights", ["verifier=0.8&rpr=0.2", "verifier=0&rpr=1"])
def test_a_part_without_a_reward_leaves_none_whatever_the_gate_and_its_weight(gate: str, weights: str) -> None:
    """A gate of 0 that hid a null would pay a silent 0."""
    for completion in (RIGHT, BARE):
        score = score_of(plan_of(weights + gate), sample(completion, None))
        assert (score.reward, score.unrounded, score.shown, score.outcome) == (None, None, None, Outcome.UNGRADABLE)
        assert isinstance(score, JoinedScore)
        assert score.components == {"verifier": None, "rpr": None}
        assert score.parts["rpr/rpr"] == 0.1  # what is known of the others is shown


def test_the_components_add_up_to_the_reward_before_rounding_and_to_0_before_a_closed_gate() -> None:
    for query, completion in product((MIX, f"{MIX}&gate=verifier", f"{MIX}&gate=rpr"), (RIGHT, WRONG, BARE)):
        score = score_of(plan_of(query), sample(completion))
        assert isinstance(score, JoinedScore)
        total = sum(value for value in score.components.values() if value is not None)
        assert total == pytest.approx(score.unrounded, abs=1e-12)
        assert score.reward is not None and abs(total - score.reward) <= 1 / 2048
    closed = score_of(plan_of(f"{MIX}&gate=verifier"), sample(WRONG))
    assert isinstance(closed, JoinedScore)
    assert closed.components == {"verifier": 0.0, "rpr": 0.0}
    assert closed.parts["rpr"] == 0.1  # what it would have been paid


def test_the_gate_is_what_is_paid_after_noise_and_evaluation_rows_are_paid_clean() -> None:
    plan = plan_of("flip=0.8&flip.flip_prob=1&rpr=0.2&gate=flip")
    assert score_of(plan, sample(RIGHT)).reward == 0.0  # inverted to 0
    assert score_of(plan, sample(WRONG)).reward == to_grid(0.82)
    assert score_of(plan, sample(RIGHT, flip=False)).reward == to_grid(0.82)
    assert score_of(plan, sample(WRONG, flip=False)).reward == 0.0


def test_noise_in_a_mix_is_the_noise_of_flip_alone() -> None:
    alone, mixed = plan_of("flip_prob=0.4&seed=7", "flip"), plan_of("flip=1&flip.flip_prob=0.4&flip.seed=7&rpr=0")
    for number, visit in product(range(50), (None, 0, 3)):
        row = Sample(RIGHT, ground_truths=("4",), group=f"q-{number}", visit=visit)
        ours, its = score_of(mixed, row), score_of(alone, row)
        assert ours.parts["flip/flip_draw"] == its.parts["flip_draw"]
        assert ours.reward == its.reward
        assert (ours.shown, ours.parts["clean"], ours.parts["flipped"]) == (its.shown, 1.0, its.parts["flipped"])


@pytest.mark.parametrize(
    ("query", "outcomes"),
    [
        (MIX, ["correct", "incorrect", "unanswered"]),
        ("rpr=0.2&verifier=0.8", ["correct", "incorrect", "unanswered"]),  # the first part that grades
        (f"{MIX}&gate=rpr", ["scored", "scored", "unanswered"]),  # the gate's
        ("rpr=1", ["scored", "scored", "scored"]),
    ],
)
def test_the_outcome_is_the_gate_s_or_that_of_the_first_part_that_grades(query: str, outcomes: list[str]) -> None:
    assert [score_of(plan_of(query), sample(each)).outcome for each in (RIGHT, WRONG, BARE)] == outcomes


def test_the_order_of_the_parts_changes_no_reward() -> None:
    """A sum of three is not the same in every order; an exact one is."""
    values = random.Random(3)
    for _ in range(50):
        weights = {name: values.uniform(-2, 2) for name in ("verifier", "rpr", "rm_sim")}
        rewards = set()
        for names in (["verifier", "rpr", "rm_sim"], ["rm_sim", "verifier", "rpr"], ["rpr", "rm_sim", "verifier"]):
            query = "&".join(f"{name}={weights[name]!r}" for name in names)
            rewards.add(score_of(plan_of(query), sample(RIGHT)).unrounded)
        assert len(rewards) == 1


BLEND = """
[blend]
base = "mix"
gate = "right"
[blend.parts.right]
reward = "flip"
weight = 0.8
flip_prob = 0.4
[blend.parts.style]
reward = "rpr"
weight = 0.2

[outer]
base = "mix"
[outer.parts.inner]
reward = "blend"
weight = 2
right.flip_prob = 1.0
[outer.parts.plain]
reward = "verifier"
weight = 1

[by-source]
base = "route"
[by-source.routes]
gsm8k = "verifier"
"math.algebra" = "blend"
chat = "rpr"
"""


@pytest.mark.parametrize(
    ("query", "same"),
    [
        ("", "right=0.8&style=0.2&right.flip_prob=0.4&gate=right"),
        ("right=0.5", "right=0.5"),
        ("gate=", "gate="),
        ("right.flip_prob=0.1&style.saturation=40", "style.saturation=40&right.flip_prob=0.1"),
    ],
)
def test_a_query_string_changes_weights_parameters_and_the_gate_of_a_variant(
    tmp_path: Path, query: str, same: str
) -> None:
    first, second = (plan_of(each, "blend", BLEND, tmp_path) for each in (query, same))
    assert first.config == second.config
    queries = ("", "right=0.5", "gate=", "style.saturation=40")
    assert len({plan_of(each, "blend", BLEND, tmp_path).config for each in queries}) == 4


def test_a_noise_level_given_in_one_way_replaces_a_part_s_in_the_other(tmp_path: Path) -> None:
    plan = plan_of("right.false_positive_prob=0&right.false_negative_prob=1", "blend", BLEND, tmp_path)
    assert score_of(plan, sample(RIGHT)).reward == 0.0
    assert score_of(plan, sample(WRONG)).reward == 0.0


def test_a_mix_of_mixes_nests_its_names_and_its_parameters(tmp_path: Path) -> None:
    score = score_of(plan_of("inner.style=0.4", "outer", BLEND, tmp_path), sample(WRONG))
    assert score.reward == to_grid(2 * (0.8 + 0.4 * 0.1))  # flip_prob is 1: the wrong answer passes the gate
    assert score.parts["inner/right/clean"] == 0.0
    assert score.parts["inner"] == pytest.approx(0.84)
    assert isinstance(score, JoinedScore)
    assert list(score.components) == ["inner", "plain"]


def test_a_route_pays_by_source_and_every_row_has_the_same_keys(tmp_path: Path) -> None:
    plan = plan_of("", "by-source", BLEND, tmp_path)
    scores = [score_of(plan, sample(RIGHT, source=source)) for source in ("gsm8k", "math.algebra", "chat", "x", None)]
    assert [score.reward for score in scores[:3]] == [1.0, scores[1].reward, to_grid(0.1)]
    assert scores[1].reward == score_of(plan_of("", "blend", BLEND, tmp_path), sample(RIGHT)).reward
    assert [(score.reward, score.outcome) for score in scores[3:]] == [(None, Outcome.UNGRADABLE)] * 2
    assert len({tuple(score.parts) for score in scores}) == 1
    assert {"clean", "right/clean", "style", "hits"} <= set(scores[0].parts)
    assert scores[0].parts["right"] is None and scores[2].parts["clean"] is None
    joined_scores = [score for score in scores if isinstance(score, JoinedScore)]
    assert [set(score.components) for score in joined_scores] == [{"verifier", "right", "style", "rpr"}] * 5
    assert "known: gsm8k, math.algebra, chat" in joined_scores[3].reason and "'x'" in joined_scores[3].reason


def test_a_source_with_dots_is_told_from_its_parameter(tmp_path: Path) -> None:
    plan = plan_of("math.algebra.right.flip_prob=1&math.algebra.gate=", "by-source", BLEND, tmp_path)
    assert score_of(plan, sample(WRONG, source="math.algebra")).reward == to_grid(0.82)


@pytest.mark.parametrize(
    ("query", "another"),
    [
        ("a=mix&a.verifier=0.8&a.rpr=0.2&a.gate=verifier", "a.gate"),
        ("a=rpr&a.phrases=verifier", "a.phrases"),
        ("a.phrases=verifier&a=rpr", "a.phrases"),
        ("a.b.phrases=verifier&a.b=rpr", "a.b.phrases"),
        ("a=route&a.b=verifier", "a.b"),
    ],
)
def test_a_parameter_whose_value_is_called_as_a_reward_is_no_other_source(
    tmp_path: Path, query: str, another: str
) -> None:
    plan = plan_of(query, "route", '[phrases]\nverifier = ["zzz"]', tmp_path)
    assert another not in plan.parts and len(plan.parts) == 1
    assert getattr(plan.parts[another.rpartition(".")[0]].reward, "gate", "verifier") == "verifier" or "b" in query
    assert {"x", "x.y"} == set(plan_of("x=rpr&x.y=verifier", "route").parts)


def test_a_plain_route_is_a_query_string() -> None:
    plan = plan_of("gsm8k=verifier&rpr=rpr&noisy=flip&noisy.flip_prob=1", "route")
    assert [score_of(plan, sample(WRONG, source=source)).reward for source in ("gsm8k", "rpr", "noisy")] == [
        0.0,
        to_grid(0.1),
        1.0,
    ]


def test_a_blank_score_has_the_keys_of_every_other(tmp_path: Path) -> None:
    rm = "rm?label=0"
    for name in ("verifier?alpha=1", "flip?flip_prob=1&label_noise=0.1", "rpr", rm, f"mix?{MIX}", "outer", "by-source"):
        plan = plan_of(name.partition("?")[2], name.partition("?")[0], BLEND, tmp_path)
        if name != rm and "label_noise" not in name:
            assert list(blank(plan).parts) == list(score_of(plan, sample(RIGHT)).parts)
    assert "label_mean" in blank(plan_of("label=0", "rm")).parts
    assert "wrong_label" in blank(plan_of("flip_prob=1&label_noise=0.1", "flip")).parts
