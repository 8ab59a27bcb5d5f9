"""How many threads the matrix products use.

Products run in the threads of numpy's BLAS; everything else in modnet runs in the thread that calls it. The environment
variable `MODNET_NUM_THREADS` says how many at the start of a process, `set_threads` at any time.
"""

from __future__ import annotations

from typing import Any

from modnet.errors import MissingExtra


def set_threads(count: int) -> None:
    """Lets the matrix products of this process use so many threads from now on.

    Results are deterministic for a given number of threads, and may differ in rounding between numbers.

    Raises:
        ValueError: count is less than 1.
        MissingExtra: threadpoolctl (extra `threads`) is not installed; the environment variable needs nothing.
    """
    if count < 1:
        raise ValueError(f"expected at least 1 thread, found {count}")
    try:
        import threadpoolctl
    except ImportError:
        raise MissingExtra("changing the number of threads while running", "threads") from None
    limits: Any = threadpoolctl.threadpool_limits
    limits(limits=count, user_api="blas")
