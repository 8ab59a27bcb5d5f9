"""modnet inspect: a model file's header, also where the model cannot be loaded."""

import json
from pathlib import Path

import numpy as np
import pytest

import modnet
from modnet.model.container import Fault
from modnet.model.header import Header
from modnet.model.reader import read_header
from modnet.model.writer import Group, write

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
    assert lines[1] == f"id              {read_header(model).id.hex()}"
    assert lines[2].startswith(f"made by         modnet-core {modnet.__version__}, numpy ")
    assert lines[3].startswith(f"needs           modnet-core {modnet.__version__} (")
    assert lines[5].split()[-1] == "installed"
    assert "input           2 columns: size collar" in lines
    assert "output          kind, 2 classes: cat dog" in lines
    assert any(line.startswith("trained         3 epochs, val loss ") for line in lines)
    assert lines[lines.index("") + 1 :] == [
        "standardize_1   standardize",
        "  mean          (3,)     float32   12 B   state",
        "  deviation     (3,)     float32   12 B   state",
        "  samples       ()       float32    4 B   state",
        "  mean_rest     (3,)     float32   12 B   state",
        "linear_1        linear",
        "  weight        (3, 8)   float32   96 B",
        "  bias          (8,)     float32   32 B",
        "tanh_1          tanh",
        "linear_2        linear",
        "  weight        (8, 2)   float32   64 B",
        "  bias          (2,)     float32    8 B",
        "softmax_1       softmax",
    ]
    assert max(map(len, lines)) <= 80


def test_the_nodes_of_composites_are_branches(run):
    layers = '[{type="repeat", count=1, layers=[{type="linear", out_features=2}]}, "softmax"]'
    run("train", "pets.toml", "--set", f"network.layers={layers}")
    lines = run("inspect", "pets.modnet").stdout.splitlines()
    assert [line.partition("  (")[0].rstrip() for line in lines[lines.index("") + 1 :]] == [
        "repeat_1       repeat",
        "  1",
        "    linear_1",
        "      weight",
        "      bias",
        "softmax_1      softmax",
    ]


def with_header(path, groups=(), **header):
    """A model file with that header alone, as any program could write it."""
    write(path, header, groups, durable=False)
    return path


def test_a_checkpoint_and_what_others_have_put_into_the_file(run):
    groups = [
        Group("parameters", np.zeros(4), [("linear_1.weight", 0, (2, 2))]),
        Group("optimizer.mean", np.zeros(4, np.float32), [("linear_1.weight", 0, (2, 2))]),
    ]
    training = {"step": 4800, "epoch": 12}
    path = with_header("step.modnet", groups, training=training, plugin=1, metadata={"author": "Ada", "n": [1]})
    assert run("inspect", path).stdout.splitlines()[2:] == [
        "checkpoint      step 4,800 of epoch 12",
        'metadata        author = "Ada"',
        "                n = [1]",
        "also            unknown to this version: plugin",
        "                optimizer.mean: 1 array, float32, 16 B",
        "",
        "linear_1",
        "  weight   (2, 2)   float64   32 B",
    ]
    report = json.loads(run("inspect", path, "--json").stdout)
    assert (report["checkpoint"], report["other"]) == (training, {"plugin": 1})
    assert report["groups"][1] == {"name": "optimizer.mean", "dtype": "float32", "arrays": 1, "bytes": 16}


NONSENSE = [
    None,
    True,
    -1,
    1.5,
    "x",
    "\x1b[2J",
    [],
    [1],
    [[]],
    [{}],
    {},
    {"a": 1},
    {"": []},
    {"type": 3},
    [{"type": []}],
]
NONSENSE += [[{"distribution": 3}], [{"distribution": "x", "components": [{"kind": [], "type": {}}]}]]
NONSENSE += [{"network": 1}, {"network": {"layers": NONSENSE[:8]}}, {"targets": {}, "inputs": {"x": []}}]


def place_of_fault(header):
    try:
        Header.parse(header)
    except Fault as fault:
        return fault.where
    return ""


@pytest.mark.parametrize("key", ["made_by", "needs", "spec", "schema", "history", "metrics", "metadata", "training"])
def test_a_header_that_makes_no_sense_is_refused_with_the_place(run, key):
    for value in NONSENSE:
        path = with_header("odd.modnet", **{key: value})
        place = place_of_fault({key: value})
        output = run("inspect", path, status=2 if place else 0).output
        assert "\x1b" not in output
        if place:
            assert place.startswith(f"header.{key}")
            assert f"odd.modnet: {place}: " in output
        else:
            json.loads(run("inspect", path, "--json").stdout)


def test_names_cannot_steer_the_terminal(run):
    views = [("node.\x1b[2J\n", 0, (1,)), ("node", 1, (1,)), ("a.b.c", 2, (1,)), ("a.b", 3, (1,))]
    path = with_header("odd.modnet", [Group("parameters", np.zeros(4), views)])
    shown = run("inspect", path).stdout
    assert "\x1b" not in shown
    assert "  \\x1b[2J\\n" in shown
    assert shown.count("float64   8 B") == 4


def test_a_plugin_that_is_not_here(environment, run, monkeypatch):
    environment.install("modnet-double", PLUGIN, version="2.1", activations={"double": "Double"})
    run("train", "pets.toml", "--set", "network.layers.1.activation=double")
    assert "modnet-double 2.1 (double 1): installed" in run("inspect", "pets.modnet").stdout
    (environment.folder / "modnet_double-2.1.dist-info" / "entry_points.txt").unlink()
    monkeypatch.setattr("modnet.plugins.registry._default", None)
    shown = " ".join(run("inspect", "pets.modnet").stdout.split())
    assert "modnet-double 2.1 (double 1): not installed: pip install modnet-double==2.1" in shown


def test_another_version_of_a_plugin(environment, run, monkeypatch):
    environment.install("modnet-double", PLUGIN, version="2.1", activations={"double": "Double"})
    run("train", "pets.toml", "--set", "network.layers.1.activation=double")
    metadata = environment.folder / "modnet_double-2.1.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text().replace("2.1\n", "3.0\n"))
    monkeypatch.setattr("modnet.plugins.registry._default", None)
    assert "modnet-double 2.1 (double 1): installed, version 3.0" in run("inspect", "pets.modnet").stdout
    (_, need) = json.loads(run("inspect", "pets.modnet", "--json").stdout)["needs"]
    assert (need["version"], need["installed"], need["status"]) == ("2.1", "3.0", "installed")


def test_a_component_that_the_installed_version_has_not(environment, run, monkeypatch):
    environment.install("modnet-double", PLUGIN, version="2.1", activations={"double": "Double", "other": "Double"})
    run("train", "pets.toml", "--set", "network.layers.1.activation=double")
    points = environment.folder / "modnet_double-2.1.dist-info" / "entry_points.txt"
    points.write_text("\n".join(line for line in points.read_text().splitlines() if not line.startswith("double")))
    monkeypatch.setattr("modnet.plugins.registry._default", None)
    shown = " ".join(run("inspect", "pets.modnet").stdout.split())
    assert "installed, version 2.1, without activation double: pip install modnet-double==2.1" in shown
    (_, need) = json.loads(run("inspect", "pets.modnet", "--json").stdout)["needs"]
    assert (need["installed"], need["missing"]) == (None, ["activation double"])


def test_components_of_a_newer_core(run):
    components = [{"kind": "layer", "type": "linear", "version": 2}, {"kind": "layer", "type": "prism", "version": 1}]
    needs = [{"distribution": "modnet-core", "version": "9.0", "components": components}]
    shown = " ".join(run("inspect", with_header("new.modnet", needs=needs)).stdout.split())
    what = f"installed, version {modnet.__version__}, without version 2 of layer linear, layer prism"
    assert f"{what}: pip install modnet-core==9.0" in shown


def test_features_that_are_not_known(run):
    path = with_header("new.modnet", features=["sparse", "\x1b[2J"])
    shown = " ".join(run("inspect", path).stdout.split())
    assert "features unknown to this version, which does not load the model: sparse, \\x1b[2J" in shown
    assert json.loads(run("inspect", path, "--json").stdout)["features"] == ["sparse", "\x1b[2J"]


def test_a_component_of_the_users_own(run, monkeypatch):
    Path("mine.py").write_text(PLUGIN)
    run("train", "pets.toml", "--plugin", "mine.py", "--set", "network.layers.1.activation=double")
    monkeypatch.setattr("modnet.plugins.registry._default", None)
    assert "a program's own (double 1): defined by the program that saved it" in run("inspect", "pets.modnet").stdout
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
        "bytes": 96,
    }
    assert report["nodes"][:2] == [
        {"name": "standardize_1", "type": "standardize"},
        {"name": "linear_1", "type": "linear"},
    ]
    assert report["groups"] == [
        {"name": "parameters", "dtype": "float32", "arrays": 4, "bytes": 200},
        {"name": "state", "dtype": "float32", "arrays": 4, "bytes": 40},
    ]
    assert report["spec"] == read_header(model).header["spec"]
    assert (report["checkpoint"], report["other"]) == (None, {})


def test_names_of_hundreds_of_parts_are_listed_and_not_drawn(run, monkeypatch):
    monkeypatch.setattr("modnet.cli.inspect.MOST_BRANCHES", 5)
    names = ["a.b.weight", "a.c.weight", "a.d.e.f.weight", "p.q.weight", "r.weight"]
    write(
        "deep.modnet",
        {},
        [Group("parameters", np.zeros(5, np.float32), [(name, i, (1,)) for i, name in enumerate(names)])],
    )
    lines = run("inspect", "deep.modnet").stdout.splitlines()
    shown = [line.split()[0] for line in lines[lines.index("") + 1 :]]
    assert shown == ["p.q.weight", "r.weight", "a", "b", "weight", "c", "weight", "d", "e", "f", "weight"]


def test_a_long_text_is_cut(run):
    write("long.modnet", {"metadata": {"k" * 100_000: 1}}, [])
    shown = run("inspect", "long.modnet").stdout
    assert len(shown) < 5000
    assert "... (96,004 more characters)" in shown
