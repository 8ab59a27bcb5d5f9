"""The body of `modnet evaluate`."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.cli.data import read_for
from modnet.cli.output import echo, echo_json
from modnet.cli.plugin_file import load_plugin_files
from modnet.cli.training_texts import hits_text
from modnet.engine.network import Network
from modnet.kinds.figures import figure_text, figure_title
from modnet.model.load import load
from modnet.training.train import evaluate
from modnet.words import in_columns, legible


def run(model: str, data: str, plugins: tuple[str, ...], as_json: bool) -> None:
    load_plugin_files(plugins)
    network = load(model)
    dataset = read_for(network, data, targets=True)
    figures = evaluate(network, dataset)
    if as_json:
        echo_json({"model": model, "data": data, "rows": len(dataset), "metrics": figures})
        return
    echo(f"{'standard input' if data == '-' else data}: {len(dataset):,} rows")
    width = max(len(figure_title(name)) for name in figures) + 2
    for name, value in figures.items():
        if isinstance(value, np.ndarray):
            echo(f"{figure_title(name)}\n{_matrix(network, value)}")
        else:
            hits = hits_text(value, dataset) if name == "accuracy" else ""
            echo(f"{figure_title(name):<{width}}{figure_text(name, value)}{hits}")


def _matrix(network: Network, matrix: Array) -> str:
    """An array as a table, with the names of the classes where it has one row and column for each."""
    classes: Sequence[Any] = ()
    if network.card.schema is not None:
        classes = next((names for names in network.card.schema.classes().values() if len(names) == len(matrix)), ())
    names = [legible(str(name)) for name in classes or range(len(matrix))]
    if matrix.ndim != 2:
        return "  " + "  ".join(f"{value:g}" for value in matrix.flat)
    rows = [
        ["", *names[: matrix.shape[1]]],
        *([name, *(f"{v:g}" for v in row)] for name, row in zip(names, matrix, strict=True)),
    ]
    return textwrap.indent("\n".join(in_columns(rows, left=0)), "  ")
