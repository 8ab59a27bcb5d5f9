"""`pytest --modnet-plugin NAME`, in a process of its own."""

import subprocess
import sys

import pytest

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
    assert 'initializer "slope" Slope() breaks 1 rule of 12:' in printed
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
        ("numpy", "numpy offers no components"),
    ],
)
def test_a_name_without_components_is_a_wrong_call(environment, run, name, message):
    environment.install("modnet-ramp", RIGHT, initializers={"ramp": "Ramp"})
    status, printed = run("--modnet-plugin", name)
    assert status == 4
    assert f"--modnet-plugin: {message}" in printed


def test_pytest_pays_nothing_for_what_it_does_not_ask_for():
    code = "import sys, modnet.testing.pytest_plugin; print({'numpy', 'pytest', 'modnet.component'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
