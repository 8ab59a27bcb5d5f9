"""A training survives kill -9 after any step, at the end of an epoch, and at any moment of writing a checkpoint."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from . import killed


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_a_training_that_is_killed_again_and_again_ends_with_the_same_bytes(tmp_path):
    path = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.getenv("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, killed.__file__],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr
    everywhere = " ".join([str(int(signal.SIGKILL))] * killed.STEPS)
    assert done.stdout.splitlines() == [
        f"after the step: {everywhere} 0 the same",
        "after the epoch: 9 9 0 the same",
        *(f"{moment}: {everywhere} 0 the same" for moment in killed.MOMENTS[:-1]),
        f"{killed.MOMENTS[-1]}: {everywhere[:-1]}0 0 the same",  # when the last is written none is too old
        *["at any moment: 0 the same"] * 10,
    ]
