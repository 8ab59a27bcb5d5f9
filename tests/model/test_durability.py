"""Saving while processes are killed and interrupted, disks are full and folders go: the old file or the new one, whole.

The counts are small, so that the tests take seconds; `python -m benchmarks.endurance` takes any.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess

import pytest

import modnet
from modnet.cli.failures import FAILED, WRONG_INPUT, report
from modnet.model.atomic import replace_file

from .endurance import ELEMENTS, PATIENCE, save, saved_step, start, stop_savers, storm

KILLS = 25
INTERRUPTIONS = 10
WRITERS = READERS = 8
STORM = 3.0  # seconds
KILLED_WRITERS = 2

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals, limits and permissions are other here")

MAPPING = """
import resource
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
flat = read(path, mmap=bool(number)).groups["p"].flat
print("read", flush=True)
sys.stdin.readline()
print(flat.sum())
"""


# Killed and interrupted


@pytest.mark.slow
def test_killed_at_any_moment(tmp_path):
    tally = stop_savers(tmp_path / "model.modnet", signal.SIGKILL, KILLS, wanted=("old", "new", "left"))
    assert tally["old"] + tally["new"] >= KILLS
    assert tally["left"] <= tally["old"]
    assert min(tally["old"], tally["new"], tally["left"]) > 0  # else no signal has come within a save


def test_interrupted_at_any_moment(tmp_path):
    tally = stop_savers(tmp_path / "model.modnet", signal.SIGINT, INTERRUPTIONS, wanted=("old", "new"))
    assert tally["old"] + tally["new"] >= INTERRUPTIONS
    assert min(tally["old"], tally["new"]) > 0
    assert tally["left"] == 0


# Many at once


@pytest.mark.slow
def test_eight_write_and_eight_read(tmp_path):
    tally = storm(tmp_path / "model.modnet", STORM, WRITERS, READERS, KILLED_WRITERS)
    assert tally["reads"] >= READERS
    assert tally["writes"] >= WRITERS - KILLED_WRITERS


# No room, no folder, no permission


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "folder" / "model.modnet"
    path.parent.mkdir()
    save(path, 1)
    return path


@pytest.fixture
def message(capsys):
    """What the command line tells of an error, and its exit status."""

    def message(error):
        status = report(error)
        return status, capsys.readouterr().err

    return message


def test_a_full_disk(model, message):
    """A limit on the length of files stands for the disk: the error comes from the system itself."""
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)) as caught:
            save(model, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert message(caught.value) == (FAILED, f"error: {os.path.realpath(model)}: file too large\n")
    assert saved_step(model) == 1
    assert os.listdir(model.parent) == ["model.modnet"]


def test_a_folder_that_vanishes(model, message):
    def pieces():
        yield b"half"
        shutil.rmtree(model.parent)
        yield b"the other half"

    with pytest.raises(FileNotFoundError) as caught:
        replace_file(model, pieces(), durable=True)
    assert message(caught.value) == (WRONG_INPUT, f"error: {os.path.realpath(model)}: no such file or directory\n")
    assert not model.parent.exists()


@pytest.fixture
def bound_model(bound_folder):
    """A model of a user whom permissions bind."""
    path = bound_folder / "folder" / "model.modnet"
    path.parent.mkdir()
    save(path, 1)
    return path


def test_a_folder_that_may_not_be_written(bound_model, message):
    model = bound_model
    model.parent.chmod(0o555)
    try:
        with pytest.raises(PermissionError) as caught:
            save(model, 2)
    finally:
        model.parent.chmod(0o755)
    assert message(caught.value) == (WRONG_INPUT, f"error: {os.path.realpath(model)}: permission denied\n")
    assert saved_step(model) == 1
    assert os.listdir(model.parent) == ["model.modnet"]


def test_a_folder_that_may_not_be_read(bound_model):
    model = bound_model
    model.parent.chmod(0o300)
    try:
        save(model, 2)
    finally:
        model.parent.chmod(0o755)
    assert saved_step(model) == 2
    assert os.listdir(model.parent) == ["model.modnet"]


# Files that are mapped


def test_saved_over_the_file_that_its_own_arrays_map(model):
    """Others have written zeros over their own weights: the file was shortened under the map."""
    network = modnet.build({"network": {"input": [3], "layers": [{"type": "linear", "out_features": 2}]}}, seed=1)
    modnet.save(network, model)
    before = model.read_bytes()
    mapped = modnet.load(model, mmap=True)
    modnet.save(mapped, model)
    assert model.read_bytes() == before
    assert mapped.parameters.flat.tobytes() == network.parameters.flat.tobytes()


# A file that another program shortens in place, which modnet never does


@pytest.mark.parametrize("mmap", [False, True])
def test_a_file_that_is_shortened_while_its_arrays_are_in_use(model, mmap):
    process = start(MAPPING, model, ELEMENTS, int(mmap), stdin=subprocess.PIPE)
    assert process.stdout.readline() == "read\n"
    os.truncate(model, 1000)
    output, _ = process.communicate("\n", timeout=PATIENCE)
    if mmap:
        assert (process.returncode, output) == (-signal.SIGBUS, "")
    else:
        assert (process.returncode, float(output)) == (0, ELEMENTS)
