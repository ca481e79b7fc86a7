"""Folders that transformers would load, as another model than the one in them: refused, by name, with what to do."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import MakeFolder, save_model

from reward_server.reward_model.engine import UnfitModel
from reward_server.reward_model.local.folder import read_model

REPOSITORY = Path(__file__).parents[3]


def refusal(folder: Path) -> str:
    with pytest.raises(UnfitModel) as refused:
        read_model(folder, torch.float32, torch.device("cpu"))
    return str(refused.value)


def configure(folder: Path, **entries: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"])
def test_an_adapter_is_refused_whether_peft_is_installed_or_not(name: str, tmp_path: Path) -> None:
    (save_model(tmp_path) / name).write_text("{}")
    message = refusal(tmp_path)
    assert name in message
    assert "merge it into the model first" in message
    assert "merge_and_unload()" in message


def test_an_adapter_alone_is_refused_as_an_adapter(tmp_path: Path) -> None:
    save_model(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "adapter_config.json").write_text("{}")
    assert "merge_and_unload()" in refusal(tmp_path)


@pytest.mark.parametrize(
    "entries",
    [
        {"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}},
        {"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}},
        {"quantization_config": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}},
        {"quantization_config": {"quant_method": "gptq", "bits": 4}},
        {"quantization_config": {"quant_method": "awq", "bits": 4}},
        {"quantization_config": {"quant_method": "compressed-tensors", "format": "float-quantized"}},
        {"quantization_config": {"quant_method": "mxfp4"}},
        {"compression_config": {"format": "float-quantized"}},
        {"quantization": {"group_size": 64, "bits": 4}},
        {"text_config": {"quantization_config": {"quant_method": "fp8"}}},
    ],
)
def test_quantised_models_are_refused(entries: dict[str, Any], tmp_path: Path) -> None:
    configure(save_model(tmp_path), **entries)
    message = refusal(tmp_path)
    assert "is quantised (" in message
    assert "rm_engine=vllm" in message


@pytest.mark.parametrize("name", ["quantize_config.json", "quant_config.json", "hf_quant_config.json"])
def test_quantised_models_are_refused_by_their_files_too(name: str, tmp_path: Path) -> None:
    (save_model(tmp_path) / name).write_text("{}")
    assert f"is quantised ({name})" in refusal(tmp_path)


def test_a_null_quantization_config_is_none(tmp_path: Path) -> None:
    configure(save_model(tmp_path), quantization_config=None)
    read_model(tmp_path, torch.float32, torch.device("cpu"))


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2, torch.int8, torch.uint8, torch.int32])
@pytest.mark.parametrize("ending", ["safetensors", "bin"])
def test_weights_in_bytes_are_refused_whatever_config_json_says(
    dtype: torch.dtype, ending: str, tmp_path: Path
) -> None:
    file = save_model(tmp_path) / "model.safetensors"
    tensors = load_file(file)
    name = "model.layers.0.mlp.up_proj.weight"
    tensors[name] = (tensors[name] * 100).to(dtype)
    file.unlink()
    if ending == "bin":
        torch.save(tensors, tmp_path / "pytorch_model.bin")
    else:
        save_file(tensors, file, {"format": "pt"})
    assert f"holds {name} as " in refusal(tmp_path)


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "int8", "torch.float8_e5m2"])
@pytest.mark.parametrize("name", ["dtype", "torch_dtype"])
def test_a_configuration_that_asks_for_bytes_is_refused(name: str, dtype: str, tmp_path: Path) -> None:
    configure(save_model(tmp_path), **{name: dtype})
    assert f"config.json has {name} {dtype}" in refusal(tmp_path)


def shards(folder: Path) -> dict[str, str]:
    """The folder's weights in two shards; returns the index's map."""
    tensors = load_file(folder / "model.safetensors")
    names = sorted(tensors)
    placed: dict[str, str] = {}
    for n, part in enumerate((names[:5], names[5:]), 1):
        file = f"model-{n:05}-of-00002.safetensors"
        save_file({name: tensors[name] for name in part}, folder / file, {"format": "pt"})
        placed |= dict.fromkeys(part, file)
    write_index(folder, placed)
    return placed


def write_index(folder: Path, placed: dict[str, str]) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": placed}))


def test_two_sets_of_weights_are_refused(tmp_path: Path) -> None:
    shards(save_model(tmp_path))
    assert "two sets of weights" in refusal(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    read_model(tmp_path, torch.float32, torch.device("cpu"))


def test_safetensors_are_read_where_bin_files_stand_beside_them(tmp_path: Path) -> None:
    tensors = load_file(save_model(tmp_path) / "model.safetensors")
    torch.save({name: tensor * 2 for name, tensor in tensors.items()}, tmp_path / "pytorch_model.bin")
    model = read_model(tmp_path, torch.float32, torch.device("cpu")).model
    assert torch.equal(model.get_parameter("score.weight"), tensors["score.weight"])
    assert torch.equal(model.get_parameter("model.norm.weight"), tensors["model.norm.weight"])


def test_shards_that_the_index_does_not_name_are_not_read(tmp_path: Path) -> None:
    shards(save_model(tmp_path))
    (tmp_path / "model.safetensors").unlink()
    save_file({"score.weight": torch.ones(1, 64)}, tmp_path / "model-00003-of-00003.safetensors", {"format": "pt"})
    model = read_model(tmp_path, torch.float32, torch.device("cpu")).model
    assert not torch.equal(model.get_parameter("score.weight"), torch.ones(1, 64))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda placed: placed | {"score.weight": "model-00003-of-00003.safetensors"}, "model-00003-of-00003"),
        (lambda placed: placed | {"model.layers.9.weight": "model-00001-of-00002.safetensors"}, "model.layers.9"),
        (lambda placed: placed | {"score.weight": "../elsewhere.safetensors"}, "elsewhere.safetensors"),
    ],
)
def test_an_index_that_names_what_is_not_there_is_refused(
    change: Callable[[dict[str, str]], dict[str, str]], message: str, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    write_index(folder, change(shards(save_model(folder))))
    (folder / "model.safetensors").unlink()
    said = refusal(folder)
    assert "lacks weights" in said
    assert message in said


def test_a_tensor_in_two_shards_is_refused(tmp_path: Path) -> None:
    placed = shards(save_model(tmp_path))
    (tmp_path / "model.safetensors").unlink()
    other = next(file for name, file in placed.items() if file != placed["score.weight"])
    save_file({**load_file(tmp_path / other), "score.weight": torch.ones(1, 64)}, tmp_path / other, {"format": "pt"})
    assert "score.weight stands in model-00001" in refusal(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"weight_map": 3}', "{}"])
def test_an_index_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    save_model(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "model.safetensors.index.json").write_text(text)
    assert "it is no index of weights" in refusal(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", "null"])
def test_a_config_json_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    (save_model(tmp_path) / "config.json").write_text(text)
    assert "cannot be loaded" in refusal(tmp_path)


def test_weights_under_another_name_are_refused(tmp_path: Path) -> None:
    save_file({}, save_model(tmp_path) / "other.safetensors", {"format": "pt"})
    configure(tmp_path, transformers_weights="other.safetensors")
    assert "names other weights (other.safetensors" in refusal(tmp_path)


def test_a_distributed_checkpoint_is_refused(tmp_path: Path) -> None:
    (save_model(tmp_path) / "__0_0.distcp").write_bytes(b"")
    assert "distributed checkpoint" in refusal(tmp_path)


class Payload:
    """Unpickled by anything but `weights_only`, it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return (open, (str(self.path), "w"))


def test_a_bin_file_that_would_run_code_is_refused_and_runs_none(tmp_path: Path) -> None:
    (save_model(tmp_path) / "model.safetensors").unlink()
    torch.save({"score.weight": Payload(tmp_path / "written")}, tmp_path / "pytorch_model.bin")
    assert "cannot be loaded" in refusal(tmp_path)
    assert not (tmp_path / "written").exists()


EVIL = "from pathlib import Path\nPath({path!r}).write_text('run')\nclass Evil: pass\n"
AUTO_MAPS: list[dict[str, Any]] = [
    {"AutoModelForSequenceClassification": "evil.Evil"},
    {"AutoModel": "evil.Evil", "AutoModelForTokenClassification": "evil.Evil"},
    {"AutoConfig": "evil.Evil", "AutoModelForSequenceClassification": "evil.Evil"},
]


@pytest.mark.parametrize("auto_map", AUTO_MAPS)
def test_a_class_of_the_folder_s_own_is_refused_and_not_replaced_by_another(
    auto_map: dict[str, Any], tmp_path: Path
) -> None:
    configure(save_model(tmp_path), auto_map=auto_map)
    assert "by code of its own (evil.Evil" in refusal(tmp_path)


def test_what_is_left_of_the_base_model_s_own_code_does_not_count(tmp_path: Path) -> None:
    left = {"AutoConfig": "configuration_x.XConfig", "AutoModelForCausalLM": "modeling_x.XForCausalLM"}
    configure(save_model(tmp_path), auto_map=left)
    read_model(tmp_path, torch.float32, torch.device("cpu"))


LOAD = """
from pathlib import Path
import torch
from reward_server.reward_model.engine import UnfitModel
from reward_server.reward_model.local.folder import read_model
from reward_server.reward_model.model_folder import read_tokenizer
folder = Path({folder!r})
for load in (lambda: read_model(folder, torch.float32, torch.device("cpu")), lambda: read_tokenizer(folder)):
    try:
        load()
        print("taken")
    except UnfitModel as error:
        print("refused", error)
"""


@pytest.mark.parametrize("model_type", ["qwen2", "evil_type"])
def test_no_code_of_the_folder_runs_though_the_terminal_says_yes(
    model_type: str, make_folder: MakeFolder, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(make_folder(), folder)
    written = tmp_path / "written"
    (folder / "evil.py").write_text(EVIL.format(path=str(written)))
    auto_map = {"AutoConfig": "evil.Evil", "AutoModelForSequenceClassification": "evil.Evil"}
    configure(folder, model_type=model_type, auto_map=auto_map)
    tokenizer = json.loads((folder / "tokenizer_config.json").read_text())
    tokenizer |= {"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": ["evil.Evil", "evil.Evil"]}}
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    result = subprocess.run(
        [sys.executable, "-c", LOAD.format(folder=str(folder))],
        input="y\n" * 20, capture_output=True, text=True, timeout=600, check=True,
    )  # fmt: skip
    assert not written.exists()
    assert "[y/N]" not in result.stdout + result.stderr
    assert result.stdout.count("refused") >= 1


def test_every_call_that_loads_a_model_says_that_no_remote_code_runs() -> None:
    calls = 0
    for part in ("reward_server", "trainer_client", "benchmarks", "experiments"):
        for path in (REPOSITORY / part).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                    if node.func.attr == "from_pretrained":
                        calls += 1
                        said = {word.arg: ast.unparse(word.value) for word in node.keywords}
                        assert said.get("trust_remote_code") == "False", f"{path.name}:{node.lineno}"
                    if ast.unparse(node.func) == "torch.load":
                        calls += 1
                        said = {word.arg: ast.unparse(word.value) for word in node.keywords}
                        assert said.get("weights_only") == "True", f"{path.name}:{node.lineno}"
    assert calls > 8
