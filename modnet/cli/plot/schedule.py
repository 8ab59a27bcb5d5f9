"""The body of `modnet plot schedule`."""

from __future__ import annotations

from modnet.assessment.plots.schedule import schedule_figure
from modnet.cli.output import say
from modnet.cli.plot.place import figure_place, write
from modnet.cli.summary import network_in


def run(file: str, output: str | None, settings: tuple[str, ...], plugins: tuple[str, ...]) -> None:
    path = figure_place(output, file, "schedule")
    figure, notes = schedule_figure(network_in(file, plugins, settings))
    say(notes)
    write(figure, path)
