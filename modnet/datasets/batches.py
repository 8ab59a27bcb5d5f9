"""Batches: the samples of one step of training or evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from modnet.arrays import Array
from modnet.errors import BrokenPlugin
from modnet.kinds.sharing import Processes, Share
from modnet.words import show


@dataclass
class Batch:
    """Some samples: the inputs in order, output name -> target, and a weight for each sample or None.

    There may also be a weight for each step of sequences, (batch, time). `rows` are the positions of the samples in all
    the data, None if they have none. `folds`, (batch,), is for each sample the member of an ensemble that does not
    learn from it; None if all do. The arrays may be reused for the next batch. `share` says which part these are of a
    batch that several processes share; None for a whole batch.
    """

    inputs: list[Array]
    targets: dict[str, Array]
    weights: Array | None = None
    rows: slice | Array | None = None
    folds: Array | None = None
    share: Share | None = None

    def __len__(self) -> int:
        return len(self.inputs[0])

    def counts(self) -> bool:
        """Whether any sample has a weight above 0."""
        if self.share is not None:
            return self.share.total > 0 and (self.weights is None or self.share.any(bool(self.weights.any())))
        return len(self.inputs[0]) > 0 and (self.weights is None or bool(self.weights.any()))

    def part(self, processes: Processes) -> Batch:
        """The rows of this process, of a batch that it shares with others."""
        share = Share(processes, len(self))
        own, rows = share.own, self.rows
        if isinstance(rows, slice):
            rows = slice(rows.start + own.start, rows.start + own.stop)
        elif rows is not None:
            rows = rows[own]
        targets = {name: target[own] for name, target in self.targets.items()}
        weights, folds = (None if array is None else array[own] for array in (self.weights, self.folds))
        return Batch([array[own] for array in self.inputs], targets, weights, rows, folds, share)

    def whole_targets(self) -> Batch:
        """Of a shared batch: the targets, weights and folds of all its rows, without the inputs."""
        if self.share is None:
            return self
        joined = self.share.joined
        weights, folds = (None if array is None else joined(array) for array in (self.weights, self.folds))
        return Batch([], {name: joined(target) for name, target in self.targets.items()}, weights, None, folds)

    def copy(self) -> Batch:
        """A batch with copies of the arrays, which the next batch does not overwrite."""
        targets = {name: target.copy() for name, target in self.targets.items()}
        weights = None if self.weights is None else self.weights.copy()
        folds = None if self.folds is None else self.folds.copy()
        return Batch([array.copy() for array in self.inputs], targets, weights, self.rows, folds, self.share)

    def changed(self, found: Any, who: str) -> Batch:
        """The batch with other inputs and targets.

        Args:
            found: (inputs, targets), from a callback.
            who: the callback, for the message.

        Raises:
            BrokenPlugin: the number of inputs, the names of targets, or the numbers of samples do not match.
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
        made = Batch(inputs, targets, self.weights, self.rows, self.folds)
        made._check_lengths(who)
        if len(made) != len(self):
            made.rows = None  # these are no longer samples of the data
        return made

    def _check_lengths(self, who: str) -> None:
        lengths = {len(array) for array in (*self.inputs, *self.targets.values())}
        lengths.update(len(array) for array in (self.weights, self.folds) if array is not None)
        if len(lengths) > 1:
            counts = " and ".join(map(str, sorted(lengths)))
            raise BrokenPlugin(
                f"{who} gave arrays of {counts} samples; expected the same number in all, and of weights"
            )

    def counted(self) -> tuple[list[Array], dict[str, Array], Array | None]:
        """Inputs and targets of the samples with a weight; a mask of their steps with a weight, None for all steps."""
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
        steps: batches in an epoch, or None if that is not known before its end.
        expected_steps: the number of batches in an epoch that the user has given, or None.
        rewinds: whether an epoch can be repeated.
        name: the name of the data in messages, or "".
    """

    steps: int | None
    expected_steps: int | None
    rewinds: bool
    name: str

    def epoch(
        self, rng: np.random.Generator | None = None, skip: int = 0, processes: Processes | None = None
    ) -> Iterator[Batch]:
        """The batches of one epoch; in an order drawn from `rng`, if it is given and the source can shuffle.

        Args:
            skip: how many of the first batches to skip. A source that cannot rewind is past them already.
            processes: who shares the batches, each of which then has the rows of this process alone.
        """
        ...

    def from_beginning(self) -> Iterator[Batch]:
        """All batches in their own order, without affecting epochs that have begun."""
        ...

    def skip_epochs(self, count: int) -> None:
        """Tells a new source that the run resumes after `count` epochs."""
        ...

    def fingerprint(self, most_rows: int | None = None) -> dict[str, str]:
        """Name -> a fingerprint that distinguishes these data from others, if the source can give one.

        Args:
            most_rows: about how many rows are read for it; by default all, but about a thousand of mapped files.
        """
        ...
