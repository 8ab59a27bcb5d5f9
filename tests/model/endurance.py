"""Processes that save and load until they are killed, or are measured: for the tests and `benchmarks.endurance`."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

from modnet.model.reader import read
from modnet.model.writer import Group, write

REPOSITORY = Path(__file__).parents[2]
ELEMENTS = 1 << 20  # 8 MiB, so that most signals arrive within a save


def save(path, step, elements=ELEMENTS):
    """A model whose arrays can be compared with its header."""
    write(path, {"step": step}, [Group("p", np.full(elements, float(step)), [("w", 0, (elements,))])])


def saved_step(path):
    """The step of the model at the path, which is whole."""
    contents = read(path)
    assert (contents.groups["p"].flat == contents.header["step"]).all()
    return contents.header["step"]


def hidden(path):
    return [name for name in os.listdir(path.parent) if name.startswith(".")]


COMMON = """
import itertools, signal, sys, time
import numpy as np
from modnet.model.reader import read
from modnet.model.writer import Group, write
path, elements, number = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])

def save(step):
    write(path, {"step": step}, [Group("p", np.full(elements, float(step)), [("w", 0, (elements,))])])

"""

ENDLESS = """
signal.signal(signal.SIGINT, signal.default_int_handler)
for step in itertools.count(int(number) + 1):
    print(step, flush=True)
    save(step)
"""
"""Tells each step before it is saved; the last argument is that of the file that is there."""

WRITER = """
print("started", flush=True)
end = time.monotonic() + number
for count in itertools.count():
    if time.monotonic() > end:
        break
    save(count)
print(count)
"""

READER = """
end = time.monotonic() + number
for count in itertools.count():
    if time.monotonic() > end:
        break
    contents = read(path)
    assert (contents.groups["p"].flat == contents.header["step"]).all()
print(count)
"""


def start(code, path, elements, number, **options):
    places = os.pathsep.join(filter(None, [str(REPOSITORY), os.getenv("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-c", COMMON + code, path, str(elements), str(number)],
        env={**os.environ, "PYTHONPATH": places, "OPENBLAS_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


PATIENCE = 600
"""Seconds within which a process ends also on a machine that is busy with other work."""


def stop_savers(path, number, times, seed=0, wanted=()):
    """Sends a signal to a process that saves over a file, so many times, at random moments; tells what was found.

    That is: how often the old and the new file, and how often a temporary file was left, which is how often a save was
    stopped before its end. Where the new file was found the signal came after the rename.

    It goes on until each of `wanted` has been found, up to 20 times as often, waiting longer and longer: how long a
    save takes, and so what is found, depends on what else the machine does.
    """
    rng = random.Random(seed)
    tally = Counter()
    save(path, 0)
    before = time.perf_counter()
    save(path, 0)
    duration = time.perf_counter() - before
    found = 0
    for attempt in range(20 * times):
        if attempt >= times and all(tally[what] for what in wanted):
            break
        process = start(ENDLESS, path, ELEMENTS, found, stderr=subprocess.PIPE)
        told = process.stdout.readline()
        time.sleep(rng.uniform(0, 4 * duration * (1 + attempt // times)))
        process.send_signal(number)
        further, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == -number, errors
        step = int((told + further).split()[-1])
        found = saved_step(path)
        assert found in (step - 1, step)
        tally["new" if found == step else "old"] += 1
        left = hidden(path)
        assert len(left) <= 1  # those of earlier ones are gone
        tally["left"] += len(left)
    save(path, 0)
    assert hidden(path) == []
    return tally


def storm(path, seconds, writers, readers, killed, elements=1 << 17):
    """Processes that write and read one name at once, some of the writers being killed; tells how often they did."""
    save(path, 0, elements)
    reading = [start(READER, path, elements, seconds) for _ in range(readers)]
    dying = [start(WRITER, path, elements, seconds * 1000) for _ in range(killed)]
    writing = [start(WRITER, path, elements, seconds) for _ in range(writers - killed)]
    for process in [*dying, *writing]:
        process.stdout.readline()
    time.sleep(seconds / 2)
    for process in dying:
        process.kill()
        process.communicate()
    tally = Counter()
    for what, processes in (("reads", reading), ("writes", writing)):
        for process in processes:
            output, _ = process.communicate(timeout=seconds + PATIENCE)
            assert process.returncode == 0  # none has missed its temporary file, or seen half a model
            tally[what] += int(output)
    assert hidden(path) == []
    return tally


# Memory

MEASURED = """
import resource, sys
import modnet
import numpy as np
from modnet.errors import ModelFileError
from modnet.model.damage import verify
from modnet.model.reader import read, read_header
from modnet.model.writer import Group, write

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

{before}
begin = peak()
{measured}
print(peak() - begin)
"""

LAUNCHER = "import os, sys; sys.exit(os.spawnv(os.P_WAIT, sys.argv[1], sys.argv[1:]))"
"""Starts the process that is measured: on Linux a peak begins with that of its parent, and pytest's is high."""


def growth(measured: str, before: str = "", timeout: float = PATIENCE) -> int:
    """By how many bytes the peak of a new process grows while it runs some lines."""
    code = MEASURED.format(before=before, measured=measured)
    command = [sys.executable, "-I", "-S", "-c", LAUNCHER, sys.executable, "-c", code]
    path = os.pathsep.join(filter(None, [str(REPOSITORY), os.getenv("PYTHONPATH")]))
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, text=True, check=True, timeout=timeout
    )
    return int(done.stdout)


SHARING = """
import sys
from pathlib import Path
from modnet.model.reader import read

def proportional():
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))

before = proportional()
group = read(sys.argv[1], mmap=True, verify=False).groups["parameters"]
sum(float(view.sum()) for view in group.views.values())
print(flush=True)
input()  # until all have come so far
print(proportional() - before, flush=True)
input()
"""


def shared(path, count):
    """What each of so many processes that map a file and read all of it holds of it, in bytes.

    Each page is divided by the number of those who hold it.
    """
    places = os.pathsep.join(filter(None, [str(REPOSITORY), os.getenv("PYTHONPATH")]))
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SHARING, os.fspath(path)],
            env={**os.environ, "PYTHONPATH": places},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    for process in processes:
        process.stdout.readline()
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    shares = [int(process.stdout.readline()) for process in processes]
    for process in processes:
        process.communicate("\n")
    return shares
