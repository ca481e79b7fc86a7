"""A chat is tried at start: a folder that could score none, or none rightly, is refused before a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny_models import CHATML, MakeFolder, make_tokenizer

from reward_server.reward_model.engine import UnfitModel
from reward_server.reward_model.loading import load_model
from reward_server.reward_model.tokenizer import ChatTokenizer
from reward_server.reward_model.trial import ANY_LENGTH, last_token
from reward_server.settings import Settings

DEAF = "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}"
WANTS_SYSTEM = "{% if messages[0].role != 'system' %}{{ raise_exception('no system message') }}{% endif %}" + CHATML


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (DEAF, "two answers become the same tokens"),
        ("{% for m in messages %}{{ m['content' }}{% endfor %}", "the chat template refuses the messages: unexpected"),
        ("{{ raise_exception('not today') }}", "not today"),
        ("{{ messages[0].nothing.at_all }}", "with its chat template"),
        ("{# nothing #}", "renders the messages to nothing"),
    ],
)
def test_a_template_that_renders_no_chat_is_refused(template: str, message: str, make_folder: MakeFolder) -> None:
    folder = make_folder(tokenizer=make_tokenizer(template))
    with pytest.raises(UnfitModel, match=message):
        load_model(Settings(rm_model=folder, rm_device="cpu", rm_threads=1), folder)


def test_a_template_that_asks_for_a_system_message_is_taken() -> None:
    tokenizer = make_tokenizer(WANTS_SYSTEM)
    assert last_token(Path("rm"), ChatTokenizer(tokenizer, max_tokens=ANY_LENGTH)) == tokenizer.encode("\n")[0]


def test_a_tokenizer_without_its_vocabulary_is_refused(make_folder: MakeFolder, tmp_path: Path) -> None:
    for file in make_folder().iterdir():
        if file.name != "tokenizer.json":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    options: dict[str, Any] = {"rm_model": tmp_path, "rm_device": "cpu", "rm_threads": 1}
    with pytest.raises(UnfitModel, match="so every answer would have one score"):
        load_model(Settings(**options), tmp_path)
