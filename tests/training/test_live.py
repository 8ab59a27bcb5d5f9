"""The callback `progress` in a notebook: curves that are drawn anew while the run goes on."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

import modnet
from modnet.training import live


class Notebook:
    """What IPython is to a program in a kernel; it keeps what it is given to show."""

    def __init__(self):
        self.shown = []
        self.broken = False

    def display(self, drawn, display_id=False):
        assert display_id
        self.update(drawn)
        return self

    def update(self, drawn):
        if self.broken:
            raise OSError("the browser is gone")
        self.shown.append((repr(drawn), drawn._repr_html_()))


@pytest.fixture
def notebook(monkeypatch):
    made = Notebook()
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=made.display))
    monkeypatch.setattr(live, "INTERVAL", -1.0)  # every step is shown
    return made


def train(**options):
    x = np.random.default_rng(0).standard_normal((60, 2))
    network = modnet.build({"network": {"input": [2], "layers": [{"type": "linear", "out_features": 1}]}})
    return modnet.train(
        network, x, x[:, :1], loss="mse", epochs=3, batch_size=20, validation=0.2, callbacks=["progress"], **options
    )


def test_every_step_and_epoch_is_shown(notebook, capsys):
    history = train()
    texts = [text for text, _ in notebook.shown]
    assert texts[0] == "the training begins"
    assert texts[1].startswith("epoch 1 of 3, step 1 of 3, loss ")
    assert sum(" done" in text for text in texts) == 3
    assert any(text.startswith("epoch 2 of 3, step 2 of 3, loss ") for text in texts)
    assert texts[-1].startswith("3 epochs, ")
    assert f"{history['validation_loss'][-1]:.4f}" in notebook.shown[-1][1]
    assert "<polyline" in notebook.shown[-1][1]
    assert capsys.readouterr().out == ""


def test_a_browser_that_is_gone_does_not_end_the_run(notebook):
    notebook.broken = True
    assert train().epochs == 3


def test_why_it_stopped_is_shown(notebook):
    x = np.zeros((40, 2))
    network = modnet.build({"network": {"input": [2], "layers": [{"type": "linear", "out_features": 1}]}})
    callbacks = [{"type": "early_stopping", "patience": 1}, "progress"]
    modnet.train(network, x, x[:, :1], loss="mse", epochs=50, validation=0.2, callbacks=callbacks)
    title, page = notebook.shown[-1]
    assert title.startswith("stopped after ")
    assert page.count("has not improved") == 1


def test_an_error_is_shown_as_the_end(notebook):
    class Failing(modnet.Callback):
        def modnet_epoch_ended(self, run):
            raise RuntimeError

    x = np.zeros((40, 2))
    network = modnet.build({"network": {"input": [2], "layers": [{"type": "linear", "out_features": 1}]}})
    with pytest.raises(RuntimeError):
        modnet.train(network, x, x[:, :1], loss="mse", epochs=3, callbacks=["progress", Failing()])
    assert notebook.shown[-1][0].startswith("ended by an error after 1 epoch")


def test_elsewhere_it_prints_lines(monkeypatch, capsys):
    for module in (None, SimpleNamespace(get_ipython=lambda: None), SimpleNamespace(get_ipython=lambda: object())):
        monkeypatch.setitem(sys.modules, "IPython", module)
        train()
        assert "epoch" in capsys.readouterr().out


def test_in_a_real_notebook():
    nbformat = pytest.importorskip("nbformat", reason="notebooks need nbformat: pip install 'modnet-core[test]'")
    nbclient = pytest.importorskip("nbclient", reason="notebooks are run by nbclient: pip install 'modnet-core[test]'")
    pytest.importorskip("ipykernel", reason="notebooks are run in ipykernel: pip install 'modnet-core[test]'")
    training = """\
import modnet, numpy as np
x = np.random.default_rng(0).standard_normal((60, 2))
network = modnet.build({"network": {"input": [2], "layers": [{"type": "linear", "out_features": 1}]}})
history = modnet.train(network, x, x[:, :1], loss="mse", epochs=3, callbacks=["progress"])
"""
    cells = [
        training,
        "network",
        "history",
        "network.spec",
        "network.card",
        "network.plot()",
        "modnet.default_registry()",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    shown = [[output["data"] for output in cell["outputs"] if "data" in output] for cell in notebook.cells]
    assert [len(outputs) for outputs in shown] == [1] * len(cells)
    assert all(outputs[0]["text/html"].startswith("<div") for outputs in shown)
    assert shown[0][0]["text/plain"].startswith("3 epochs, ")
    assert "<polyline" in shown[0][0]["text/html"]
