"""The training and validation data of a run, from the arguments of a caller."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from modnet.arrays import Array
from modnet.data.rows import are_rows, table_of
from modnet.data.spec import DataSpec
from modnet.data.split import warn_of_unseen
from modnet.data.table import Table
from modnet.datasets.batches import Batches
from modnet.datasets.dataset import Dataset, naming, takes_rows
from modnet.datasets.folds import member_folds
from modnet.datasets.read import data_of, loader_for
from modnet.datasets.stream import BatchStream
from modnet.engine.network import Network
from modnet.errors import DataError
from modnet.plugins.registry import Registry
from modnet.specs.model import TrainingSpec
from modnet.training.objective import Objective
from modnet.training.trial import check_class_weights, check_targets
from modnet.words import counted, show

MEMBER_FOLDS = "member_folds"
"""A value for the validation: each member of an ensemble has its own validation rows (`DataSpec.member_folds`)."""


class Given(NamedTuple):
    """The data arguments of `train` and `evaluate`."""

    x: Any
    y: Any = None
    weights: Any = None
    steps: int | None = None


class Taken(NamedTuple):
    """The data arguments of `train`, completed from its spec if there were none, or if they were rows of a table.

    Attributes:
        x, y, weights, validation: as `train` takes them.
        test: the rows that the spec sets aside for a test.
        notes: lines about the data, for the caller.
    """

    x: Any
    y: Any = None
    weights: Any = None
    validation: Any = None
    test: Dataset | None = None
    notes: Sequence[str] = ()

    def by_spec(self, network: Network, registry: Registry | None = None) -> Taken:
        """Reads the data that the spec of a network names, or encodes rows of a table by its `[data]`.

        Other data are taken as they are. The network's card then has the schema of the table, as after `modnet train`.

        Raises:
            SpecError: the spec's `[data]` table names no file, and there are no rows.
            DataError, ShapeError: there are no data; they cannot be read, or do not match the network.
        """
        data = network.card.spec.data
        if self.x is None and self.y is None and data is None:
            raise DataError(_nothing_to_train_on(network))
        if data is None or not self._is_for_spec(network, data):
            return self
        if self.weights is not None:
            raise DataError(
                "sample_weights cannot be given with the data of a spec or rows of a table; "
                'name the column that has them: weights = "COLUMN" in [data]'
            )
        data, apart = self._validation_of(data)
        loaded = data_of(network, rows=self._table(data), data=data, registry=registry)
        validation = loaded.validation if apart is None else apart
        return Taken(loaded.train, validation=validation, test=loaded.test, notes=loaded.notes)

    def _is_for_spec(self, network: Network, data: DataSpec) -> bool:
        if self.y is not None:  # targets apart from the rows, which are then one column
            return isinstance(data.target, str) and are_rows(self.x, network.inputs)
        return self.x is None or takes_rows(network, self.x, loader_for(network).output_names)

    def _table(self, data: DataSpec) -> Table | None:
        if self.x is None:
            return None
        apart = self.y is not None and isinstance(data.target, str)
        return table_of(self.x, str(data.target) if apart else "", self.y)

    def _validation_of(self, data: DataSpec) -> tuple[DataSpec, Any]:
        """The `[data]` with the fraction for validation that the caller wants, and the caller's data for it."""
        if self.validation is None:
            return data, None
        if _is_fraction(self.validation):
            check_fraction(self.validation)
            return data.replace(validation=float(self.validation), member_folds=False), None
        if _is_member_folds(self.validation):
            return data.replace(validation=None, member_folds=True), None
        return data.replace(validation=None, member_folds=False), self.validation


def _nothing_to_train_on(network: Network) -> str:
    if network.card.stored_training is not None:
        reason = "a model file does not hold the [data] of its spec"
    else:
        reason = "the spec has no [data] table"
    return f"there are no data to train on: {reason}; give x and y, or rows of a table"


def check_fraction(validation: float) -> None:
    """Raises DataError for a fraction that leaves nothing to train on, or nothing to validate with."""
    if not 0.0 < validation < 1.0:
        raise DataError(f"validation: expected a fraction between 0 and 1, or (x, y); found {float(validation)}")


def _is_member_folds(validation: Any) -> bool:
    return isinstance(validation, str) and validation == MEMBER_FOLDS


def _is_fraction(validation: Any) -> bool:
    return isinstance(validation, float | int | np.floating) and not isinstance(validation, bool)


def training_batches(
    objective: Objective, training: TrainingSpec, given: Given, validation: Any = None
) -> tuple[Batches, Batches | None]:
    """The training and the validation batches of a run, checked as far as possible before there is a prediction.

    Args:
        validation: a fraction of the samples, `MEMBER_FOLDS`, (x, y), (x, y, weights), (batches, None), or rows of a
            table.

    Raises:
        ShapeError, DataError: they are not data, or do not fit the network or a loss.
    """
    data, validating = _parted(objective, checked_data(objective, given), validation)
    _fit(objective, data, validating)
    if isinstance(data, Dataset) and isinstance(validating, Dataset):
        _warn_of_unseen(objective, data, validating)
    if isinstance(data, Dataset) and data.folds is not None:
        _check_folds(data.folds, objective.network.graph.members)
    batches = data.batches(training.batch_size, training.drop_last)
    return batches, None if validating is None else evaluation_batches(objective, training, validating)


def _parted(
    objective: Objective, data: Dataset | BatchStream, validation: Any
) -> tuple[Dataset | BatchStream, Dataset | BatchStream | None]:
    """The data to train on and those to validate with."""
    # No draw is by the seed of the training: trainings with several seeds are then compared on the same rows.
    if _is_member_folds(validation):
        if not isinstance(data, Dataset):
            raise DataError("member_folds needs arrays or rows of a table, whose rows can be in folds; found batches")
        labels = data.classes_of_rows(objective.label_outputs).labels
        data = data.in_folds(member_folds(len(data), objective.network.graph.members, 0, labels))
        return data, data
    if _is_fraction(validation):
        if isinstance(data, Dataset):
            check_fraction(validation)
        return data.split(float(validation), label_outputs=objective.label_outputs)
    if validation is None:
        return data, None
    return data, checked_data(objective, _given_for_validation(validation), "validation")


def _check_folds(folds: Array, members: int) -> None:
    if (found := int(folds.max()) + 1) != members:
        raise DataError(
            f"the rows are in {found} folds, but the network has {counted(members, 'member')}; expected one for each"
        )


def _given_for_validation(validation: Any) -> Given:
    if isinstance(validation, Dataset):
        return Given(validation)
    if are_rows(validation):
        return Given(validation)
    if isinstance(validation, tuple | list) and len(validation) in (2, 3):
        return Given(*validation)
    batchwise = callable(validation) or (
        isinstance(validation, Iterable) and not isinstance(validation, np.ndarray | str | Mapping | tuple)
    )
    hint = "; for batches of (x, y), give validation = (batches, None)" if batchwise else ""
    expected = f'a fraction between 0 and 1, (x, y), or "{MEMBER_FOLDS}" for an ensemble'
    raise DataError(f"validation: expected {expected}; found {show(validation)}{hint}")


def _warn_of_unseen(objective: Objective, training: Dataset, validation: Dataset) -> None:
    """Warns about classes that are only in the validation data."""
    for output in training.targets:
        takes_labels = output in objective.label_outputs
        trained, validated = (part.labels(output, takes_labels) for part in (training, validation))
        if trained is not None and validated is not None:
            schema = objective.network.card.schema
            names = schema.classes().get(output) if schema else None
            warn_of_unseen(output, trained, validated, names)


def _fit(objective: Objective, data: Dataset | BatchStream, validating: Dataset | BatchStream | None) -> None:
    """Lets the losses learn from the targets to train on."""
    objective.fit(data if isinstance(data, Dataset) else None)
    for part, name in ((data, ""), (validating, "validation")):
        if isinstance(part, Dataset):
            with naming(part.name or name):
                check_class_weights(objective, part)


def checked_data(objective: Objective, given: Given, name: str = "") -> Dataset | BatchStream:
    """The data of a caller; targets in memory have been checked by the losses.

    Args:
        name: the name in messages for data without a name.

    Raises:
        ShapeError, DataError: they are not data, or do not fit the network or a loss.
    """
    with naming((given.x.name if isinstance(given.x, Dataset) else "") or name):
        data = Dataset.of(
            objective.network, given.x, given.y, given.weights, outputs=objective.target_outputs, steps=given.steps
        )
        if isinstance(data, Dataset):
            data.check()
            check_targets(objective, data)
    return data


def data_to_measure(objective: Objective, given: Given) -> Dataset | BatchStream:
    """The data of a caller for `evaluate`, without data from which a loss can learn.

    Raises:
        SpecError: a loss needs training data.
        ShapeError, DataError: they are not data, or do not fit the network or a loss.
    """
    data = checked_data(objective, given)
    objective.fit(None)
    if isinstance(data, Dataset):
        with naming(data.name):
            check_class_weights(objective, data)
    return data


def evaluation_batches(
    objective: Objective, training: TrainingSpec, data: Dataset | BatchStream, batch_size: int | None = None
) -> Batches:
    """The batches for measuring data: of the size that is best for prediction, or of the training's size.

    Args:
        batch_size: the size that the caller asks for.
    """
    if not isinstance(data, Dataset):
        return data
    if batch_size is None and objective.couples:
        batch_size = training.batch_size  # the value of such a loss depends on the batch size
    return data.batches(batch_size or objective.network.rows_at_a_time(list(data.inputs.values())))
