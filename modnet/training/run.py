"""One training run: the loop over epochs and batches, and its interface for callbacks."""

from __future__ import annotations

import math
import signal
import threading
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.datasets.batches import Batch, Batches
from modnet.datasets.dataset import naming
from modnet.engine.history import History
from modnet.engine.network import Network
from modnet.errors import BrokenPlugin, DataError, Diverged, TrainingError
from modnet.kinds.callback import Callback
from modnet.kinds.figures import VALIDATION, monitored_figure
from modnet.kinds.optimizer import Optimizer
from modnet.kinds.schedule import Progress
from modnet.plugins.events import RunEvents
from modnet.plugins.registry import Registry
from modnet.specs.model import TrainingSpec
from modnet.training.backpropagation import Backpropagation
from modnet.training.divergence import Divergence
from modnet.training.evaluation import Evaluation
from modnet.training.members import Members, in_folds
from modnet.training.objective import Objective
from modnet.training.optimization import Optimization
from modnet.training.sharing import agreed, fingerprint, processes_of, require_same, takes_part
from modnet.training.tally import Tally
from modnet.training.temperatures import (
    NO_TEMPERATURE,
    calibrated_outputs,
    fit_temperatures,
    plain_temperatures,
    reset_temperatures,
)
from modnet.training.temperatures import RESULT as TEMPERATURES
from modnet.words import show

INTERRUPTED = "interrupted"
"""The value of `Run.stopped` and `History.stopped` if Ctrl-C ended the run."""

TERMINATED = "terminated"
"""The same if the run ended because its process has to end (`Run.terminate`)."""

CARD_ROWS = 64
"""About how many rows of the data the fingerprint in the model card uses: it only suggests whether two models were
trained on the same data. A checkpoint, which has to be certain, uses all rows.
"""


class Run:
    """One training run.

    `modnet.train` makes one and runs it; callbacks are given it at every event.

    Attributes:
        network: the network that is trained.
        training: the specification of the training.
        registry: where components are looked up.
        callbacks: name -> callback.
        processes: those that share the run (`Callback.processes`); None if it is this process's own.
        joined: name -> the object that takes part for the callback of that name (`Callback.join`).
        objective: the losses and metrics.
        optimization: the optimizer, with its slots and step count.
        batches: the training data.
        validation: the validation data, measured after every epoch, or None.
        greater_is_better: figure name -> whether a greater value is better, None if there is no such order.
        history: the figures of the epochs so far.
        checkpoint_folders: the folders of its checkpoints.
        missing_state: optional state that is missing from the checkpoint from which the run resumes: name -> the value
            of its elements.
        tally: the sums for the figures of the current epoch so far.
        order: draws the order of the samples.
        noise: draws for the layers and callbacks that need random numbers.
        order_at_epoch: the state of `order` when the current epoch began.
        epoch: the current epoch, counted from 1; 0 before the first.
        batches_done: the batches of the current epoch that are done; 0 between two epochs.
        batches_per_epoch: None if not known yet.
        step: the optimizer steps made so far.
        penalties: the sum of the penalties in the current epoch's losses.
        loss: of the last step's batch, with penalties.
        learning_rate: of the last step.
        figures: those of the epoch that has just ended.
        seconds: how long that epoch took.
        averaged: the average of the parameters over many steps, a flat array, from a callback such as `ema`; or None.
        results: name -> a result of a callback: plain values and arrays.
        stopped: why the run has to end, or "".
        terminated: whether the process has to end after the run.
        failed: whether an exception has ended the run.
    """

    epoch: int = 0
    batches_done: int = 0
    step: int = 0
    penalties: float = 0.0
    loss: float = math.nan
    learning_rate: float = 0.0
    seconds: float = 0.0
    stopped: str = ""
    terminated: bool = False
    failed: bool = False
    averaged: Array | None = None
    _agreed: bool = False  # whether all processes know that the run ends

    def __init__(
        self,
        network: Network,
        training: TrainingSpec,
        objective: Objective,
        registry: Registry,
        callbacks: Mapping[str, Callback],
        batches: Batches,
        validation: Batches | None = None,
    ) -> None:
        if not network.parameters.flat.flags.writeable:
            raise TrainingError("mapped parameters, or an engine's, cannot change; load it without mmap=True or engine")
        self.network, self.training, self.objective, self.registry = network, training, objective, registry
        self.batches, self.validation, self.callbacks = batches, validation, dict(callbacks)
        self.processes = processes_of(network, self.callbacks.values())
        # Two generators, so that the order of the samples does not depend on how many numbers the layers draw.
        self.noise = np.random.default_rng([training.seed, 1])
        self.order = np.random.default_rng([training.seed, 2])
        self.order_at_epoch: dict[str, Any] = {}
        self.backpropagation = Backpropagation(
            network, objective, self.noise, registry.kernels, training.accumulate > 1, self.processes
        )
        optimizer = training.optimizer or registry.find(Optimizer, "adam")()
        self.optimization = Optimization(
            network, optimizer, self.backpropagation.gradients, registry.kernels, objective.reached
        )
        self.evaluation, self.batches_per_epoch = Evaluation(network, objective), batches.steps
        self._divergence = Divergence(network, optimizer.learning_rate, training.gradient_clipping is not None)
        self.greater_is_better = objective.figures(validation is not None)
        self.history = History(network=network)
        self.tally = Tally(objective.heads)
        self.checkpoint_folders: list[Path] = []
        self.missing_state: dict[str, float] = {}
        self.figures: dict[str, float | Array] = {}
        self.results: dict[str, Any] = {}
        self._schedule_memory: dict[Any, Any] = {}
        # The batches of the current step, each with the state of `noise` before its pass, for `recompute`.
        self._group: list[tuple[Batch, Mapping[str, Any] | None]] = []
        self.joined = {name: _joined(name, callback, self) for name, callback in self.callbacks.items()}
        self._listen()

    def _listen(self) -> None:
        """Connects the callbacks to the events, and the layers to the progress; finds out what no step needs to do."""
        self._events = RunEvents()
        # pluggy calls the last registered first; users expect the order of their list.
        for name, member in reversed(self.joined.items()):
            if takes_part(self.callbacks[name], self.processes):
                self._events.join(member, name)
        self._batch_events = list(reversed(self._events.hook.modnet_batch.get_hookimpls()))
        self._step_events = bool(self._events.hook.modnet_step_ended.get_hookimpls())
        self._gradient_events = bool(self._events.hook.modnet_reduce_gradients.get_hookimpls())
        self.backpropagation.pass_.ask_progress(self._progress)
        schedules = self.training.schedule, self.optimization.optimizer.weight_decay_schedule
        self._scheduled = any(schedule is not None for schedule in schedules)
        limits = self.training.gradient_clipping, self.training.gradient_value_clipping
        self._clips = any(limit is not None for limit in limits)

    # For callbacks

    @property
    def interrupted(self) -> bool:
        """Whether the run was stopped from outside, so that it can be resumed later."""
        return self.stopped in (INTERRUPTED, TERMINATED)

    def stop(self, reason: str) -> None:
        """Ends the run after the current step; the first reason counts.

        If several processes share the run, all of them end it after the same step.
        """
        self.stopped = self.stopped or reason

    def terminate(self) -> None:
        """Ends the run after the current step because the process has to end.

        A last checkpoint is then written even if the run was about to end for another reason.
        """
        self.terminated = True
        self.stop(TERMINATED)

    def monitored(self, name: str) -> tuple[float, bool]:
        """The last value of a figure, and whether a greater one is better.

        In a run without validation, "validation_loss" means "loss".

        Raises:
            TrainingError: there is no such figure, or it has no order.
        """
        try:
            name, greater = monitored_figure(name, {known: self.greater_is_better[known] for known in self.figures})
        except ValueError as error:
            raise TrainingError(str(error)) from None
        value = self.figures[name]
        if greater is None or not isinstance(value, float | int):
            raise TrainingError(f"{show(name)} cannot be monitored: it has no order of better and worse")
        return float(value), greater

    @cached_property
    def members(self) -> Members | None:
        """Measures each member of an ensemble, if they are validated with rows of their own; else None."""
        if self.validation is None or not in_folds(self.validation):
            return None
        return Members(self.network, self.objective.training, self.validation)

    def finish_members(self, members: Iterable[int]) -> None:
        """Ends the training of some members of an ensemble; their parameters change no longer, the others' do."""
        self.objective.over = self.objective.over.union(members)
        self.optimization.leave_out(self.objective.over)

    @property
    def weights(self) -> Array:
        """The flat array of parameters that validation sees: `averaged`, or those of the network."""
        return self.network.parameters.flat if self.averaged is None else self.averaged

    def recompute(self) -> float:
        """Computes the loss of the current batch, with penalties, and its gradients at the present parameters.

        For `modnet_reduce_gradients`: change `network.parameters` and call this; the gradients (in the array that the
        event received) are then those at these parameters, for the same batch (as changed by `modnet_batch`), or for
        all batches that are accumulated for the step. Layers draw the same random numbers as before, so that the loss
        is a function of the parameters only. It does not affect the figures of the epoch, the random numbers of the
        next batch or the state of layers (the statistics of `batch_norm`).

        Raises:
            TrainingError: there is no current batch.
        """
        if not self._group or self._group[0][1] is None:
            raise TrainingError(
                "recompute() is only possible in modnet_reduce_gradients; there is no current batch here"
            )
        gradients, scratch = self.backpropagation, Tally(self.objective.heads)
        state, noise = self.network.state.flat.copy(), self.noise.bit_generator.state
        gradients.begin()
        for batch, before in self._group:
            self.noise.bit_generator.state = before or noise
            gradients.add(batch, scratch)
        self.noise.bit_generator.state = noise
        np.copyto(self.network.state.flat, state)
        return gradients.finish()

    def states(self) -> dict[str, dict[str, Any]]:
        """Callback name -> its state, for those that have one (`Callback.join`)."""
        found = {}
        for name, member in self.joined.items():
            state = getattr(member, "state", None)
            if callable(state):
                found[name] = state()
        return found

    @cached_property
    def data(self) -> dict[str, str]:
        """Name -> a fingerprint of the run's data; computed when it is first needed."""
        return self._fingerprint(None)

    def _fingerprint(self, most_rows: int | None) -> dict[str, str]:
        found = {f"training {name}": text for name, text in self.batches.fingerprint(most_rows).items()}
        if self.validation is not None:
            validating = self.validation.fingerprint(most_rows).items()
            found.update({f"validation {name}": text for name, text in validating})
        return found

    # The loop

    def fit(self) -> History:
        """Trains for the epochs of the spec, or until the run is stopped.

        Ctrl-C ends the run after the current step (see `modnet.train`).

        Raises:
            Diverged: the loss, a parameter or the validation loss became nan or infinite.
        """
        try:
            with _stopping_at_interrupt(self):
                reset_temperatures(self.network)
                self._compare("before the first step")
                self._agree()
                self._events.hook.modnet_training_started(run=self)
                try:
                    while (self.epoch < self.training.epochs or self.batches_done) and not self._ends:
                        self._epoch()
                except BaseException:
                    self.failed = True
                    raise
                finally:
                    self.history.stopped = self.stopped
                    self._end()
                self._fit_temperatures()
        except Diverged as error:
            self._tell_what_was_kept(error)
            raise
        finally:
            # Also after an error: the figures in the card would otherwise be those of an earlier training.
            if self.step:
                self._conclude()
        self._events.hook.modnet_training_concluded(run=self)
        return self.history

    def _fit_temperatures(self) -> None:
        """Fits the temperatures at the network's outputs to the validation rows, if it has any temperatures."""
        if not calibrated_outputs(self.network):
            return
        try:
            if self.validation is None or not self.validation.rewinds:
                again = "" if self.validation is None else " that can be read again"
                raise DataError(f"there are no validation rows{again} to fit it to")
            if self.members is not None:
                raise DataError("with member_folds, there is no row from which no member has learnt, to fit it to")
            found = fit_temperatures(self.network, self.validation)
        except DataError as error:
            warnings.warn(f"{NO_TEMPERATURE}, as if there were none: {error}", stacklevel=2)
        else:
            self.results[TEMPERATURES] = plain_temperatures(found)

    def _tell_what_was_kept(self, error: Diverged) -> None:
        """Adds to the error of a run that has diverged which weights were restored, if any were."""
        restored = self.history.restored
        if restored:
            error.best_epoch = max(restored)
            kept = f"the network has the weights of epoch {restored[0]}, the best one so far"
            if len(restored) > 1:
                kept = "each member has the weights of its best epoch so far"
            error.args = (f"{error}\n  {kept}",)

    def _conclude(self) -> None:
        """Stores in the card the history of the run, and the figures of the epoch whose weights the network has."""
        card = self.network.card.trained(self.history, self._final_figures(), self._fingerprint(CARD_ROWS))
        self.network.card = card.replace(results={**card.results, **self.results})

    def _final_figures(self) -> dict[str, Any]:
        """The figures of the weights that the network has: of their epoch, or measured now if they are of several."""
        history = self.history
        best, several = history.best_epoch or history.epochs, history.best_epochs is not None
        known = {} if several else {name: values[best - 1] for name, values in history.figures.items() if best}
        if self.validation is None or not (several or TEMPERATURES in self.results):
            return known
        measured = self._validation_figures(self.validation)
        return known | {f"{VALIDATION}{name}": np.asarray(value).tolist() for name, value in measured.items()}

    def _validation_figures(self, validation: Batches) -> dict[str, float | Array]:
        if self.members is not None:
            return self.members.out_of_fold(self.weights)
        return self.evaluation.figures(validation, processes=None if self.failed else self.processes)

    @property
    def _ends(self) -> bool:
        """Whether the run ends now. A signal may reach processes that share it at different steps."""
        return bool(self.stopped) if self.processes is None else self._agreed

    def _agree(self) -> None:
        """Lets all processes that share the run end it together, if one of them has been asked to."""
        if self.processes is not None and not self._agreed:
            reason, terminated = agreed(self.processes, self.stopped, self.terminated)
            if reason:
                self.stopped, self.terminated, self._agreed = reason, terminated, True

    def _compare(self, where: str) -> None:
        """Makes sure that the processes that share the run have the same weights and data; raises TrainingError."""
        if self.processes is not None:
            found = {"weights": fingerprint(self.network), "step": str(self.step)}
            require_same(self.processes, found | (self._fingerprint(CARD_ROWS) if not self.figures else {}), where)

    def _end(self) -> None:
        """Calls the end event of every callback, even if others raise; then raises the first error.

        One by one, since pluggy stops at the first error, and callbacks have files and locks to close.
        """
        errors = []
        everyone = self._events.get_plugins()
        for implementation in reversed(self._events.hook.modnet_training_ended.get_hookimpls()):
            others = [plugin for plugin in everyone if plugin is not implementation.plugin]
            try:
                self._events.subset_hook_caller("modnet_training_ended", others)(run=self)
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def _epoch(self) -> None:
        """An epoch, or the rest of one after a checkpoint."""
        started = time.perf_counter()
        if not self.batches_done:
            self.epoch += 1
            self.tally, self.penalties = Tally(self.objective.heads), 0.0
            self.order_at_epoch = dict(self.order.bit_generator.state)
        together = self.training.accumulate
        order = self.order if self.training.shuffle else None
        # A callback that changes batches is given whole ones, of which this process then takes its part.
        processes = None if self._batch_events else self.processes
        for batch in self.batches.epoch(order, self.batches_done, processes):
            self._take(batch)
            self.batches_done += 1
            if self.batches_done % together == 0:
                self._end_step()
                self._agree()
            if self._ends and not self._group:  # a checkpoint cannot hold half a step
                break
        self._end_step()
        self._divergence.check_parameters(self.step, self.epoch)
        if self._epoch_is_over():
            self._end_epoch(started)

    def _epoch_is_over(self) -> bool:
        """Whether all batches of the epoch are done.

        Raises:
            DataError: there was nothing to train on.
        """
        done, batches = self.batches_done, self.batches
        if not done or (len(self.tally.empty()) == len(self.objective.heads) and not self._ends):
            what = "there are no batches to train on" if not done else "no sample to train on has a weight"
            raise DataError(what + ("" if self.epoch == 1 else f" in epoch {self.epoch}"))
        if self._ends and done != batches.steps:
            return False
        limit = batches.expected_steps
        if limit is not None and done < limit == self.batches_per_epoch:
            warnings.warn(
                f"the stream ended after {done} of the {limit} batches of epoch {self.epoch} (steps_per_epoch)",
                stacklevel=2,
            )
        return True

    def _end_epoch(self, started: float) -> None:
        self.batches_per_epoch, self.batches_done = self.batches_done, 0
        self.figures = self.tally.result(self.penalties / self.batches_per_epoch)
        if self.validation is not None:
            with naming(self.validation.name or "validation"), self._averaged_weights():
                measured = self._validation_figures(self.validation)
            self.figures.update({f"{VALIDATION}{name}": value for name, value in measured.items()})
            if not np.isfinite(measured["loss"]):
                raise self._divergence.of_validation(float(measured["loss"]), self.step, self.epoch)
        self.seconds = time.perf_counter() - started
        self._events.hook.modnet_epoch_ended(run=self)
        self._compare(f"after epoch {self.epoch}")
        self._agree()

    @contextmanager
    def _averaged_weights(self) -> Iterator[None]:
        """Lets the network use the averaged weights, if there are any, inside the context."""
        if self.averaged is None:
            yield
            return
        own = self.network.parameters.flat
        kept = own.copy()
        np.copyto(own, self.averaged)
        try:
            yield
        finally:
            np.copyto(own, kept)

    def _take(self, batch: Batch) -> None:
        """Sends a batch forward and backward."""
        gradients = self.backpropagation
        if not self._group:
            gradients.begin()
        if self._batch_events:
            batch = self._changed(batch)
            batch = batch if self.processes is None else batch.part(self.processes)
        before: Mapping[str, Any] | None = None
        if self._gradient_events:  # one of them may call `recompute`
            before = self.noise.bit_generator.state
            if self.training.accumulate > 1:
                batch = batch.copy()
        loss = gradients.add(batch, self.tally)
        self._group.append((batch, before))
        if loss is not None and not math.isfinite(loss):
            raise self._divergence.of_loss(loss, gradients.pass_, batch, self.step + 1, self.epoch)

    def _changed(self, batch: Batch) -> Batch:
        """The batch after the changes by callbacks."""
        for implementation in self._batch_events:
            given = {"run": self, "inputs": list(batch.inputs), "targets": dict(batch.targets)}
            found = implementation.function(*(given[name] for name in implementation.argnames))
            if found is not None:
                batch = batch.changed(found, f"callback {show(implementation.plugin_name)}: modnet_batch")
        return batch

    def _end_step(self) -> None:
        """A step of the optimizer with the batches since the last one, if anything in them has a weight."""
        if not self._group:
            return
        gradients = self.backpropagation
        loss = gradients.finish()
        counts = gradients.counted > 0
        if counts:
            self.loss = loss
            self._change()
        # The epoch's penalty is a mean over all its batches, including those without weights.
        self.penalties += gradients.penalty * len(self._group)
        self._group.clear()
        if counts and self._step_events:
            self._events.hook.modnet_step_ended(run=self)

    def _change(self) -> None:
        """Changes the parameters by the current gradients."""
        gradients = self.backpropagation
        if self._gradient_events:
            penalty = gradients.penalty  # of the reported loss; `recompute` overwrites it
            self._events.hook.modnet_reduce_gradients(run=self, gradients=gradients.gradients.flat)
            gradients.penalty = penalty
        if self._clips:
            self.optimization.clip(self.training.gradient_clipping, self.training.gradient_value_clipping)
        rate, decay = self._factors() if self._scheduled else (1.0, 1.0)
        self.learning_rate = rate * self.optimization.optimizer.learning_rate
        self.optimization.step(self.learning_rate, decay)
        self.step += 1

    def _factors(self) -> tuple[float, float]:
        """Of the learning rate and of the weight decay, by their schedules."""
        rate, decay = self.training.schedule, self.optimization.optimizer.weight_decay_schedule
        progress = self._progress()
        return (1.0 if rate is None else rate.factor(progress)), (1.0 if decay is None else decay.factor(progress))

    def _progress(self) -> Progress:
        """The progress at the beginning of the current step, for schedules and layers."""
        together, batches = self.training.accumulate, self.batches_per_epoch
        before = self.batches_done - len(self._group)
        steps = -(-batches // together) if batches else 0
        # If this epoch turns out longer than the last one, its progress stays below that of the next epoch.
        fraction = min(before // together, steps - 1) / steps if steps else 0.0
        done, figures = self.epoch - 1 + fraction, self.history.figures
        return Progress(done, self.training.epochs, figures, self.greater_is_better, self._schedule_memory)


def _joined(name: str, callback: Callback, run: Run) -> object:
    """The object that takes part in the run for a callback.

    Raises:
        BrokenPlugin: `join` returned None, or an object with only one of `state` and `restore`.
    """
    member = callback.join(run)
    where = f"{type(callback).__name__}.join"
    if member is None:
        raise BrokenPlugin(f"{where} gave None for the callback {show(name)}; expected the object that takes part")
    saves, restores = (callable(getattr(member, method, None)) for method in ("state", "restore"))
    if saves != restores:
        there, missing = ("state()", "restore(state)") if saves else ("restore(state)", "state()")
        raise BrokenPlugin(f"{where} gave a {type(member).__name__} with {there} but without {missing}; it needs both")
    return member


@contextmanager
def _stopping_at_interrupt(run: Run) -> Iterator[None]:
    """The first Ctrl-C ends the run after its step; a second one raises KeyboardInterrupt at once.

    Only if Python's own handler is installed: a program that handles or ignores SIGINT itself is not disturbed. Signal
    handlers can only be set in the main thread.
    """
    mine = threading.current_thread() is threading.main_thread()
    if not mine or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return

    def stop(number: int, frame: Any) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        run.stop(INTERRUPTED)

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
