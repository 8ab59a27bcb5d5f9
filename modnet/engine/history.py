"""The history of a run: a value of each figure for each epoch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from modnet.arrays import Array
from modnet.errors import MissingExtra
from modnet.words import did_you_mean

if TYPE_CHECKING:
    from pathlib import Path  # a process that only predicts does without it


class History(Mapping[str, Array]):
    """The course of a training: `history["validation_loss"]` is an array with one value for each epoch.

    `modnet.train` returns it, with the trained network; `network.history` is that of the network's last training, also
    after `modnet.load`.

    Attributes:
        figures: name -> list of the epochs' values; of a loaded network an array instead, if the history is long.
        network: the network that was trained: `modnet.train("spec.toml").network`. None for `network.history`.
        notes: lines about the data: how many rows there are, and what was assumed about them. Not saved.
        seconds: how long each epoch took. Not saved, so that the same training gives the same file.
        stopped: why the run ended before its last epoch, or "". Not saved.
        best_epoch: the epoch, counted from 1, whose weights the network has, if that is not the last one. Not saved.
        best_epochs: for each member of an ensemble the epoch whose weights it has, if `early_stopping` has restored
            them; otherwise None. Not saved.
        checkpoints: the files from which the run could be resumed; they can be deleted when the model is saved.
    """

    def __init__(self, values: Mapping[str, Any] | None = None, network: Any = None) -> None:
        self.figures: dict[str, Any] = dict(values or {})
        self.network = network
        self.notes: list[str] = []
        self.seconds: list[float] = []
        self.stopped = ""
        self.best_epoch: int | None = None
        self.best_epochs: list[int] | None = None
        self.checkpoints: list[Path] = []

    @classmethod
    def of(cls, values: Any) -> Any:
        """A history from a mapping; anything else, and a history, unchanged."""
        return cls(values) if isinstance(values, Mapping) and not isinstance(values, cls) else values

    def recorded(self) -> History:
        """A copy for the network's card: without the network, which would hold itself, and without the checkpoints."""
        copy = History(self.figures)
        copy.notes, copy.seconds = self.notes, self.seconds
        copy.stopped, copy.best_epoch, copy.best_epochs = self.stopped, self.best_epoch, self.best_epochs
        return copy

    @property
    def restored(self) -> list[int]:
        """The epochs whose weights the network has; empty if it has those of the last one."""
        return self.best_epochs or ([] if self.best_epoch is None else [self.best_epoch])

    @property
    def epochs(self) -> int:
        """How many epochs were completed."""
        return max((len(values) for values in self.figures.values() if hasattr(values, "__len__")), default=0)

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

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        figures = other.figures if isinstance(other, History) else other
        return self.figures.keys() == figures.keys() and all(
            _equal(value, figures[name]) for name, value in self.figures.items()
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        figures = ", ".join(f"{name} {value:.4g}" for name, value in self.last().items() if isinstance(value, float))
        return f"<History of {self.epochs} epochs: {figures}>"

    def courses(self) -> list[str]:
        """The names of the figures that have one number for each epoch."""
        return [name for name in self if self[name].ndim == 1 and len(self[name]) and self[name].dtype.kind == "f"]

    def plot_course(self, name: str, axes: Any, colours: tuple[str | None, str | None] = (None, None)) -> None:
        """Draws a figure over the epochs, with that of the validation, on axes of matplotlib.

        Args:
            colours: of training and validation; by default matplotlib's own.
        """
        epochs = np.arange(1, self.epochs + 1)
        axes.plot(epochs, self[name], label="training", color=colours[0])
        if f"validation_{name}" in self:
            axes.plot(epochs, self[f"validation_{name}"], label="validation", color=colours[1])
            axes.legend()
        for epoch in self.restored:
            axes.axvline(epoch, color="grey", linewidth=0.8, linestyle=":")
        axes.set(xlabel="epoch", ylabel=name.replace("_", " "))
        axes.grid(alpha=0.3)

    def plot(self, path: str | os.PathLike[str] | None = None) -> Any:
        """Draws the loss, and each metric, over the epochs, training and validation together.

        Args:
            path: the file to write; by default the figure is only returned.

        Returns:
            The matplotlib figure.

        Raises:
            MissingExtra: matplotlib is not installed.
        """
        names = [name for name in self.courses() if not name.startswith("validation_")]
        count = max(1, len(names))

        def fill(figure: Any) -> None:
            for axes, name in zip(np.atleast_1d(figure.subplots(1, count)), names, strict=False):
                self.plot_course(name, axes)

        return draw(fill, (5.5 * count, 3.8), path)


def draw(fill: Callable[[Any], object], size: tuple[float, float], path: str | os.PathLike[str] | None = None) -> Any:
    """A picture by matplotlib.

    Args:
        fill: draws into the empty figure that it is given.
        size: width and height in inches.
        path: the file to write; by default the figure is only returned.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra("matplotlib", extra="plot", purpose="plotting") from None
    figure = _with_picture(Figure)(figsize=size, layout="constrained")
    fill(figure)
    if path is not None:
        # First into memory, so that an older file is kept if this one cannot be drawn.
        buffer = BytesIO()
        figure.savefig(buffer, format=os.path.splitext(path)[1].lstrip(".") or None)
        with open(os.path.expanduser(path), "wb") as file:
            file.write(buffer.getvalue())
    return figure


def _equal(value: Any, other: Any) -> bool:
    """Whether two figures have the same values; arrays and lists of the same numbers do."""
    if isinstance(value, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(np.asarray(value), np.asarray(other), equal_nan=True)
    return bool(value == other)


def _with_picture(figure: Any) -> Any:
    """A class of figures that notebooks display without matplotlib's own integration (pyplot)."""

    class Picture(figure):  # type: ignore[misc]
        def _repr_png_(self) -> bytes:
            buffer = BytesIO()
            self.savefig(buffer, format="png", dpi=100)
            return buffer.getvalue()

    return Picture
