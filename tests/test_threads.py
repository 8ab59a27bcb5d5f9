"""How many threads the matrix products use."""

import os
import subprocess
import sys

import pytest

import modnet

COUNT = """
import sys, modnet, numpy, threadpoolctl
if len(sys.argv) > 1:
    modnet.set_threads(int(sys.argv[1]))
print([pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"][0])
"""


def threads(*arguments: str, **environment: str) -> int:
    pytest.importorskip("threadpoolctl", reason="the extra `threads` is not installed")
    clean = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    command = [sys.executable, "-c", COUNT, *arguments]
    done = subprocess.run(command, env=clean | environment, capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_the_environment_says_how_many_at_the_start():
    assert threads(MODNET_NUM_THREADS="1") == 1


def test_a_library_that_is_told_by_itself_is_left_alone():
    assert threads(MODNET_NUM_THREADS="1", OPENBLAS_NUM_THREADS="2") == min(2, os.cpu_count() or 1)


def test_a_program_says_how_many_at_any_time():
    assert threads("1") == 1


def test_there_is_at_least_one():
    with pytest.raises(ValueError, match="expected at least 1 thread, found 0"):
        modnet.set_threads(0)
