"""Where the source of a module is, found without importing it: the server does not run what a check runs."""

from __future__ import annotations

import os
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path


def source_of(module: str) -> Path | None:
    """The file of a dotted name, looked for where a worker looks: in the working directory, then on Python's path."""
    places = [os.getcwd(), *sys.path]
    spec: ModuleSpec | None = None
    parts = module.split(".")
    for depth in range(len(parts)):
        spec = _found(".".join(parts[: depth + 1]), places)
        if spec is None:
            return None
        places = list(spec.submodule_search_locations or ())
    return Path(spec.origin) if spec and spec.has_location and spec.origin else None


def _found(name: str, places: list[str]) -> ModuleSpec | None:
    for finder in sys.meta_path:
        if getattr(finder, "__module__", "") == "_frozen_importlib":
            continue  # built-in modules have no file
        if (spec := finder.find_spec(name, places)) is not None:
            return spec
    return None
