"""Heads of several labels: taken where config.json names them, each number as the plain computation has it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import make_config, save_model, token_ids
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

from reward_server.reward_model.engine import Group, NotFinite, UnfitModel
from reward_server.reward_model.local.model import TransformersModel

IDS = token_ids(40, seed=3)
NAMES = {0: "helpful", 1: "correct", 2: "brief"}


def labelled(folder: Path, **options: Any) -> Path:
    return save_model(folder, num_labels=3, id2label=NAMES, label2id={name: n for n, name in NAMES.items()}, **options)


def engine(folder: Path, **options: Any) -> TransformersModel:
    return TransformersModel(folder, dtype="float32", device="cpu", threads=1, **options)


@pytest.mark.parametrize("packing", ["off", "on"])
def test_every_label_is_what_the_classifier_says_alone_and_in_company(packing: str, tmp_path: Path) -> None:
    model = engine(labelled(tmp_path), packing=packing)
    assert model.labels == ("helpful", "correct", "brief")
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path, dtype=torch.float32).eval()
    with torch.inference_mode():
        hidden = theirs.base_model(input_ids=torch.tensor([list(IDS)])).last_hidden_state[0, -1]
        expected = theirs.score(hidden).tolist()
    ((alone,),) = model.score([Group(IDS[:15], [IDS[15:]])]).results
    assert alone == pytest.approx(tuple(expected), abs=1e-5)
    company = [token_ids(30, 1), IDS[15:], token_ids(70, 2)]
    assert model.score([Group(IDS[:15], company)]).results[0][1] == alone
    assert model.score([Group(IDS[:15], company)], "throughput").results[0][1] == pytest.approx(alone, abs=1e-5)


def test_one_label_that_is_not_finite_leaves_no_score(tmp_path: Path) -> None:
    model = engine(labelled(tmp_path))
    with torch.no_grad():
        model._head.weight[1] = 1e38  # type: ignore[operator]
        model._head.weight[1, ::2] = -1e38  # type: ignore[operator]
        model._head.weight.mul_(1e5)  # type: ignore[operator]
    assert isinstance(model.score([Group(IDS[:15], [IDS[15:]])]).results[0][0], NotFinite)


def refusal(folder: Path) -> str:
    with pytest.raises(UnfitModel) as refused:
        engine(folder)
    return str(refused.value)


def test_labels_that_nobody_named_may_be_random_and_are_refused(tmp_path: Path) -> None:
    message = refusal(save_model(tmp_path, num_labels=2))
    assert "2 labels (score.weight has so many rows), and its config.json names none" in message
    assert "adds such a head to a language model at random" in message


def test_as_many_rows_as_labels_are_named(tmp_path: Path) -> None:
    path = labelled(tmp_path) / "config.json"
    config = json.loads(path.read_text())
    config["id2label"] = {"0": "good", "1": "bad"}
    config["label2id"] = {"good": 0, "bad": 1}
    path.write_text(json.dumps(config))
    assert "has 3 labels (score.weight has so many rows), and its config.json names 2" in refusal(tmp_path)


def test_several_labels_of_every_token_are_refused(tmp_path: Path) -> None:
    config = make_config("qwen2", num_labels=3, id2label=NAMES, label2id={name: n for n, name in NAMES.items()})
    AutoModelForTokenClassification.from_config(config).save_pretrained(tmp_path)  # type: ignore[no-untyped-call]
    assert "3 labels (score.weight has so many rows), and a reward model of this kind has one" in refusal(tmp_path)
