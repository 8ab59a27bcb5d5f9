"""The benchmark runs and says what it found; how fast anything is, is not tested."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]


@pytest.mark.skipif(not (REPOSITORY / "benchmarks").is_dir(), reason="the benchmark is in the repository alone")
def test_the_benchmark_runs():
    command = [sys.executable, "-m", "benchmarks.estimators", "--rounds", "1", "--tables", "iris", "diabetes"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    rows = [line.split("|")[1:-1] for line in done.stdout.splitlines() if line.startswith("|")]
    assert [row[0].strip() for row in rows] == ["table", "---", "iris", "diabetes"]
    assert {len(row) for row in rows} == {7}
