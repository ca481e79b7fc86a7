"""Every reward as the only part of a mix: what it pays, and which keys its samples have, known or not."""

from __future__ import annotations

import asyncio
from itertools import pairwise, product
from pathlib import Path

import pytest
from made_record import FACTS

from reward_server.catalog.catalog import MAX_DEPTH, Catalog
from reward_server.catalog.tables import BadCatalog
from reward_server.counting.metrics import Metrics
from reward_server.offline.audit.fates import fates_of
from reward_server.records.row import row_of
from reward_server.records.text import decode, encode
from reward_server.rewards.found import Derivation, leaves_of
from reward_server.rewards.plan import blank
from reward_server.rewards.recipe import MAX_WEIGHT, TAKEN
from reward_server.scoring import Scorer
from reward_server.settings import Settings
from reward_server.types import Sample

REWARDS = (
    *("verifier", "verifier?alpha=0.5", "verifier?rpr_until_visit=3", "verifier?reference=string"),
    *("verifier?check=string&reference=math&reference_share=0.5", "flip?flip_prob=0.3", "flip?label_noise=0.5"),
    *("flip?flip_prob=0.3&flip_if=phrase:wait", "flip?flip_prob=0.3&flip_if=length>5&reference=string"),
    *("flip?flip_prob=0.2&flip_scope=answer", "flip?flip_prob=0.2&correction=backward"),
    *("flip?flip_prob=0.2&correction=forward", "rpr", "rpr?turn=all", "rm_sim", "rm_sim?accuracy=0.8"),
)
SAMPLES = [
    Sample(
        text, prompt="2+2?", ground_truths=truths, group="q", visit=visit, flip=flip, wrong_ground_truths=("5",),
        is_lost=is_lost,
    )
    for text, truths, visit, flip, is_lost in product(
        ("wait \\boxed{4}", "\\boxed{5}", "none", ""), (("4",), ()), (None, 7), (True, False), (False, True)
    )
]  # fmt: skip


def scored(*queries: str) -> list[list[Derivation]]:
    async def each() -> list[list[Derivation]]:
        catalog, scorer = Catalog(Settings()), Scorer(Settings(verifier_workers=1), Metrics())
        async with scorer.running():
            plans = [catalog.resolve(*query.partition("?")[::2]) for query in queries]
            return [await scorer.derive(plan, SAMPLES) for plan in plans]

    return asyncio.run(each())


def as_part(reward: str) -> str:
    name, _, query = reward.partition("?")
    return "&".join([f"mix?{name}=1", *(f"{name}.{parameter}" for parameter in query.split("&") if parameter)])


def test_the_only_part_of_a_mix_pays_what_it_pays_alone() -> None:
    alone, mixed = scored(*REWARDS), scored(*map(as_part, REWARDS))
    for reward, ones, others in zip(REWARDS, alone, mixed, strict=True):
        name = reward.partition("?")[0]
        for one, other in zip(ones, others, strict=True):
            assert one.score.reward == other.score.reward, reward
            assert one.score.outcome == other.score.outcome or name == "rpr", reward
            behind = {f"{name}/{part}": value for part, value in one.score.parts.items()}
            assert behind.items() <= other.score.parts.items(), reward


def test_no_part_of_a_mix_may_be_called_as_what_readers_look_for_in_a_reward() -> None:
    """Its pay would be taken for a draw, for a second opinion that replay passes over, or for a model's score."""
    catalog = Catalog(Settings())
    told = {name for reward in REWARDS for name in blank(catalog.resolve(*reward.partition("?")[::2])).parts}
    told |= set(blank(catalog.resolve("rm", "")).parts)
    assert told - TAKEN == {"rpr", "rm", "hits", "repetition", "user_turns"}  # rewards, and what nobody looks for


@pytest.mark.parametrize("text", [True, False])
def test_what_is_recorded_of_a_part_s_noise_is_what_was_drawn_for_it_whatever_the_gate(text: bool) -> None:
    """The outcome of a mix is its gate's, or its first part's: it says nothing of what noise might do to another."""
    queries = (
        "mix?flip=0.8&flip.flip_prob=0.5&rpr=0.2&gate=rpr",
        "mix?verifier=1&verifier.answer=hash&flip=1&flip.flip_prob=0.5",
        "mix?mix=1&mix.flip=1&mix.flip.flip_prob=0.5&verifier=1&verifier.answer=tags",
        "mix?verifier=0.5&verifier.check=string&flip=1&flip.flip_prob=0.5&flip.flip_if=phrase:wait",
    )
    drawn = 0
    for query, derivations in zip(queries, scored(*queries), strict=True):
        plan = Catalog(Settings()).resolve(*query.partition("?")[::2])
        for sample, derivation in zip(SAMPLES, derivations, strict=True):
            row = decode(encode(row_of("i-1", FACTS, plan, sample, derivation, text=text)))
            fates = list(fates_of(row, plan))
            noises = [each.score.noise for each in leaves_of([derivation]) if each.score.noise is not None]
            assert [fate.is_exposed for fate in fates] == [noise.exposed for noise in noises], query
            assert not any(fate.is_contradicted or fate.is_foreign for fate in fates), query
            drawn += sum(noise.exposed for noise in noises)
    assert drawn > 10


@pytest.mark.parametrize("wrapped", [str, as_part], ids=["alone", "in a mix"])
def test_every_sample_of_a_reward_has_the_keys_of_a_route_s_other_samples(wrapped: type[str]) -> None:
    catalog, rewards = Catalog(Settings()), [wrapped(reward) for reward in REWARDS]
    for reward, derivations in zip(rewards, scored(*rewards), strict=True):
        keys = list(blank(catalog.resolve(*reward.partition("?")[::2])).parts)
        assert all(list(each.score.parts) == keys for each in derivations), reward
        assert all((each.score.unrounded is None) == (each.score.reward is None) for each in derivations), reward


def test_the_deepest_mix_of_the_largest_weights_pays_a_number_and_a_deeper_one_is_refused(tmp_path: Path) -> None:
    names = ["verifier", *(f"m{depth}" for depth in range(MAX_DEPTH + 1))]
    tables = [
        f'[{name}]\nbase = "mix"\n[{name}.parts.a]\nreward = "{inner}"\nweight = {MAX_WEIGHT:g}\n'
        for inner, name in pairwise(names)
    ]

    async def paid(depth: int) -> float | None:
        file = tmp_path / f"{depth}.toml"
        file.write_text("".join(tables[: depth + 1]))
        settings = Settings(config=file, verifier_workers=1)
        plan, scorer = Catalog(settings).resolve(f"m{depth}", ""), Scorer(settings, Metrics())
        async with scorer.running():
            (derivation,) = await scorer.derive(plan, [Sample("\\boxed{4}", ground_truths=("4",))])
            return derivation.score.reward

    assert asyncio.run(paid(MAX_DEPTH - 1)) == pytest.approx(MAX_WEIGHT**MAX_DEPTH)
    with pytest.raises(BadCatalog, match="that is too deep"):
        asyncio.run(paid(MAX_DEPTH))
