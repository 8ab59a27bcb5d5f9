"""modnet plot: each kind of picture, where it is written, and what is refused before any work is done."""

import shutil
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import modnet

pytest.importorskip("matplotlib", reason="matplotlib (extra `plot`) is not installed")


def texts_of(path):
    """The texts of an SVG file, which is well-formed."""
    found = ET.parse(path).getroot()
    return [text for element in found.iter("{http://www.w3.org/2000/svg}text") for text in element.itertext()]


def test_a_history(run, model):
    assert run("plot", "history", model).stdout.startswith("pets-history.svg  ")
    assert {"loss", "accuracy", "epoch", "training", "validation"} <= set(texts_of("pets-history.svg"))


def test_several_histories(run, model):
    run("train", "pets.toml", "-o", "longer.modnet", "--set", "training.epochs=5")
    log = '--set=training.callbacks=[{type="csv_log",path="log.csv"}]'
    run("train", "pets.toml", "-o", "third.modnet", log)
    assert run("plot", "history", model, "longer.modnet", "log.csv").stdout.startswith("runs-history.svg  ")
    assert {"pets", "longer", "log"} <= set(texts_of("runs-history.svg"))
    Path("old").mkdir()
    Path("old/pets.modnet").write_bytes(Path(model).read_bytes())
    run("plot", "history", model, "old/pets.modnet", "-o", "two.svg")
    assert {"pets.modnet", "old/pets.modnet"} <= set(texts_of("two.svg"))


def test_a_history_needs_no_plugin(run, folder):
    Path("odd.py").write_text(
        "import modnet\n@modnet.default_registry().register\n"
        "class Odd(modnet.Activation, type='odd'):\n"
        "    def function(self, x, out): out[...] = x; return out\n"
        "    def derivative(self, x, y, out): out[...] = 1; return out\n"
    )
    spec = Path("pets.toml").read_text().replace('"tanh"', '"odd"')
    Path("odd.toml").write_text(spec)
    run("train", "odd.toml", "--plugin", "odd.py")
    modnet.plugins.registry._default = None
    run("plot", "history", "odd.modnet")
    assert "odd" in run("plot", "network", "odd.modnet", status=2).stderr


def test_a_confusion_matrix(run, model):
    result = run("plot", "confusion", model, "pets.csv", "-o", "c.svg")
    assert result.stderr.startswith("pets.csv: 80 rows")
    assert {"cat", "dog", "predicted", "true"} <= set(texts_of("c.svg"))


def test_weights(run, model):
    run("plot", "weights", model)
    assert {"linear_1.weight", "linear_2.bias"} <= set(texts_of("pets-weights.svg"))
    run("plot", "weights", model, "linear_2", "-o", "w.svg")
    assert "linear_1.weight" not in texts_of("w.svg")
    message = run("plot", "weights", model, "linear_3", status=2).stderr
    assert message.startswith('error: the node "linear_3" is not there; did you mean "linear_')


def test_a_network_of_a_spec_and_of_a_model(run, model):
    run("plot", "network", "pets.toml", "--set", "network.layers.1.out_features=9")
    assert {"input", "standardize_1", "(9,)", "36 parameters"} <= {
        text.strip() for text in texts_of("pets-network.svg")
    }
    run("plot", "network", model, "-o", "n.dot")
    assert "digraph" in Path("n.dot").read_text()
    assert "--set changes a spec" in run("plot", "network", model, "--set", "a=1", status=2).stderr


def test_a_network_needs_no_matplotlib(run, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    run("plot", "network", "pets.toml")
    message = run("plot", "schedule", "pets.toml", status=2).stderr
    assert message == "error: plotting needs matplotlib, which is not installed:  pip install 'modnet-core[plot]'\n"
    assert not Path("pets-schedule.svg").exists()


def test_without_graphviz_other_formats_are_refused(run, folder, monkeypatch):
    monkeypatch.setattr("modnet.engine.drawing.is_installed", lambda: False)
    run("plot", "network", "pets.toml")
    message = run("plot", "network", "pets.toml", "-o", "n.pdf", status=2).stderr
    assert "the program dot of Graphviz writes .pdf, and is not installed; .svg needs none" in message


def test_a_schedule(run, folder):
    run("plot", "schedule", "pets.toml", "--set", "training.schedule=cosine", "-o", "s.png")
    assert Path("s.png").read_bytes().startswith(b"\x89PNG")
    told = run("plot", "schedule", "pets.toml", "--set", "training.schedule=plateau")
    assert told.stderr.startswith("plateau follows a figure of the training")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["histroy", "a"], 'unknown command "histroy"; did you mean "history"?'),
        (["pie", "a"], 'unknown command "pie"; expected one of history, confusion, weights, network, schedule'),
        (["history"], "Missing argument 'MODEL...'"),
        (["history", "pets.modnet", "-o", "a.gif"], 'a.gif: no picture is written as ".gif"; expected .png, .svg'),
        (["network", "pets.toml", "-o", "a.jpg"], 'a.jpg: no network is drawn as ".jpg"; expected .svg, .dot'),
        (["network", "pets.toml", "-o", "nowhere/a.svg"], "there is no folder nowhere"),
        (["history", "pets.csv"], "pets.csv: this is not the log of a training"),
        (["history", "pets.toml"], "looks like a spec"),
        (["history", "gone.modnet"], "gone.modnet: no such file"),
        (["confusion", "pets.modnet", "gone.csv"], "gone.csv: no such file"),
        (
            ["schedule", "pets.toml", "--set", "training.schedule=cosin"],
            'unknown schedule "cosin"; did you mean "cosine"?',
        ),
    ],
    ids=str,
)
def test_mistakes_are_told(run, model, arguments, message):
    result = run("plot", *arguments, status=2)
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert not [file.name for file in Path().iterdir() if file.suffix in (".svg", ".gif", ".jpg")]


def test_a_name_is_the_same_in_the_home_folder(run, model, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    run("plot", "network", "pets.toml", "--output=~/home.svg")
    assert (tmp_path / "home.svg").exists()


def test_an_older_picture_is_replaced(run, model):
    Path("pets-history.svg").write_text("old")
    run("plot", "history", model)
    assert "old" not in texts_of("pets-history.svg")


def test_dot_is_what_places_the_nodes(run, folder):
    if shutil.which("dot") is None:
        pytest.skip("Graphviz is not installed")
    run("plot", "network", "pets.toml", "-o", "n.pdf")
    assert Path("n.pdf").read_bytes().startswith(b"%PDF")
