"""Imported when Python starts: stands in for flash_attn, which OpenRLHF imports and never calls on these runs."""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

NAMES = {
    "flash_attn": (),
    "flash_attn.bert_padding": ("index_first_axis", "pad_input", "rearrange", "unpad_input"),
    "flash_attn.utils": (),
    "flash_attn.utils.distributed": ("all_gather",),
}

for name, functions in NAMES.items():
    module = ModuleType(name)
    module.__path__ = []
    module.__spec__ = ModuleSpec(name, None)
    for function in functions:
        setattr(module, function, None)
    sys.modules.setdefault(name, module)
