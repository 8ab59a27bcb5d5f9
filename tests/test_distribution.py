"""What is shipped: the source distribution has everything that its tests need, and nothing else."""

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="only a clone of the repository knows which files are its own")
def test_the_source_distribution_is_the_repository(tmp_path):
    pytest.importorskip("hatchling", reason="building needs hatchling: pip install 'modnet-core[test]'")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    command = [sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        shipped = {name.partition("/")[2] for name in archive.getnames()}
    files = {name for name in listed.stdout.splitlines() if (ROOT / name).exists()}
    assert shipped == {*files, "PKG-INFO"}
