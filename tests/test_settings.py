"""Settings: each knob once, and a misspelt one is an error."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from reward_server.cli import app
from reward_server.settings import PREFIX, Settings, UnknownSetting


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)


def test_a_variable_sets_a_field_and_a_flag_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARD_PORT", "9000")
    assert Settings().port == 9000
    assert Settings(port=9001).port == 9001


def test_a_misspelt_variable_is_an_error_that_names_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARD_SOFT_TIMEOUTS", "3")
    with pytest.raises(UnknownSetting, match="did you mean REWARD_SOFT_TIMEOUT_S"):
        Settings()


def test_the_clients_variables_may_stand_in_the_same_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARD_URL", "http://127.0.0.1:8000/score/verifier")
    monkeypatch.setenv("REWARD_API_KEY", "k")
    assert Settings().api_keys == ()


def test_what_kubernetes_tells_of_a_service_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARD_SERVER_SERVICE_HOST", "10.0.0.7")
    monkeypatch.setenv("REWARD_SERVER_PORT", "tcp://10.0.0.7:8000")
    monkeypatch.setenv("REWARD_SERVER_PORT_8000_TCP_ADDR", "10.0.0.7")
    assert Settings().port == 8000
    monkeypatch.delenv("REWARD_SERVER_SERVICE_HOST")
    with pytest.raises(UnknownSetting, match="REWARD_SERVER_PORT"):
        Settings()


def test_keys_are_separated_by_commas_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARD_API_KEYS", "secret-1, secret-2,")
    settings = Settings()
    assert [key.get_secret_value() for key in settings.api_keys] == ["secret-1", "secret-2"]
    assert "secret" not in repr(settings)


def test_the_key_of_a_vllm_server_is_never_shown_also_where_it_is_refused() -> None:
    remote: dict[str, Any] = {"rm_engine": "vllm", "rm_url": "http://vllm:8000", "rm_model": "model"}
    settings = Settings(**remote, rm_api_key=" secret-1\n")  # as it comes out of a file
    assert settings.rm_api_key is not None
    assert settings.rm_api_key.get_secret_value() == "secret-1"
    assert "secret" not in repr(settings) + str(settings.model_dump())
    with pytest.raises(ValidationError, match="visible ASCII characters only") as refused:
        Settings(**remote, rm_api_key="secret\x7f")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("nothing", ["", " ", ",", " , ", ",,,"])
def test_keys_that_are_set_and_are_none_are_refused(nothing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody wanted the server closed: an empty secret must not open it."""
    assert CliRunner().invoke(app, ["serve", "--api-keys", nothing]).exit_code == 2
    monkeypatch.setenv("REWARD_API_KEYS", nothing)
    with pytest.raises(ValidationError, match="it is set and holds no key"):
        Settings()
    result = CliRunner().invoke(app, ["serve"])
    assert result.exit_code == 2 and "api_keys: " in result.output and "Traceback" not in result.output


@pytest.mark.parametrize(
    "wrong", [{"port": 70_000}, {"soft_timeout_s": 0}, {"soft_timeout_s": 9}, {"max_samples": 0}, {"log_level": "loud"}]
)
def test_values_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings(**wrong)  # type: ignore[arg-type]


def test_every_setting_is_a_flag_of_serve_and_a_variable() -> None:
    help_text = CliRunner().invoke(app, ["serve", "--help"], env={"COLUMNS": "200"}).output
    for name in Settings.model_fields:
        assert f"--{name.replace('_', '-')}" in help_text
        assert f"REWARD_{name.upper()}" in help_text


def test_serve_refuses_a_misspelt_variable_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARD_PROT", "1")
    result = CliRunner().invoke(app, ["serve"])
    assert result.exit_code == 2
    assert "REWARD_PROT is not a setting; did you mean REWARD_PORT?" in result.output
    assert "Traceback" not in result.output
