"""modnet inspect: a model file's header, also where the model cannot be loaded."""

import json
from pathlib import Path

import modnet

PLUGIN = """\
import modnet

class Double(modnet.Activation, type="double"):
    def function(self, x, out):
        out[...] = 2 * x
        return out
    def derivative(self, x, y, out):
        out[...] = 2
        return out
"""


def test_what_it_shows(run, model):
    lines = run("inspect", model).stdout.splitlines()
    assert lines[0].startswith("pets.modnet   format 1   ")
    assert lines[1].startswith(f"made by         modnet-core {modnet.__version__}, numpy ")
    assert lines[2].startswith(f"needs           modnet-core {modnet.__version__} (")
    assert lines[4].split()[-1] == "installed"
    assert "input           2 columns: size collar" in lines
    assert "output          kind, 2 classes: cat dog" in lines
    assert any(line.startswith("trained         3 epochs, val loss ") for line in lines)
    assert any(line.split() == ["linear_1.weight", "(3,", "8)", "float32", "96", "B"] for line in lines)


def test_a_plugin_that_is_not_here(environment, run):
    environment.install("modnet-double", PLUGIN, version="2.1", activations={"double": "Double"})
    run("train", "pets.toml", "--set", "network.layers.1.activation=double")
    assert "modnet-double 2.1 (double 1): installed" in run("inspect", "pets.modnet").stdout
    (environment.folder / "modnet_double-2.1.dist-info" / "entry_points.txt").unlink()
    modnet.default_registry.cache_clear()
    shown = " ".join(run("inspect", "pets.modnet").stdout.split())
    assert "modnet-double 2.1 (double 1): not installed: pip install modnet-double==2.1" in shown


def test_a_component_of_the_users_own(run):
    Path("mine.py").write_text(PLUGIN)
    run("train", "pets.toml", "--plugin", "mine.py", "--set", "network.layers.1.activation=double")
    modnet.default_registry.cache_clear()
    assert "a program's own (double 1): not a plugin's" in run("inspect", "pets.modnet").stdout
    assert run("predict", "pets.modnet", "pets.csv", "--plugin", "mine.py").stdout


def test_json(run, model):
    report = json.loads(run("inspect", model, "--json").stdout)
    assert (report["file"], report["format"], report["epochs"]) == ("pets.modnet", 1, 3)
    assert report["bytes"] == Path(model).stat().st_size
    assert report["needs"][0]["status"] == "installed"
    assert report["arrays"][0] == {
        "name": "linear_1.weight",
        "group": "parameters",
        "dtype": "float32",
        "shape": [3, 8],
    }
