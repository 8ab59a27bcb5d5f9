"""From arrays, or a stream, to batches."""

from __future__ import annotations

import mmap
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Any, Protocol, cast

import numpy as np

from modnet.arrays import Array, as_numbers
from modnet.engine.network import Network
from modnet.errors import DataError
from modnet.words import did_you_mean, show

BLOCK = 1 << 20
"""Bytes of a mapped file that are read together when its rows are shuffled."""

MIXED = 64
"""Blocks, drawn from anywhere in the file, whose rows are mixed with each other."""

MOST_RESIDENT = 32 << 20
"""Bytes that are read from a mapped file before its pages are given back."""

FINGERPRINT_ROWS = 1024
"""About as many rows of a mapped file tell it from others."""


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
    """A source of batches.

    Attributes:
        steps: batches in an epoch, or None where that is not known before it has ended.
        rewinds: whether an epoch can be had again.
        name: how messages call the data, or "".
    """

    steps: int | None
    rewinds: bool
    name: str

    def epoch(self, rng: np.random.Generator | None = None, skip: int = 0) -> Iterator[Batch]:
        """The batches of one epoch; in an order drawn from `rng`, where one is given and the source can do that.

        Args:
            skip: how many of the first batches to leave out. A source that does not rewind stands behind them already.
        """
        ...

    def fingerprint(self) -> dict[str, str]:
        """Name -> a text that tells these data from others, as far as the source can tell."""
        ...


class ArrayBatches:
    """Batches from arrays that can be indexed: in memory or memory-mapped.

    Args:
        inputs, targets, weights: all samples.
        batch_size: samples in a batch; the last one of an epoch may be smaller.
        rows: the samples to use, by default all.
        name, row_name: how messages call the data, by default nothing, and a row, by default row 0, row 1, ...
    """

    rewinds = True

    def __init__(
        self,
        inputs: Sequence[Array],
        targets: Mapping[str, Array],
        weights: Array | None = None,
        batch_size: int = 32,
        rows: Array | None = None,
        name: str = "",
        row_name: Callable[[int], str] | None = None,
    ) -> None:
        self.inputs = list(inputs)
        self.targets = dict(targets)
        self.weights = weights
        self.batch_size = batch_size
        self.rows = rows
        self.name = name
        self.row_name = row_name or "row {}".format
        self.samples = len(self.inputs[0]) if rows is None else len(rows)
        self.steps: int | None = -(-self.samples // batch_size)
        for name, target in self.targets.items():
            if len(target) != len(self.inputs[0]):
                raise DataError(f"{len(self.inputs[0])} samples, but {len(target)} targets (output {show(name)})")
        if not self.samples:
            raise DataError("there are no samples")
        if weights is not None:
            _check_weights(weights, len(self.inputs[0]))
            if not (weights if rows is None else weights[rows]).any():
                raise DataError(
                    "sample weights: expected finite numbers >= 0, some above 0; all of these rows have weight 0"
                )
        self._buffers: dict[int, Array] = {}
        self._contiguous: dict[int, Array] = {}
        self._resident = 0

    def epoch(self, rng: np.random.Generator | None = None, skip: int = 0) -> Iterator[Batch]:
        for chosen in self._chosen(rng, skip * self.batch_size):
            yield Batch(
                [self._take(array, chosen) for array in self.inputs],
                {name: self._take(target, chosen) for name, target in self.targets.items()},
                None if self.weights is None else self._take(self.weights, chosen),
                chosen,
            )

    def _chosen(self, rng: np.random.Generator | None, start: int) -> Iterator[slice | Array]:
        """The rows of each batch, from the `start`th row of the order on."""
        if rng is None:
            for first in range(start, self.samples, self.batch_size):
                part = slice(first, min(first + self.batch_size, self.samples))
                yield part if self.rows is None else self.rows[part]
            return
        waiting = np.empty(0, np.intp)
        for group in self._groups(rng):
            dropped = min(start, len(group))
            start -= dropped
            waiting = np.concatenate((waiting, group[dropped:])) if len(waiting) else group[dropped:]
            whole = len(waiting) - len(waiting) % self.batch_size
            for first in range(0, whole, self.batch_size):
                yield self._numbers(waiting[first : first + self.batch_size])
            waiting = waiting[whole:]
        if len(waiting):
            yield self._numbers(waiting)

    def _numbers(self, positions: Array) -> Array:
        return positions if self.rows is None else self.rows[positions]

    def fingerprint(self) -> dict[str, str]:
        """Shape, type and digest of all arrays; of mapped ones only some rows are read for that."""
        arrays = {f"input {number}" if number else "input": array for number, array in enumerate(self.inputs)}
        arrays.update({f"target {show(name)}": target for name, target in self.targets.items()})
        arrays.update({} if self.weights is None else {"sample weights": self.weights})
        arrays.update({} if self.rows is None else {"choice of rows": self.rows})
        return {name: _fingerprint(array) for name, array in arrays.items()}

    def _groups(self, rng: np.random.Generator) -> Iterator[Array]:
        """A new order of the rows, in pieces: of arrays in memory any, of mapped files one that reads them in blocks.

        Of mapped files one group of blocks at a time is drawn, so that the order takes no memory that grows with them.
        """
        mapped = [array for array in (*self.inputs, *self.targets.values()) if isinstance(array, np.memmap)]
        if not mapped:
            yield rng.permutation(self.samples)
            return
        row = max(array.nbytes // max(1, len(array)) for array in mapped)
        count = max(1, self.samples // max(1, BLOCK // max(1, row)))
        size, longer = divmod(self.samples, count)
        blocks = rng.permutation(count)
        for first in range(0, count, MIXED):
            starts = [(block * size + min(block, longer), size + (block < longer)) for block in blocks[first:][:MIXED]]
            yield rng.permutation(np.concatenate([np.arange(start, start + length) for start, length in starts]))

    def _take(self, array: Array, chosen: slice | Array) -> Array:
        """Some rows; but for a slice of an array in memory, copied into the same buffer every time."""
        mapped = isinstance(array, np.memmap)
        if isinstance(chosen, slice) and not mapped:
            return array[chosen]
        buffer = self._buffers.get(id(array))
        if buffer is None:
            buffer = self._buffers[id(array)] = np.empty(
                (min(self.batch_size, self.samples), *array.shape[1:]), array.dtype
            )
        if isinstance(chosen, slice):
            taken = buffer[: chosen.stop - chosen.start]
            np.copyto(taken, array[chosen])
        else:
            taken = buffer[: len(chosen)]
            if array.flags.c_contiguous and array.flags.aligned:
                np.take(array, chosen, axis=0, out=taken, mode="clip")
            elif mapped:
                np.copyto(taken, array[chosen])
            else:
                np.take(self._in_order(array), chosen, axis=0, out=taken, mode="clip")
        if mapped:
            self._give_back(cast("np.memmap[Any, Any]", array), taken.nbytes)
        return taken

    def _in_order(self, array: Array) -> Array:
        """A copy whose rows lie one behind the other, made once: np.take would make one for every batch."""
        if id(array) not in self._contiguous:
            self._contiguous[id(array)] = np.array(array, order="C")
        return self._contiguous[id(array)]

    def _give_back(self, array: np.memmap[Any, Any], read: int) -> None:
        """Lets go of a mapped file's pages, of which its rows were copied, once they are many."""
        self._resident += read
        mapping = getattr(array, "_mmap", None)
        if self._resident > MOST_RESIDENT and mapping is not None and array.mode == "r" and hasattr(mapping, "madvise"):
            mapping.madvise(mmap.MADV_DONTNEED)
            self._resident = 0


class StreamBatches:
    """Batches that come ready from a generator or another iterable: (x, y) or (x, y, weights), in a tuple or a list.

    Args:
        source: an iterable, or a function that gives a new one for each epoch.
        steps: batches in an epoch; by default an epoch lasts until the iterable ends. An iterable goes on where the
            epoch before stopped, and begins anew at its end if it can.

    Attributes:
        steps: those, or as many as the source says that it has.
        done: the epochs that were made before this object was, of a run that goes on from a checkpoint.
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
        self.limit = None if steps is None else int(steps)
        self.done = 0
        self.rewinds = callable(source) or not isinstance(source, Iterator)
        self.steps = _length(source) if steps is None and self.rewinds else self.limit
        self._running: Iterator[Any] | None = None

    def epoch(self, rng: np.random.Generator | None = None, skip: int = 0) -> Iterator[Batch]:
        for item in self._items(skip):
            if not isinstance(item, tuple | list) or len(item) not in (2, 3):
                raise DataError(f"expected batches (x, y) or (x, y, weights), found {show(item)}")
            inputs, targets = self.network.arrays(item[0]), named_targets(item[1], self.outputs)
            weights = None if len(item) == 2 else sample_weights(item[2])
            if weights is not None:
                _check_weights(weights, len(inputs[0]))
            yield Batch(inputs, targets, weights)

    def from_beginning(self) -> Iterator[Batch]:
        """All batches of a source that can tell how many it has, or those of an epoch; the run's own place stays."""
        limit = self.limit if _length(self.source) is None else None
        return StreamBatches(self.source, self.network, self.outputs, limit).epoch()

    def _items(self, skip: int) -> Iterator[Any]:
        if callable(self.source):
            made = self.source()
            if not isinstance(made, Iterable):
                raise DataError(
                    f"expected a function that gives batches (x, y), such as a generator; found {show(made)}"
                )
            return islice(made, skip, self.limit)
        if self.limit is None:
            return islice(self.source, skip if self.rewinds else 0, None)
        if self._running is None:
            before = (self.done * self.limit + skip) % (_length(self.source) or sys.maxsize)
            self._running = islice(_repeated(self.source), before, None) if self.rewinds else iter(self.source)
        return islice(self._running, self.limit - skip)

    def fingerprint(self) -> dict[str, str]:
        """Nothing: what a stream will give cannot be told beforehand."""
        return {}


def _repeated(source: Iterable[Any]) -> Iterator[Any]:
    """What an iterable gives, again and again, as long as it gives anything."""
    found = True
    while found:
        found = False
        for item in source:
            found = True
            yield item


def _length(source: Any) -> int | None:
    """How many batches an iterable has, if it can tell: a list can, and a torch DataLoader of most data sets."""
    try:
        return None if callable(source) else len(source)
    except TypeError:
        return None


def _fingerprint(array: Array) -> str:
    sample = array[:: max(1, len(array) // FINGERPRINT_ROWS)] if isinstance(array, np.memmap) else array
    digest = sha256(np.ascontiguousarray(sample).view(np.uint8).data).hexdigest()
    return f"{array.dtype} {array.shape} {digest}"


def named_targets(y: Any, outputs: Sequence[str]) -> dict[str, Array]:
    """The targets by output name, from an array or a mapping.

    Raises:
        DataError: an output without a target, or a target without an output.
    """
    if not isinstance(y, Mapping):
        if len(outputs) > 1:
            raise DataError(
                f"{len(outputs)} outputs have a loss; give the targets as a dict with {', '.join(map(show, outputs))}"
            )
        y = {outputs[0]: y}
    for name in y:
        if name not in outputs:
            raise DataError(
                f"there is a target for {show(name)}, but the outputs with a loss are {', '.join(map(show, outputs))}"
                f"{did_you_mean(str(name), outputs)}"
            )
    missing = [name for name in outputs if name not in y]
    if missing:
        raise DataError(f"there is no target for the output {', '.join(map(show, missing))}")
    return {name: _target(y[name], f"target of {show(name)}") for name in outputs}


def _target(value: Any, what: str) -> Array:
    if value is None:
        raise DataError(f"{what}: expected an array of numbers, found None")
    target = as_numbers(value, what, "to make labels 0, 1, ... of it:  names, y = np.unique(y, return_inverse=True)")
    if target.ndim == 0:
        raise DataError(f"{what}: expected an array of numbers, one for each sample; found a single number")
    return target


def sample_weights(value: Any) -> Array:
    """Weights as an array.

    Raises:
        DataError: they are no numbers.
    """
    return as_numbers(value, "sample weights")


def _check_weights(weights: Array, samples: int) -> None:
    """Checks the number of weights and the weights themselves; a second axis is one of steps."""
    if weights.ndim not in (1, 2) or len(weights) != samples:
        raise DataError(
            f"sample weights: expected shape ({samples},), a weight for each sample, or ({samples}, steps) where the "
            f"output is a sequence; found {weights.shape}"
        )
    fit = np.isfinite(weights) & (weights >= 0)
    if not fit.all():
        first = np.argwhere(~fit)[0]
        raise DataError(
            f"sample weights: expected finite numbers >= 0, found {weights[tuple(first)]:g} in row {first[0]}"
        )
