"""Samples to train on, to evaluate or to predict from: the only place where data become batches."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import partial
from hashlib import sha256
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.data.faults import Report
from modnet.data.frames import is_frame
from modnet.data.rows import are_rows, table_of
from modnet.data.schema import DataSchema
from modnet.data.split import Classes, joint_classes, row_classes, split
from modnet.data.table import Table
from modnet.datasets.batches import Batch
from modnet.datasets.gather import Gatherer, in_batches, shuffled
from modnet.datasets.stream import BatchStream
from modnet.datasets.targets import check_weights, named_targets, sample_weights
from modnet.engine.network import Network
from modnet.errors import DataError, ShapeError
from modnet.kinds.sharing import Processes, Share
from modnet.words import show

FINGERPRINT_ROWS = 1024
"""About how many rows of a mapped file its fingerprint uses."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Arrays by the names of a network's inputs and outputs, and which of their rows belong to the dataset.

    A part of a dataset shares its arrays, so that a file that is mapped into memory is not copied before a batch of it
    is needed.

    Attributes:
        inputs: input name -> array (rows, ...).
        targets: output name -> array: class labels int64 (rows,) or numbers (rows, ...). Empty if there are none.
        weights: of each row, (rows,), or of each step of sequences, (rows, time); None for ones.
        folds: of each row, (rows,), the member of an ensemble that does not learn from it, and by which alone the row
            is predicted in validation; None where all members learn from all rows.
        rows: the rows of the arrays that belong to the dataset, in its order; None for all.
        classes: output name -> the names of its classes, by label, if they have names.
        name: the name of the data in messages: their file; "" if they are not from a file.
        row_names: the name of a row of the arrays in messages; None for row 0, row 1, ...
    """

    inputs: Mapping[str, Array]
    targets: Mapping[str, Array] = field(default_factory=dict)
    _: KW_ONLY
    weights: Array | None = None
    folds: Array | None = None
    rows: Array | None = None
    classes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    name: str = ""
    row_names: Callable[[int], str] | None = None

    @classmethod
    def of(
        cls,
        network: Network,
        x: Any,
        y: Any = None,
        weights: Any = None,
        *,
        outputs: Sequence[str] | None = None,
        steps: int | None = None,
    ) -> Dataset | BatchStream:
        """The data of a caller, checked against the inputs of a network.

        Args:
            x: an array, or input name -> array; a `Dataset`; rows of a table for a network that was trained on one (a
                data frame, column -> values, a list of records, a `Table`), with the targets among their columns or as
                y; or, without y, an iterable of batches (x, y) or (x, y, weights), or a function that returns one.
            y: the targets; for several outputs, output name -> array.
            weights: of each sample, or of each step of sequences.
            outputs: the outputs whose loss takes a target; by default all.
            steps: for a stream, the number of batches in an epoch.

        Raises:
            ShapeError: the inputs do not have the shapes that the network expects.
            DataError: they are not data, or are given with arguments that have no effect on them.
        """
        outputs = list(network.outputs) if outputs is None else outputs
        table = _table_given(network, x, y, outputs)
        if table is not None:
            return cls._of_rows(network, table, weights)._for(network, outputs, {"steps_per_epoch": steps})
        if isinstance(x, Dataset):
            return x._for(network, outputs, {"y": y, "sample_weights": weights, "steps_per_epoch": steps})
        if y is None and (outputs or _is_stream(x)):
            return _stream(network, x, weights, outputs, steps)
        if steps is not None:
            raise DataError(
                "steps_per_epoch is only for streams of batches; an epoch of arrays has all of their samples"
            )
        with np.errstate(over="ignore"):  # a weight that becomes infinite is refused later, with its row
            array = None if weights is None else sample_weights(weights).astype(network.dtype, copy=False)
        return cls(dict(zip(network.inputs, network.arrays(x), strict=True)), named_targets(y, outputs), weights=array)

    @classmethod
    def _of_rows(cls, network: Network, table: Table, weights: Any) -> Dataset:
        """The rows of a table as the network's own schema encodes them."""
        if network.card.schema is None or not network.card.schema.inputs:
            hint = 'give arrays, x and y, or train with a spec that has a [data] table with target = "COLUMN"'
            raise DataError(f"{table.name}: found a table, but the network was not trained on one; {hint}")
        if weights is not None:
            raise DataError("sample_weights cannot be given with rows of a table")
        report = Report()
        table = network.card.schema.measurable(table, report)
        for line in report.left_out:
            warnings.warn(f"{table.name}: {line}", stacklevel=5)
        return cls.of_table(network.card.schema, table)

    @classmethod
    def of_table(cls, schema: DataSchema, table: Table, targets: bool = True, report: Report | None = None) -> Dataset:
        """The rows of a table as the schema encodes them; see `DataSchema.encode`, which raises the errors."""
        encoded = schema.encode(table, targets, report)
        return cls(
            encoded.inputs,
            encoded.targets,
            weights=encoded.weights,
            classes=schema.classes(),
            name=table.name,
            row_names=encoded.row_names,
        )

    def _for(self, network: Network, outputs: Sequence[str], given: Mapping[str, object]) -> Dataset:
        """This dataset with its inputs in the order of the network's; no other data may be given with it."""
        for what, value in given.items():
            if value is not None:
                raise DataError(f"{what} cannot be given with a Dataset; pass arrays, x and y, instead")
        inputs = dict(zip(network.inputs, network.arrays(self.inputs), strict=True))
        return replace(self, inputs=inputs, targets=named_targets(self.targets, outputs))

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values()))) if self.rows is None else len(self.rows)

    def row_name(self, row: int) -> str:
        """The name of a row of the arrays in messages."""
        return f"row {row}" if self.row_names is None else self.row_names(row)

    def take(self, rows: Sequence[int] | Array) -> Dataset:
        """The part with these rows, numbered within this dataset. Copies no array."""
        chosen = np.asarray(rows, np.intp)
        return replace(self, rows=chosen if self.rows is None else self.rows[chosen])

    def copied(self) -> Dataset:
        """The dataset with only its own rows, in arrays that may be changed."""
        rows = np.arange(len(self)) if self.rows is None else self.rows
        inputs, targets = (
            {name: np.array(array[rows]) for name, array in arrays.items()} for arrays in (self.inputs, self.targets)
        )
        weights, folds = (None if array is None else array[rows] for array in (self.weights, self.folds))
        names = None if self.row_names is None else partial(_name_of_row, self.row_names, rows)
        return replace(self, inputs=inputs, targets=targets, weights=weights, folds=folds, rows=None, row_names=names)

    def split(self, fraction: float, seed: int = 0, label_outputs: Collection[str] = ()) -> tuple[Dataset, Dataset]:
        """A part to train on and a part to validate with; stratified by classes, if there are any.

        Args:
            fraction: the share of the rows for validation, between 0 and 1.
            seed: the same seed gives the same rows.
            label_outputs: the outputs whose loss takes class labels.

        Raises:
            DataError: there are fewer than two rows.
        """
        train, validation = split(len(self), fraction, seed, *self.classes_of_rows(label_outputs))
        return self.take(train), self.take(validation)

    def in_folds(self, folds: Array) -> Dataset:
        """The dataset with the fold of each of its own rows."""
        whole = np.zeros(len(next(iter(self.inputs.values()))), np.intp)
        whole[slice(None) if self.rows is None else self.rows] = folds
        return replace(self, folds=whole)

    def fold(self, number: int) -> Dataset:
        """The rows of one fold."""
        assert self.folds is not None
        own = self.folds if self.rows is None else self.folds[self.rows]
        return self.take(np.flatnonzero(own == number))

    def classes_of_rows(self, label_outputs: Collection[str]) -> Classes:
        """The class of each row, by the outputs that give rows a class; see `joint_classes`."""
        found = {output: self.labels(output, output in label_outputs) for output in self.targets}
        return joint_classes(
            [Classes(labels, self.classes.get(output)) for output, labels in found.items() if labels is not None]
        )

    def labels(self, output: str, takes_labels: bool) -> Array | None:
        """The class of each row, or None if a row does not have exactly one; see `row_classes`."""
        target = self.targets[output]
        return row_classes(target if self.rows is None else target[self.rows], takes_labels)

    def check(self) -> None:
        """Checks that batches can be made.

        Raises:
            DataError: there are no samples, the numbers of targets or weights do not match, or all weights are 0.
        """
        rows = len(next(iter(self.inputs.values())))
        for name, target in self.targets.items():
            if len(target) != rows:
                raise DataError(f"{rows} samples, but {len(target)} targets (output {show(name)})")
        if not len(self):
            raise DataError("there are no samples")
        if self.weights is not None:
            check_weights(self.weights, rows)
            if not (self.weights if self.rows is None else self.weights[self.rows]).any():
                raise DataError(
                    "sample weights: expected finite numbers >= 0, some above 0; all of these rows have weight 0"
                )

    def batches(self, batch_size: int, drop_last: bool = False) -> DatasetBatches:
        """The dataset in batches of `batch_size` samples; the last one of an epoch may be smaller.

        Args:
            drop_last: whether an epoch ends before such a smaller batch, unless that is its only one.

        Raises:
            DataError: as `check`.
        """
        return DatasetBatches(self, batch_size, drop_last)


def _name_of_row(names: Callable[[int], str], rows: Array, row: int) -> str:
    return names(int(rows[row]))


class DatasetBatches:
    """A dataset in batches, whose arrays are allocated once and reused for the next batch."""

    rewinds = True
    expected_steps: int | None = None

    def __init__(self, dataset: Dataset, batch_size: int, drop_last: bool = False) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.name = dataset.name
        self.samples = len(dataset)
        whole = self.samples // batch_size if drop_last else 0
        self.steps: int | None = whole or -(-self.samples // batch_size)
        self._inputs = list(dataset.inputs.values())
        self._gatherer = Gatherer(min(batch_size, self.samples))
        dataset.check()

    def epoch(
        self, rng: np.random.Generator | None = None, skip: int = 0, processes: Processes | None = None
    ) -> Iterator[Batch]:
        return self._batches(rng, skip, self.steps, processes)

    def _batches(
        self,
        rng: np.random.Generator | None = None,
        skip: int = 0,
        most: int | None = None,
        processes: Processes | None = None,
    ) -> Iterator[Batch]:
        """The batches, all or the first ones; the whole order is drawn, so that `rng` ends at the same place always."""
        take, targets = self._gatherer.take, self.dataset.targets
        weights, folds = self.dataset.weights, self.dataset.folds
        for number, chosen in enumerate(self._chosen(rng, skip * self.batch_size), skip):
            if most is not None and number >= most:
                continue
            share = None
            if processes is not None:
                share, chosen = _own(processes, chosen)
            yield Batch(
                [take(array, chosen) for array in self._inputs],
                {name: take(target, chosen) for name, target in targets.items()},
                None if weights is None else take(weights, chosen),
                chosen,
                None if folds is None else take(folds, chosen),
                share,
            )

    def _chosen(self, rng: np.random.Generator | None, start: int) -> Iterator[slice | Array]:
        """The rows of each batch, starting at position `start` of the order."""
        rows = self.dataset.rows
        if rng is None:
            for first in range(start, self.samples, self.batch_size):
                part = slice(first, min(first + self.batch_size, self.samples))
                yield part if rows is None else rows[part]
            return
        pieces = shuffled([*self._inputs, *self.dataset.targets.values()], self.samples, rng)
        for positions in in_batches(pieces, self.batch_size, start):
            yield positions if rows is None else rows[positions]

    def from_beginning(self) -> Iterator[Batch]:
        return self._batches()

    def skip_epochs(self, count: int) -> None:
        """Nothing: every epoch starts from the first row."""

    def fingerprint(self, most_rows: int | None = None) -> dict[str, str]:
        """Shape, type and digest of all arrays; of mapped ones only some rows are read."""
        dataset = self.dataset
        arrays = {f"input {number}" if number else "input": array for number, array in enumerate(self._inputs)}
        arrays.update({f"target {show(name)}": target for name, target in dataset.targets.items()})
        arrays.update({} if dataset.weights is None else {"sample weights": dataset.weights})
        arrays.update({} if dataset.rows is None else {"choice of rows": dataset.rows})
        arrays.update({} if dataset.folds is None else {"folds": dataset.folds})
        return {name: _fingerprint(array, most_rows) for name, array in arrays.items()}


def _own(processes: Processes, chosen: slice | Array) -> tuple[Share, slice | Array]:
    """The share of this process in the rows of a batch, and its own rows: the others are not read."""
    if not isinstance(chosen, slice):
        share = Share(processes, len(chosen))
        return share, chosen[share.own]
    share = Share(processes, chosen.stop - chosen.start)
    return share, slice(chosen.start + share.own.start, chosen.start + share.own.stop)


def _table_given(network: Network, x: Any, y: Any, outputs: Sequence[str]) -> Table | None:
    """The table of a caller who gives rows, with their target if that is apart; None for other data."""
    if y is None:
        return table_of(x) if takes_rows(network, x, outputs) else None
    target = target_column(network)
    return table_of(x, target, y) if target and are_rows(x, network.inputs) else None


def target_column(network: Network) -> str:
    """The column that a network predicts, if it was trained on a table, and predicts one."""
    schema = network.card.schema
    columns = [] if schema is None or not schema.inputs else [c for group in schema.targets.values() for c in group]
    return str(columns[0].name) if len(columns) == 1 else ""


def takes_rows(network: Network, x: Any, outputs: Collection[str]) -> bool:
    """Whether data that are given without targets are rows of a table: their targets are among their columns.

    Args:
        outputs: the outputs whose loss takes a target.
    """
    if not are_rows(x, () if outputs else network.inputs):
        return False
    # Without a target, and without columns that it knows, a network takes a frame of numbers as an array.
    return bool(outputs) or isinstance(x, Mapping | Table) or network.card.schema is not None


def _is_stream(x: Any) -> bool:
    return isinstance(x, Iterable | Callable) and not isinstance(x, np.ndarray | str | Mapping) and not is_frame(x)


def _stream(network: Network, x: Any, weights: Any, outputs: Sequence[str], steps: int | None) -> BatchStream:
    if not _is_stream(x):
        raise DataError(f"expected x and y, or an iterable of batches (x, y); found {show(x)} without y")
    if weights is not None:
        raise DataError("sample weights of a stream come with its batches: (x, y, weights)")
    return BatchStream(x, network, outputs, steps)


def _fingerprint(array: Array, most_rows: int | None) -> str:
    rows = most_rows or (FINGERPRINT_ROWS if isinstance(array, np.memmap) else len(array))
    sample = array[:: max(1, len(array) // rows)] if rows else array
    digest = sha256(np.ascontiguousarray(sample).view(np.uint8).data).hexdigest()
    return f"{array.dtype} {array.shape} {digest}"


def rows_in(fingerprint: str) -> int:
    """How many rows the array of a fingerprint has; 0 if the text is none."""
    found = re.match(r"\w+ \((\d{1,15}),", fingerprint)
    return int(found[1]) if found else 0


@contextmanager
def naming(what: str) -> Iterator[None]:
    """Adds the name of the data to an error about them, unless `what` is ""."""
    try:
        yield
    except ShapeError as error:
        raise (ShapeError(f"{what}: {error.message}", error.hint) if what else error) from None
    except DataError as error:
        raise (DataError(f"{what}: {error}") if what else error) from None
