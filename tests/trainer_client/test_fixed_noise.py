"""Noise that no visit renews is said once, with where this trainer's visits come from."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from trainer_client import AsyncRewardClient, RewardClient, _fixed_noise
from trainer_client.adapters import _shared, areal, easyr1, openrlhf, slime, trl, verl

NAMED = re.compile(r'adapter(?:: str = |=)"([^"]*)"')
FOUR = r"so \boxed{4}"
STATE = SimpleNamespace(global_step=3)
Said = Callable[[], list[str]]


@pytest.fixture(autouse=True)
def url(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Every right answer is inverted, and REWARD_URL says so. What another test said is forgotten."""
    _fixed_noise._say.cache_clear()
    asked = f"{server}/score/flip?flip_prob=1"
    monkeypatch.setenv("REWARD_URL", asked)
    yield asked
    _fixed_noise._say.cache_clear()
    _shared.sync_client(asked, areal.DEADLINE_S, adapter="areal").close()
    _shared.sync_client(asked, 600.0, adapter="easyr1").close()
    _shared.sync_client(asked, adapter="openrlhf").close()
    _shared.sync_client.cache_clear()
    _shared.async_client.cache_clear()


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Said:
    return lambda: [message for message in caplog.messages if message.startswith("noise without visits")]


def test_noise_without_visits_is_said_once(url: str, said: Said) -> None:
    with RewardClient(url) as client:
        for _ in range(3):
            client.score([FOUR, FOUR], ground_truths=["4", "4"], groups=["a", "b"], visits=[0, None])
    (message,) = said()
    assert message.endswith("send the epoch or the step as the visit: visits=[…]. See docs/trainers/visits.md")


def test_the_waiting_and_the_async_client_say_it_of_parts_of_a_batch_too(url: str, said: Said) -> None:
    columns: dict[str, Any] = {"ground_truths": ["4"] * 3, "groups": ["a", "b", "c"], "visits": [0, 0, None]}
    with RewardClient(url, max_samples=1) as client:
        assert len(list(client.score_iter([FOUR] * 3, **columns))) == 3
    assert len(said()) == 1
    _fixed_noise._say.cache_clear()

    async def score() -> None:
        async with AsyncRewardClient(url, max_samples=1) as client:
            await client.score([FOUR] * 3, **columns)

    asyncio.run(score())
    assert len(said()) == 2


@pytest.mark.parametrize(
    "columns",
    [
        {"ground_truths": ["4"], "visits": [0]},
        {"ground_truths": [{"ground_truth": "4", "visit": 0}]},
        {"ground_truths": ['{"ground_truth": "4", "visit": 0}']},
        {"ground_truths": ["4"], "flips": [False]},  # evaluation
        {"ground_truths": ["5"], "completions": ["no box"]},  # which noise leaves alone
    ],
)
def test_nothing_is_said_of_samples_with_a_visit_or_without_noise(
    url: str, said: Said, columns: dict[str, Any]
) -> None:
    with RewardClient(url) as client:
        client.score(**{"completions": [FOUR], "groups": ["q"]} | columns)
    assert said() == []


@pytest.mark.parametrize("path", ["/score/flip?flip_prob=0", "/score/verifier", "/score/rpr"])
def test_nothing_is_said_of_rewards_that_draw_nothing(server: str, said: Said, path: str) -> None:
    with RewardClient(server + path) as client:
        client.score([FOUR], ground_truths=["4"], groups=["q"])
    assert said() == []


def test_nothing_is_said_of_noise_that_no_visit_is_to_renew(url: str, said: Said) -> None:
    asked = f"{url}&flip_scope=answer"
    by_trl(asked)
    assert openrlhf.reward_from(asked, [f"q{FOUR}"], ["q"], ["4"])["extra_logs"]["flipped"] == [1.0]
    _shared.sync_client(asked, adapter="openrlhf").close()
    assert said() == []


def by_trl(url: str, **columns: Any) -> None:
    function = trl.RewardFunction(url)
    with function._client:
        function(["q"], [FOUR], answer=["4"], **columns)


def by_slime(url: str, **metadata: Any) -> None:
    sample = SimpleNamespace(prompt="q", response=FOUR, label="4", metadata=metadata)
    asyncio.run(slime.reward(SimpleNamespace(reward_key=None), sample))


def by_verl(url: str, **info: Any) -> None:
    asyncio.run(verl.compute_score("math", FOUR, "4", {"group": "q", **info}, url=url))


def by_openrlhf(url: str, **label: Any) -> None:
    openrlhf.reward_from(url, [f"q{FOUR}"], ["q"], [{"ground_truth": "4", **label} if label else "4"])


def by_easyr1(url: str, **label: Any) -> None:
    easyr1.compute_score([{"response": FOUR, "ground_truth": {"ground_truth": "4", "group": "q", **label}}], url=url)


def by_areal(url: str, **row: Any) -> None:
    areal.reward_fn("q", FOUR, answer="4", reward_url=url, **row)


@pytest.mark.parametrize(
    ("call", "visit", "where"),
    [
        (
            by_trl,
            {"visit": [1]},
            "no trainer_state was passed, whose step is sent otherwise: so it is in TRL's AsyncGRPO",
        ),
        (by_trl, {"trainer_state": STATE}, "axolotl's reward_num_workers > 1"),
        (by_verl, {"visit": 1}, "`visit` in extra_info"),
        (by_slime, {"visit": 1}, "`visit` in the sample's metadata"),
        (by_areal, {"visit": 1}, "`visit` in the row"),
        (by_openrlhf, {"visit": 1}, 'label objects, {"ground_truth": "4", "visit": 1}'),
        (by_easyr1, {"visit": 1}, 'label objects, {"ground_truth": "4", "visit": 1}'),
    ],
)
def test_each_adapter_says_where_a_visit_is_put_and_is_silent_with_one(
    url: str, said: Said, call: Callable[..., None], visit: dict[str, Any], where: str
) -> None:
    call(url, **visit)
    assert said() == []
    call(url)
    call(url)
    (message,) = said()
    assert where in message


def test_every_adapter_has_its_own_hint() -> None:
    names = {name for file in Path(_shared.__file__).parent.glob("*.py") for name in NAMED.findall(file.read_text())}
    assert names == set(_fixed_noise.WHERE)
