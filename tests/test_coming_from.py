"""The pages for users of other libraries: their lines run, those of the other library too, where it is installed."""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

import modnet
from modnet.data.spec import DataSpec
from modnet.specs.model import TrainingSpec

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "coming-from"
BLOCK = re.compile(r"(?:<!-- needs: (?P<needs>[\w ]+) -->\n)?^```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
BASE = {"network": {"input": [8, 8, 4], "layers": ["flatten"]}, "training": {"loss": "mse"}}


def run(page):
    """Runs all blocks whose libraries are installed, and gives their names."""
    text = page.read_text(encoding="utf-8")
    names = {"__name__": "a_reader"}
    for found in BLOCK.finditer(text):
        if all(importlib.util.find_spec(name) for name in (found["needs"] or "").split()):
            lines = "\n" * text.count("\n", 0, found.start("code"))
            exec(compile(lines + found["code"], str(page), "exec", dont_inherit=True), names)
    return names


def spans(cell):
    """The code of a cell of a table, without what only describes a place in words."""
    return [code.replace("\\|", "|") for code in re.findall(r"`([^`]+)`", cell)]


def rows(page, library):
    """(code there, code here) of each row of the page's table."""
    head = f"| {library} | modnet |\n|---|---|\n"
    _, found, rest = page.read_text(encoding="utf-8").partition(head)
    assert found, f"{page.name} has no table that begins with {head}"
    for line in rest.partition("\n\n")[0].splitlines():
        there, here = re.split(r"(?<!\\)\|", line.strip("| "))
        yield spans(there), spans(here)


def try_here(code, names):
    """A line of Python, a key of `[training]` or `[data]`, or a node of `[network]`."""
    if code.startswith(("{", '"')):
        check_node(tomllib.loads(f"value = {code}")["value"])
    elif code.split(" = ")[0] in TrainingSpec.__fields__:
        modnet.read_spec({**BASE, "training": {"loss": "mse", **tomllib.loads(code)}})
    elif code.split(" = ")[0] in DataSpec.__fields__:
        modnet.read_spec({**BASE, "data": {"target": "stays", "validation": 0.2, **tomllib.loads(code)}})
    else:
        exec(code, names)


def check_node(node):
    """Reads a node; one of a plugin that is not installed is at least in the reference of the plugins."""
    kind = node if isinstance(node, str) else node["type"]
    if kind not in {*modnet.default_registry().names(modnet.Layer)}:
        pages = (ROOT / "docs" / "reference" / "plugins").glob("*.md")
        assert any(f"### `{kind}`\n" in page.read_text(encoding="utf-8") for page in pages), kind
        return
    modnet.read_spec({**BASE, "network": {"input": [8, 8, 4], "layers": [node]}})


def check(page, library, tmp_path, monkeypatch, further=()):
    """Runs the blocks of a page, and the code of each row of its table.

    Args:
        further: names that users of the library know where to import from, and the page does not tell.
    """
    monkeypatch.chdir(tmp_path)
    names = {**dict(further), **run(FOLDER / page)}
    tried = list(rows(FOLDER / page, library))
    for there, here in tried:
        for code in there:
            exec(code, names)
        for code in here:
            try_here(code, names)
    assert len(tried) > 20


def test_pytorch(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    check("pytorch.md", "PyTorch", tmp_path, monkeypatch)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras above torch, of numpy
def test_keras(tmp_path, monkeypatch):
    pytest.importorskip("keras")
    check("keras.md", "Keras", tmp_path, monkeypatch)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer", "ignore:max_iter")  # the page trains for a short time
def test_scikit_learn(tmp_path, monkeypatch):
    pytest.importorskip("sklearn")
    pytest.importorskip("pandas")
    import joblib
    import sklearn.inspection
    import sklearn.metrics
    import sklearn.model_selection
    from sklearn.utils.discovery import all_estimators

    names = {"joblib": joblib, **dict(all_estimators())}
    for module in (sklearn.inspection, sklearn.metrics, sklearn.model_selection):
        names |= vars(module)
    check("scikit-learn.md", "scikit-learn", tmp_path, monkeypatch, names)
