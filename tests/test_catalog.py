"""One URL becomes one plan: parameters checked, variants merged, and a digest of all that can change a value."""

from __future__ import annotations

from pathlib import Path

import pytest

from reward_server.catalog.catalog import Catalog
from reward_server.catalog.tables import BadCatalog
from reward_server.errors import InvalidRequest, UnknownReward
from reward_server.rewards.flip import FlipReward
from reward_server.rewards.noise import NoiseRates
from reward_server.rewards.table import REWARDS
from reward_server.settings import Settings


def catalog(tmp_path: Path, text: str) -> Catalog:
    path = tmp_path / "rewards.toml"
    path.write_text(text)
    return Catalog(Settings(config=path))


def test_the_query_string_sets_the_parameters() -> None:
    plan = Catalog(Settings()).resolve("flip", "flip_prob=0.4&seed=17&flip_unanswered=true")
    assert isinstance(plan.reward, FlipReward)
    assert plan.reward.rates(None) == NoiseRates(0.4, 0.4)
    assert (plan.reward.seed, plan.reward.flip_unanswered) == (17, True)


def test_a_plan_that_asks_for_no_order_has_the_digest_it_had_before() -> None:
    """`ordered` came later; whoever resumes a run without it must not be refused."""
    rewards = Catalog(Settings())
    plan = rewards.resolve("verifier", "")
    assert "ordered" not in plan.reward.counted()
    assert rewards.resolve("verifier", "ordered=false").config == plan.config
    assert rewards.resolve("verifier", "ordered=true").config != plan.config


@pytest.mark.parametrize(
    ("name", "query", "complaint"),
    [
        ("flip", "", "give flip_prob, or both"),
        ("flip", "flip_prob=0.1&false_positive_prob=0.1&false_negative_prob=0.1", "give flip_prob, or both"),
        ("flip", "false_positive_prob=0.1", "give flip_prob, or both"),
        ("flip", "flip_prob=1.5", "flip_prob: Input should be less than or equal to 1"),
        ("flip", "flip_prob=nan", "flip_prob"),
        ("flip", "flip_prob=0.5&correction=backward", "needs false_positive_prob"),
        ("flip", "flip_prob=0.2&correction=backward&alpha=0.1", "do not go together"),
        ("flip", "flip_prob=0.2&seed=1.5", "seed"),
        ("verifier", "chek=string", "chek: no such parameter (parameters of verifier: reply, fallback_reward"),
        ("verifier", "alpha=-1", "alpha"),
        ("verifier", "alpha=inf", "alpha"),
        ("verifier", "check=math&check=string", "gives a parameter twice"),
        ("verifier", "phrases=mine", "no list is called 'mine'; known: math, open_ended"),
        ("flip", "flip_prob=0.2&flip_if=regex:[0-9]+", "flip_if: a + in a query string is a blank"),
        ("mix", "flip=1&flip.flip_prob=0.2&flip.flip_if=regex:a+", "flip.flip_if: a + in a query string is a blank"),
        ("flip", "flip_prob=0.2&flip_if=phrase:caf%E9", "the query string is not UTF-8"),
        ("rpr", "saturation=0", "saturation"),
        ("rpr", "alpha=1", "alpha: no such parameter"),
    ],
)
def test_a_wrong_parameter_is_an_error_that_says_what_is_valid(name: str, query: str, complaint: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        Catalog(Settings()).resolve(name, query)
    assert complaint in error.value.message


def test_a_blank_that_an_encoder_wrote_as_a_plus_is_a_blank() -> None:
    plans = [Catalog(Settings()).resolve("flip", f"flip_prob=0.2&flip_if={feature}") for feature in (
        "regex%3Alet+me", "regex:let%20me", "regex%3Alet%20me"
    )]  # fmt: skip
    assert len({plan.config for plan in plans}) == 1
    assert "a%2B" in Catalog(Settings()).resolve("flip", "flip_prob=0.2&flip_if=regex:a%2B").shown()


def test_a_zero_with_a_sign_is_the_same_zero() -> None:
    rewards = Catalog(Settings())
    for name, query in (("verifier", "alpha=0"), ("flip", "flip_prob=0"), ("mix", "verifier=1&rpr=0")):
        assert rewards.resolve(name, query).config == rewards.resolve(name, query.replace("=0", "=-0.0")).config


def test_a_variant_gives_defaults_that_the_query_string_may_change(tmp_path: Path) -> None:
    rewards = catalog(tmp_path, '[math-noisy]\nbase = "flip"\nflip_prob = 0.4\nseed = 3\n')
    assert rewards.names == (*REWARDS, "math-noisy")
    same = rewards.resolve("flip", "flip_prob=0.4&seed=3")
    assert rewards.resolve("math-noisy", "").reward == same.reward
    assert rewards.resolve("math-noisy", "").config == same.config
    asymmetric = rewards.resolve("math-noisy", "false_positive_prob=0&false_negative_prob=0.1").reward
    assert isinstance(asymmetric, FlipReward)
    assert (asymmetric.rates(None), asymmetric.seed) == (NoiseRates(0.0, 0.1), 3)


def test_phrase_lists_are_named_in_rewards_toml(tmp_path: Path) -> None:
    rewards = catalog(tmp_path, '[phrases]\nmine = ["Aha ", "so"]\n[aha]\nbase = "rpr"\nphrases = "mine"\n')
    assert tuple(rewards.resolve("aha", "").phrases.phrases) == ("aha ", "so")


def test_rewards_toml_may_come_from_an_editor_of_windows(tmp_path: Path) -> None:
    rewards = catalog(tmp_path, "\ufeff[mine]\r\nbase = 'rpr'\r\n")
    assert "mine" in rewards.names


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[flip]\nbase = 'flip'", "a variant needs a name of its own"),
        ("[Bad/Name]\nbase = 'flip'", "cannot read"),
        ("['bad/name']\nbase = 'flip'", "a variant needs a name of its own"),
        ("[x]\nflip_prob = 0.4", "base must be one of verifier, flip, rpr, rm"),
        ("[x]\nbase = 'flip'\nflip_prop = 0.4", "flip_prop: no such parameter"),
        ("[x]\nbase = 'flip'", "give flip_prob"),
        ("[x]\nbase = 'flip'\nflip_prob = true", "flip_prob: it is not true or false"),
        ("[x]\nbase = 'rpr'\nsaturation = true", "saturation: it is not true or false"),
        ("x = 1", "base must be one of"),
        ("[phrases]\nmath = ['a']", "is taken"),
        ("[phrases]\nmine = ['a', 'a']", "occurs twice"),
        ("[phrases]\nmine = 'a'", "must be a list of texts"),
        ("phrases = 1", "must be a table"),
    ],
)
def test_a_wrong_rewards_toml_is_refused_at_start(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(BadCatalog) as error:
        catalog(tmp_path, text)
    assert complaint in str(error.value)


def test_an_absent_rewards_toml_and_an_unknown_verify_reward_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadCatalog, match="cannot read"):
        Catalog(Settings(config=tmp_path / "none.toml"))
    with pytest.raises(UnknownReward, match="known: verifier, flip, rpr, rm"):
        Catalog(Settings(verify_reward="nobody"))


def test_the_digest_changes_with_all_that_can_change_a_value_and_nothing_else() -> None:
    rewards = Catalog(Settings())
    base = rewards.resolve("verifier", "").config
    assert rewards.resolve("verifier", "reply=object").config == base
    assert rewards.resolve("verifier", "unscored=error").config == base  # it changes no value
    assert rewards.resolve("verifier", "alpha=0").config == base
    for query in ("alpha=0.1", "check=string", "fallback_reward=1", "phrases=open_ended", "saturation=40"):
        assert rewards.resolve("verifier", query).config != base
    slower = Catalog(Settings(soft_timeout_s=1.0))
    assert slower.resolve("verifier", "").config != base
    assert slower.resolve("rpr", "").config == rewards.resolve("rpr", "").config  # no budget in it
    assert Catalog(Settings(port=1, verifier_workers=7)).resolve("verifier", "").config == base
