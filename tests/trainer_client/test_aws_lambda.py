"""The Lambda function of docs/trainers/aws-rft.md, as it stands there, before a live server."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from trainer_programs import ROOT

PAGE = (ROOT / "docs" / "trainers" / "aws-rft.md").read_text()
Handler = Callable[[object, object], Any]


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Handler]:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)

    def made(url: str) -> Handler:
        monkeypatch.setenv("REWARD_URL", url)
        names: dict[str, Any] = {}
        exec(code, names)  # what the page says, as SageMaker's check does it too
        names["time"] = type("Clock", (), {"sleep": staticmethod(lambda _: None)})
        return names["lambda_handler"]  # type: ignore[no-any-return]

    return made


def test_the_functions_answer_is_what_the_page_says(server: str, handler: Callable[[str], Handler]) -> None:
    blocks = re.findall(r"(?:^    .*\n)+", PAGE, re.MULTILINE)
    sent, answered = (json.loads(block) for block in blocks if block.startswith("    [{"))
    (paid,) = handler(f"{server}/score/verifier")(sent, None)
    (shown,) = answered
    assert paid["metrics_list"][:2] == shown["metrics_list"]
    assert {**paid, "metrics_list": 0} == {**shown, "metrics_list": 0}


def test_the_key_travels(keyed_server: str, handler: Callable[[str], Handler], monkeypatch: pytest.MonkeyPatch) -> None:
    ask = handler(f"{keyed_server}/score/verifier")
    with pytest.raises(RuntimeError, match="needs a key"):
        ask([], None)
    monkeypatch.setenv("REWARD_API_KEY", "sesame")
    assert ask([], None) == []


def test_what_cannot_be_scored_raises_with_the_reason(server: str, handler: Callable[[str], Handler]) -> None:
    rows = [
        {"id": "1", "messages": [{"role": "assistant", "content": "4"}], "metadata": {"reference_answer": {"x": 4}}}
    ]
    with pytest.raises(RuntimeError, match="sample 0, from 0: the ground truth is unusable"):
        handler(f"{server}/score/verifier")(rows, None)
    (paid,) = handler(f"{server}/score/verifier?fallback_reward=-1")(rows, None)
    assert paid["aggregate_reward_score"] == -1.0


def test_a_server_that_is_gone_is_asked_again_and_then_raises(handler: Callable[[str], Handler]) -> None:
    with pytest.raises(RuntimeError, match="no answer from the reward server: .*refused"):
        handler("http://127.0.0.1:9/score/verifier")([], None)
