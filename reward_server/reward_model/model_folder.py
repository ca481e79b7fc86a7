"""What all engines read of a model's folder: its config.json, its tokenizer, and a digest of all that counts.

A remote server has the weights in a place of its own. The folder here may then hold a tokenizer only. No code of the
folder is ever run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reward_server.reward_model.engine import UnfitModel

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TWO_LAYERS = frozenset({"Qwen2ForRewardModel", "INFORMForSequenceClassification"})
"""Classes with Linear, ReLU, Linear as their `score`: of Qwen2.5-Math-RM and WorldPM, and of INF-ORM."""

MERGE_FIRST = (
    "merge it into the model first (`model = peft.AutoPeftModelForSequenceClassification.from_pretrained(FOLDER,"
    " num_labels=1).merge_and_unload()`, `model.config.pad_token_id = tokenizer.pad_token_id` of the training's"
    " tokenizer, `model.save_pretrained(NEW_FOLDER)`), and put that tokenizer beside it"
)

_TOKENIZER_FILES = ("tokenizer*", "vocab*", "*.model", "tekken.json")

TOKENIZER_OF_TRAINING = (
    "put the tokenizer of the training there, with its chat template"
    " (`AutoTokenizer.from_pretrained(BASE).save_pretrained(FOLDER)`)"
)

_COUNTS = (".safetensors", ".bin", ".json", ".jinja", ".model", ".txt")
"""Endings of the files that can change a score: weights, configurations, templates, vocabularies."""


def read_config(folder: Path) -> dict[str, Any]:
    """The object in config.json. Raises UnfitModel where there is none."""
    path = folder / "config.json"
    if not path.is_file():
        raise UnfitModel(f"{folder} is not a model folder: it has no config.json{_what_it_is(folder)}")
    try:
        config = json.loads(path.read_bytes())
    except ValueError as error:
        raise UnfitModel(f"{path} cannot be loaded: {error}") from error
    if not isinstance(config, dict):
        raise UnfitModel(f"{path} cannot be loaded: it is no JSON object")
    return config


def _what_it_is(folder: Path) -> str:
    """What a folder without a config.json may be, and what to do."""
    inside = sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []
    if "adapter_config.json" in inside:
        return f". It holds an adapter: {MERGE_FIRST}"
    if any(name.endswith(".gguf") for name in inside):
        return ". GGUF files are not read here: take the model as transformers saves it (safetensors)"
    if "snapshots" in inside:
        return ". It is of a download cache: name the folder inside its `snapshots`"
    checkpoints = [name for name in inside if name.startswith("checkpoint-")]
    if checkpoints:
        return f". It is of a training run: name one of its checkpoints ({', '.join(checkpoints[:3])})"
    return " (`hf download ID --local-dir DIR` makes one)"


def refuse_pairs(folder: Path, config: Mapping[str, Any]) -> None:
    """Raises UnfitModel for a cross encoder: no chat was among its texts, and its score is mostly a sigmoid."""
    path = folder / "config_sentence_transformers.json"
    is_one = '"CrossEncoder"' in path.read_text(encoding="utf-8", errors="replace") if path.is_file() else False
    if is_one or "sentence_transformers" in config:
        raise UnfitModel(
            f"{folder} is a cross encoder of sentence-transformers: it reads a pair of texts, not a chat, so its scores"
            " here would be of texts that it never saw. If it is a reward model of chats all the same, delete"
            " config_sentence_transformers.json (and `sentence_transformers` in config.json)"
        )


def pad_token_id(folder: Path, config: Mapping[str, Any]) -> int | None:
    """The model's padding token: of config.json, or where that leaves it out, of its class."""
    from transformers import AutoConfig

    try:
        whole = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        found = getattr(whole.get_text_config(), "pad_token_id", None)
    except Exception:  # noqa: BLE001 - as many classes as mistakes; where the model is loaded here, that says so
        found = config.get("pad_token_id")  # of a class that only a remote server knows
    return found if isinstance(found, int) else None


def read_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer. Raises UnfitModel when there is none, or when it has no chat template."""
    from transformers import AutoTokenizer

    if not folder.is_dir():
        raise UnfitModel(f"{folder} is not a folder")
    if not any(any(folder.glob(pattern)) for pattern in _TOKENIZER_FILES):  # transformers would make an empty one
        raise UnfitModel(f"{folder} has no tokenizer: {TOKENIZER_OF_TRAINING}")
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except ModuleNotFoundError:
        raise  # an extra is missing
    except Exception as error:  # tokenizers has no other class for a file that it cannot read
        raise UnfitModel(f"{folder} has no usable tokenizer: {error}; {TOKENIZER_OF_TRAINING}") from error
    _refuse_own_class(folder, tokenizer)
    if tokenizer.chat_template is None:
        raise UnfitModel(
            f"the tokenizer of {folder} has no chat template, so the model's input cannot be rendered:"
            f" {TOKENIZER_OF_TRAINING}"
        )
    return tokenizer


def _refuse_own_class(folder: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    """transformers takes another class in silence where it may not run the folder's own: the tokens may be others."""
    classes = tokenizer.init_kwargs.get("auto_map")
    wanted = classes.get("AutoTokenizer") if isinstance(classes, Mapping) else None
    named = [str(each) for each in (wanted if isinstance(wanted, list | tuple) else [wanted]) if each]
    taken = type(tokenizer).__name__.removesuffix("Fast")
    if named and taken not in {each.rpartition(".")[2].removesuffix("Fast") for each in named}:
        raise UnfitModel(
            f"{folder} makes its tokens by code of its own ({named[0]}, auto_map in tokenizer_config.json), which is"
            " never run (trust_remote_code stays off). Save the model with a tokenizer of transformers"
        )


def folder_digest(folder: Path) -> str:
    """12 hex digits over the names and bytes of all files of the folder that can change a score; reads them whole."""
    whole = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix in _COUNTS:
            with path.open("rb") as file:
                whole.update(path.name.encode() + b"\0" + hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()[:12]
