"""The contract of a callback."""

from __future__ import annotations

import contextlib
import io
import os
import random
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.engine.build import build
from modnet.errors import BrokenPlugin, ModnetError
from modnet.kinds.callback import Callback
from modnet.plugins.events import RunEvents, events_of
from modnet.plugins.hooks import hookimpl
from modnet.testing.contract import Broken, NotApplicable, Rules, raised
from modnet.testing.rules import component as of_component
from modnet.testing.rules.component import GlobalNumbers
from modnet.testing.rules.metric import copied
from modnet.training.checkpoint import write
from modnet.training.train import train

RULES = Rules()

EPOCHS = 3
STOP = 4
"""Steps after which a run is stopped and resumed: in the middle of its second epoch, which has three steps."""


class _Watch:
    """A callback that stops a run, and records the states of all callbacks at its end.

    Attributes:
        step: how many the run has made.
        member, states, order, beside: as those of a `Result`.
    """

    def __init__(
        self, component: Callback, checkpoint: str, at: int, train_beside: Callable[[], Result] | None
    ) -> None:
        self.step = 0
        self.member: object = None
        self.states: dict[str, dict[str, Any]] = {}
        self.order: Any = None
        self.beside: Result | None = None
        self._component = component
        self._checkpoint = checkpoint
        self._at = at
        self._train_beside = train_beside

    def modnet_training_started(self, run: Any) -> None:
        members = (run.joined[name] for name, other in run.callbacks.items() if other is self._component)
        self.member = next(members, None)

    @hookimpl(trylast=True)
    def modnet_step_ended(self, run: Any) -> None:
        self.step = run.step
        if self._train_beside is not None and run.step == 2:
            self.beside = self._train_beside()
        if self._checkpoint and run.step == self._at:
            write(run, self._checkpoint)
            run.stop("the probe has seen enough")

    @hookimpl(trylast=True)
    def modnet_training_ended(self, run: Any) -> None:
        self.states = run.states()
        self.order = run.order.bit_generator.state


class _Probe(Callback):
    """Adds a watch to a run."""

    def __init__(self, watch: _Watch) -> None:
        object.__setattr__(self, "watch", watch)

    def join(self, run: Any) -> object:
        return self.__dict__["watch"]


@contextlib.contextmanager
def _apart(folder: str, seed: int) -> Iterator[None]:
    """A context in which a run does no harm to the program, and which gives it the same surroundings each time."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.chdir(folder or stack.enter_context(tempfile.TemporaryDirectory())))
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        stack.enter_context(GlobalNumbers(seed))
        stack.enter_context(np.errstate(all="warn"))  # so that a change of it is seen
        yield


class Trial(of_component.Trial):
    component: Callback
    first: Result
    """Of the first run that there is with the callback."""

    def train(
        self,
        folder: str = "",
        seed: int = 0,
        checkpoint: str = "",
        resume: str | None = None,
        at: int = STOP,
        validation: float = 0.25,
        alone: bool = False,
        beside: bool = False,
    ) -> Result:
        """What comes of a short run with the callback, its output unseen.

        Args:
            folder: where it works; by default in one that is made for it.
            seed: of numpy's and Python's global generators, which the run itself does not use.
            checkpoint: a file that is written after `at` steps, where the run is then stopped.
            resume: the checkpoint from which the run is resumed.
            validation: the share of samples for it.
            alone: whether to run without the callback.
            beside: whether another run with the callback is made while this one is in its second step.
        """
        x, y, layers, how = self._problem()
        spec: Any = {"network": {"input": list(x.shape[1:]), "layers": layers}}
        network = build(spec, seed=0, registry=self.registry)
        watch = _Watch(self.component, checkpoint, at, (lambda: self.train(seed=seed)) if beside else None)
        callbacks = [_Probe(watch)] if alone else [self.component, _Probe(watch)]
        how |= {"validation": validation, "callbacks": callbacks, "resume": resume, "registry": self.registry}
        with _apart(folder, seed):
            before = _surroundings()
            history = train(network, x, y, **how)
            after = _surroundings()
        results: dict[str, Any] = {
            "the parameters": network.parameters.flat.copy(),
            "the number of steps": watch.step,
            **{f"the history of {name}": np.asarray(values) for name, values in history.items()},
        }
        touched = [name for name, value in before.items() if not is_same(value, after[name])]
        return Result(results, watch.states, watch.order, touched, watch.member, watch.beside)

    def _problem(self) -> tuple[Array, Array, list[Any], dict[str, Any]]:
        """Inputs, targets, the layers of a network that suits them, and how it is trained."""
        x: Array
        y: Array
        if self.given is None:
            rng = np.random.default_rng(0)
            x, y = rng.standard_normal((24, 2)), rng.integers(0, 2, 24)
        else:
            (x,), target = self.given.rows(24)
            y = np.zeros((24, 1)) if target is None else target
        classes = y.dtype.kind in "iu" and y.ndim == 1
        size = max(2, int(y.max()) + 1) if classes else y.shape[-1]
        layers = [{"type": "flatten"}] * (x.ndim > 2) + [{"type": "linear", "out_features": size}]
        objective = {"loss": "cross_entropy", "metrics": ["accuracy"]} if classes else {"loss": "mse"}
        return (
            x,
            y,
            layers + ["softmax"] * classes,
            {**objective, "epochs": EPOCHS, "batch_size": 8, **self.example.training},
        )


def _surroundings() -> dict[str, Any]:
    """What belongs to the whole process."""
    return {
        "numpy's global generator": list(np.random.get_state()),
        "Python's global generator": list(random.getstate()),
        "the current folder": os.getcwd(),
        "numpy's error state": dict(np.geterr()),
    }


@dataclass
class Result:
    """What a run comes to.

    Attributes:
        results: name -> what belongs to everybody: parameters, history.
        states: the callbacks' own.
        order: the state of the generator that draws the order of samples, at the end.
        touched: what of the process the run has changed.
        member: what took part for the callback.
        beside: the result of the run that was made within this one, or None.
    """

    results: dict[str, Any]
    states: dict[str, dict[str, Any]]
    order: Any
    touched: list[str]
    member: object
    beside: Result | None

    def values(self) -> dict[str, Any]:
        """The results, and each value of a state."""
        states = {
            f"the state {key} of {name}": value for name, kept in self.states.items() for key, value in kept.items()
        }
        return self.results | states


def is_same(one: Any, other: Any) -> bool:
    """Whether two plain values are the same, nan as well."""
    if _both_are((one, other), Mapping):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if _both_are((one, other), list | tuple):
        return len(one) == len(other) and all(map(is_same, one, other))
    if _both_are((one, other), int):
        return bool(one == other)  # which may be too large for numpy
    if _both_are((one, other), np.ndarray | float | int):
        return np.array_equal(one, other, equal_nan=True)
    return bool(one == other)


def _both_are(pair: tuple[Any, Any], kind: Any) -> bool:
    return isinstance(pair[0], kind) and isinstance(pair[1], kind)


def shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return np.array2string(value.ravel()[:3], precision=6) + (" ..." if value.size > 3 else "")
    return textwrap.shorten(repr(value), 60)


@RULES.rule(
    "events",
    "Implement at least one event, by its name and with its arguments: modnet_epoch_ended(self, run).",
)
def events(trial: Trial) -> str:
    callback = trial.component
    own = events_of(callback)
    if not own and type(callback).join is Callback.join:
        raise Broken("it implements no event")
    try:
        RunEvents().join(callback, callback.type)
    except BrokenPlugin as error:
        raise Broken(str(error)) from None
    return ", ".join(own) or "those of what join gives"


@RULES.rule("runs", "A training with the callback must run to its end.", after=("events", "named"))
def runs(trial: Trial) -> str:
    try:
        result = trial.first = trial.train()
    except Exception as error:
        raise Broken(f"in a run of {EPOCHS} epochs: {raised(error)}") from None
    parameters = result.results["the parameters"]
    if not np.isfinite(parameters).all():
        raise Broken(f"after the run {np.sum(~np.isfinite(parameters))} of {parameters.size} parameters are not finite")
    try:
        trial.train(validation=0.0)
    except ModnetError:  # it needs validation, and says so
        pass
    except Exception as error:
        raise Broken(f"in a run without validation: {raised(error)}") from None
    if not events_of(result.member):
        raise Broken(f"join gives an object ({type(result.member).__name__}) with 0 events")
    return f"{EPOCHS} epochs"


@RULES.rule(
    "leaves others alone",
    "A callback must not change what other callbacks, the trainer and the program use: do not seed global "
    "generators, do not change the current folder, and do not draw from run.order, which shuffles the samples "
    "(draw from run.noise). Add figures to run.figures; remove none.",
    after=("events", "runs"),
)
def leaves_others_alone(trial: Trial) -> str:
    found, alone = trial.train(seed=9), trial.train(seed=9, alone=True)
    steps = found.results["the number of steps"]
    touched = [name for name in found.touched if name not in alone.touched]
    if touched:
        raise Broken(f"after a run of {steps} steps {' and '.join(touched)} has changed")
    if steps != alone.results["the number of steps"]:
        return "the program"
    if not is_same(found.order, alone.order):
        raise Broken(f"after {steps} steps the state of run.order differs from that of a run without the callback")
    for name, value in alone.results.items():
        if name.startswith("the history"):
            other = found.results.get(name, ())
            if len(other) != len(value):
                raise Broken(f"the history {name} has {len(other)} values, and {len(value)} without the callback")
    return "the program, the order of samples, the history"


@RULES.rule(
    "plain state",
    "state() returns a dict of numbers, text, arrays, lists, tuples and dicts, with text as keys: checkpoints "
    "save it. restore(state) takes such a dict and sets the same state again.",
    after=("events", "runs"),
)
def plain_state(trial: Trial) -> str:
    states = trial.train().states
    found = 0
    for name, state in states.items():
        for key, value in state.items():
            try:
                copied({key: value})
            except Broken as fault:
                raise Broken(f"state of {name}, {key}: {fault}") from None
            found += 1
    member: Any = trial.first.member
    if callable(getattr(member, "state", None)):
        before = copied(member.state())
        fresh: Any = trial.train().member
        fresh.restore(copied(before))
        if not is_same(fresh.state(), before):
            raise Broken("after restore(state), state() returns something else than that state")
    return f"{found} values"


@RULES.rule(
    "same seed, same bytes",
    "Two runs with the same seed must give the same bytes. Draw random numbers from run.noise, whose state is "
    "saved in checkpoints, and not from np.random, random or a generator without a seed. Nothing may depend on "
    "the time.",
    after=("events", "runs"),
)
def same_seed(trial: Trial) -> str:
    first, second = trial.train(seed=1), trial.train(seed=2)
    for name, value in first.results.items():
        for what, run in (
            ("two runs with the same seed", second),
            ("a run and the first run, with the same seed", trial.first),
        ):
            if not is_same(value, run.results.get(name)):
                other = shown(run.results.get(name))
                raise Broken(f"{what}: {name} is {shown(value)} in the one and {other} in the other")
    return f"3 runs of {first.results['the number of steps']} steps"


@RULES.rule(
    "runs side by side",
    "One callback can take part in several runs, also at the same time. Keep what a run changes in an object that "
    "join(run) returns for that run, not on the class or in the module.",
    after=("events", "runs", "same seed, same bytes"),
)
def side_by_side(trial: Trial) -> str:
    alone, both = trial.train(seed=5), trial.train(seed=5, beside=True)
    again = trial.train(seed=6)
    if alone.member is both.member and alone.member is not trial.component:
        raise Broken("join returns the same object for 2 runs")
    if both.beside is None:
        raise NotApplicable("it stops the run before another one can start")
    for name, value in alone.values().items():
        if not is_same(value, again.values().get(name)):
            continue  # a value that differs in every run, such as a time, cannot be compared
        for what, found in (("a run", both), ("the run that started within it", both.beside)):
            if not is_same(value, found.values().get(name)):
                raise Broken(
                    f"of two runs at once: {name} of {what} is {shown(found.values().get(name))}; alone it is "
                    f"{shown(value)}"
                )
    return f"a run within another, {both.beside.results['the number of steps']} steps"


@RULES.rule(
    "goes on as if never stopped",
    "A run that is resumed from a checkpoint calls modnet_training_started again. Keep what must last in the "
    "object that join returns, save it with state() and restore(state), and draw random numbers from run.noise. "
    "Keep nothing elsewhere.",
    after=("events", "runs", "plain state", "same seed, same bytes"),
)
def resumes(trial: Trial) -> str:
    whole = trial.train(seed=1).values()
    if whole["the number of steps"] < 2:
        raise NotApplicable("it stops the run before anything is left to do after a checkpoint")
    # A value that differs in every run, such as a time, cannot be compared.
    again = trial.train(seed=2).values()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as elsewhere:
        path = str(Path(elsewhere, "stopped.modnet"))
        at = min(STOP, int(whole["the number of steps"]) - 1)
        trial.train(folder, seed=3, checkpoint=path, at=at)
        if not Path(path).exists():
            raise NotApplicable("it stops the run before the first checkpoint")
        found = trial.train(folder, seed=4, resume=path).values()
    compared = [name for name, value in whole.items() if name in again and is_same(value, again[name])]
    for name in compared:
        if not is_same(found.get(name), whole[name]):
            raise Broken(
                f"stopped after {at} of {whole['the number of steps']} steps and resumed, {name} is "
                f"{shown(found.get(name))}; without a stop it is {shown(whole[name])}"
            )
    return f"stopped after {at} steps; {len(compared)} values"
