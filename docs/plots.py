"""Draws the pictures of docs/pictures.md: `python docs/plots.py`, with the extras `cli` and `plot`.

It runs the commands and the Python of the page in a copy of examples/penguins, and copies what they write to
docs/pictures. Graphviz is left aside, so that the drawings of networks are the same on every machine.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from click.testing import CliRunner

import modnet
from modnet.assessment.pictures import write_figure
from modnet.assessment.plots.weights import weights_figure
from modnet.cli.app import cli
from modnet.engine import drawing
from modnet.engine.notebook import panels_of
from modnet.pictures.curves import curves_drawing

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "pictures.md"
PICTURES = ROOT / "docs" / "pictures"


def main() -> None:
    drawing.is_installed = lambda: False  # Graphviz
    shown = re.findall(r"\]\(pictures/([\w-]+\.svg)\)", PAGE.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "examples" / "penguins", folder, dirs_exist_ok=True)
        os.chdir(folder)
        run_page()
        draw_filters()
        draw_live()
        for name in shown:
            shutil.copyfile(name, PICTURES / name)
            print(f"{name}  {(PICTURES / name).stat().st_size / 1000:.1f} kB")
        os.chdir(ROOT)


def run_page() -> None:
    """Runs the commands and the Python of the page, in their order."""
    text = PAGE.read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for comment, language, code in re.findall(r"(<!-- not run.*-->\n)?^```(\w+)\n(.*?)^```$", text, re.M | re.S):
        if comment:
            continue
        if language == "python":
            exec(compile(code, str(PAGE), "exec"), names)
        for command in re.findall(r"^\$ modnet (.*)$", code, re.MULTILINE) if language == "console" else ():
            result = CliRunner().invoke(cli, shlex.split(command))
            if result.exit_code:
                sys.exit(f"modnet {command}: {result.output}")


def draw_filters() -> None:
    """The filters of a small network on the digits, which are images here and no rows of numbers."""
    with np.load(ROOT / "examples" / "digits" / "digits.npz") as digits:
        x, y = digits["x"].reshape(-1, 8, 8), digits["y"]
    layers = ["flatten", "standardize", {"type": "linear", "out_features": 20, "activation": "relu"}]
    layers += [{"type": "linear", "out_features": 10}, "softmax"]
    network = modnet.build({"network": {"input": [8, 8], "layers": layers}})
    optimizer = {"type": "adamw", "learning_rate": 0.01, "weight_decay": 1.0}
    modnet.train(network, x, y, loss="cross_entropy", optimizer=optimizer, epochs=30)
    write_figure(weights_figure(network, "linear_1")[0], "filters.svg")


def draw_live() -> None:
    """What a notebook shows of a training after 25 epochs."""
    history = modnet.load("penguins.modnet").history
    begun = modnet.History({name: values[:25] for name, values in history.items()})
    Path("live.svg").write_text(curves_drawing(panels_of(begun), "The figures of each epoch").file(), encoding="utf-8")


if __name__ == "__main__":
    main()
