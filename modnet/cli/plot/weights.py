"""The body of `modnet plot weights`."""

from __future__ import annotations

from modnet.assessment.plots.weights import weights_figure
from modnet.cli.output import say
from modnet.cli.plot.place import figure_place, write
from modnet.cli.plugin_file import load_plugin_files
from modnet.model.load import load


def run(model: str, node: str | None, output: str | None, plugins: tuple[str, ...]) -> None:
    load_plugin_files(plugins)
    path = figure_place(output, model, "weights")
    figure, notes = weights_figure(load(model), node)
    say(notes)
    write(figure, path)
