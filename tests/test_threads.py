"""How many threads there are, and work that two of them share."""

import os
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import pytest

import modnet
from modnet import threads

COUNT = """
import sys
code = sys.argv[1]
exec(code)
import modnet.threads, numpy, threadpoolctl
products = [pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
print(*products[:1], modnet.threads.count())
"""

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(code: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("threadpoolctl", reason="the extra `threads` is not installed")
    clean = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    command = [sys.executable, *options, "-c", COUNT, code]
    return subprocess.run(command, env=clean | environment, capture_output=True, text=True)


def counts(code: str, **environment: str) -> list[int]:
    """Threads of products, and of shared work, in a process that begins with that code; warnings are errors."""
    done = run(code, "-Werror", **environment)
    assert done.returncode == 0, done.stderr
    return [int(number) for number in done.stdout.split()]


@pytest.mark.parametrize("code", ["import modnet", "import modnet, numpy", "import numpy, modnet"])
def test_the_environment_says_how_many_at_the_start(code):
    assert counts(code, MODNET_NUM_THREADS="1") == [1, 1]


@pytest.mark.parametrize("code", ["import modnet, numpy", "import numpy, modnet"])
def test_a_library_that_is_told_by_itself_is_left_alone(code):
    products, shared = counts(code, MODNET_NUM_THREADS="1", OPENBLAS_NUM_THREADS="2")
    assert (products, shared) == (min(2, os.cpu_count() or 1), 1)


def test_what_the_library_is_told_counts_for_shared_work_too():
    assert counts("import modnet", OPENBLAS_NUM_THREADS="1") == [1, 1]


@pytest.mark.parametrize("before", ["import modnet", "import modnet, numpy", "import numpy, modnet"])
def test_a_program_says_how_many_at_any_time(before):
    assert counts(f"{before}; modnet.set_threads(1)") == [1, 1]
    assert counts(f"{before}; modnet.set_threads(1); modnet.set_threads({CORES})") == [CORES, CORES]


@pytest.mark.parametrize("value", ["0", "-1", "two", "", "1.5", "²"])
def test_a_variable_that_is_no_number_of_threads_is_reported_and_ignored(value):
    done = run("import modnet", MODNET_NUM_THREADS=value)
    assert f"RuntimeWarning: MODNET_NUM_THREADS is {value!r}, expected a whole number >= 1; ignored" in done.stderr
    assert done.stdout.split()[1] == str(CORES)


HIDDEN = "import sys; sys.modules['threadpoolctl'] = None; import numpy; {}; del sys.modules['threadpoolctl']"


def test_without_threadpoolctl_a_variable_that_comes_too_late_is_told():
    done = run(HIDDEN.format("import modnet"), MODNET_NUM_THREADS="1")
    assert "has no effect on matrix products" in done.stderr
    assert "import modnet before numpy, or install the extra `threads`" in done.stderr
    assert done.stdout.split()[1] == "1"


def test_without_threadpoolctl_the_extra_is_asked_for():
    done = run(HIDDEN.format("import modnet; modnet.set_threads(1)"))
    assert done.stderr.rstrip().rpartition("\n")[2].startswith("modnet.errors.MissingExtra")


def test_a_library_that_cannot_be_told_is_told_of(monkeypatch, cores):
    threadpoolctl = pytest.importorskip("threadpoolctl", reason="the extra `threads` is not installed")
    cores(2)
    monkeypatch.setattr(threadpoolctl.ThreadpoolController, "select", lambda self, **_: NoLibraries())
    with pytest.warns(RuntimeWarning, match="found no BLAS library whose threads can be set"):
        modnet.set_threads(1)
    assert threads.count() == 1


class NoLibraries:
    def limit(self, limits):
        pass

    def info(self):
        return []


def test_there_is_at_least_one():
    with pytest.raises(ValueError, match="expected at least 1 thread, found 0"):
        modnet.set_threads(0)


# Shared work


@pytest.fixture
def cores(monkeypatch):
    """Pretends that there are so many cores, and that the environment says so much."""

    def pretend(number, **variables):
        for name in (threads.VARIABLE, *threads.OF_LIBRARIES):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(threads, "cores", lambda: number)
        threads._begin_anew()

    yield pretend
    threads._begin_anew()


@pytest.mark.parametrize(
    ("number", "variables", "expected"),
    [
        (2, {}, 2),
        (1, {}, 1),
        (4, {"MODNET_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "1"}, 2),
        (4, {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "3"}, 1),
        (4, {"OMP_NUM_THREADS": "3"}, 3),
        (4, {"MODNET_NUM_THREADS": "many", "OMP_NUM_THREADS": "0"}, 4),
        (4, {"MODNET_NUM_THREADS": "99"}, 4),
    ],
)
def test_how_many_there_may_be(cores, number, variables, expected):
    cores(number, **variables)
    assert threads.count() == expected


def who_works():
    """The threads that do the first and the second half, which wait for each other for a while."""
    names = {}
    both = threading.Barrier(2)

    def work(half):
        names[half] = threading.current_thread().name
        try:
            both.wait(60 if threads.count() > 1 else 0)
        except threading.BrokenBarrierError:
            names["alone"] = True

    threads.share(lambda: work("first"), lambda: work("second"))
    return names


def test_two_threads_work_side_by_side(cores):
    cores(2)
    here = threading.current_thread().name
    for _ in range(3):
        assert who_works() == {"first": here, "second": "modnet-worker"}


def test_with_one_thread_the_caller_does_both(cores):
    cores(1)
    here = threading.current_thread().name
    assert who_works() == {"first": here, "second": here, "alone": True}


def test_set_threads_counts(cores, monkeypatch):
    cores(2)
    monkeypatch.setattr(threads, "_limit_products", lambda _: True)
    assert "alone" not in who_works()
    modnet.set_threads(1)
    assert who_works()["alone"]
    modnet.set_threads(2)
    assert "alone" not in who_works()


def test_no_thread_waits_for_one_that_is_busy(cores):
    """Two callers and one worker: what the worker has not begun with, its owner does."""
    cores(2)
    held, begun = threading.Event(), threading.Event()

    def hold():
        begun.set()
        held.wait(60)

    busy = threading.Thread(target=threads.share, args=(lambda: None, hold))
    busy.start()
    assert begun.wait(60)
    done = []
    threads.share(lambda: done.append(1), lambda: done.append(2))
    assert done == [1, 2]
    assert busy.is_alive()
    held.set()
    busy.join(60)
    assert not busy.is_alive()


def test_a_half_within_a_half(cores):
    cores(2)
    done = []

    def inner():
        threads.share(lambda: done.append(1), lambda: done.append(2))

    for _ in range(200):
        done.clear()
        threads.share(inner, inner)
        assert sorted(done) == [1, 1, 2, 2]


def test_many_threads_share_at_once(cores):
    cores(3)
    totals = np.zeros((8, 2), int)

    def work(row):
        def add(column):
            totals[row, column] += 1

        for _ in range(300):
            threads.share(lambda: add(0), lambda: add(1))

    callers = [threading.Thread(target=work, args=(row,)) for row in range(len(totals))]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
    assert (totals == 300).all()


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("half", [0, 1])
def test_an_error_of_either_half_comes_out_when_both_have_ended(cores, number, half):
    cores(number)
    running = []

    def work(at):
        if at == half:
            raise ZeroDivisionError
        running.append(at)
        time.sleep(0.01)
        running.remove(at)

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            threads.share(lambda: work(0), lambda: work(1))
        assert running == []


@pytest.mark.skipif(np.__version__.startswith("1."), reason="numpy 1 keeps errstate for each thread")
def test_the_second_half_keeps_the_callers_errstate(cores):
    cores(2)
    both = threading.Barrier(2)
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        threads.share(lambda: both.wait(60), lambda: (both.wait(60), np.ones(1) / np.zeros(1)))


def test_without_a_further_thread_the_caller_does_both(cores, monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    cores(2)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    done = []
    threads.share(lambda: done.append(1), lambda: done.append(2))
    assert done == [1, 2]
    assert threads._workers is not None
    assert threads._workers._queue.empty(), "nobody would ever take it from there"


def test_nothing_is_kept_of_what_was_shared(cores):
    import gc
    import weakref

    cores(2)
    array = np.zeros(3)
    seen = weakref.ref(array)
    threads.share(lambda: None, lambda array=array: array.fill(1))
    del array
    end = time.monotonic() + 60
    while seen() is not None and time.monotonic() < end:
        gc.collect()
    assert seen() is None


def test_a_number_that_is_set_while_another_thread_looks_for_one_counts(cores, monkeypatch):
    cores(8)
    begun, going_on = threading.Event(), threading.Event()

    def slowly():
        if not begun.is_set():
            begun.set()
            going_on.wait(60)
        return 8

    monkeypatch.setattr(threads, "cores", slowly)
    with ThreadPoolExecutor(2) as pool:
        looking = pool.submit(threads.count)
        assert begun.wait(60)
        setting = pool.submit(threads._begin_anew, 3)
        wait([setting], timeout=0.1)  # where it need not wait, it has set the number by now
        going_on.set()
        assert (looking.result(60), setting.result(60)) == (8, None)
    assert threads.count() == 3


def test_there_are_as_many_further_threads_as_the_number_says_now(cores, monkeypatch):
    cores(8)
    assert threads.count() == 8
    threads._begin_anew(3)
    assert threads._current_workers().most == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_process_has_threads_of_its_own(cores):
    cores(2)
    who_works()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside other threads, which is the point here
        child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if "alone" not in who_works() else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
