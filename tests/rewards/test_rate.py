from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from reward_server.errors import InvalidRequest
from reward_server.rewards.flip import FlipReward
from reward_server.rewards.noise import NoiseRates
from reward_server.rewards.rate import Rate, at_visit, highest
from reward_server.types import Sample

RATE: TypeAdapter[float | str] = TypeAdapter(Rate)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("0.4", 0.4),
        (1, 1.0),
        ("0.4@0,0.1@100", "0.4@0,0.1@100"),
        (" 0.40@0 ,1e-1@100", "0.4@0,0.1@100"),
        ("0.3333333333@0", "0.3333333333@0"),
    ],
)
def test_a_rate_is_a_number_or_a_schedule_in_one_spelling(given: object, read: object) -> None:
    assert RATE.validate_python(given) == read


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("1.5", "less than or equal to 1"),
        (-0.1, "greater than or equal to 0"),
        ("nan", "less than or equal to 1|finite|greater"),
        ("often", "valid number"),
        ("0.4@0,1.1@5", "each rate"),
        ("nan@0", "RATE@VISIT"),
        ("0.4@5", "begins at visit 0"),
        ("0.4@0,0.2@7,0.1@7", "ascend"),
        ("0.4@0,", "RATE@VISIT"),
        ("e@0", "RATE@VISIT"),
        ("-@0", "RATE@VISIT"),
        ("0.4.1@0", "RATE@VISIT"),
        ("1e999@0", "each rate"),
        ("0.4@-1", "RATE@VISIT"),
        ("0.4@0.5", "RATE@VISIT"),
        (",".join(f"0.1@{visit}" for visit in range(101)), "at most 100"),
    ],
)
def test_what_is_neither_is_refused_with_what_is_wrong(given: object, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        RATE.validate_python(given)


def test_each_rate_holds_from_its_visit_on() -> None:
    schedule = "0.4@0,0@10,0.25@1000"
    assert [at_visit(schedule, visit) for visit in (0, 9, 10, 999, 1000, 10**9)] == [0.4, 0.4, 0, 0, 0.25, 0.25]
    assert at_visit(schedule, -1) == at_visit(schedule, -(2**63)) == 0.4  # a visit is any integer of 64 bits
    assert (highest(schedule), highest(0.3)) == (0.4, 0.3)


def test_noise_follows_the_schedule_of_its_kind() -> None:
    reward = FlipReward(false_positive_prob=0.1, false_negative_prob="0.4@0,0.2@3")
    assert [reward.rates(visit) for visit in (None, 0, 2, 3)] == [NoiseRates(0.1, 0.4)] * 3 + [NoiseRates(0.1, 0.2)]


def test_a_correction_needs_informative_rates_at_every_visit() -> None:
    with pytest.raises(ValueError, match="< 1"):
        FlipReward(flip_prob="0.1@0,0.5@100", correction="backward")


def test_a_schedule_without_visits_is_said() -> None:
    reward = FlipReward(flip_prob="0.4@0,0.1@100")
    assert any("schedule" in text for text in reward.warnings(Sample("", group="q")))
    assert not any("schedule" in text for text in reward.warnings(Sample("", group="q", visit=3)))


def test_errors_name_the_parameter(invalid_request: type[InvalidRequest] = InvalidRequest) -> None:
    from reward_server.catalog.catalog import Catalog
    from reward_server.settings import Settings

    with pytest.raises(invalid_request, match="flip_prob"):
        Catalog(Settings()).resolve("flip", "flip_prob=0.4@5")
