"""The notebook runs, and shows what it says."""

import re
from pathlib import Path

import nbclient
import nbformat

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "from_mlpclassifier.ipynb"
LINE = re.compile(r"(\w+) +theirs +(-?[\d.]+) +modnet +(-?[\d.]+) +theirs took ([\d.]+) times")


def test_the_notebook_shows_what_it_says():
    shown = nbformat.read(NOTEBOOK, as_version=4)
    assert len(lines(shown)) == 7
    again = nbformat.read(NOTEBOOK, as_version=4)
    where = {"metadata": {"path": NOTEBOOK.parent}}
    nbclient.NotebookClient(again, timeout=600, kernel_name="python3", resources=where).execute()
    for table, theirs, ours, ratio in lines(again):
        assert ours > theirs - 0.02, table
        assert ratio > 0
    text = str(again)
    assert "True" in text
    assert "P(2)" in text


def lines(notebook):
    """(table, score of scikit-learn, score of modnet, ratio of times) of all comparisons that a notebook shows."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    found = LINE.findall("\n".join(output.get("text", "") for output in outputs))
    return [(table, float(theirs), float(ours), float(ratio)) for table, theirs, ours, ratio in found]
