"""How many threads are used, and how two of them share work.

Matrix products run in the threads of numpy's BLAS. Everything else runs in the thread that calls it, except for work
that a component gives to `share`. The environment variable `MODNET_NUM_THREADS` sets the number of threads at the start
of a process, `set_threads` at any time.
"""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import Context, copy_context
from importlib import import_module
from queue import SimpleQueue
from typing import Any

from modnet.errors import MissingExtra

VARIABLE = "MODNET_NUM_THREADS"
OF_LIBRARIES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""The variables of the libraries behind numpy's matrix products, which they read once, when numpy is imported. The last
is that of Accelerate on macOS."""


def set_threads(count: int) -> None:
    """Sets how many threads this process uses from now on, for matrix products and for work that components share.

    Results are deterministic for a given number of threads, and may differ by rounding between different numbers. If
    threadpoolctl does not know the library behind numpy's products, they go on as before, with a RuntimeWarning.

    Raises:
        ValueError: count is less than 1.
        MissingExtra: threadpoolctl (extra `threads`) is not installed; the environment variable works without it.
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
            "found no BLAS library whose threads can be set: matrix products use as many threads as before; set the "
            "environment variable of that library instead",
            RuntimeWarning,
            stacklevel=2,
        )


def count() -> int:
    """How many threads this process may use: what was set, but at most one for each core that it may run on.

    Set by the first of these that there is: `set_threads`, the environment variable `MODNET_NUM_THREADS`, that of the
    library behind numpy's products. Without any of them, all cores.
    """
    known = _count  # read once, since another thread may reset it meanwhile
    if known is None:
        with _lock:
            known = _found_count()
    return known


def share(first: Callable[[], object], second: Callable[[], object]) -> None:
    """Calls both, at the same time if two threads are allowed, and returns when both are done.

    numpy and compiled loops release Python's lock (the GIL) while they work on arrays, so that two halves of a batch
    keep two cores busy. `first` runs in the calling thread. If no other thread has started `second` by the time `first`
    is done, the calling thread runs it too: where all threads of a process predict, none is free. Results must not
    depend on that; give each call buffers of its own, taken from the context beforehand. numpy's errstate applies in
    both (from numpy 2 on).

    Waking a thread takes some 20 to 50 microseconds: work of less than a few hundred is not worth sharing.

    Raises:
        What either call raises; if both do, the error of `first`.
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
        # Also if `first` has failed: a `second` that has begun uses the caller's buffers, so it has to end before we
        # return. If it has not begun, the claim keeps a worker from ever starting it.
        ours = task.claim.acquire(blocking=False)
        if not ours:
            task.done.acquire()
    if ours:
        second()
    elif task.error is not None:
        raise task.error


def lock_for_filling() -> AbstractContextManager[bool]:
    """A reentrant lock for filling something once for all threads.

    Fill an object of your own, then publish it by one assignment, so that readers need no lock. Import no plugin while
    you hold the lock: another thread that is importing that plugin may be waiting for it. `os.fork` acquires the lock
    first, so that it is free in the child, and what it protects is not half filled there.
    """
    lock = threading.RLock()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
    return lock


def read_environment() -> None:
    """Applies `MODNET_NUM_THREADS`; called on the import of modnet if it is set.

    A library whose own variable is set is left alone. If numpy has been imported already, setting those variables comes
    too late, and threadpoolctl is used. What cannot be applied gives a RuntimeWarning: it is not worth failing for.
    """
    text = os.environ[VARIABLE]
    number = whole_number(text)
    if number is None:
        _warn_of_variable(f"{VARIABLE} is {text!r}, expected a whole number >= 1; ignored")
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
        _warn_of_variable(f"{VARIABLE} has no effect on matrix products, as numpy was imported first; {remedy}")


def product_libraries() -> list[dict[str, Any]] | None:
    """What threadpoolctl knows of the libraries behind numpy's products; None if it is not installed.

    Among the keys are `internal_api`, `version`, `architecture` (the kernel that it has chosen), `num_threads`,
    `threading_layer` and `filepath`.
    """
    try:
        found: list[dict[str, Any]] = _product_libraries().info()
    except ImportError:
        return None
    return found


@contextmanager
def products_in_one_thread() -> Iterator[None]:
    """Within this, matrix products use one thread, if threadpoolctl is installed and knows their library."""
    try:
        libraries = _product_libraries()
    except ImportError:
        yield
        return
    with libraries.limit(limits=1):
        yield


def whole_number(text: str) -> int | None:
    """The number of threads that an environment variable gives, or None if its text is not such a number."""
    # isdigit alone also accepts superscripts, for which int() raises; OMP_NUM_THREADS may be a list, "4,2".
    return int(text) if text.isascii() and text.isdigit() and int(text) > 0 else None


def _warn_of_variable(text: str) -> None:
    # 4 levels up is the user's `import modnet`: above this function, read_environment, and modnet/__init__.py.
    warnings.warn(text, RuntimeWarning, stacklevel=4)


def cores() -> int:
    """On how many cores this process may run."""
    # cpu_count counts the machine's cores, also those that a container or taskset keeps from this process.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _limit_products(number: int) -> bool:
    """Limits the threads of numpy's BLAS; False if threadpoolctl knows no such library in this process.

    Raises:
        ImportError: threadpoolctl is not installed.
    """
    libraries = _product_libraries()
    libraries.limit(limits=number)
    return bool(libraries.info())


def _product_libraries() -> Any:
    """The libraries behind numpy's products, of threadpoolctl.

    Raises:
        ImportError: threadpoolctl is not installed.
    """
    import threadpoolctl

    # threadpoolctl finds only libraries that are loaded already.
    import_module("numpy")
    return threadpoolctl.ThreadpoolController().select(user_api="blas")


class _Task:
    """Work that waits for a thread. The thread that acquires `claim` does it; others wait for it by acquiring `done`.

    Bare locks, and not a Future: they are created and acquired in a fraction of the time, and `share` is called several
    times in a step.
    """

    __slots__ = ("claim", "context", "done", "error", "work")

    def __init__(self, work: Callable[[], object]) -> None:
        self.work = work
        self.context: Context = copy_context()  # numpy's errstate is a context variable
        self.error: BaseException | None = None
        self.claim, self.done = threading.Lock(), threading.Lock()
        self.done.acquire()


class _Workers:
    """Threads that take tasks from a queue, with less latency than concurrent.futures.

    Args:
        most: how many threads there may be. They are started when they are needed.
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
                    pass  # no more threads: the system's limit is reached, or the interpreter is shutting down
            if not self._started:
                return  # no worker would ever take it out of the queue; the caller of `share` does the work
        self._queue.put(task)

    def stop(self) -> None:
        """Ends the threads after their current tasks. A task that is offered later is done by its caller."""
        with self._lock:
            self.most = 0
            for _ in range(self._started):
                self._queue.put(None)


def _serve(queue: SimpleQueue[_Task | None]) -> None:
    while (task := queue.get()) is not None:
        if task.claim.acquire(blocking=False):
            try:
                task.context.run(task.work)
            except BaseException as error:  # KeyboardInterrupt too: `share` raises it in the calling thread
                task.error = error
            task.done.release()
        del task  # otherwise its arrays would stay in memory until the next task comes


_count: int | None = None
_workers: _Workers | None = None
_lock = threading.Lock()
_setting = threading.Lock()


def _found_count() -> int:
    """The number of threads; called under the lock, so that it does not overwrite what `set_threads` sets meanwhile."""
    global _count
    if _count is None:
        found = (whole_number(os.environ.get(name, "")) for name in (VARIABLE, *OF_LIBRARIES))
        _count = min(cores(), next((number for number in found if number), sys.maxsize))
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
    """Stops the worker threads; new ones are started when needed. Without a number, the environment is read again."""
    global _count, _workers
    with _lock:
        workers, _workers = _workers, None
        _count = None if number is None else min(cores(), number)
    if workers is not None:
        workers.stop()


def _begin_in_child() -> None:
    """Only the thread that forks exists in the child: the workers are gone, and no other thread can release a lock."""
    global _workers, _lock, _setting
    _workers, _lock, _setting = None, threading.Lock(), threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)
