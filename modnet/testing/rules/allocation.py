"""How many bytes a call allocates."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def tracing() -> Iterator[None]:
    """Traces allocations; a trace that runs already continues."""
    started = not tracemalloc.is_tracing()
    if started:
        tracemalloc.start()
    try:
        yield
    finally:
        if started:
            tracemalloc.stop()


def allocated() -> int:
    """Bytes that are allocated now, of those that were traced; the peak is counted from here."""
    tracemalloc.reset_peak()
    return tracemalloc.get_traced_memory()[0]


def most_allocated(call: Callable[[], object], before: int | None = None) -> int:
    """Bytes that a call has allocated at once beyond `before`, by default beyond what there was when it began."""
    now = allocated()
    call()
    return tracemalloc.get_traced_memory()[1] - (now if before is None else before)
