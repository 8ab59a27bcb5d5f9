"""Programs that PyInstaller freezes find what is named by texts: built-ins, plugins, the bodies of commands."""

import json
import subprocess
import sys
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import pytest

import modnet
from modnet.freezing import hook_folders
from modnet.plugins.builtin import BUILTIN
from modnet.plugins.distributions import installed_entry_points

pytest.importorskip("PyInstaller", reason="freezing needs PyInstaller: pip install 'modnet-core[test]'")

APP = """\
import sys
import modnet
network = modnet.load(sys.argv[1])
print(network.id, network.predict([[1.0, 2.0, 3.0]]).shape)
"""


def found_by(hook):
    """What a hook gives to PyInstaller."""
    code = (
        "import json, runpy, sys; found = runpy.run_path(sys.argv[1]); "
        "print(json.dumps({key: found.get(key, []) for key in ('hiddenimports', 'excludedimports', 'datas')}))"
    )
    command = [sys.executable, "-c", code, str(Path(hook_folders()[0], f"hook-{hook}.py"))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_pyinstaller_asks_modnet():
    (entry,) = [entry for entry in entry_points(group="pyinstaller40") if entry.module == "modnet.freezing"]
    assert entry.load()() == hook_folders()


def test_what_is_named_by_texts_is_taken_along():
    found = found_by("modnet")
    named = {place.partition(":")[0] for kind in BUILTIN.values() for place in kind.values()}
    named |= {getattr(modnet, name).__module__ for name in ("load", "save", "train", "report", "explain")}
    assert named <= set(found["hiddenimports"])
    assert not [name for name in found["hiddenimports"] if name.startswith(("modnet.cli", "modnet.testing"))]
    assert "matplotlib" in found["excludedimports"]
    kept = {Path(source).name for source, _ in found["datas"]}
    assert "page.html" in kept
    assert any(name.startswith("modnet_core-") and name.endswith(".dist-info") for name in kept)


def test_plugins_are_taken_along_with_their_metadata():
    found = found_by("modnet")
    for entry in installed_entry_points():
        assert entry.module in found["hiddenimports"]
        name = entry.dist.name.replace("-", "_")
        assert any(Path(source).name.startswith(f"{name}-") for source, _ in found["datas"])


def test_the_commands_are_taken_along_by_a_program_that_has_them():
    found = found_by("modnet.cli")
    assert {"modnet.cli.train", "modnet.cli.inspect"} <= set(found["hiddenimports"])
    assert any(Path(source).name == "pyproject.toml.template" for source, _ in found["datas"])


@pytest.mark.slow
@pytest.mark.skipif(find_spec("torch") is not None, reason="a plugin would take torch along, which takes minutes")
def test_a_frozen_program_predicts(tmp_path):
    spec = {"network": {"input": [3], "layers": [{"type": "linear", "out_features": 2}, "softmax"]}}
    network = modnet.build(spec)
    modnet.save(network, tmp_path / "m.modnet")
    (tmp_path / "app.py").write_text(APP)
    command = [sys.executable, "-m", "PyInstaller", "--onedir", "app.py", "--log-level", "ERROR"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    done = subprocess.run([tmp_path / "dist" / "app" / "app", "m.modnet"], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split(" ", 1) == [network.id, "(1, 2)\n"], done.stderr
