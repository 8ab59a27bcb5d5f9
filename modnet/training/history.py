"""The history of a run: a value of each figure for each epoch."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.errors import MissingExtra
from modnet.model.atomic import replace_file
from modnet.words import did_you_mean


class History(Mapping[str, Array]):
    """The course of a run: `history["validation_loss"]` is an array with one value for each epoch.

    Attributes:
        figures: name -> list of the epochs' values.
        seconds: how long each epoch took. Not saved, so that the same training gives the same file.
        stopped: why the run ended before its last epoch, or "".
        best_epoch: the epoch, counted from 1, whose weights the network has, if that is not the last one.
        checkpoints: the files from which the run could be resumed; they can be deleted when the model is saved.
    """

    def __init__(self, values: Mapping[str, list[Any]] | None = None) -> None:
        self.figures: dict[str, list[Any]] = {name: list(column) for name, column in (values or {}).items()}
        self.seconds: list[float] = []
        self.stopped = ""
        self.best_epoch: int | None = None
        self.checkpoints: list[Path] = []

    @property
    def epochs(self) -> int:
        """How many epochs were completed."""
        return len(next(iter(self.figures.values()), []))

    def append(self, figures: Mapping[str, float | Array]) -> None:
        """Adds an epoch."""
        for name, value in figures.items():
            self.figures.setdefault(name, []).append(value.tolist() if isinstance(value, np.ndarray) else float(value))

    def last(self) -> dict[str, Any]:
        """The figures of the last epoch."""
        return {name: values[-1] for name, values in self.figures.items()}

    def __getitem__(self, name: str) -> Array:
        if name not in self.figures:
            raise KeyError(f"no figure is called {name!r}{did_you_mean(name, self.figures)}")
        return np.asarray(self.figures[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.figures)

    def __len__(self) -> int:
        return len(self.figures)

    def __repr__(self) -> str:
        figures = ", ".join(f"{name} {value:.4g}" for name, value in self.last().items() if isinstance(value, float))
        return f"<History of {self.epochs} epochs: {figures}>"

    def plot(self, path: str | PathLike[str] | None = None) -> Any:
        """Draws the loss, and each metric, over the epochs, training and validation together.

        Args:
            path: the file to write; by default the figure is only returned.

        Returns:
            The matplotlib figure.

        Raises:
            MissingExtra: matplotlib is not installed.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError:
            raise MissingExtra("matplotlib", extra="plot", purpose="plotting") from None
        names = [
            n for n, v in self.figures.items() if not n.startswith("validation_") and v and isinstance(v[0], float)
        ]
        figure = _with_picture(Figure)(figsize=(5.5 * max(1, len(names)), 3.8), layout="constrained")
        epochs = np.arange(1, self.epochs + 1)
        for axes, name in zip(np.atleast_1d(figure.subplots(1, max(1, len(names)))), names, strict=False):
            axes.plot(epochs, self[name], label="training")
            if f"validation_{name}" in self:
                axes.plot(epochs, self[f"validation_{name}"], label="validation")
                axes.legend()
            if self.best_epoch is not None:
                axes.axvline(self.best_epoch, color="grey", linewidth=0.8, linestyle=":")
            axes.set(xlabel="epoch", ylabel=name.replace("_", " "))
            axes.grid(alpha=0.3)
        if path is not None:
            # First into memory, so that an older file is kept if this one cannot be drawn or written.
            buffer = io.BytesIO()
            figure.savefig(buffer, format=Path(path).suffix.lstrip(".") or None)
            replace_file(path, [buffer.getvalue()], durable=False)
        return figure


def _with_picture(figure: Any) -> Any:
    """A class of figures that notebooks display without matplotlib's own integration (pyplot)."""

    class Picture(figure):  # type: ignore[misc]
        def _repr_png_(self) -> bytes:
            buffer = io.BytesIO()
            self.savefig(buffer, format="png", dpi=100)
            return buffer.getvalue()

    return Picture
