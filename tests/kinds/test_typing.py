"""Type checkers accept a plugin that is annotated as the base classes have it."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

PLUGIN = Path(__file__).with_name("typed_plugin.py")

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("checker", [("mypy", "--strict", "--config-file="), ("pyright",)], ids=["mypy", "pyright"])
def test_a_component_of_every_kind_is_accepted(checker, tmp_path):
    if find_spec(checker[0]) is None:
        pytest.skip(f"{checker[0]} is not installed")
    plugin = tmp_path / "typed_plugin.py"
    plugin.write_text(PLUGIN.read_text())
    call = [sys.executable, "-m", *checker, plugin.name]
    if checker[0] == "pyright":
        call += ["--pythonpath", sys.executable]
    found = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
