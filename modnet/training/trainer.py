"""The training loop."""

from __future__ import annotations

import math
import signal
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from functools import cache
from os import PathLike
from typing import Any, cast

import numpy as np

from modnet.arrays import Array
from modnet.configuration.checker import INVALID, Checker
from modnet.data.batches import Batch, Batches
from modnet.data.dataset import naming
from modnet.engine.network import Network
from modnet.engine.passes import Pass
from modnet.errors import DataError, Diverged, PluginError, SpecError, TrainingError
from modnet.kinds.callback import Callback
from modnet.kinds.optimizer import Optimizer
from modnet.kinds.schedule import Progress
from modnet.plugins.hooks import PluginManager
from modnet.plugins.registry import Registry, default_registry
from modnet.specs.components import ComponentReader
from modnet.specs.model import TrainingSpec
from modnet.training.callbacks import RecordHistory
from modnet.training.checkpoint import restore
from modnet.training.history import History
from modnet.training.objective import Objective, Penalty, check_figures, free_name, row_of
from modnet.training.optimization import Optimization
from modnet.training.run import INTERRUPTED, TERMINATED, Run
from modnet.training.sources import Given, checked_data, evaluation_batches, training_batches
from modnet.training.tally import Tally
from modnet.training.trial import look_over
from modnet.words import show

PARTS = 64
"""So many points of the first epoch are looked at to see whether a schedule changes the rate within it."""


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
    network.spec = network.spec.replace(training=remembered.replace(loss=training.loss, metrics=training.metrics))
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
    batches = evaluation_batches(objective, data, batch_size and training.batch_size)
    with naming(batches.name):
        return Evaluation(network, objective).figures(batches, refuse_nan=True)


def merged_training(network: Network, given: Mapping[str, Any], registry: Registry) -> TrainingSpec:
    """The training that a network's spec asks for with some parts replaced by arguments, which are checked alike."""
    try:
        base = network.training
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


class Evaluation:
    """Measures a network on data without changing it."""

    def __init__(self, network: Network, objective: Objective) -> None:
        self.network = network
        self.objective = objective
        self._pass = Pass(network, objective.wanted)

    def figures(self, batches: Batches, refuse_nan: bool = False) -> dict[str, float | Array]:
        """Figure name -> value over all batches of an epoch.

        Args:
            refuse_nan: whether a loss of nan is an error, which says which row it comes from.

        Raises:
            DataError: no sample has a weight, or a loss is nan.
        """
        tally = self.tally(batches, refuse_nan)
        nothing = tally.empty()
        if nothing:
            raise DataError(
                f"there is nothing to measure: output {show(nothing[0])} has no samples, or none with a weight"
            )
        return tally.result()

    def tally(self, batches: Batches, refuse_nan: bool = False) -> Tally:
        """The sums over all batches of an epoch; raises as `figures`, but for what has no weight."""
        tally, rows = Tally(self.objective), 0
        for batch in batches.epoch():
            if batch.counts():
                values = self._pass.forward(batch.inputs)
                self.objective.evaluate(values, batch, tally, self._pass.wanted_masks())
                if refuse_nan and tally.has_nan():
                    raise self._nan(values, batch, rows)
            rows += len(batch)
        return tally

    def _nan(self, values: Sequence[Array], batch: Batch, before: int) -> DataError:
        """The error for a batch whose loss is nan; `before` rows were measured before it."""
        inputs = zip((f"input {show(name)}" for name in self.network.inputs), batch.inputs, strict=True)
        targets = ((f"the target of {show(name)}", target) for name, target in batch.targets.items())
        predictions = (
            (f"the prediction of {show(head.name)}", value)
            for head, value in zip(self.objective.heads, values, strict=False)
        )
        for what, array in (*inputs, *targets, *predictions):
            if array.dtype.kind == "f" and np.isnan(array).any():
                position = int(np.argwhere(np.isnan(array))[0][0])
                row = before + position if batch.rows is None else row_of(batch.rows, position)
                return DataError(f"the loss is nan: {what} holds nan in row {row}")
        return DataError(f"the loss is nan in one of the rows {before} to {before + len(batch) - 1}")


class Trainer:
    """A loop over epochs and batches, with events."""

    def __init__(
        self, network: Network, training: TrainingSpec, objective: Objective, registry: Registry | None = None
    ) -> None:
        if not network.parameters.flat.flags.writeable:
            raise TrainingError("the parameters are mapped from a file and cannot change; load it without mmap=True")
        self.network = network
        self.training = training
        self.objective = objective
        self.registry = registry or default_registry()
        self.gradients = network.parameters.like()
        self.schedule_memory: dict[Any, Any] = {}
        noise = np.random.default_rng([training.seed, 1])
        optimizer = training.optimizer or self.registry.find(Optimizer, "adam")()
        self.optimization = Optimization(network, optimizer, self.gradients, self.registry.kernels, objective.reached)
        self.penalty = Penalty(network, self.gradients, objective.reached)
        self.pass_ = Pass(
            network,
            objective.wanted,
            training=True,
            gradients=self.gradients,
            rng=noise,
            kernels=self.registry.kernels,
        )
        self.evaluation = Evaluation(network, objective)
        self.run = Run(
            network,
            training,
            self.optimization,
            objective.figures(),
            History(),
            _named_callbacks(training),
            self.registry,
            dict,
            Tally(objective),
            np.random.default_rng([training.seed, 2]),
            noise,
        )
        self.events = PluginManager()
        # pluggy calls the last registered first; users expect the order of their list.
        for name, callback in reversed(self.run.callbacks.items()):
            self.events.join(callback, name)

    def fit(
        self, batches: Batches, validation: Batches | None = None, resume: str | PathLike[str] | None = None
    ) -> History:
        """Trains for the epochs of the spec, or until the run is stopped; from a checkpoint on, if there is one."""
        run = self.run
        run.greater_is_better = self.objective.figures(validation is not None)
        try:
            check_figures(self.training, run.greater_is_better)
        except SpecError as error:
            raise TrainingError(str(error)) from None
        run.steps_per_epoch = batches.steps
        run.data = cache(lambda: _fingerprints(batches, validation))
        if not batches.rewinds and batches.steps is None and self.training.epochs > 1:
            raise DataError(
                f"a generator can be run through only once, and {self.training.epochs} epochs were asked for; "
                "pass a function that makes it, or steps_per_epoch"
            )
        if validation is not None and not validation.rewinds and self.training.epochs > 1:
            raise DataError(
                f"validation: a generator can be run through only once, and {self.training.epochs} epochs were asked "
                "for; pass a function that makes it, or a list of the batches"
            )
        if validation is not None and validation.steps == 0:
            raise DataError("validation: there are no batches")
        restored = resume is not None and restore(run, resume) is not None
        batches.skip_epochs(run.epoch - (1 if run.batch else 0))
        # A checkpoint from the middle of the first epoch may not know it.
        run.steps_per_epoch = run.steps_per_epoch or batches.steps
        self._check_schedule()
        what = batches.name or "training data"
        if not restored:
            try:
                self._prepare(batches)
            except DataError:
                look_over(self.evaluation, batches, what)  # which knows the row, where it is one that is at fault
                raise
        if self.network.parameters.size and not self.optimization.trains:
            warnings.warn("nothing is trained: every parameter that a loss depends on is frozen", stacklevel=3)
        look_over(self.evaluation, batches, what)
        if validation is not None:
            look_over(self.evaluation, validation, validation.name or "validation data")
        try:
            self._run(batches, validation)
        except Diverged as error:
            best = run.history.best_epoch
            if best is not None:
                error.best_epoch = best
                error.args = (f"{error}\n  the network has the weights of epoch {best}, the best until then",)
            raise
        finally:
            # Also where an error has ended it: the figures of a training before are not those of these weights.
            if run.step:
                self._conclude()
        return run.history

    def _run(self, batches: Batches, validation: Batches | None) -> None:
        run, events = self.run, self.events.hook
        with _stopping_at_signals(run):
            events.modnet_training_started(run=run)
            try:
                while (run.epoch < self.training.epochs or run.batch) and not run.stopped:
                    self._epoch(batches, validation)
            except BaseException:
                run.failed = True
                raise
            finally:
                run.history.stopped = run.stopped
                self._end()

    def _conclude(self) -> None:
        """Gives the network the course of the run, and the figures of the epoch whose weights it has."""
        history = self.run.history
        self.network.history = history.figures
        best = history.best_epoch or history.epochs
        self.network.metrics = {name: values[best - 1] for name, values in history.figures.items() if best}

    def _check_schedule(self) -> None:
        """Refuses a schedule that moves within the first epoch of a stream whose length is unknown."""
        run, schedule = self.run, self.training.schedule
        if schedule is None or run.steps_per_epoch is not None or run.epoch > 1:
            return
        course = [Progress(part / PARTS, self.training.epochs, {}, run.greater_is_better) for part in range(PARTS)]
        if len({schedule.factor(progress) for progress in course}) > 1:
            raise DataError(
                f"the schedule {show(schedule.type or type(schedule).__name__)} changes the rate within an epoch, and "
                "the number of batches in an epoch of this stream is unknown; give steps_per_epoch, or pass a list of "
                "the batches"
            )

    def _end(self) -> None:
        """The end of the run for every callback, also where another one's raises; the first error comes out."""
        errors = []
        everyone = self.events.get_plugins()
        for implementation in reversed(self.events.hook.modnet_training_ended.get_hookimpls()):
            others = [plugin for plugin in everyone if plugin is not implementation.plugin]
            try:
                self.events.subset_hook_caller("modnet_training_ended", others)(run=self.run)
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def _prepare(self, batches: Batches) -> None:
        if not batches.rewinds:
            unprepared = self.network.unprepared()
            if unprepared:
                raise DataError(
                    f"{unprepared[0]} learns from the data before training, and a generator can be run through only "
                    "once; pass a function that makes it, or arrays"
                )
            return
        self.network.prepare(lambda: (batch.counted() for batch in batches.from_beginning() if batch.counts()))

    def _epoch(self, batches: Batches, validation: Batches | None) -> None:
        """An epoch, or what a checkpoint has left of one."""
        run, started = self.run, time.perf_counter()
        if not run.batch:
            run.epoch += 1
            run.tally, run.penalties = Tally(self.objective), 0.0
            run.order_at_epoch = dict(run.order.bit_generator.state)
        step_events = self.events.hook.modnet_step_ended.get_hookimpls()
        for batch in batches.epoch(run.order if self.training.shuffle else None, run.batch):
            stepped = self._step(batch)
            run.batch += 1
            if stepped and step_events:
                self.events.hook.modnet_step_ended(run=run)
            if run.stopped:
                break
        self._check_parameters()
        if not run.batch or (len(run.tally.empty()) == len(self.objective.heads) and not run.stopped):
            what = "there are no batches to train on" if not run.batch else "no sample to train on has a weight"
            raise DataError(what + ("" if run.epoch == 1 else f" in epoch {run.epoch}"))
        if run.stopped and run.batch != batches.steps:
            return
        limit = batches.expected_steps
        if limit is not None and run.batch < limit == run.steps_per_epoch:
            warnings.warn(
                f"the stream ended after {run.batch} of the {limit} batches of epoch {run.epoch} (steps_per_epoch)",
                stacklevel=2,
            )
        run.steps_per_epoch, run.batch = run.batch, 0
        run.figures = run.tally.result(run.penalties / run.steps_per_epoch)
        if validation is not None:
            with naming(validation.name or "validation"):
                measured = self.evaluation.figures(validation)
            run.figures.update({f"validation_{name}": value for name, value in measured.items()})
            if not np.isfinite(measured["loss"]):
                what = f"validation loss became {measured['loss']} after step {run.step} (epoch {run.epoch})"
                raise Diverged(
                    f"{what}\n  {self._advice()}, and look for values that are not finite in the data",
                    run.step,
                    run.epoch,
                    "",
                )
        run.seconds = time.perf_counter() - started
        self.events.hook.modnet_epoch_ended(run=run)

    def _step(self, batch: Batch) -> bool:
        """One step of the optimizer; False where the batch has nothing with a weight, so that none was made."""
        run, training = self.run, self.training
        gradients: list[Array] = []
        if batch.counts():
            values = self.pass_.forward(batch.inputs)
            loss, gradients = self.objective.measure(values, batch, run.tally, self.pass_.wanted_masks())
        if not gradients:
            # The mean over the epoch's batches takes the penalty of each; its gradient is overwritten by the next.
            run.penalties += self.penalty.add()
            return False
        run.loss = loss
        if not math.isfinite(run.loss):
            raise self._diverged(batch)
        self.pass_.backward(gradients)
        penalty = self.penalty.add()
        run.loss += penalty
        if self.events.hook.modnet_reduce_gradients.get_hookimpls():
            self.events.hook.modnet_reduce_gradients(run=run, gradients=self.gradients.flat)
        self.optimization.clip(training.gradient_clipping, training.gradient_value_clipping)
        run.learning_rate = self.optimization.optimizer.learning_rate
        if training.schedule is not None:
            steps = run.steps_per_epoch
            # An epoch that has more batches than the one before does not reach into the next.
            fraction = min(run.batch, steps - 1) / steps if steps else 0.0
            done, figures = run.epoch - 1 + fraction, run.history.figures
            progress = Progress(done, training.epochs, figures, run.greater_is_better, self.schedule_memory)
            run.learning_rate *= training.schedule.factor(progress)
        self.optimization.step(run.learning_rate)
        run.step += 1
        run.penalties += penalty
        return True

    def _check_parameters(self) -> None:
        """The loss tells of the parameters before a step; after an epoch's last one they are looked at themselves."""
        for array in (self.network.parameters, self.network.state):
            if not np.isfinite(array.flat).all():
                name = next(name for name, view in array.items() if not np.isfinite(view).all())
                run = self.run
                what = f"{name} became nan or infinite by step {run.step} (epoch {run.epoch})"
                raise Diverged(f"{what}\n  {self._advice()}", run.step, run.epoch, name.rpartition(".")[0])

    def _advice(self) -> str:
        advice = f"try a smaller learning_rate (now {self.optimization.optimizer.learning_rate:g})"
        return advice if self.training.gradient_clipping is not None else f"{advice} or gradient_clipping = 1.0"

    def _diverged(self, batch: Batch) -> Diverged:
        run = self.run
        what = "nan" if math.isnan(run.loss) else "infinite"
        where, node = self._first_not_finite(batch)
        advice = self._advice()
        if not run.step:
            advice = "the weights have not changed yet: scale inputs and targets to numbers of about 1"
        if not node and "input" in where:
            advice = "clean the data, or say in [data] what is to be done with missing values"
        message = f"loss became {what} at step {run.step + 1} (epoch {run.epoch})\n  {where}\n  {advice}"
        return Diverged(message, run.step + 1, run.epoch, node)

    def _first_not_finite(self, batch: Batch) -> tuple[str, str]:
        for name, array in zip(self.network.inputs, batch.inputs, strict=True):
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                return f"input {show(name)} of this batch holds values that are not finite", ""
        for name, target in batch.targets.items():
            if target.dtype.kind == "f" and not np.isfinite(target).all():
                return f"the target of {show(name)} in this batch, like an input, holds values that are not finite", ""
        values = self.pass_.values()
        reached = max((float(np.abs(array).max()) for array in batch.inputs if array.size), default=0.0)
        for node in self.network.graph.nodes:
            if node.name not in values:
                continue
            with np.errstate(all="ignore"):
                peak = float(np.abs(values[node.name]).max())
            if not math.isfinite(peak):
                arrays = self.network.arrays_of(self.network.parameters, node, node.parameters)
                broken = [name for name, array in arrays.items() if not np.isfinite(array).all()]
                if broken:
                    return f"first not finite: {node.name}.{broken[0]}, since the step before", node.name
                return f"first not finite: output of {node.name}; its input reached {reached:.2g}", node.name
            reached = peak
        return f"all outputs of the nodes are finite and reach {reached:.2g}; the loss of them is not", ""


def _named_callbacks(training: TrainingSpec) -> dict[str, Callback]:
    named: dict[str, Callback] = {"history": RecordHistory()}
    for used in training.callbacks:
        if isinstance(used.callback, RecordHistory):
            continue
        name = free_name(used.name or used.callback.type or type(used.callback).__name__, named)
        # One and the same object twice would have one state for both.
        twice = any(used.callback is other for other in named.values())
        named[name] = copy(used.callback) if twice else used.callback
    return named


def _fingerprints(batches: Batches, validation: Batches | None) -> dict[str, str]:
    found = {f"training {name}": text for name, text in batches.fingerprint().items()}
    if validation is not None:
        found.update({f"validation {name}": text for name, text in validation.fingerprint().items()})
    return found


@contextmanager
def _stopping_at_signals(run: Run) -> Iterator[None]:
    """Lets the first Ctrl-C, SIGTERM or SIGHUP end the run after its step; a second one does what it usually does.

    SIGTERM and SIGHUP are raised again when the run has ended and its last checkpoint is written, whatever else has
    ended the run: they are meant for the process. SIGHUP may come twice where a terminal is closed, from the system and
    from the shell, and each time means the same. One that is ignored (nohup) stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reasons = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}
    hangup = getattr(signal, "SIGHUP", None)  # Windows has none
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
        reasons[hangup] = TERMINATED
    before = {number: handler for number in reasons if (handler := signal.getsignal(number)) is not None}
    to_process: list[signal.Signals] = []

    def stop(number: int, frame: Any) -> None:
        received = signal.Signals(number)
        if received is not hangup:
            signal.signal(number, before[received])
        if reasons[received] == TERMINATED:
            run.terminated = True
            to_process.append(received)
        run.stop(reasons[received])

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if to_process:
            signal.raise_signal(to_process[0])
