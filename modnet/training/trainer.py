"""The training loop."""

from __future__ import annotations

import math
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from functools import cache
from os import PathLike
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.data.batches import Batch, Batches, StreamBatches
from modnet.engine.network import Network
from modnet.engine.passes import Pass
from modnet.errors import DataError, Diverged, SpecError, TrainingError
from modnet.kinds.callback import Callback
from modnet.kinds.optimizer import Optimizer
from modnet.kinds.schedule import Progress
from modnet.plugins.hooks import PluginManager
from modnet.plugins.registry import Registry, default_registry
from modnet.specs.model import TrainingSpec
from modnet.training.callbacks import RecordHistory
from modnet.training.checkpoint import restore
from modnet.training.evaluation import Evaluation
from modnet.training.history import History
from modnet.training.objective import Objective, Penalty, check_figures, free_name
from modnet.training.optimization import Optimization
from modnet.training.run import INTERRUPTED, TERMINATED, Run
from modnet.training.tally import Tally
from modnet.training.trial import look_over, naming
from modnet.words import show

PARTS = 64
"""So many points of the first epoch are looked at to see whether a schedule changes the rate within it."""


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
        if isinstance(batches, StreamBatches):
            batches.done = run.epoch - (1 if run.batch else 0)
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
        best = history.best_epoch or history.epochs
        metrics = {name: values[best - 1] for name, values in history.figures.items() if best}
        self.network.card = self.network.card.trained(history.figures, metrics)

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
        source = batches.from_beginning if isinstance(batches, StreamBatches) else batches.epoch
        self.network.prepare(lambda: (batch.counted() for batch in source() if batch.counts()))

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
        limit = batches.limit if isinstance(batches, StreamBatches) else None
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
