"""Which weight files of a model folder are read, and which tensors they hold: names, shapes and types, no numbers.

    model.safetensors, else model.safetensors.index.json, else pytorch_model.bin, else pytorch_model.bin.index.json
    beside it value_head.safetensors or value_head.bin, where LLaMA-Factory keeps its head

Of the first four transformers reads the first that is there. Refused is what two programs would read differently, or in
silence: two sets of safetensors, a tensor that stands in two shards, an index that names what is not there, adapters,
quantised numbers.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

from reward_server.reward_model.engine import UnfitModel
from reward_server.reward_model.model_folder import MERGE_FIRST

if TYPE_CHECKING:
    import torch

_SETS = (
    ("model.safetensors", "model.safetensors.index.json"),
    ("pytorch_model.bin", "pytorch_model.bin.index.json"),
)
_ADAPTERS = ("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin")
_HEADS_APART = ("value_head.safetensors", "value_head.bin")
_UNKNOWN_HEADS_APART = ("v_head.safetensors", "v_head.bin")
_PLAIN = {"F64", "F32", "F16", "BF16", "float64", "float32", "float16", "bfloat16"}
_ONE_BYTE_FLOATS = ("F8", "F4", "F6", "float8", "float4")
_UNMERGED = re.compile(r"\.(lora_\w+|base_layer|modules_to_save)\.")
"""Names that peft gives to the parts of a model while its adapter is not merged."""
_POINTER = b"version https://git-lfs"


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor on disk. `dtype`: as safetensors or PyTorch name it (`BF16`, `bfloat16`)."""

    file: Path
    shape: tuple[int, ...]
    dtype: str


class StoredWeights:
    """All tensors of the weight files of a folder. Raises UnfitModel where they cannot be told for certain.

    `apart`: names of those in a file of the head's own, which only `Head` reads.
    """

    def __init__(self, folder: Path) -> None:
        _refuse_neighbours(folder)
        self.files, placed = _files(folder)
        self.is_safetensors = self.files[0].suffix == ".safetensors"
        self.tensors: dict[str, Stored] = {}
        for file in self.files:
            self._add(file)
        self.apart: set[str] = set()
        for file in (folder / name for name in _HEADS_APART if (folder / name).exists()):
            before = set(self.tensors)
            self._add(file)
            self.apart |= set(self.tensors) - before
        absent = sorted(name for name, file in placed.items() if name not in self.tensors or not file.is_file())
        if absent:
            raise UnfitModel(
                f"{folder} lacks weights: {', '.join(absent[:5])}, which its index names, are in none of its files:"
                " download or save the model again"
            )
        unmerged = next(filter(_UNMERGED.search, self.tensors), None)
        if unmerged is not None:
            raise UnfitModel(f"{folder} holds a model with an adapter that is not merged ({unmerged}): {MERGE_FIRST}")
        self._refuse_quantised(folder)
        self._refuse_repeated(folder)

    def tensor(self, name: str, rows: int) -> torch.Tensor:
        """The numbers of the first rows of one tensor, in the type in which they are stored."""
        from safetensors import safe_open

        file = self.tensors[name].file
        if file.suffix != ".safetensors":
            found: torch.Tensor = _state_dict(file, "cpu")[name]
            return found[:rows].clone()
        with safe_open(file, framework="pt") as opened:
            return opened.get_slice(name)[:rows]  # type: ignore[no-any-return]

    def _add(self, file: Path) -> None:
        try:
            for name, stored in _listed(file):
                if name in self.tensors:
                    raise UnfitModel(
                        f"{name} stands in {self.tensors[name].file.name} and in {file.name}: which one counts cannot"
                        " be told; save the model again into an empty folder"
                    )
                self.tensors[name] = stored
        except UnfitModel:
            raise
        except UnpicklingError as error:
            raise UnfitModel(
                f"{file} cannot be loaded: it holds more than tensors, and nothing else is unpickled; save the model by"
                " `save_pretrained`, which writes safetensors"
            ) from error
        except Exception as error:  # torch.load says what is wrong with a file in a dozen ways
            raise UnfitModel(f"{file} cannot be loaded: {_trouble(file, error)}") from error

    def _refuse_quantised(self, folder: Path) -> None:
        for name, stored in self.tensors.items():
            if stored.dtype not in _PLAIN and (name.endswith("weight") or stored.dtype.startswith(_ONE_BYTE_FLOATS)):
                raise UnfitModel(
                    f"{folder} holds {name} as {stored.dtype}: quantised weights are not served here, since their"
                    " scales would be lost; serve it by vLLM (rm_engine=vllm), or save it in bfloat16"
                )

    def _refuse_repeated(self, folder: Path) -> None:
        """With and without its first part (`model.norm.weight`, `norm.weight`) a name is the same to transformers."""
        for name in self.tensors:
            if name.partition(".")[2] in self.tensors:
                raise UnfitModel(
                    f"{folder} holds both {name} and {name.partition('.')[2]}: which one counts cannot be told; save"
                    " the model again into an empty folder"
                )


def _refuse_neighbours(folder: Path) -> None:
    """What transformers would add to the weights, or read in their place, and what it would leave aside."""
    for name in _ADAPTERS:
        if (folder / name).exists():
            raise UnfitModel(f"{folder} holds an adapter ({name}), which may or may not be applied: {MERGE_FIRST}")
    for name in _UNKNOWN_HEADS_APART:
        if (folder / name).exists():
            raise UnfitModel(
                f"{folder} keeps its head apart, in {name}, which nothing here reads: put it into the model's own"
                " weights as `score.weight` (and `score.bias`), if it is one linear layer read at the last token"
            )
    if any(folder.glob("*.distcp")):
        raise UnfitModel(f"{folder} is a distributed checkpoint (*.distcp): save the model by `save_pretrained`")


def _trouble(file: Path, error: Exception) -> str:
    with file.open("rb") as opened:
        is_pointer = opened.read(len(_POINTER)) == _POINTER
    if is_pointer:
        return "it is a pointer of Git LFS to the weights; run `git lfs pull` in its folder, or `hf download`"
    return f"{error}; is it whole? Download or save the model again"


def _files(folder: Path) -> tuple[tuple[Path, ...], dict[str, Path]]:
    """The files that are read, and which tensor an index puts into which."""
    for single, index in _SETS:
        placed = _placed(folder, folder / index) if (folder / index).is_file() else {}
        if (folder / single).is_file():
            if set(placed.values()) - {folder / single}:
                raise UnfitModel(
                    f"{folder} holds two sets of weights, {single} and the shards of {index}: transformers reads the"
                    " first, others the second or both; delete the one that is not meant"
                )
            return (folder / single,), {}
        if placed:
            return tuple(sorted(set(placed.values()))), placed
    raise UnfitModel(
        f"{folder} cannot be loaded: it holds no weights (model.safetensors or pytorch_model.bin, whole or in shards"
        " with an index)"
    )


def _placed(folder: Path, index: Path) -> dict[str, Path]:
    try:
        placed = {str(name): folder / str(file) for name, file in json.loads(index.read_bytes())["weight_map"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnfitModel(f"{index} cannot be loaded: it is no index of weights ({error})") from error
    outside = sorted(file.name for file in set(placed.values()) if file.parent != folder)
    absent = sorted(file.name for file in set(placed.values()) if not file.is_file())
    if outside or absent:
        raise UnfitModel(
            f"{folder} lacks weights: {index.name} names {', '.join((outside or absent)[:5])}, which is not in the"
            " folder; download or save the model again"
        )
    return placed


def _listed(file: Path) -> Iterator[tuple[str, Stored]]:
    from safetensors import safe_open

    if file.suffix == ".safetensors":
        with safe_open(file, framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118 - no dict
                part = opened.get_slice(name)
                yield name, Stored(file, tuple(part.get_shape()), str(part.get_dtype()))
        return
    for name, tensor in _state_dict(file, "meta").items():
        yield name, Stored(file, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))


def _state_dict(file: Path, device: str) -> dict[str, Any]:
    """Raises RuntimeError for a file that is no state dict. Nothing but tensors and plain types is unpickled."""
    import torch

    loaded = torch.load(file, map_location=device, weights_only=True, mmap=zipfile.is_zipfile(file))
    if not isinstance(loaded, dict) or not all(isinstance(each, torch.Tensor) for each in loaded.values()):
        raise RuntimeError("it is no dictionary of tensors")
    return loaded
