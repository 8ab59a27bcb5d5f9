"""The training and validation data of a run, from the arguments of a caller."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from modnet.datasets.batches import Batches
from modnet.datasets.dataset import Dataset, naming
from modnet.datasets.split import warn_of_unseen
from modnet.datasets.stream import BatchStream
from modnet.errors import DataError
from modnet.specs.model import TrainingSpec
from modnet.training.objective import Objective
from modnet.training.trial import check_class_weights, check_targets
from modnet.words import show


class Given(NamedTuple):
    """The data arguments of `train` and `evaluate`."""

    x: Any
    y: Any = None
    weights: Any = None
    steps: int | None = None


def training_batches(
    objective: Objective, training: TrainingSpec, given: Given, validation: Any = None
) -> tuple[Batches, Batches | None]:
    """The training and the validation batches of a run, checked as far as possible before there is a prediction.

    Args:
        validation: a fraction of the samples, (x, y), (x, y, weights), or (batches, None).

    Raises:
        ShapeError, DataError: they are not data, or do not fit the network or a loss.
    """
    data = checked_data(objective, given)
    validating: Dataset | BatchStream | None = None
    if isinstance(validation, float | int | np.floating) and not isinstance(validation, bool):
        if isinstance(data, Dataset) and not 0.0 < validation < 1.0:
            found = float(validation)
            raise DataError(f"validation: expected a fraction between 0 and 1, or (x, y); found {found}")
        # Not by the seed of the training: trainings with several seeds are then compared on the same rows.
        data, validating = data.split(float(validation), label_outputs=objective.label_outputs)
    elif validation is not None:
        validating = checked_data(objective, _given_for_validation(validation), "validation")
    _fit(objective, data, validating)
    if isinstance(data, Dataset) and isinstance(validating, Dataset):
        _warn_of_unseen(objective, data, validating)
    batches = data.batches(training.batch_size)
    return batches, None if validating is None else evaluation_batches(objective, training, validating)


def _given_for_validation(validation: Any) -> Given:
    if isinstance(validation, Dataset):
        return Given(validation)
    if isinstance(validation, tuple | list) and len(validation) in (2, 3):
        return Given(*validation)
    batchwise = callable(validation) or (
        isinstance(validation, Iterable) and not isinstance(validation, np.ndarray | str | Mapping | tuple)
    )
    hint = "; for batches of (x, y), give validation = (batches, None)" if batchwise else ""
    raise DataError(f"validation: expected a fraction between 0 and 1, or (x, y); found {show(validation)}{hint}")


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
    """The data of a caller for `evaluate`, where losses have nothing to learn from.

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
