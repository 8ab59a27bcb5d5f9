"""What takes long, and who is told of it: how the command line knows how far the library is.

Who listens is told by `announce` that something begins which takes a while, and by `watched` how far a loop is. Nobody
listens by default, and then both cost next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

T = TypeVar("T")


class Listener(Protocol):
    """Who is told."""

    def announced(self, text: str) -> None:
        """Something begins that takes a while: one line that says what."""

    def advanced(self, what: str, done: int, whole: int) -> None:
        """A part of a loop is done: `what` is counted, of which there are `whole`."""


_listeners: list[Listener] = []
_announced: set[str] = set()


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Within this the listener is told, and those of `listening` around it are not."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def announce(text: str) -> None:
    """Says that something begins that takes a while, such as a compilation; the same thing once in a process."""
    if _listeners and text not in _announced:
        _announced.add(text)
        _listeners[-1].announced(text)


def watched(items: Iterable[T], what: str, whole: int) -> Iterator[T]:
    """The items; after each of them it is said how many are done, and in the end that all are, also after an error.

    Args:
        what: is counted, in the plural: "columns".
        whole: how many there are.
    """
    try:
        for done, item in enumerate(items, 1):
            yield item
            if done < whole:
                advance(what, done, whole)
    finally:
        advance(what, whole, whole)


def advance(what: str, done: int, whole: int) -> None:
    """Says how far something is; in the end that all is done, so that nothing is shown any more.

    Args: as those of `watched`.
    """
    if _listeners:
        _listeners[-1].advanced(what, done, whole)
