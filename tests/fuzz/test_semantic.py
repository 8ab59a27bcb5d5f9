"""A hundred files of the semantic fuzzer, always the same; by hand it tries others."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("resource", reason="the system does not tell the peak of a process")
pytest.importorskip("click", reason="the command line needs the extra cli")

from tests.model.endurance import LAUNCHER

SCRIPT = Path(__file__).with_name("semantic.py")


def test_no_file_is_used_without_bounds():
    command = [sys.executable, "-I", "-S", "-c", LAUNCHER, sys.executable, SCRIPT, "0", "100"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("100 files, 0 finds")
