"""`pytest --modnet-plugin NAME`, in a process of its own."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import modnet

REPOSITORY = Path(modnet.__file__).parents[1]

RIGHT = """\
import numpy as np
from modnet import Initializer

class Ramp(Initializer, type="ramp"):
    "0, 1, 2, ... over the number of elements"

    def initialize(self, out, fan_in, fan_out, rng):
        out[...] = (np.arange(out.size) / out.size).reshape(out.shape)
"""


@pytest.fixture
def run(environment, monkeypatch):
    """run("-k", "ramp") -> (exit status, what pytest prints)."""
    # The plugin is named here, as the environment of the tests may be an older one that does not load it.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(environment.folder), prepend=":")

    def run(*arguments):
        options = ["-p", "modnet.testing.pytest_plugin", "-p", "no:cacheprovider", "--rootdir", ".", *arguments]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options],
            cwd=environment.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    return run


def test_each_component_is_a_test(environment, run):
    broken = RIGHT.replace("Ramp", "Slope").replace("ramp", "slope").replace("rng):", "rng):\n        return\n        ")
    environment.install("modnet-ramp", RIGHT + broken, initializers={"ramp": "Ramp", "slope": "Slope"})
    status, printed = run("--modnet-plugin", "modnet-ramp", "-v")
    assert status == 1
    assert "modnet-ramp::initializer ramp PASSED" in printed
    assert "modnet-ramp::initializer slope FAILED" in printed
    assert 'initializer "slope" Slope() breaks 1 rule:' in printed
    assert "  fills: 1 of 1 elements of shape () are not finite" in printed
    assert "initialize writes every element of `out`, in place" in printed
    assert "Traceback" not in printed
    status, printed = run("--modnet-plugin", "modnet-ramp", "-k", "ramp and not slope")
    assert status == 0
    assert "1 passed, 1 deselected" in printed


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("modnet-rapm", 'modnet-rapm is not installed; did you mean "modnet-ramp"?'),
        ("numpy", "numpy offers no components, kernels or hooks"),
    ],
)
def test_a_name_without_components_is_a_wrong_call(environment, run, name, message):
    environment.install("modnet-ramp", RIGHT, initializers={"ramp": "Ramp"})
    status, printed = run("--modnet-plugin", name)
    assert status == 4
    assert f"--modnet-plugin: {message}" in printed


def test_an_installed_modnet_is_found_by_pytest_and_silent(environment, tmp_path_factory):
    """As pip leaves it: a distribution with the entry points of pyproject.toml, and no -p."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    (name, module), *others = project["entry-points"]["pytest11"].items()
    assert not others
    site = tmp_path_factory.mktemp("site")
    metadata = site / "modnet_core-0.1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: modnet-core\nVersion: 0.1.0\n")
    (metadata / "entry_points.txt").write_text(f"[pytest11]\n{name} = {module}\n")
    environment.install("modnet-ramp", RIGHT, initializers={"ramp": "Ramp"})
    (environment.folder / "test_mine.py").write_text("def test_mine(): pass\n")
    variables = {key: value for key, value in os.environ.items() if key != "PYTEST_DISABLE_PLUGIN_AUTOLOAD"}
    variables["PYTHONPATH"] = os.pathsep.join(map(str, [site, environment.folder, REPOSITORY]))

    def pytest_of(*arguments):
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", ".", *arguments]
        done = subprocess.run(
            command, cwd=environment.folder, env=variables, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    status, printed = pytest_of("-q")
    assert (status, "modnet" in printed) == (0, False), printed
    assert "1 passed" in printed
    status, printed = pytest_of("-v", "--modnet-plugin", "modnet-ramp")
    assert status == 0, printed
    assert "modnet-ramp::initializer ramp PASSED" in printed
    assert "2 passed" in printed


def test_pytest_pays_nothing_for_what_it_does_not_ask_for():
    code = "import sys, modnet.testing.pytest_plugin; print({'numpy', 'pytest', 'modnet.kinds'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
