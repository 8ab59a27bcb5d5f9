"""Batches that the user provides: from a generator, a list, a torch DataLoader."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from modnet.datasets.batches import Batch
from modnet.datasets.targets import check_weights, named_targets, sample_weights
from modnet.engine.network import Network
from modnet.errors import DataError
from modnet.kinds.sharing import Processes
from modnet.words import show


class BatchStream:
    """Batches from an iterable: (x, y) or (x, y, weights), in a tuple or a list.

    If no loss takes a target, y is None or left out: (x,).

    Args:
        source: an iterable, or a function that returns a new one for each epoch.
        network: the network for whose inputs they are.
        outputs: the outputs whose loss takes a target.
        steps: batches in an epoch; by default an epoch ends with the iterable. With it, each epoch continues where the
            one before stopped, and starts over at the end of the iterable if that is possible.

    Attributes:
        steps: those, or the length of the source if it has one.
    """

    def __init__(
        self,
        source: Iterable[Any] | Callable[[], Iterable[Any]],
        network: Network,
        outputs: Sequence[str],
        steps: int | None = None,
    ) -> None:
        if steps is not None and (isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 1):
            raise DataError(f"steps_per_epoch: expected a whole number >= 1, found {show(steps)}")
        self.name = ""
        self.source = source
        self.network = network
        self.outputs = outputs
        self.expected_steps = None if steps is None else int(steps)
        self.rewinds = callable(source) or not isinstance(source, Iterator)
        self.steps = _length(source) if steps is None and self.rewinds else self.expected_steps
        self._epochs_before = 0
        self._running: Iterator[Any] | None = None

    def batches(self, batch_size: int, drop_last: bool = False) -> BatchStream:
        """Itself: the batches are those that it has."""
        return self

    def split(self, fraction: float, seed: int = 0, label_outputs: object = ()) -> tuple[BatchStream, BatchStream]:
        """Raises DataError: the rows of a stream are not known beforehand."""
        raise DataError("a fraction for validation needs arrays; for a stream of batches, give validation = (x, y)")

    def epoch(
        self, rng: np.random.Generator | None = None, skip: int = 0, processes: Processes | None = None
    ) -> Iterator[Batch]:
        batches = map(self._batch, self._items(skip))
        return batches if processes is None else (batch.part(processes) for batch in batches)

    def from_beginning(self) -> Iterator[Batch]:
        """All batches of a source with a length, otherwise those of one epoch; the run's place does not change."""
        steps = self.expected_steps if _length(self.source) is None else None
        return BatchStream(self.source, self.network, self.outputs, steps).epoch()

    def skip_epochs(self, count: int) -> None:
        self._epochs_before = count

    def fingerprint(self, most_rows: int | None = None) -> dict[str, str]:
        """Nothing: the batches of a stream are not known beforehand."""
        return {}

    def _batch(self, item: Any) -> Batch:
        sizes = (2, 3) if self.outputs else (1, 2, 3)
        if not isinstance(item, tuple | list) or len(item) not in sizes:
            raise DataError(f"expected batches (x, y) or (x, y, weights), found {show(item)}")
        x, y, given = (*item, None, None)[:3]
        inputs, targets = self.network.arrays(x), named_targets(y, self.outputs)
        weights = sample_weights(given) if len(item) == 3 else None
        if weights is not None:
            check_weights(weights, len(inputs[0]))
        return Batch(inputs, targets, weights)

    def _items(self, skip: int) -> Iterator[Any]:
        if callable(self.source):
            made = self.source()
            if not isinstance(made, Iterable):
                raise DataError(
                    f"expected a function that returns batches (x, y), such as a generator; it returned {show(made)}"
                )
            return islice(made, skip, self.expected_steps)
        if self.expected_steps is None:
            return islice(self.source, skip if self.rewinds else 0, None)
        if self._running is None:
            before = (self._epochs_before * self.expected_steps + skip) % (_length(self.source) or sys.maxsize)
            self._running = islice(_repeated(self.source), before, None) if self.rewinds else iter(self.source)
        return islice(self._running, self.expected_steps - skip)


def _repeated(source: Iterable[Any]) -> Iterator[Any]:
    """The items of an iterable again and again; ends when it is empty, instead of looping for ever."""
    found = True
    while found:
        found = False
        for item in source:
            found = True
            yield item


def _length(source: Any) -> int | None:
    """The number of batches of an iterable, if it has a length, as lists and most torch DataLoaders do."""
    try:
        return None if callable(source) else len(source)
    except TypeError:
        return None
