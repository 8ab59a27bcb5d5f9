import csv
import re

import numpy as np
import pytest

from tests.test_xor import LOSSES, PREDICTIONS


def test_the_command_line_learns_it(examples, modnet):
    modnet(examples / "xor", "train", "xor.toml")
    printed = modnet(examples / "xor", "predict", "xor.modnet", "xor.csv")
    predictions = [float(row["xor"]) for row in csv.DictReader(printed.splitlines())]
    np.testing.assert_allclose(predictions, [0, 1, 1, 0], atol=0.01)


def test_the_script_prints_the_demo_to_the_digit(examples, python):
    printed = python(examples / "xor", "xor.py")
    losses = [float(text) for text in re.findall(r"loss (\S+)", printed)]
    predictions = [float(text) for text in re.findall(r"\] (\S+)", printed)]
    np.testing.assert_allclose(losses, LOSSES, rtol=0, atol=1e-9)
    np.testing.assert_allclose(predictions, PREDICTIONS, rtol=0, atol=1e-8)


def test_the_notebook_gives_what_it_shows(examples, python):
    nbformat = pytest.importorskip("nbformat", reason="notebooks need nbformat: pip install 'modnet-core[test]'")
    pytest.importorskip("nbclient", reason="notebooks are run by nbclient: pip install 'modnet-core[test]'")
    pytest.importorskip("ipykernel", reason="notebooks are run in ipykernel: pip install 'modnet-core[test]'")
    path = examples / "xor" / "xor.ipynb"
    shown = nbformat.read(path, as_version=4)
    run = "import sys, nbclient.cli; sys.exit(nbclient.cli.main())"
    python(path.parent, "-c", run, "--inplace", path)
    again = nbformat.read(path, as_version=4)
    assert "image/png" in str(shown)
    assert len(numbers(shown)) > 40
    np.testing.assert_allclose(numbers(again), numbers(shown), rtol=0, atol=1e-8)


def numbers(notebook):
    """All numbers in the outputs of a notebook."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    texts = [output.get("text") or output["data"]["text/plain"] for output in outputs]
    return [float(number) for number in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", "\n".join(texts))]
