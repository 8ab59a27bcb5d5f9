"""Batches: what a step of training, or of an evaluation, takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from modnet.arrays import Array


@dataclass
class Batch:
    """Some samples: the inputs in order, output name -> target, and a weight for each sample or None.

    Weights may also be for each step of sequences, (batch, time). `rows` are the samples' places in all the data, None
    where there are no such. The arrays may be reused for the next batch.
    """

    inputs: list[Array]
    targets: dict[str, Array]
    weights: Array | None = None
    rows: slice | Array | None = None

    def __len__(self) -> int:
        return len(self.inputs[0])

    def counts(self) -> bool:
        """Whether there are samples, and some with a weight."""
        return len(self.inputs[0]) > 0 and (self.weights is None or bool(self.weights.any()))

    def counted(self) -> tuple[list[Array], dict[str, Array], Array | None]:
        """Inputs and targets of the samples that have a weight; which of their steps have one, None for all."""
        if self.weights is None:
            return self.inputs, self.targets, None
        weighted = self.weights > 0
        left = weighted.any(axis=tuple(range(1, weighted.ndim)))
        steps = None if weighted.ndim < 2 else weighted[left]
        if left.all():
            return self.inputs, self.targets, steps
        targets = {name: target[left] for name, target in self.targets.items()}
        return [x[left] for x in self.inputs], targets, steps


class Batches(Protocol):
    """A source of batches, made by `Dataset.batches` or a `BatchStream`.

    Attributes:
        steps: batches in an epoch, or None where that is not known before it has ended.
        expected_steps: batches that the user says an epoch has, or None.
        rewinds: whether an epoch can be had again.
        name: how messages call the data, or "".
    """

    steps: int | None
    expected_steps: int | None
    rewinds: bool
    name: str

    def epoch(self, rng: np.random.Generator | None = None, skip: int = 0) -> Iterator[Batch]:
        """The batches of one epoch; in an order drawn from `rng`, where one is given and the source can do that.

        Args:
            skip: how many of the first batches to leave out. A source that does not rewind stands behind them already.
        """
        ...

    def from_beginning(self) -> Iterator[Batch]:
        """All batches in their own order, whatever epochs have been begun; these are not disturbed."""
        ...

    def skip_epochs(self, count: int) -> None:
        """Says that the run has so many epochs behind it, which were made before this object was."""
        ...

    def fingerprint(self, most_rows: int | None = None) -> dict[str, str]:
        """Name -> a text that tells these data from others, as far as the source can tell.

        Args:
            most_rows: about so many rows are looked at; by default all, and about a thousand of mapped files.
        """
        ...
