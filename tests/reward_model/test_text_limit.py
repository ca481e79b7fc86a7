"""No text longer than the model was trained for: by the setting, the tokenizer, or the model's positions."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tiny_models import make_config, make_tokenizer, save_model
from vllm_stand_in import running_stand_in

from reward_server.reward_model.engine import TooLong, UnfitModel, ignore_batch
from reward_server.reward_model.loading import Config, load_model
from reward_server.reward_model.text_limit import text_limit
from reward_server.settings import Settings

QUESTION = [{"role": "user", "content": "2 + 2?"}]
POSITIONS = make_config().max_position_embeddings


@pytest.mark.parametrize(
    ("wanted", "tokenizer_says", "positions", "limit"),
    [
        (None, None, 2048, 2048),
        (None, 1000, 2048, 1000),
        (None, 4096, 2048, 2048),
        (None, 1000, None, 1000),
        (None, 0, 2048, 2048),
        (None, None, None, 2**31),
        (500, 1000, 2048, 500),
        (2000, 1000, 2048, 2000),
        (2000, None, None, 2000),
    ],
)
def test_the_least_counts_unless_it_is_set(
    wanted: int | None, tokenizer_says: int | None, positions: int | None, limit: int
) -> None:
    options: dict[str, Any] = {} if tokenizer_says is None else {"model_max_length": tokenizer_says}
    assert text_limit(wanted, make_tokenizer(**options), positions) == limit


def test_more_than_the_model_has_positions_is_refused() -> None:
    with pytest.raises(UnfitModel, match="rm_max_tokens=2049 is more than the 2048 positions"):
        text_limit(2049, make_tokenizer(), 2048)


def saved(folder: Path, model_max_length: int) -> Path:
    save_model(folder)
    make_tokenizer(model_max_length=model_max_length).save_pretrained(folder)
    return folder


def settings(folder: Path, **options: object) -> Settings:
    return Settings(rm_model=folder, rm_dtype="float32", rm_device="cpu", rm_threads=1, **options)  # type: ignore[arg-type]


def config_and_fit(given: Settings, folder: Path) -> tuple[Config, dict[int, bool]]:
    """Which numbers of one-token words fit."""
    loaded = load_model(given, folder)

    async def body() -> tuple[Config, dict[int, bool]]:
        async with loaded.opened(ignore_batch) as (model, config):
            fits = {}
            for words in (5, 150, 1000):
                try:
                    await model.encode(QUESTION, "7" * words)
                    fits[words] = True
                except TooLong:
                    fits[words] = False
            return config, fits

    return asyncio.run(asyncio.wait_for(body(), 600))


def test_the_tokenizers_limit_is_said_at_start_and_the_setting_lifts_it(tmp_path: Path) -> None:
    folder = saved(tmp_path, 100)
    config, fits = config_and_fit(settings(folder), folder)
    assert fits == {5: True, 150: False, 1000: False}
    assert "max_tokens" not in config
    (remark,) = load_model(settings(folder), folder).reads.remarks
    assert f"up to 100 tokens, as its tokenizer says (model_max_length), though it has {POSITIONS} positions" in remark
    lifted = settings(folder, rm_max_tokens=400)
    config, fits = config_and_fit(lifted, folder)
    assert fits == {5: True, 150: True, 1000: False}
    assert config["max_tokens"] == 400
    assert load_model(lifted, folder).reads.remarks == ()


def test_a_vllm_servers_model_has_the_limit_too(tmp_path: Path) -> None:
    folder = saved(tmp_path, 100)
    with running_stand_in() as server:
        given = Settings(rm_model=folder, rm_engine="vllm", rm_url=server.url)
        assert config_and_fit(given, folder)[1] == {5: True, 150: False, 1000: False}
        with pytest.raises(UnfitModel, match="rm_max_tokens=99999999 is more than"):
            config_and_fit(given.model_copy(update={"rm_max_tokens": 99_999_999}), folder)
