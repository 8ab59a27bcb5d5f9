"""Public names and options that will go: they work, warn, and say what to use. docs/versions.md has the policy."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from functools import wraps
from typing import NamedTuple, ParamSpec, TypeVar

from modnet.words import did_you_mean

P = ParamSpec("P")
R = TypeVar("R")


class Renamed(NamedTuple):
    """What a public name is called now, and the release from which on the old one warns."""

    new: str
    since: str


NAMES: dict[str, Renamed] = {}
"""Old public name of `modnet` -> what it is called now; a row stays as long as docs/versions.md promises."""


def current_name(name: str, names: Iterable[str]) -> str:
    """What a name that is none of `modnet.__all__` is called now; it warns the caller of `modnet.__getattr__`.

    Raises:
        AttributeError: it never was a public name.
    """
    if name not in NAMES:
        raise AttributeError(f"module 'modnet' has no attribute {name!r}{did_you_mean(name, names)}")
    new, since = NAMES[name]
    warnings.warn(f"modnet.{name} is called modnet.{new} since modnet {since}", DeprecationWarning, stacklevel=3)
    return new


def renamed_option(old: str, new: str, *, since: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator for a public function that still takes an option by its old name, with a DeprecationWarning.

    Args:
        since: the release that has the new name.

    Raises:
        TypeError: from the function, which was given both.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def takes_both(*args: P.args, **kwargs: P.kwargs) -> R:
            if old in kwargs:
                if new in kwargs:
                    raise TypeError(f"{function.__name__}: {old} is the old name of {new}; give {new} alone")
                what = f"{function.__name__}: {old} is called {new} since modnet {since}"
                warnings.warn(what, DeprecationWarning, stacklevel=2)
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return takes_both

    return decorate
