"""The body of `modnet plot confusion`."""

from __future__ import annotations

from typing import Any

from modnet.assessment.plots.confusion import confusion_figure
from modnet.assessment.samples import Samples
from modnet.cli.explain import rows_in
from modnet.cli.output import say
from modnet.cli.plot.place import figure_place, write
from modnet.cli.plugin_file import load_plugin_files
from modnet.model.load import load


def run(model: str, data: str, output: str | None, reading: dict[str, Any], plugins: tuple[str, ...]) -> None:
    load_plugin_files(plugins)
    path = figure_place(output, model, "confusion")
    network = load(model)
    samples = Samples.of(network, rows_in(network, data, reading))
    say([*samples.notes, *samples.warning(network)])
    write(confusion_figure(network, samples), path)
