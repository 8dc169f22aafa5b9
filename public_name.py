"""The pack under one name, whatever its folder is called: `import comfyui_hrv...` gives the very modules that run.

ComfyUI names a pack by its path, so that no other pack could import it. Other packs (docs/extending.md), the worker of
a cluster and the tests use this name instead.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType

NAME = "comfyui_hrv"


class SameModules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Answers `import alias.x` with the module `package.x`, not with a second copy of it."""

    def __init__(self, alias: str, package: str) -> None:
        self.alias, self.package = alias, package

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """A spec for names below the alias; None for others, and for modules that are not there."""
        if fullname.partition(".")[0] != self.alias or importlib.util.find_spec(self._own(fullname)) is None:
            return None
        return importlib.machinery.ModuleSpec(fullname, self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """The module of the package itself."""
        module = importlib.import_module(self._own(spec.name))
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing runs twice; the import system had put the alias's spec on the module."""
        assert module.__spec__ is not None
        module.__spec__ = module.__spec__.loader_state

    def _own(self, fullname: str) -> str:
        return self.package + fullname[len(self.alias) :]


def give_public_name(package: str) -> None:
    """Let other packs import this one, which runs as `package`, as `comfyui_hrv`."""
    if package != NAME and NAME not in sys.modules:
        sys.meta_path.insert(0, SameModules(NAME, package))
