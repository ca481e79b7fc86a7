from __future__ import annotations

import random
from array import array
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import MakeFolder, make_tokenizer, token_ids, whole_text_score

from reward_server.reward_model.engine import Group, Mode, NotFinite, OutOfMemory, Result, UnfitModel, Work
from reward_server.reward_model.local.model import TransformersModel
from reward_server.reward_model.local.process_wide import steady_cuda
from reward_server.types import Dtype

MODES: list[Mode] = ["deterministic", "throughput"]
LENGTHS = [
    (40, 60),
    (600, 20),
    (20, 600),
    (300, 300),
    (300, 301),
    (1, 1),
    (4096, 5),
    (4100, 5),
    (20, 4100),
    (5000, 4100),
]
"""(prompt, completion), shorter and longer than the other and than a chunk of 4,096 tokens."""


def one(model: TransformersModel, prompt: array[int], completion: array[int]) -> float:
    result = model.score([Group(prompt, [completion])]).results[0][0]
    assert isinstance(result, float)
    return result


def flat(work: Work) -> list[Result]:
    return [result for group in work.results for result in group]


@pytest.fixture(scope="module")
def model(folder: Path) -> TransformersModel:
    return TransformersModel(folder, dtype="float32", device="cpu", threads=1)


@pytest.mark.parametrize("kind", ["qwen2", "llama"])
def test_float32_scores_are_those_of_the_whole_text(kind: str, make_folder: MakeFolder) -> None:
    folder = make_folder(kind)
    model = TransformersModel(folder, dtype="float32", device="cpu", threads=1)
    for n, (p, c) in enumerate(LENGTHS):
        prompt, completion = token_ids(p, n), token_ids(c, 100 + n)
        assert one(model, prompt, completion) == pytest.approx(whole_text_score(folder, prompt + completion), abs=1e-5)


@pytest.mark.parametrize("kind", ["qwen2", "llama"])
def test_bfloat16_scores_are_near_and_in_the_same_order(kind: str, make_folder: MakeFolder) -> None:
    folder = make_folder(kind)
    model = TransformersModel(folder, dtype="bfloat16", device="cpu", threads=1)
    texts = [(token_ids(p, n), token_ids(c, 100 + n)) for n, (p, c) in enumerate(LENGTHS)]
    scores = [one(model, *text) for text in texts]
    exact = [whole_text_score(folder, prompt + completion) for prompt, completion in texts]
    assert max(abs(a - b) for a, b in zip(scores, exact, strict=True)) <= 0.02
    assert max(exact) - min(exact) > 0.2  # else the tolerance would say nothing
    for a in range(len(texts)):
        for b in range(len(texts)):
            if exact[a] - exact[b] > 0.04:
                assert scores[a] > scores[b]


def test_the_head_and_the_rotary_frequencies_stay_float32(folder: Path) -> None:
    model = TransformersModel(folder, dtype="bfloat16", device="cpu", threads=1)
    assert model.config["dtype"] == "torch.bfloat16"
    assert model._head.weight.dtype == torch.float32
    assert {name: buffer.dtype for name, buffer in model._model.named_buffers()} == {
        "model.rotary_emb.inv_freq": torch.float32,
        "model.rotary_emb.original_inv_freq": torch.float32,
    }


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_one_text_in_200_random_mixes_has_one_score(dtype: Dtype, folder: Path) -> None:
    chosen = random.Random(7)
    prompts = [token_ids(length, length) for length in (30, 270, 90)]
    subject = token_ids(80, 5)
    scores = set()
    for mix in range(200):
        if mix % 40 == 0:  # a restart of the server
            model = TransformersModel(folder, dtype=dtype, device="cpu", threads=1)
        others = [token_ids(chosen.randrange(1, 60), chosen.randrange(10**6)) for _ in range(chosen.randrange(3))]
        completions = [*others, subject]
        chosen.shuffle(completions)
        groups = [Group(prompts[1], completions)]
        groups += [
            Group(prompts[n], [token_ids(chosen.randrange(1, 50), mix)]) for n in (0, 2) if chosen.random() < 0.5
        ]
        chosen.shuffle(groups)
        at = next(g for g, group in enumerate(groups) if group.prompt is prompts[1])
        scores.add(model.score(groups).results[at][completions.index(subject)])
    assert len(scores) == 1


@pytest.mark.parametrize("kind", ["qwen2", "llama"])
def test_throughput_gives_the_same_scores_but_for_rounding(kind: str, make_folder: MakeFolder) -> None:
    model = TransformersModel(make_folder(kind), dtype="float32", device="cpu", threads=1)
    groups = [
        Group(token_ids(100, 1), [token_ids(length, length) for length in (5, 700, 300, 40, 256)]),
        Group(token_ids(30, 2), [token_ids(50, 3)]),
        Group(token_ids(80, 4), [token_ids(400, 5)]),
    ]
    packed, alone = model.score(groups, "throughput"), model.score(groups)
    assert flat(packed) == pytest.approx(flat(alone), abs=1e-5)
    assert packed.padding_tokens > 0
    assert alone.padding_tokens == 0


def test_thread_counts_change_float32_scores_by_less_than_1e_5(folder: Path) -> None:
    texts = [(token_ids(p, n), token_ids(c, 100 + n)) for n, (p, c) in enumerate(LENGTHS)]
    scores = []
    for threads in (1, 2):
        model = TransformersModel(folder, dtype="float32", device="cpu", threads=threads)
        scores.append([one(model, *text) for text in texts])
        assert torch.get_num_threads() == threads
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)


def test_the_thread_count_is_pinned_whatever_others_set(model: TransformersModel) -> None:
    torch.set_num_threads(2)
    one(model, token_ids(5, 1), token_ids(5, 2))
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize(
    "special",
    [
        {"pad_token": "<|im_end|>"},
        {"pad_token": None},
        {"padding_side": "left"},
    ],
    ids=["pad is eos", "no pad", "left padding"],
)
def test_padding_habits_of_the_tokenizer_do_not_matter(special: dict[str, Any], make_folder: MakeFolder) -> None:
    tokenizer = make_tokenizer(**special)
    folder = make_folder(tokenizer=tokenizer, pad_token_id=tokenizer.pad_token_id)
    model = TransformersModel(folder, dtype="float32", device="cpu", threads=1)
    end = tokenizer.get_vocab()["<|im_end|>"]
    prompt, completion = token_ids(20, 1), array("i", [*token_ids(30, 2), end])
    exact = whole_text_score(folder, prompt + completion)
    group = Group(prompt, [completion, token_ids(44, 3)])
    for mode in MODES:
        assert model.score([group], mode).results[0][0] == pytest.approx(exact, abs=1e-5)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("qwen2", {"use_sliding_window": True, "sliding_window": 50, "max_window_layers": 1}),
        ("mistral", {"sliding_window": 50}),
        ("gemma2", {"sliding_window": 50, "head_dim": 16}),
    ],
)
def test_sliding_window_layers_are_right_beyond_the_window(
    kind: str, options: dict[str, Any], make_folder: MakeFolder
) -> None:
    folder = make_folder(kind, **options)
    model = TransformersModel(folder, dtype="float32", device="cpu", threads=1)
    assert any(getattr(layer, "is_sliding", False) for layer in model._after(token_ids(1, 1), Work([])).layers)
    for p, c in [(10, 20), (30, 300), (400, 30), (300, 300)]:
        prompt, completions = token_ids(p, p), [token_ids(c, c), token_ids(c + 7, c)]
        exact = [whole_text_score(folder, prompt + completion) for completion in completions]
        for mode in MODES:
            work = model.score([Group(prompt, completions)], mode)
            assert flat(work) == pytest.approx(exact, abs=1e-5)


def test_a_prompt_is_computed_once_also_for_completions_that_come_later(model: TransformersModel) -> None:
    prompt = token_ids(70, 70)
    first = model.score([Group(prompt, [token_ids(10, n) for n in range(4)])])
    assert (first.tokens_computed, first.tokens_saved) == (70 + 4 * 10, 3 * 70)
    later = model.score([Group(prompt, [token_ids(10, 9)])])
    assert (later.tokens_computed, later.tokens_saved) == (10, 70)


@pytest.mark.parametrize(
    ("device", "why"),
    [("meta", "one of cpu, cuda"), ("gpu", "one of cpu, cuda"), ("cuda:x", "no device"), ("cuda:99", "sees . GPUs")],
)
def test_a_device_that_is_not_there_or_was_never_tried_is_refused(device: str, why: str, folder: Path) -> None:
    with pytest.raises(UnfitModel, match=why):
        TransformersModel(folder, device=device)


def test_the_settings_for_cuda_are_known_to_this_pytorch() -> None:
    matmul = torch.backends.cuda.matmul
    before = torch._C._get_cudnn_sdp_enabled(), matmul.allow_bf16_reduced_precision_reduction
    torch.set_float32_matmul_precision("high")
    try:
        steady_cuda()
        assert not torch._C._get_cudnn_sdp_enabled()
        assert not matmul.allow_bf16_reduced_precision_reduction
        assert (torch.get_float32_matmul_precision(), matmul.allow_tf32) == ("highest", False)
    finally:
        torch.backends.cuda.enable_cudnn_sdp(before[0])
        matmul.allow_bf16_reduced_precision_reduction = before[1]
        torch.set_float32_matmul_precision("highest")


def test_an_empty_prompt_runs_the_text_unsplit(model: TransformersModel, folder: Path) -> None:
    text = token_ids(300, 3)
    assert one(model, array("i"), text) == pytest.approx(whole_text_score(folder, text), abs=1e-5)


def test_nan_from_the_model_is_an_error_of_that_sample_only(folder: Path) -> None:
    model = TransformersModel(folder, dtype="float32", device="cpu", threads=1)
    with torch.no_grad():
        model._model.get_input_embeddings().weight[450] = float("nan")  # type: ignore[operator]
    bad, good = array("i", [450, 9]), array("i", [9, 10])
    results = model.score([Group(token_ids(5, 5), [good, bad, good])]).results[0]
    assert isinstance(results[1], NotFinite)
    assert results[0] == results[2]
    assert isinstance(results[0], float)


def test_out_of_memory_is_an_error_of_that_sample_only(folder: Path) -> None:
    model = TransformersModel(folder, dtype="float32", device="cpu", threads=1)

    def refuse_long(module: torch.nn.Module, args: tuple[()], kwargs: dict[str, Any]) -> None:
        if kwargs["input_ids"].shape[1] > 100:
            raise torch.OutOfMemoryError("CUDA out of memory")

    model._model.base_model.register_forward_pre_hook(refuse_long, with_kwargs=True)
    results = model.score([Group(token_ids(5, 5), [token_ids(120, 1), token_ids(20, 2)])]).results[0]
    assert isinstance(results[0], OutOfMemory)
    assert isinstance(results[1], float)


def test_what_does_not_fit_is_tried_again_without_the_kept_prompts(folder: Path) -> None:
    model = TransformersModel(folder, dtype="float32", device="cpu", threads=1)
    kept, group = Group(token_ids(50, 1), [token_ids(9, 1)]), Group(token_ids(5, 5), [token_ids(20, 2)])
    expected = model.score([group]).results
    model.score([kept])

    def refuse_while_kept(module: torch.nn.Module, args: tuple[()]) -> None:
        if kept.prompt.tobytes() in model._prompts:
            raise torch.OutOfMemoryError("CUDA out of memory")

    model._model.base_model.register_forward_pre_hook(refuse_while_kept)
    assert model.score([group]).results == expected


def test_a_pack_that_does_not_fit_is_run_row_by_row(folder: Path) -> None:
    model = TransformersModel(folder, dtype="float32", device="cpu", threads=1)
    group = Group(token_ids(5, 5), [token_ids(n, n) for n in (20, 30, 120)])

    def refuse_wide_or_long(module: torch.nn.Module, args: tuple[()], kwargs: dict[str, Any]) -> None:
        rows, length = kwargs["input_ids"].shape
        if rows > 1 or length > 100:
            raise torch.OutOfMemoryError("CUDA out of memory")

    expected = flat(model.score([group]))
    model._model.base_model.register_forward_pre_hook(refuse_wide_or_long, with_kwargs=True)
    results = flat(model.score([group], "throughput"))
    assert results[:2] == expected[:2]
    assert isinstance(results[2], OutOfMemory)


def test_a_model_that_looks_ahead_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sdpa = torch.nn.functional.scaled_dot_product_attention

    def sees_all(*args: Any, **kwargs: Any) -> torch.Tensor:
        return sdpa(*args, **kwargs | {"is_causal": False})

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", sees_all)
    with pytest.raises(UnfitModel, match="two parts"):
        TransformersModel(folder, dtype="float32", device="cpu", threads=1)
