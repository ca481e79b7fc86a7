"""Which model of a vLLM server is asked."""

from __future__ import annotations

import re

import pytest
from vllm_stand_in import MAX_LENGTH, model

from reward_server.reward_model.engine import UnfitModel
from reward_server.reward_model.remote.served_models import ServedModel, chosen_model, served_models

POLICY = model("policy", root="/policy")
ADAPTER = model("judge", root="/lora", parent="rm")


def chosen(*listed: dict[str, object], wanted: str | None = None) -> ServedModel:
    return chosen_model(served_models({"data": list(listed)}), wanted, "the vLLM server")


def test_a_single_model_needs_no_name() -> None:
    assert chosen(model("rm")) == ServedModel("rm", "/model", MAX_LENGTH)
    assert chosen({"id": "rm", "max_model_len": 7}) == ServedModel("rm", "rm", 7)  # a server that tells no root


def test_of_several_names_of_one_model_the_first_is_taken() -> None:
    assert chosen(model("rm"), model("reward")).name == "rm"
    assert chosen(model("rm"), model("reward"), wanted="reward").name == "reward"


@pytest.mark.parametrize("other", [POLICY, ADAPTER])
def test_of_several_models_one_must_be_named(other: dict[str, object]) -> None:
    with pytest.raises(UnfitModel, match=rf"several models \(rm, {other['id']}\): name .* by rm_served_name"):
        chosen(model("rm"), other)
    assert chosen(model("rm"), other, wanted=str(other["id"])).root == other["root"]


def test_an_adapter_takes_texts_as_long_as_its_model_does() -> None:
    assert chosen(model("rm"), ADAPTER, wanted="judge").max_tokens == MAX_LENGTH


def test_a_name_that_is_not_served_is_refused_with_those_that_are() -> None:
    said = re.escape("no model 'mine' (rm_served_name); it serves rm, policy")
    with pytest.raises(UnfitModel, match=said):
        chosen(model("rm"), POLICY, wanted="mine")
    with pytest.raises(UnfitModel, match="has no model; it serves none"):
        chosen()


@pytest.mark.parametrize("answer", [None, [], {}, {"data": None}, {"data": ["rm"]}, {"data": [{"id": "rm"}]}])
def test_another_answer_is_no_vllm_server(answer: object) -> None:
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        served_models(answer)
