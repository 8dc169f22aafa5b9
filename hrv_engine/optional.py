"""Python packages that ComfyUI does not bring: imported when they are needed, named when they are missing."""

import importlib
from types import ModuleType

from .errors import HRVError


def library(module: str, package: str, extra: str, purpose: str) -> ModuleType:
    """Import an optional library; raises HRVError that names the package, the extra and how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise HRVError(
            f'{purpose} needs the Python package {package}, which is not installed (the "{extra}" extra of this pack).'
            f" Install it into ComfyUI's Python, `python -m pip install {package}`, and restart ComfyUI. Everything"
            " else of the pack works without it."
        ) from error
