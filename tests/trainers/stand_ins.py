"""What trainers import and a CPU environment does not have: names only, hardly anything of them is called."""

import importlib.util
import sys
from types import ModuleType


def provide(name: str, **names: object) -> None:
    """Puts a module with these names where `import` finds it; a package keeps its real folder for other submodules."""
    module = ModuleType(name)
    module.__dict__.update(names)
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent in sys.modules:
        setattr(sys.modules[parent], child, module)


def real_folder(name: str) -> list[str]:
    return list(importlib.util.find_spec(name).submodule_search_locations)
