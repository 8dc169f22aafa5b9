"""Options for attention that the host gives none: some of its models do not pass transformer_options on.

While a model call runs, the name `optimized_attention` in such a module of the host stands for the same function with
our options added; then the host's own wrapper asks for the override as everywhere else.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any

NAME = "optimized_attention"


@contextmanager
def lent(options: dict[str, Any], modules: Sequence[str]) -> Iterator[None]:
    """Inside, attention called in these modules of the host gets `options`; undone even when the call fails."""
    with ExitStack() as undo:
        for name in modules:
            home = sys.modules[name]
            theirs = getattr(home, NAME)
            undo.callback(setattr, home, NAME, theirs)
            setattr(home, NAME, _with(theirs, options))
        yield


def _with(attention: Callable, options: dict[str, Any]) -> Callable:
    @wraps(attention)
    def attend(*arguments: Any, **named: Any) -> Any:
        return attention(*arguments, **{"transformer_options": options, **named})

    return attend
