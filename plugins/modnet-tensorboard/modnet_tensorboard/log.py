"""What a run writes for TensorBoard, by tensorboardX, which is imported with this module: that takes seconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tensorboardX import SummaryWriter
from tensorboardX.summary import hparams

import modnet
from modnet.arrays import Array
from modnet.kinds.figures import VALIDATION
from modnet.specs.paths import single_values
from modnet.words import path_text, show
from modnet_tensorboard.graph import graph_event


class Log:
    """What a run writes.

    Attributes:
        runs: the folder with those of the runs.
        name: of the run's own folder; "" until the run begins.
    """

    def __init__(self, runs: Path) -> None:
        self.runs = runs
        self.name = ""
        self._writer: SummaryWriter | None = None

    def state(self) -> dict[str, Any]:
        return {"name": self.name}

    def restore(self, state: Mapping[str, Any]) -> None:
        name = state.get("name")
        # From a file that may have been tampered with, and what is written to.
        if not isinstance(name, str) or not name.removeprefix("run_").isdecimal():
            raise ValueError(f"expected the name of a folder such as run_1, found {show(name)}")
        self.name = name

    def modnet_training_started(self, run: modnet.Run) -> None:
        goes_on = bool(self.name)
        try:
            if not goes_on:
                self.name = _made(self.runs)
            # What an older run wrote after the checkpoint is forgotten.
            purged = run.history.epochs + 1 if goes_on else None
            # A run that resumes within a second would otherwise write to the file of the previous one.
            suffix = f".{run.history.epochs}" if goes_on else ""
            self._writer = SummaryWriter(str(self.runs / self.name), purge_step=purged, filename_suffix=suffix)
        except OSError as error:
            raise modnet.TrainingError(f"tensorboard: {self.runs}: cannot be written to: {error}") from error
        if not goes_on:
            self._writer.file_writer.add_event(graph_event(run.network.graph))
            experiment, start, _ = hparams(dict(_settings(run)), dict.fromkeys(map(_tag, run.greater_is_better), 0.0))
            self._writer.file_writer.add_summary(experiment)
            self._writer.file_writer.add_summary(start)

    def modnet_epoch_ended(self, run: modnet.Run) -> None:
        self.write(run, {_tag(name): value for name, value in run.figures.items()})
        self.write(run, {"learning_rate": run.learning_rate, "seconds": run.seconds})

    def write(self, run: modnet.Run, values: Mapping[str, Any]) -> None:
        """Writes numbers; each number of an array has its own tag."""
        for tag, value in values.items():
            for place in np.ndindex(np.shape(value)):
                own = f"{tag}[{','.join(map(str, place))}]" if place else tag
                self.writer.add_scalar(own, float(value[place] if place else value), run.epoch)

    @property
    def writer(self) -> SummaryWriter:
        assert self._writer is not None
        return self._writer

    def modnet_training_ended(self, run: modnet.Run) -> None:
        if self._writer is not None:
            if not run.failed:
                *_, end = hparams({}, {})
                self._writer.file_writer.add_summary(end)
            self._writer.close()


class Histograms(Log):
    """The same with histograms, every few epochs."""

    def __init__(self, runs: Path, run: modnet.Run, epochs: int) -> None:
        super().__init__(runs)
        self.epochs = epochs
        # A copy, since optimizers compute in the gradients' own array.
        self.gradients = run.network.parameters.like()

    def modnet_reduce_gradients(self, run: modnet.Run, gradients: Array) -> None:
        np.copyto(self.gradients.flat, gradients)

    def modnet_epoch_ended(self, run: modnet.Run) -> None:
        super().modnet_epoch_ended(run)
        if run.epoch % self.epochs:
            return
        for group, arrays in (("parameters", run.network.parameters), ("gradients", self.gradients)):
            for name, array in arrays.items():
                if array.size and np.isfinite(array).all():
                    self.writer.add_histogram(f"{group}/{name}", array, run.epoch)


def _made(runs: Path) -> str:
    """A new folder with a name that none has yet."""
    runs.mkdir(parents=True, exist_ok=True)
    number = 1 + max((int(p.name[4:]) for p in runs.glob("run_*") if p.name[4:].isdecimal()), default=0)
    while True:
        try:
            (runs / f"run_{number}").mkdir()
        except FileExistsError:  # another process was quicker
            number += 1
        else:
            return f"run_{number}"


def _tag(figure: str) -> str:
    """`validation_loss` -> `loss/validation`, so that both losses are side by side."""
    return f"{figure.removeprefix(VALIDATION)}/{'validation' if figure.startswith(VALIDATION) else 'training'}"


def _settings(run: modnet.Run) -> Iterator[tuple[str, Any]]:
    """The hyper-parameters: single values of the training, by their paths, and the size of the network."""
    plain = run.training.replace(callbacks=()).plain()
    yield from ((path_text(path), value) for path, value in single_values(plain))
    yield "parameters", len(run.network.parameters.flat)
    yield "nodes", len(run.network.graph.nodes)
