"""How many threads there are, and work that two of them share.

Matrix products run in the threads of numpy's BLAS. Everything else runs in the thread that calls it, but for what a
component gives to `share`. The environment variable `MODNET_NUM_THREADS` says at the start of a process how many
threads there may be, `set_threads` at any time.
"""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import Context, copy_context
from importlib import import_module
from queue import SimpleQueue
from typing import Any

from modnet.errors import MissingExtra

VARIABLE = "MODNET_NUM_THREADS"
OF_LIBRARIES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
"""What the libraries that may stand behind numpy's products read as numpy is imported."""


def set_threads(count: int) -> None:
    """Lets this process use so many threads from now on, for matrix products and for work that components share.

    Results are deterministic for a given number of threads, and may differ in rounding between numbers. Where numpy's
    products come from a library that threadpoolctl does not know, a RuntimeWarning says that they go on as before.

    Raises:
        ValueError: count is less than 1.
        MissingExtra: threadpoolctl (extra `threads`) is not installed; the environment variable needs nothing.
    """
    if count < 1:
        raise ValueError(f"expected at least 1 thread, found {count}")
    try:
        with _setting:
            products_follow = _limit_products(count)
            _begin_anew(count)
    except ImportError:
        purpose = "changing the number of threads while running"
        raise MissingExtra("threadpoolctl", extra="threads", purpose=purpose) from None
    if not products_follow:
        warnings.warn(
            "no BLAS was found whose threads can be set: matrix products use as many threads as before. Its own "
            "environment variable says how many",
            RuntimeWarning,
            stacklevel=2,
        )


def count() -> int:
    """How many threads this process may use: what was set, at most one for each core that it may run on.

    That is what `set_threads` has been told; else the environment variable `MODNET_NUM_THREADS`, or that of the library
    behind numpy's products; else all cores.
    """
    known = _count
    if known is None:
        with _lock:
            known = _found_count()
    return known


def share(first: Callable[[], object], second: Callable[[], object]) -> None:
    """Calls both, side by side if there may be two threads, and returns when both are done.

    numpy and compiled loops let go of Python's lock while they work on arrays, so that two halves of a batch keep two
    cores busy. `first` runs in the calling thread. So does `second`, after it, where no other thread has begun with it
    by then: a process whose threads all predict has none to spare. What each computes must not depend on that; give
    each its own buffers, taken from the context beforehand. numpy's errstate goes along (from numpy 2 on).

    Waking a thread takes some 20 to 50 microseconds: work of less than a few hundred is not worth sharing.

    Raises:
        Whatever either raises; of two errors the first one's.
    """
    if count() == 1:
        first()
        second()
        return
    task = _Task(second)
    _current_workers().offer(task)
    try:
        first()
    finally:
        ours = task.claim.acquire(blocking=False)
        if not ours:
            task.done.acquire()
    if ours:
        second()
    elif task.error is not None:
        raise task.error


def lock_for_filling() -> AbstractContextManager[bool]:
    """A lock under which threads fill what is filled once for all of them; its holder may take it again.

    Fill something of your own, then publish it by one assignment: who reads needs no lock then. Import no plugin while
    you hold it, as the thread that is importing it may be waiting for the lock. A process that forks takes it first, so
    that its child finds it free.
    """
    lock = threading.RLock()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
    return lock


def read_environment() -> None:
    """Heeds `MODNET_NUM_THREADS`; called as modnet is imported where that is set.

    A library that has been told by its own variable is left alone. Where numpy is there already, which has read them,
    threadpoolctl serves. RuntimeWarnings say what is ignored: it is not worth failing for.
    """
    text = os.environ[VARIABLE]
    number = whole_number(text)
    if number is None:
        _warn_of_variable(f"{VARIABLE} is {text!r}: expected a whole number, at least 1; it is ignored")
    elif "numpy" not in sys.modules:
        for name in OF_LIBRARIES:
            os.environ.setdefault(name, str(number))
    elif not any(name in os.environ for name in OF_LIBRARIES):
        try:
            if _limit_products(number):
                return
            remedy = "set the variable of the library behind numpy's products"
        except ImportError:
            remedy = "import modnet before numpy, or install the extra `threads`"
        _warn_of_variable(f"{VARIABLE} comes too late for matrix products, as numpy has been imported: {remedy}")


def whole_number(text: str) -> int | None:
    """A number of threads as environment variables have it; None for what is none."""
    return int(text) if text.isascii() and text.isdigit() and int(text) > 0 else None


def _warn_of_variable(text: str) -> None:
    # The place to show is the import of modnet: above this function, read_environment, and modnet itself.
    warnings.warn(text, RuntimeWarning, stacklevel=4)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _limit_products(number: int) -> bool:
    """Whether there was a library to be told.

    Raises:
        ImportError: without threadpoolctl.
    """
    import threadpoolctl

    # threadpoolctl sees the libraries that have been loaded.
    import_module("numpy")
    libraries: Any = threadpoolctl.ThreadpoolController().select(user_api="blas")
    libraries.limit(limits=number)
    return bool(libraries.info())


class _Task:
    """Work that waits for a thread: whoever gets `claim` does it. Who else wants it done acquires `done`."""

    __slots__ = ("claim", "context", "done", "error", "work")

    def __init__(self, work: Callable[[], object]) -> None:
        self.work = work
        self.context: Context = copy_context()
        self.error: BaseException | None = None
        self.claim, self.done = threading.Lock(), threading.Lock()
        self.done.acquire()


class _Workers:
    """Threads that do what waits in a queue, with less latency than concurrent.futures has.

    Args:
        most: how many threads there may be. They are started as they are needed.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._queue: SimpleQueue[_Task | None] = SimpleQueue()
        self._started = 0
        self._lock = threading.Lock()

    def offer(self, task: _Task) -> None:
        with self._lock:
            if self._started < self.most and (self._started == 0 or not self._queue.empty()):
                try:
                    threading.Thread(target=_serve, args=(self._queue,), name="modnet-worker", daemon=True).start()
                    self._started += 1
                except RuntimeError:
                    pass  # no further threads: the limit of the system, or the end of the process
            if not self._started:
                return  # nobody would ever take it out of the queue
        self._queue.put(task)

    def stop(self) -> None:
        """Ends the threads when they have done what they are at. A task that is offered later is done by its owner."""
        with self._lock:
            self.most = 0
            for _ in range(self._started):
                self._queue.put(None)


def _serve(queue: SimpleQueue[_Task | None]) -> None:
    while (task := queue.get()) is not None:
        if task.claim.acquire(blocking=False):
            try:
                task.context.run(task.work)
            except BaseException as error:
                task.error = error
            task.done.release()
        del task  # or what it holds would stay in memory until the next one


_count: int | None = None
_workers: _Workers | None = None
_lock = threading.Lock()
_setting = threading.Lock()


def _found_count() -> int:
    """The number of threads; called under the lock, so that a number which is set meanwhile is not overwritten."""
    global _count
    if _count is None:
        found = (whole_number(os.environ.get(name, "")) for name in (VARIABLE, *OF_LIBRARIES))
        _count = min(_cores(), next((number for number in found if number), sys.maxsize))
    return _count


def _current_workers() -> _Workers:
    global _workers
    workers = _workers
    if workers is None:
        with _lock:
            if _workers is None:
                _workers = _Workers(_found_count() - 1)
            workers = _workers
    return workers


def _begin_anew(number: int | None = None) -> None:
    """Forgets the threads and, without a number, how many there may be."""
    global _count, _workers
    with _lock:
        workers, _workers = _workers, None
        _count = None if number is None else min(_cores(), number)
    if workers is not None:
        workers.stop()


def _begin_in_child() -> None:
    """Threads do not live on in a child process, which may have been made while another one held the lock."""
    global _workers, _lock, _setting
    _workers, _lock, _setting = None, threading.Lock(), threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)
