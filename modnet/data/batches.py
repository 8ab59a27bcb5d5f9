"""Batches: what a step of training, or of an evaluation, takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from modnet.arrays import Array
from modnet.errors import BrokenPlugin
from modnet.words import show


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

    def copy(self) -> Batch:
        """The same with arrays of its own, which last."""
        targets = {name: target.copy() for name, target in self.targets.items()}
        weights = None if self.weights is None else self.weights.copy()
        return Batch([array.copy() for array in self.inputs], targets, weights, self.rows)

    def changed(self, found: Any, who: str) -> Batch:
        """The batch with other inputs and targets.

        Args:
            found: (inputs, targets), as a callback has given them.
            who: to be named where they are none.

        Raises:
            BrokenPlugin: these are not as many inputs, the same targets, or as many samples.
        """
        expected = (
            f"expected (inputs, targets) with {len(self.inputs)} arrays and targets for {', '.join(self.targets)}"
        )
        if not isinstance(found, tuple) or len(found) != 2 or not isinstance(found[1], Mapping):
            raise BrokenPlugin(f"{who} gave {show(found)}; {expected}")
        inputs = [np.asarray(array) for array in found[0]]
        targets = {name: np.asarray(target) for name, target in found[1].items()}
        if len(inputs) != len(self.inputs) or targets.keys() != self.targets.keys():
            given = ", ".join(map(str, targets)) or "no output"
            raise BrokenPlugin(f"{who} gave {len(inputs)} inputs and targets for {given}; {expected}")
        made = Batch(inputs, targets, self.weights, self.rows)
        made._check_lengths(who)
        if len(made) != len(self):
            made.rows = None  # these are no longer samples of the data
        return made

    def _check_lengths(self, who: str) -> None:
        lengths = {len(array) for array in (*self.inputs, *self.targets.values())}
        if self.weights is not None:
            lengths.add(len(self.weights))
        if len(lengths) > 1:
            counts = " and ".join(map(str, sorted(lengths)))
            raise BrokenPlugin(f"{who} gave arrays of {counts} samples; expected one number of them, also of weights")

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
