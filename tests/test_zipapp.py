"""modnet runs from a zip file: built-in components, plugins with their entry points, and models in the archive."""

import subprocess
import sys
import zipapp
from pathlib import Path

import msgpack
import numpy as np
import pluggy

import modnet

MAIN = """\
import sys
from importlib import resources
from pathlib import Path
numpy = sys.argv[1]
sys.path.append(numpy)  # where numpy is installed, which cannot run from a zip file
import modnet
assert Path(modnet.__file__).parent.parent == Path(sys.argv[0]), modnet.__file__
network = modnet.load(resources.files("birds") / "m.modnet")
print(network.id, network.predict([[1.0, -2.0, 3.0]]).tolist())
"""

PLUGIN = """\
import modnet

class Twice(modnet.Activation, type="twice"):
    def function(self, x, out):
        out[...] = 2 * x
        return out

    def derivative(self, x, y, out):
        out[...] = 2
        return out
"""


def copy_package(package, app):
    """The Python files of a package, which is what a zip file can hold."""
    root = Path(package.__file__).parent
    for file in root.rglob("*.py"):
        place = app / root.name / file.relative_to(root)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.read_bytes())


def test_a_zipapp(tmp_path, monkeypatch):
    app = tmp_path / "app"
    for package in (modnet, pluggy, msgpack):
        copy_package(package, app)
    (app / "__main__.py").write_text(MAIN)
    (app / "twice.py").write_text(PLUGIN)
    metadata = app / "modnet_twice-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: modnet-twice\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[modnet.activations]\ntwice = twice:Twice\n")
    (app / "birds").mkdir()
    (app / "birds" / "__init__.py").touch()
    with monkeypatch.context() as patch:
        patch.syspath_prepend(app)
        registry = modnet.Registry()
        spec = {"network": {"input": [3], "layers": [{"type": "linear", "out_features": 2}, "twice"]}}
        network = modnet.build(spec, registry=registry)
        modnet.save(network, app / "birds" / "m.modnet", registry=registry)
    sys.modules.pop("twice")
    zipapp.create_archive(app, tmp_path / "app.pyz", compressed=True)
    command = [sys.executable, "-I", "-S", tmp_path / "app.pyz", Path(np.__file__).parents[1]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    expected = network.predict([[1.0, -2.0, 3.0]]).tolist()
    assert done.stdout == f"{network.id} {expected}\n", done.stderr
