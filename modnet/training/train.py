"""The front doors: `train` and `evaluate`, and how what they are given becomes a training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from typing import Any, cast

import numpy as np

from modnet.arrays import Array
from modnet.configuration.checker import INVALID, Checker
from modnet.data.batches import ArrayBatches, Batches, StreamBatches, named_targets
from modnet.data.batches import sample_weights as weight_array
from modnet.data.dataset import Dataset
from modnet.data.split import row_classes, split, warn_of_unseen
from modnet.engine.network import Network
from modnet.errors import DataError, PluginError
from modnet.plugins.registry import Registry, default_registry
from modnet.specs.components import ComponentReader
from modnet.specs.model import TrainingSpec
from modnet.training.evaluation import Evaluation
from modnet.training.history import History
from modnet.training.objective import Objective
from modnet.training.trainer import Trainer
from modnet.training.trial import check_targets, naming
from modnet.words import show


def train(
    network: Network,
    x: Any = None,
    y: Any = None,
    *,
    loss: Any = None,
    optimizer: Any = None,
    schedule: Any = None,
    metrics: Any = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    shuffle: bool | None = None,
    seed: int | None = None,
    gradient_clipping: float | None = None,
    gradient_value_clipping: float | None = None,
    callbacks: Sequence[Any] | None = None,
    validation: Any = None,
    sample_weights: Any = None,
    steps_per_epoch: int | None = None,
    resume: str | PathLike[str] | None = None,
    registry: Registry | None = None,
) -> History:
    """Trains a network in place.

    What is not given is taken from the `[training]` table of the spec that the network was built from, or has its
    default; only loss and metrics are remembered from one call to the next. Components may be given as objects, by
    name, or as tables. Layers that learn from the data before training (standardize) need data that can be read twice:
    no generator that runs once.

    Args:
        x: an array (samples, *shape), memory-mapped or not; for several inputs a dict of them; or, without `y`, an
            iterable of batches (x, y) or (x, y, weights), such as a list or a torch DataLoader, or a function that
            gives one for each epoch.
        y: the targets; for several outputs a dict of arrays.
        loss, optimizer, schedule, metrics, epochs, batch_size, shuffle, seed, gradient_clipping,
            gradient_value_clipping, callbacks: as in the spec (`TrainingSpec`).
        validation: a fraction of the samples, (x, y), or (batches, None) with an iterable of batches, to validate with
            after every epoch.
        sample_weights: a weight for each sample, shape (samples,), or for each step of sequences, (samples, time).
            Batches in which nothing has a weight make no step.
        steps_per_epoch: batches that make an epoch, only where x is an iterable of them: an epoch goes on where the one
            before stopped, and a list or DataLoader begins anew at its end; a function is called for each epoch. A
            schedule that changes the rate within an epoch needs it, unless x can tell its length.
        resume: a checkpoint (callback `checkpoint`) from which the run goes on as if it had never been stopped, or a
            folder, of which the newest is taken; where that is the one to which this run's own checkpoints go and has
            none yet, the run begins at the beginning. The network's own weights are replaced. Spec and data are
            compared with those of the checkpoint: arrays whole, of memory-mapped ones about a thousand rows, streams
            not at all. A stream that cannot begin anew is to stand where the run had come to.
        registry: where names are looked up.

    Returns:
        The figures of each epoch. Ctrl-C ends the run after the current step and what was learnt stays; then, and
        where a callback ended it, `.stopped` says why. SIGTERM and SIGHUP do the same, and then what they do
        without modnet: they end the process, unless the program handles or ignores them.

    Raises:
        SpecError: an argument is not valid.
        ShapeError, DataError: the data do not fit the network.
        TrainingError: the checkpoint is one of another network, training or data; the message says what differs. There
            is no checkpoint to go on from, or another run writes its own to the same folder.
        ModelFileError: the checkpoint is damaged.
        Diverged: the loss became nan or infinite. Where `early_stopping` had kept the best weights, the network has
            them again, and `.best_epoch` says of which epoch they are.
    """
    given = {
        "loss": loss,
        "optimizer": optimizer,
        "schedule": schedule,
        "metrics": metrics,
        "epochs": epochs,
        "batch_size": batch_size,
        "shuffle": shuffle,
        "seed": seed,
        "gradient_clipping": gradient_clipping,
        "gradient_value_clipping": gradient_value_clipping,
        "callbacks": callbacks,
    }
    registry = registry or default_registry()
    training = merged_training(network, given, registry)
    objective = Objective(network, training, registry.kernels)
    # What it was last trained for is what `evaluate` measures and the model file tells; the rest is this call's alone.
    remembered = network.card.spec.training or TrainingSpec(loss=training.loss)
    network.card = network.card.replace(training=remembered.replace(loss=training.loss, metrics=training.metrics))
    batches, validating = _batches(network, objective, training, x, y, validation, sample_weights, steps_per_epoch)
    if isinstance(batches, ArrayBatches) and isinstance(validating, ArrayBatches):
        _warn_of_unseen(network, objective, batches, validating)
    return Trainer(network, training, objective, registry).fit(batches, validating, resume)


def evaluate(
    network: Network,
    x: Any,
    y: Any = None,
    *,
    loss: Any = None,
    metrics: Any = None,
    batch_size: int | None = None,
    sample_weights: Any = None,
    registry: Registry | None = None,
) -> dict[str, float | Array]:
    """The loss and metrics of a network on data; arguments as for `train`.

    Raises:
        SpecError, ShapeError, DataError: as `train`; DataError also for a sample whose loss is nan, and where there is
            nothing to measure.
    """
    registry = registry or default_registry()
    given = {"loss": loss, "metrics": metrics, "batch_size": batch_size}
    training = merged_training(network, given, registry)
    objective = Objective(network, training)
    with naming(x.name if isinstance(x, Dataset) else ""):
        batches = _source(network, objective, batch_size and training.batch_size, x, y, sample_weights, None)
        if isinstance(x, Dataset) and isinstance(batches, ArrayBatches):
            check_targets(objective, batches)  # which names the row as its file does
        return Evaluation(network, objective).figures(batches, refuse_nan=True)


def merged_training(network: Network, given: Mapping[str, Any], registry: Registry) -> TrainingSpec:
    """The training that a network's spec asks for with some parts replaced by arguments, which are checked alike."""
    try:
        base = network.card.training
    except PluginError:
        if given["loss"] is None:
            raise
        base = None
    values = dict(vars(base)) if base else {}
    values.update({name: value for name, value in given.items() if value is not None})
    checker = Checker(ComponentReader(registry))
    training = checker.table(TrainingSpec, values, ("training",))
    checker.raise_problems()
    assert training is not INVALID
    return cast(TrainingSpec, training)


def _source(
    network: Network,
    objective: Objective,
    batch_size: int | None,
    x: Any,
    y: Any,
    sample_weights: Any,
    steps: int | None,
) -> ArrayBatches | StreamBatches:
    """Batches of the data; of as many samples as suit prediction where no size is given.

    Raises:
        DataError: they are no data, or come with arguments that would act on nothing.
    """
    outputs = [head.name for head in objective.heads]
    if isinstance(x, Dataset):
        if y is not None or sample_weights is not None or steps is not None:
            what = "y" if y is not None else "sample_weights" if sample_weights is not None else "steps_per_epoch"
            raise DataError(f"{what}: a Dataset takes none; give its arrays themselves, x and y")
        inputs = network.arrays(x.inputs)
        size = batch_size or network.rows_at_a_time(inputs)
        return ArrayBatches(inputs, named_targets(x.targets, outputs), None, size, x.rows, x.name, x.row_name)
    if y is None:
        if isinstance(x, Iterable | Callable) and not isinstance(x, np.ndarray | str | Mapping):
            if sample_weights is not None:
                raise DataError("sample weights of a stream come with its batches: (x, y, weights)")
            return StreamBatches(x, network, outputs, steps)
        raise DataError(f"expected x and y, or an iterable of batches (x, y); found {show(x)} alone")
    if steps is not None:
        raise DataError("steps_per_epoch is for streams of batches; an epoch of arrays is all of their samples")
    with np.errstate(over="ignore"):  # what becomes infinite is refused as such
        weights = None if sample_weights is None else weight_array(sample_weights).astype(network.dtype, copy=False)
    inputs = network.arrays(x)
    size = batch_size or network.rows_at_a_time(inputs)
    return ArrayBatches(inputs, named_targets(y, outputs), weights, size)


def _batches(
    network: Network,
    objective: Objective,
    training: TrainingSpec,
    x: Any,
    y: Any,
    validation: Any,
    sample_weights: Any,
    steps: int | None,
) -> tuple[Batches, Batches | None]:
    with naming(x.name if isinstance(x, Dataset) else ""):
        batches = _source(network, objective, training.batch_size, x, y, sample_weights, steps)
        if isinstance(batches, ArrayBatches):
            check_targets(objective, batches)
    if validation is None:
        return batches, None
    if isinstance(validation, int) and not isinstance(validation, bool):
        validation = float(validation)
    if isinstance(validation, float | np.floating):
        if not isinstance(batches, ArrayBatches):
            raise DataError(
                "a fraction for validation needs arrays; give validation = (x, y) beside a stream of batches"
            )
        if not 0.0 < validation < 1.0:
            raise DataError(f"validation: expected a fraction between 0 and 1, or (x, y); found {validation}")
        rows = batches.rows
        targets = {name: y if rows is None else y[rows] for name, y in batches.targets.items()}
        found = (row_classes(targets[head.name], head.loss.takes_labels) for head in objective.heads)
        labels = next((labels for labels in found if labels is not None), None)
        for_training, for_validation = split(batches.samples, float(validation), training.seed, labels)
        parts = [
            ArrayBatches(batches.inputs, batches.targets, batches.weights, size, part if rows is None else rows[part])
            for part, size in (
                (for_training, training.batch_size),
                (for_validation, network.rows_at_a_time(batches.inputs)),
            )
        ]
        return parts[0], parts[1]
    pair = isinstance(validation, tuple | list) and len(validation) in (2, 3)
    if not pair and not isinstance(validation, Dataset):
        batchwise = callable(validation) or (
            isinstance(validation, Iterable) and not isinstance(validation, np.ndarray | str | Mapping | tuple)
        )
        hint = "; batches of (x, y) are given as validation = (batches, None)" if batchwise else ""
        raise DataError(f"validation: expected a fraction between 0 and 1, or (x, y); found {show(validation)}{hint}")
    x, y, weights = (*validation, None)[:3] if pair else (validation, None, None)
    with naming((x.name if isinstance(x, Dataset) else "") or "validation"):
        validating = _source(network, objective, None, x, y, weights, None)
        if isinstance(validating, ArrayBatches):
            check_targets(objective, validating)
    return batches, validating


def _warn_of_unseen(network: Network, objective: Objective, training: ArrayBatches, validation: ArrayBatches) -> None:
    """Warns of classes that only the validation has."""
    for head in objective.heads:
        parts = ((part.targets[head.name], part.rows) for part in (training, validation))
        trained, validated = (
            row_classes(target if rows is None else target[rows], head.loss.takes_labels) for target, rows in parts
        )
        if trained is not None and validated is not None:
            schema = network.card.schema
            names = schema.classes().get(head.name) if schema else None
            warn_of_unseen(head.name, trained, validated, names)
