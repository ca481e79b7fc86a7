"""Packing on a CPU, where it is slower than one text after another, and computes the same."""

from __future__ import annotations

import logging
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import MakeFolder, token_ids, whole_text_score

from reward_server.reward_model.engine import Group, OutOfMemory, Result
from reward_server.reward_model.local.model import TransformersModel
from reward_server.types import Dtype

SHAPES = [
    (9, [1, 40, 130, 400]),
    (64, [60] * 8),
    (300, [100] * 4),
    (700, [900, 5]),
    (1, [1]),
    (0, [30, 1500]),
    (1500, [900]),
]
"""Prompts with their completions: the last text is too long for a pass on a CPU."""


def packing(folder: Path, dtype: Dtype = "float32") -> TransformersModel:
    return TransformersModel(folder, dtype=dtype, device="cpu", threads=1, packing="on")


def groups_of(shapes: list[tuple[int, list[int]]]) -> list[Group]:
    return [
        Group(token_ids(p, p + 1), [token_ids(n, 100 * p + c) for c, n in enumerate(completions)])
        for p, completions in shapes
    ]


def flat(results: list[list[Result]]) -> list[float]:
    scores = [result for group in results for result in group]
    assert all(isinstance(score, float) for score in scores)
    return scores  # type: ignore[return-value]


@pytest.mark.parametrize("kind", ["qwen2", "llama", "mistral"])
def test_packed_scores_are_those_of_whole_texts(kind: str, make_folder: MakeFolder) -> None:
    folder = make_folder(kind, **({"sliding_window": 250} if kind == "mistral" else {}))
    model = packing(folder)
    groups = groups_of(SHAPES)
    exact = [whole_text_score(folder, group.prompt + c) for group in groups for c in group.completions]
    assert flat(model.score(groups).results) == pytest.approx(exact, abs=1e-5)
    assert model.config["packing"] == "256 to 2048"


def test_on_a_cpu_texts_run_alone_unless_packing_is_asked_for(folder: Path) -> None:
    model = TransformersModel(folder, dtype="float32", device="cpu", threads=1)
    assert "packing" not in model.config
    assert model.score(groups_of(SHAPES)).padding_tokens == 0
    assert packing(folder).score(groups_of(SHAPES)).padding_tokens > 0


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_one_text_in_200_packed_mixes_has_one_score(dtype: Dtype, folder: Path) -> None:
    chosen = random.Random(11)
    groups = groups_of([(30, [80, 5, 200]), (270, [80, 1]), (90, [33] * 3), (1, [1]), (5, [500])])
    texts = [(g, c) for g, group in enumerate(groups) for c in range(len(group.completions))]
    seen: dict[tuple[int, int], set[Result]] = {text: set() for text in texts}
    for mix in range(200):
        if mix % 40 == 0:  # a restart of the server
            model = packing(folder, dtype)
        part = chosen.sample(texts, 1 if mix % 5 == 0 else chosen.randint(2, len(texts)))
        if mix % 2:
            part.sort()  # completions of one prompt are neighbours, and share it
        asked = [Group(groups[g].prompt, [groups[g].completions[c]]) for g, c in part]
        for text, results in zip(part, model.score(asked).results, strict=True):
            seen[text].add(results[0])
    assert {len(scores) for scores in seen.values()} == {1}


def test_tokens_are_counted_once_a_prompt_and_padding_apart(folder: Path) -> None:
    work = packing(folder).score(groups_of([(30, [80, 5]), (10, [20])]))
    assert (work.tokens_computed, work.tokens_saved, work.padding_tokens) == (145, 30, 111)


def test_a_text_that_a_window_would_cut_runs_alone(make_folder: MakeFolder) -> None:
    model = packing(make_folder("mistral", sliding_window=250))
    assert model.score(groups_of([(100, [150])])).padding_tokens == 6
    assert model.score(groups_of([(100, [151])])).padding_tokens == 0


@pytest.mark.parametrize(
    ("kind", "options", "reason"),
    [
        ("gemma2", {}, "attention is computed by eager"),
        ("mixtral", {"num_local_experts": 4}, "route tokens to experts"),
    ],
)
def test_a_model_that_cannot_be_packed_runs_one_text_at_a_time_and_says_why(
    kind: str, options: dict[str, Any], reason: str, make_folder: MakeFolder, caplog: pytest.LogCaptureFixture
) -> None:
    folder = make_folder(kind, **options)
    with caplog.at_level(logging.WARNING):
        model = packing(folder)
    assert model.config["packing"] == "one at a time"
    assert reason in caplog.text
    alone = TransformersModel(folder, dtype="float32", device="cpu", threads=1)
    assert model.score(groups_of(SHAPES)).results == alone.score(groups_of(SHAPES)).results


def rounds_by_rows(module: torch.nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
    """As a GPU whose products sum the rows of a small matrix in another order."""
    rows = output.shape[-2]
    return output * (1 + 1e-6) if rows < 1024 else output


def rounds_by_place(module: torch.nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
    """As a kernel whose last tile is another one."""
    rows = torch.arange(output.shape[-2])[:, None]
    return torch.where(rows % 2 == 0, output, output * (1 + 1e-6))


@pytest.mark.parametrize(
    ("fault", "packed"), [(rounds_by_rows, "2048"), (rounds_by_place, "one at a time")], ids=["size", "place"]
)
def test_bits_that_depend_on_the_size_or_the_place_are_seen_at_the_start(
    fault: Any, packed: str, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    handle = torch.nn.modules.module.register_module_forward_hook(
        lambda module, args, output: fault(module, args, output) if isinstance(module, torch.nn.Linear) else None
    )
    try:
        model = packing(folder)
    finally:
        handle.remove()
    assert model.config["packing"] == packed
    assert "has other bits" in caplog.text


def test_out_of_memory_in_a_pass_fails_only_the_text_that_does_not_fit(folder: Path) -> None:
    model = packing(folder)
    groups = groups_of([(5, [20, 300, 30]), (9, [40])])
    expected = flat(model.score(groups).results)

    def refuse_large(module: torch.nn.Module, args: tuple[()], kwargs: dict[str, Any]) -> None:
        if kwargs["input_ids"].shape[1] > 256:
            raise torch.OutOfMemoryError("CUDA out of memory")

    model._model.base_model.register_forward_pre_hook(refuse_large, with_kwargs=True)
    (first, long, third), (other,) = model.score(groups).results
    assert isinstance(long, OutOfMemory)
    assert [first, third, other] == [expected[0], expected[2], expected[3]]
