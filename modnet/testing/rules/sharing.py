"""Whether several processes can share a batch in training, each with some of its rows; simulated with threads."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.errors import DataError, ShapeError
from modnet.kinds.sharing import Share
from modnet.testing.contract import Broken, NotApplicable, Rules
from modnet.testing.rules.component import same
from modnet.testing.rules.layer import Outcome, Trial, same_outcome, weights_for
from modnet.training.row_noise import RowNoise

RULES = Rules()

ROWS, PARTS = 7, 3

WAIT = 20.0
"""Seconds for which a thread waits for the others."""


class _Team:
    """What the threads share."""

    def __init__(self) -> None:
        self.values: list[Any] = [None] * PARTS
        self.barrier = threading.Barrier(PARTS, timeout=WAIT)
        self.outcomes: list[Any] = [None] * PARTS
        self.errors: list[Exception] = []


class _Member:
    """One of the threads, as `Processes`."""

    size = PARTS

    def __init__(self, team: _Team, rank: int) -> None:
        self.team, self.rank = team, rank

    def gather(self, value: Any) -> list[Any]:
        self.team.values[self.rank] = value.copy() if isinstance(value, np.ndarray) else value
        self.team.barrier.wait()
        found = list(self.team.values)
        self.team.barrier.wait()
        return found

    def add_up(self, array: Array) -> None:
        first, *others = self.gather(array)
        array[...] = sum(others, start=first)


@RULES.rule(
    "shared batches",
    "If several processes share a batch, the output for a row may depend on other rows only through "
    "context.sum_of_batch. Draw random numbers as arrays whose first axis is the batch. If this is not possible, "
    "set divisible = False.",
    after=("runs", "shapes", "batches", "writes gradients", "same seed, same bytes"),
)
def shared_batches(trial: Trial) -> str:
    context, inputs = trial.context(), trial.inputs(ROWS)
    try:
        whole = trial.run(context, inputs)
    except (ShapeError, DataError) as error:
        raise NotApplicable(f"it does not take {ROWS} random rows") from error
    if not trial.component.divisible:
        raise NotApplicable("it has divisible = False")
    team = _Team()
    contexts = [trial.context() for _ in range(PARTS)]
    threads = [
        threading.Thread(target=_run, args=(trial, team, rank, contexts[rank], inputs, whole)) for rank in range(PARTS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if team.errors:
        raise Broken(f"with {PARTS} parts of a batch of {ROWS}: {team.errors[0]}")
    what = f"{PARTS} parts of a batch of {ROWS}, compared with the whole batch"
    same_outcome(_joined(team.outcomes, whole), whole, what)
    for part in contexts:
        for name, array in context.state.items():
            same(part.state[name], array, f"{what}, the state {name}")
    return f"{ROWS} rows in {PARTS} parts"


def _run(trial: Trial, team: _Team, rank: int, context: Any, inputs: list[Array], whole: Outcome) -> None:
    """Both passes of one part."""
    share = Share(_Member(team, rank), ROWS)
    noise = RowNoise(np.random.default_rng(0))
    noise.share = context.share = share
    try:
        output = trial.forward(context, [x[share.own] for x in inputs], rng=noise).copy()
        gradient = weights_for(whole.output)[share.own]
        results = trial.backward(context, gradient.copy()) if trial.component.differentiable else ()
        copies = [None if result is None else result.copy() for result in results]
        team.outcomes[rank] = Outcome(output, copies, {name: array.copy() for name, array in context.grads.items()})
    except threading.BrokenBarrierError:
        pass
    except Exception as error:
        team.errors.append(error)
        team.barrier.abort()


def _joined(parts: list[Outcome], whole: Outcome) -> Outcome:
    """The outcome of all parts: rows one after the other, gradients of parameters added up."""
    inputs = [
        None if any(array is None for array in arrays) else np.concatenate(arrays)
        for arrays in zip(*(part.inputs for part in parts), strict=True)
    ]
    parameters = {name: np.sum([part.parameters[name] for part in parts], axis=0) for name in whole.parameters}
    return Outcome(np.concatenate([part.output for part in parts]), inputs or list(whole.inputs), parameters)
