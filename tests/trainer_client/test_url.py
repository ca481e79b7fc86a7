import pickle

import pytest

from trainer_client import BadConfiguration, InvalidRequest, RewardClient, Unavailable
from trainer_client._url import reward_url


def test_a_url_carries_server_reward_parameters_and_key() -> None:
    url = reward_url("http://user:s%3Ame@host:8000/prefix/score/flip/?flip_prob=0.4&fallback_reward=0.25", None)
    assert url.score() == "http://host:8000/prefix/score/flip?flip_prob=0.4&fallback_reward=0.25"
    assert url.score("/verify") == "http://host:8000/prefix/score/flip/verify?flip_prob=0.4&fallback_reward=0.25"
    assert url.explain == "http://host:8000/prefix/explain/flip?flip_prob=0.4&fallback_reward=0.25"
    assert (url.ready, url.api_key, url.fallback_reward) == ("http://host:8000/prefix/ready", "s:me", 0.25)


@pytest.mark.parametrize(
    ("argument", "in_url", "variable", "expected"),
    [
        ("a", "u:b@", "c", "a"),
        (None, "u:b@", "c", "b"),
        (None, "b@", "c", "b"),
        (None, "", "c", "c"),
        (None, "", "c\n", "c"),  # as read from a file
        (None, "", "", None),
    ],
)
def test_the_nearest_key_wins(
    argument: "str | None", in_url: str, variable: str, expected: "str | None", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REWARD_API_KEY", variable)
    assert reward_url(f"http://{in_url}h/score/rpr", argument).api_key == expected


def test_the_url_is_by_default_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARD_URL", "http://[::1]:8000/score/rpr")
    assert reward_url(None, None).score() == "http://[::1]:8000/score/rpr"


@pytest.mark.parametrize(
    "url",
    [
        None,
        "host:8000/score/rpr",
        "ftp://host/score/rpr",
        "http://host",
        "http://host/score/",
        "http://host/score/a/verify",
        "http:///score/rpr",
        "http://host:port/score/rpr",
        "http://my host/score/rpr",
        "http://host/score/rpr?fallback_reward=none",
    ],
)
def test_what_is_no_reward_url_is_refused(url: "str | None") -> None:
    with pytest.raises(BadConfiguration):
        reward_url(url, None)


def test_the_key_is_never_shown() -> None:
    assert "sesame" not in repr(RewardClient("http://u:sesame@h/score/rpr"))
    assert "sesame" not in repr(reward_url("http://u:sesame@h/score/rpr", None))
    with pytest.raises(BadConfiguration) as caught:
        reward_url("http://u:sesame@h/rpr", None)
    assert "sesame" not in str(caught.value)


def test_a_key_that_no_header_can_carry_is_refused() -> None:
    with pytest.raises(BadConfiguration, match="header"):
        reward_url("http://h/score/rpr", "a\nb")


def test_errors_pickle() -> None:
    refused = pickle.loads(pickle.dumps(InvalidRequest("422: no", 422, "invalid_request", [1])))
    assert (str(refused), refused.status, refused.code, refused.detail) == ("422: no", 422, "invalid_request", [1])
    assert str(pickle.loads(pickle.dumps(Unavailable("gone")))) == "gone"
