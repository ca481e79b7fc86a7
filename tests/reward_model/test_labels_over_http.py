"""`label` and `label_weights` through a live server with a tiny real model of three labels."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from running_server import RunningServer, running_server

if TYPE_CHECKING:
    from tiny_models import MakeFolder

BODY = {"completions": ["five", "6", " "], "prompts": ["What is 2 + 3?"] * 3}


@pytest.fixture(scope="module")
def server(make_folder: MakeFolder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    names = {0: "helpful", 1: "correct", 2: "brief"}
    folder = make_folder(num_labels=3, id2label=names, label2id={name: n for n, name in names.items()})
    options = ("--rm-model", str(folder), "--rm-dtype", "float32", "--rm-device", "cpu", "--rm-threads", "1")
    with running_server(tmp_path_factory.mktemp("server") / "log", *options) as running:
        running.wait_ready()
        yield running


def test_a_call_that_does_not_choose_is_told_the_labels(server: RunningServer) -> None:
    answer = server.post("/score/rm?format=plain", BODY)
    assert answer.status_code == 422
    assert (
        "the reward model has 3 labels (0 helpful, 1 correct, 2 brief): say which is the score by label" in answer.text
    )
    answer = server.post("/score/rm?format=plain&label=3", BODY)
    assert answer.status_code == 422
    assert "label: 3 is given" in answer.text


def test_each_label_a_weighted_sum_and_their_spread_are_what_the_model_said(server: RunningServer) -> None:
    replies = [server.post(f"/score/rm?format=plain&alpha=0&label={n}", BODY).json() for n in range(3)]
    assert replies[0]["outcomes"] == ["scored", "scored", "bad_format"]
    said = [[reply["parts"]["model_score"][row] for reply in replies] for row in range(2)]
    assert len(set(said[0])) == 3
    for reply in replies:
        parts = reply["parts"]
        assert parts["label_mean"] == [pytest.approx(statistics.mean(row)) for row in said] + [None]
        assert parts["label_min"] == [min(row) for row in said] + [None]
        assert parts["label_std"] == [pytest.approx(statistics.pstdev(row)) for row in said] + [None]
    weighed = server.post("/score/rm?format=plain&alpha=0&label_weights=1,-2,0.5", BODY).json()["parts"]["model_score"]
    assert weighed == [pytest.approx(row[0] - 2 * row[1] + 0.5 * row[2]) for row in said] + [None]
