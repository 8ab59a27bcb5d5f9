"""The history of a run: a value of each figure for each epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from modnet.arrays import Array
from modnet.words import counted, did_you_mean

if TYPE_CHECKING:
    import os
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
        return f"<History of {counted(self.epochs, 'epoch')}{': ' if figures else ''}{figures}>"

    def plot(self, path: str | os.PathLike[str] | None = None) -> Any:
        """Draws the loss, and each metric, over the epochs, training and validation together.

        Args:
            path: the file to write: .png, .svg, .pdf ...; by default the figure is only returned.

        Returns:
            The matplotlib figure.

        Raises:
            DataError: there is no epoch; the suffix is of no format of pictures.
            MissingExtra: matplotlib is not installed.
            OSError: the file cannot be written.
        """
        from modnet.engine.courses import plot_history  # not at the top: a process that predicts draws nothing

        return plot_history(self, path)

    def _repr_html_(self) -> str:
        from modnet.engine.notebook import history_html  # as above

        return history_html(self)


def _equal(value: Any, other: Any) -> bool:
    """Whether two figures have the same values; arrays and lists of the same numbers do."""
    if isinstance(value, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(np.asarray(value), np.asarray(other), equal_nan=True)
    return bool(value == other)
