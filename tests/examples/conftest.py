"""Every example is run as its reader runs it: by the command line or the script, in a copy."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
NEEDED = ("numpy", "pluggy", "msgpack", "click", "rich")


def execute(command, folder, status=0):
    """What a command prints, standard error included unless it prints JSON."""
    command = [str(part) for part in command]
    errors = subprocess.PIPE if "--json" in command else subprocess.STDOUT
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=errors, text=True, check=False)
    printed = done.stdout + (done.stderr or "")
    assert done.returncode == status, printed
    assert "Traceback" not in printed
    return done.stdout


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """Tests run side by side, where more threads than processors only wait for each other."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture
def examples(tmp_path):
    """A copy of the examples."""
    return shutil.copytree(
        REPOSITORY / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__", ".*")
    )


@pytest.fixture
def python(monkeypatch):
    """python(folder, "script.py", ...) -> what it prints."""
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY), prepend=os.pathsep)
    return lambda folder, *arguments, status=0: execute([sys.executable, *arguments], folder, status)


@pytest.fixture
def modnet(python):
    """modnet(folder, "train", "spec.toml", ...) -> what it prints."""
    return lambda folder, *arguments, status=0: python(folder, "-m", "modnet", *arguments, status=status)


@pytest.fixture
def console(python, modnet):
    """console(folder, shorter) -> command -> what it prints, of the commands in the blocks ```console of a README.

    `shorter` has the words that are added to the commands that begin as its keys do.
    """

    def run(folder, shorter):
        page = (folder / "README.md").read_text(encoding="utf-8")
        blocks = re.findall(r"^```console\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
        commands = [line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")]
        programs = {"modnet": modnet, "python": python}
        printed = {}
        for command in commands:
            program, *words = shlex.split(command)
            more = next((words for start, words in shorter.items() if command.startswith(start)), ())
            printed[command] = programs[program](folder, *words, *more)
        return printed

    return run


class FreshEnvironment:
    """A virtual environment into which nothing was installed yet."""

    def __init__(self, folder, wheels):
        venv.create(folder)  # without pip, which takes seconds: that of this environment does as well
        self.bin = folder / ("Scripts" if os.name == "nt" else "bin")
        self.wheels = wheels

    def pip(self, *arguments):
        return execute([sys.executable, "-m", "pip", "--python", self.bin / "python", *arguments], self.bin)

    def install(self, *requirements):
        self.pip("install", "--quiet", "--no-index", "--no-compile", "--find-links", self.wheels, *requirements)

    def run(self, folder, command, *arguments, status=0):
        return execute([self.bin / command, *arguments], folder, status)


@pytest.fixture
def build_wheel():
    """build_wheel(source, folder): builds the wheel of the distribution in `source` into `folder`."""
    return _build_wheel


def _build_wheel(source, folder):
    execute([sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder], source)


@pytest.fixture(scope="session")
def wheels(tmp_path_factory):
    """A folder with the wheels of modnet-core and of what it needs, from which environments are made offline."""
    pytest.importorskip("hatchling", reason="building a wheel needs hatchling: pip install 'modnet-core[test]'")
    folder = tmp_path_factory.mktemp("wheels")
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary", ":all:", "--dest", folder]
    if subprocess.run([*download, *NEEDED], check=False).returncode:
        pytest.skip("no package index can be reached to fill a fresh environment from")
    _build_wheel(REPOSITORY, folder)
    return folder


@pytest.fixture
def fresh_environment(tmp_path, wheels, monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return FreshEnvironment(tmp_path / "environment", wheels)
