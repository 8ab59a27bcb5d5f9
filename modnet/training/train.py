"""The front doors: `train` and `evaluate`, and how what they are given becomes a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, cast

from modnet.arrays import Array
from modnet.configuration.checker import INVALID, Checker
from modnet.data.dataset import naming
from modnet.engine.network import Network
from modnet.errors import PluginError
from modnet.plugins.registry import Registry, default_registry
from modnet.specs.components import ComponentReader
from modnet.specs.model import TrainingSpec
from modnet.training.evaluation import Evaluation
from modnet.training.history import History
from modnet.training.objective import Objective
from modnet.training.sources import Given, checked_data, evaluation_batches, training_batches
from modnet.training.trainer import Trainer


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
    remembered = network.spec.training or TrainingSpec(loss=training.loss)
    network.card = network.card.replace(training=remembered.replace(loss=training.loss, metrics=training.metrics))
    data = Given(x, y, sample_weights, steps_per_epoch)
    batches, validating = training_batches(objective, training, data, validation)
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
    data = checked_data(objective, Given(x, y, sample_weights))
    batches = evaluation_batches(objective, training, data, batch_size and training.batch_size)
    with naming(batches.name):
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
