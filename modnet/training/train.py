"""The entry points `train` and `evaluate`, and the preparation of a run from their arguments."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, cast

from modnet.configuration.reading import Reading
from modnet.datasets.batches import Batches
from modnet.engine.build import build
from modnet.engine.card import ModelCard
from modnet.engine.history import History
from modnet.engine.network import Network
from modnet.errors import DataError, PluginError, SpecError, TrainingError
from modnet.kinds.figures import TEST
from modnet.kinds.schedule import Progress
from modnet.plugins.faults import NamingFaults
from modnet.plugins.registry import Registry, default_registry
from modnet.specs.components import ComponentReader
from modnet.specs.model import TrainingSpec
from modnet.specs.reader import SpecLike
from modnet.training.callbacks import named_callbacks
from modnet.training.checkpoint import restore
from modnet.training.endings import limited_ending
from modnet.training.figures import check_figures
from modnet.training.objective import Objective
from modnet.training.run import Run
from modnet.training.sources import Given, Taken, checked_data, evaluation_batches, training_batches
from modnet.training.trial import look_over
from modnet.words import show

PARTS = 64
"""At how many points of the first epoch a schedule is evaluated, to see whether it changes the rate within an epoch."""


def train(
    network: Network | SpecLike,
    x: Any = None,
    y: Any = None,
    *,
    loss: Any = None,
    optimizer: Any = None,
    schedule: Any = None,
    metrics: Any = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    accumulate: int | None = None,
    drop_last: bool | None = None,
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
    """Trains a network in place, or the network of a spec.

        history = modnet.train("penguins.toml")                   # with the data that the spec names
        history = modnet.train("penguins.toml", frame)            # with these rows; [data] says what is the target
        history = modnet.train(network, x, y, validation=0.1)     # with arrays
        modnet.save(history.network, "penguins.modnet")

    Arguments that are not given come from the `[training]` table of the spec that the network was built from, or have
    their defaults; only loss and metrics are remembered from one call to the next. `network.card.training`, which the
    model file has too, says how the last call trained. Components may be given as objects,
    by name, or as tables. Layers that learn from the data before training (standardize) need data that can be read
    twice, and not a generator, which runs only once.

    Args:
        network: a network; or a spec (the path of its file, the same as a dict, or a `Spec`), whose network is built
            first.
        x: by default the data that the spec's `[data]` table names, relative to the spec file. Or an array
            (samples, *shape), memory-mapped or not; for several inputs a dict of them. Or rows of a table, with the
            target among their columns or as `y`: a data frame, column -> values, or a list of records. How they are
            used says the `[data]` table of the spec; a network that knows its columns already (`network.schema`)
            takes them as before. Or, without `y`, an iterable of batches (x, y) or (x, y, weights), such as a list or a
            torch DataLoader, or a function that returns one for each epoch.
        y: the targets; for several outputs a dict of arrays.
        loss, optimizer, schedule, metrics, epochs, batch_size, accumulate, drop_last, shuffle, seed,
            gradient_clipping, gradient_value_clipping, callbacks: as in the spec (`TrainingSpec`).
        validation: for the validation after every epoch: a fraction of the samples (the same ones for any seed;
            `Dataset.split` draws others), (x, y), rows of a table, or (batches, None) with an iterable of batches; for
            an ensemble "member_folds", with which each member sets aside its own rows (`DataSpec`); with
            the data or rows of a spec, by default as its `[data]` says. A test part of that is measured when the
            training is over: `network.card.metrics["test_loss"]`.
        sample_weights: a weight for each sample, shape (samples,), or for each step of sequences, (samples, time).
            Batches in which all weights are 0 are skipped.
        steps_per_epoch: the number of batches in an epoch, only if x is an iterable of them: each epoch continues where
            the one before stopped, and a list or DataLoader starts over at its end; a function is called for each
            epoch. A schedule that changes the rate within an epoch needs it, unless x has a length.
        resume: a checkpoint (callback `checkpoint`) from which the run is resumed as if it had never been stopped, or a
            folder, whose newest checkpoint is used. If this is the folder of this run's own checkpoints, and it has
            none yet, the run starts from the beginning. The network's own weights are replaced. Spec and data are
            compared with those of the checkpoint: whole arrays, about a thousand rows of memory-mapped ones, streams
            not at all. A stream that cannot start over has to be at the position that the run had reached.
        registry: where names are looked up.

    Returns:
        The figures of each epoch, with the trained network as `.network`, and what was assumed about the data of a
        spec as `.notes`. Ctrl-C ends the run after the current step and keeps what was learnt, unless the program
        handles SIGINT itself; a second one raises KeyboardInterrupt at once. Then, and if a callback ended the run,
        `.stopped` says why. No other signal is handled; the command `modnet train` also stops at SIGTERM and SIGHUP.

    Raises:
        SpecError: an argument, or the spec, is not valid.
        ShapeError, DataError: the data do not fit the network, or there are none.
        TrainingError: the checkpoint is from another network, training or data, and the message lists the differences;
            or there is no checkpoint to resume from; or another run is writing its checkpoints to the same folder.
        ModelFileError: the checkpoint is damaged.
        Diverged: the loss became nan or infinite. If `early_stopping` had kept the best weights, they have been
            restored, and `.best_epoch` is their epoch.
    """
    given = {
        "loss": loss,
        "optimizer": optimizer,
        "schedule": schedule,
        "metrics": metrics,
        "epochs": epochs,
        "batch_size": batch_size,
        "accumulate": accumulate,
        "drop_last": drop_last,
        "shuffle": shuffle,
        "seed": seed,
        "gradient_clipping": gradient_clipping,
        "gradient_value_clipping": gradient_value_clipping,
        "callbacks": callbacks,
    }
    registry = registry or default_registry()
    with NamingFaults():
        built = network if isinstance(network, Network) else build(network, seed=seed, registry=registry)
        taken = Taken(x, y, sample_weights, validation).by_spec(built, registry)
        run = prepare(
            built,
            taken.x,
            taken.y,
            given=given,
            validation=taken.validation,
            sample_weights=taken.weights,
            steps_per_epoch=steps_per_epoch,
            resume=resume,
            registry=registry,
        )
        run.history.notes = list(taken.notes)
        history = run.fit()
        if taken.test is not None:
            test = checked_data(run.objective, Given(taken.test))
            figures = run.evaluation.figures(evaluation_batches(run.objective, run.training, test))
            named = {f"{TEST}{name}": value for name, value in figures.items()}
            built.card = built.card.replace(metrics={**built.card.metrics, **named})
        return history


def prepare(
    network: Network,
    x: Any,
    y: Any = None,
    *,
    given: Mapping[str, Any],
    validation: Any = None,
    sample_weights: Any = None,
    steps_per_epoch: int | None = None,
    resume: str | PathLike[str] | None = None,
    registry: Registry | None = None,
) -> Run:
    """A run before its first step, or in the state of the checkpoint; `run.fit()` starts it.

    The data have been checked, and layers that learn from them before training have done so. Arguments and errors are
    those of `train`.

    Args:
        given: the arguments of `train` that replace parts of the training in the spec: loss, optimizer and so on.
    """
    registry = registry or default_registry()
    training = merged_training(network, given, registry)
    objective = Objective(network, training, registry.kernels)
    remembered = network.card.spec.training or TrainingSpec(loss=training.loss)
    network.card = _remembering(network.card, remembered, training)
    data = Given(x, y, sample_weights, steps_per_epoch)
    batches, validating = training_batches(objective, training, data, validation)
    training = objective.training
    network.card = _remembering(network.card, remembered, training)
    run = Run(network, training, objective, registry, named_callbacks(training), batches, validating)
    try:
        check_figures(training, run.greater_is_better)
    except SpecError as error:
        raise TrainingError(str(error)) from None
    _check_epochs(run)
    restored = resume is not None and _go_on(run, resume)
    _check_schedule(run)
    _look_at_data(run, restored)
    return run


def _remembering(card: ModelCard, planned: TrainingSpec, training: TrainingSpec) -> ModelCard:
    """The card of a network in training: the model file will say how, and the next call begins with loss and metrics.

    All other arguments are for one call only.
    """
    return card.replace(training=planned.replace(loss=training.loss, metrics=training.metrics), trained_as=training)


def _check_epochs(run: Run) -> None:
    """Refuses data that cannot be iterated as often as the training needs.

    Raises:
        DataError: a generator would have to run more than once, or there are no batches for the validation.
    """
    batches, validation, epochs = run.batches, run.validation, run.training.epochs
    if not batches.rewinds and batches.steps is None and epochs > 1:
        raise DataError(
            f"a generator can be iterated only once, but there are {epochs} epochs; "
            "pass a function that makes it, or steps_per_epoch"
        )
    if validation is not None and not validation.rewinds and epochs > 1:
        raise DataError(
            f"validation: a generator can be iterated only once, but there are {epochs} epochs; "
            "pass a function that makes it, or a list of the batches"
        )
    if validation is not None and validation.steps == 0:
        raise DataError("validation: there are no batches")


def _go_on(run: Run, resume: str | PathLike[str]) -> bool:
    """Puts a run into the state of a checkpoint; False if there is none yet."""
    path = restore(run, resume)
    if path is not None and run.stopped:
        warnings.warn(
            f"{path} is the end of a run that was stopped ({run.stopped}), so nothing is trained; to continue, resume "
            "from an earlier checkpoint, or train the network again without resume",
            stacklevel=4,
        )
    run.batches.skip_epochs(run.epoch - (1 if run.batches_done else 0))
    # A checkpoint from the middle of the first epoch may not have the number.
    run.batches_per_epoch = run.batches_per_epoch or run.batches.steps
    return path is not None


def _check_schedule(run: Run) -> None:
    """Refuses a schedule that changes within the first epoch of a stream of unknown length."""
    if run.batches_per_epoch is not None or run.epoch > 1:
        return
    course = [Progress(part / PARTS, run.training.epochs, {}, run.greater_is_better) for part in range(PARTS)]
    for what, schedule in (
        ("rate", run.training.schedule),
        ("weight decay", run.optimization.optimizer.weight_decay_schedule),
    ):
        if schedule is not None and len({schedule.factor(progress) for progress in course}) > 1:
            raise DataError(
                f"the schedule {show(schedule.type or type(schedule).__name__)} changes the {what} within an epoch, "
                "but the number of batches in an epoch of this stream is unknown; give steps_per_epoch, or pass a "
                "list of the batches"
            )


def _look_at_data(run: Run, restored: bool) -> None:
    """Prepares the layers that learn from the data before training, and finds rows that cannot be used."""
    batches, validation = run.batches, run.validation
    what = batches.name or "training data"
    if not restored:
        try:
            _prepare_layers(run.network, batches)
        except DataError:
            look_over(run.evaluation, batches, what)  # raises a better error, with the row, if a row is at fault
            raise
    if run.network.parameters.size and not run.optimization.trains:
        warnings.warn("nothing is trained: every parameter that a loss depends on is frozen", stacklevel=4)
    for head in run.objective.heads:
        if limited := limited_ending(run.network, head.name, head.loss):
            warnings.warn(limited, stacklevel=4)
    look_over(run.evaluation, batches, what)
    if validation is not None:
        look_over(run.evaluation, validation, validation.name or "validation data")


def _prepare_layers(network: Network, batches: Batches) -> None:
    if not batches.rewinds:
        unprepared = network.unprepared()
        if unprepared:
            raise DataError(
                f"{unprepared[0]} learns from the data before training, but a generator can be iterated only "
                "once; pass a function that makes it, or arrays"
            )
        return
    network.prepare(lambda: (batch.counted() for batch in batches.from_beginning() if batch.counts()))


def merged_training(network: Network, given: Mapping[str, Any], registry: Registry) -> TrainingSpec:
    """The training of a network's spec, with some parts replaced by arguments, which are checked in the same way."""
    try:
        base = network.card.planned_training
    except PluginError:
        if given["loss"] is None:
            raise
        base = None
    values = dict(vars(base)) if base else {}
    values.update({name: value for name, value in given.items() if value is not None})
    reading = Reading(ComponentReader(registry))
    training = TrainingSpec.from_table(values, ("training",), reading)
    reading.raise_problems()
    return cast(TrainingSpec, training)
