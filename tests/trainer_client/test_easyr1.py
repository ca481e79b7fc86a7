"""EasyR1 is on no index: the calls that its reward manager makes (0.3.3, b44b311), and itself where a checkout is."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trainer_programs import ROOT, printed

from trainer_client import BadConfiguration, InvalidRequest, RewardClient, Unavailable, Unscored
from trainer_client.adapters import _shared

FILE = ROOT / "trainer_client" / "adapters" / "easyr1.py"
FLIP = "/score/flip?flip_prob=1"
LABEL = {"ground_truth": "4", "group": "q", "visit": 3}


@pytest.fixture(autouse=True)
def closed_clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The clients that the adapter would keep as long as its process lives."""
    with ExitStack() as opened:

        def sync_client(url: str | None, deadline_s: float, *, adapter: str) -> RewardClient:
            return opened.enter_context(RewardClient(url, deadline_s=deadline_s, adapter=adapter))

        monkeypatch.setattr(_shared, "sync_client", sync_client)
        yield


def loaded(**kwargs: Any) -> Callable[..., list[dict[str, float]]]:
    """The function as `AutoRewardManager` gets it: from the file, with `reward_function_kwargs` bound."""
    spec = importlib.util.spec_from_file_location("custom_reward_fn", FILE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (module.REWARD_NAME, module.REWARD_TYPE) == ("reward_server", "batch")
    return partial(module.compute_score, **kwargs)


def inputs(*rows: tuple[Any, Any]) -> list[dict[str, Any]]:
    return [
        {"response": response, "response_length": 7, "ground_truth": ground_truth} for response, ground_truth in rows
    ]


def test_a_batch_is_paid_in_order_with_the_same_keys_for_every_sample(server: str) -> None:
    rows = inputs(
        (r"\boxed{4}", LABEL), (r"\boxed{5}", LABEL), ("none", LABEL), (r"\boxed{4}", LABEL | {"flip": False})
    )
    scores = loaded(url=server + FLIP)(rows)
    assert [score["overall"] for score in scores] == [0.0, 1.0, 0.0, 1.0]
    assert [score["accuracy"] for score in scores] == [0.0, 1.0, 0.0, 1.0]  # the noisy outcome: it may be filtered by
    assert [score["clean"] for score in scores] == [1.0, 0.0, 0.0, 1.0]
    assert len({tuple(score) for score in scores}) == 1
    assert all(type(value) is float for score in scores for value in score.values())


def test_a_label_may_be_a_text_a_number_of_numpys_or_the_json_of_an_object(server: str) -> None:
    labels = ("4", np.int64(4), np.str_("4"), '{"ground_truth": "4", "group": "q"}', ["5", "4"])
    scores = loaded(url=server + "/score/verifier")(inputs(*((r"\boxed{4}", label) for label in labels)))
    assert [score["overall"] for score in scores] == [1.0] * 5


def test_flip_without_a_group_ends_the_run_with_the_reason(server: str) -> None:
    with pytest.raises(InvalidRequest, match="flip needs"):
        loaded(url=server + FLIP)(inputs((r"\boxed{4}", "4")))


def test_what_cannot_be_scored_is_paid_the_fallback_and_marked_or_raises(server: str) -> None:
    rows = inputs((r"\boxed{4}", LABEL), (r"\boxed{4}", None))
    scores = loaded(url=server + "/score/verifier?fallback_reward=-0.5")(rows)
    assert [score["overall"] for score in scores] == [1.0, -0.5]
    assert [score["unscored"] for score in scores] == [0.0, 1.0]
    with pytest.raises(Unscored, match="row 1: ungradable"):
        loaded(url=server + "/score/verifier", on_unscored="raise")(rows)
    with pytest.raises(BadConfiguration, match="on_unscored='zero'"):
        loaded(url=server + "/score/verifier", on_unscored="zero")(rows)


def test_an_empty_batch_is_answered_empty_and_a_wrong_type_is_refused(server: str) -> None:
    assert loaded(url=server + "/score/verifier")([]) == []
    with pytest.raises(InvalidRequest, match=r"completions\[1\]"):
        loaded(url=server + "/score/verifier")(inputs(("x", "4"), (None, "4")))


def test_a_large_batch_keeps_its_order(server: str) -> None:
    rows = inputs(*((rf"\boxed{{{number % 7}}}", "4") for number in range(5000)))
    scores = loaded(url=server + "/score/verifier")(rows)
    assert [score["overall"] for score in scores] == [float(number % 7 == 4) for number in range(5000)]


def test_a_server_that_is_gone_ends_the_run() -> None:
    with pytest.raises(Unavailable):
        loaded(url="http://127.0.0.1:9/score/verifier", deadline_s=0.5)(inputs(("x", "4")))


@pytest.mark.skipif("EASYR1_SOURCE" not in os.environ, reason="EASYR1_SOURCE names a checkout of EasyR1")
def test_easyr1s_own_manager_pays_with_our_function(server: str) -> None:
    """`git clone https://github.com/hiyouga/EasyR1`, and EASYR1_SOURCE is the folder."""
    options = (
        f"worker.reward.reward_function={FILE}:compute_score",
        f"worker.reward.reward_function_kwargs.url={server}{FLIP}",
    )
    checkout = str(Path(os.environ["EASYR1_SOURCE"]).resolve())
    (result,) = printed("TRAINERS_PYTHON", "easyr1_rewards.py", checkout, *options, url="")
    assert result["rewards"] == result["metrics"]["overall"] == [0.0, 1.0, 0.0, 0.0, 0.0]
    assert result["metrics"]["clean"] == [1.0, 0.0, 0.0, 0.0, 0.0]
    assert result["metrics"]["unscored"] == [0.0, 0.0, 0.0, 1.0, 0.0]
