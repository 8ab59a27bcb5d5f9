"""The body of `modnet plot history`."""

from __future__ import annotations

from pathlib import Path

from modnet.assessment.histories import read_history
from modnet.cli.plot.place import figure_place, write
from modnet.engine.courses import plot_histories


def run(models: tuple[str, ...], output: str | None) -> None:
    first = models[0] if len(models) == 1 else str(Path(models[0]).with_name("runs"))
    path = figure_place(output, first, "history")
    histories = {name: read_history(model).history for name, model in zip(_names(models), models, strict=True)}
    (history, *others) = histories.values()
    write(plot_histories(histories) if others else history.plot(), path)


def _names(models: tuple[str, ...]) -> list[str]:
    """The names of the runs: those of their files without the suffix; whole where two would be called alike."""
    short = [Path(model).stem for model in models]
    return short if len(set(short)) == len(short) else list(models)
