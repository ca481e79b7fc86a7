"""Stands in for packages that a trainer imports and that nothing here uses."""

import importlib.abc
import importlib.machinery
import sys
from unittest.mock import MagicMock


class _Stubs(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, names):
        self.names = names

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        module = MagicMock(name=spec.name)
        module.__spec__, module.__path__, module.__name__ = spec, [], spec.name
        return module

    def exec_module(self, module):
        pass


def stub(*names: str) -> None:
    sys.meta_path.insert(0, _Stubs(names))
