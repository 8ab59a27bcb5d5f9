"""The contract of an optimizer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from modnet.arrays import Array
from modnet.engine.parameters import laid_out
from modnet.kinds.optimizer import Chunk, Optimizer, Step
from modnet.testing.contract import Broken, Rules
from modnet.testing.rules import component as of_component
from modnet.testing.rules.allocation import most_allocated, tracing
from modnet.testing.rules.component import GlobalNumbers, same, same_bytes
from modnet.testing.rules.rounding import ROWS, SINGLE

RULES = Rules()

SIZE, STEPS = 64, 12

SHAPES = ((6, 7), (2, 3, 2), (10,))
"""The parameters of which an optimizer that works by parameter is given SIZE numbers."""

GRADIENTS = (1.0, 1e-8, 1e-25, 1e8)
"""Factors of gradients with which both dtypes are tried."""

LATE = (1_000, 1_000_000)
"""Steps that a long training has made."""

LARGEST_DIFFERENCE = 1e-3
"""Of what steps in float32 change, relative to the greatest change: moments add up, and quotients of small ones feel
rounding more than their terms.
"""


def parameters(size: int) -> Sequence[tuple[int, ...]]:
    """The shapes of parameters with so many numbers together."""
    return SHAPES if size == SIZE else ((size,),) if size else ()


class State:
    """Parameters with the optimizer's slots and scratch, as the engine keeps them."""

    def __init__(self, optimizer: Optimizer, seed: int = 0, dtype: DTypeLike = np.float64, size: int = SIZE) -> None:
        self.optimizer = optimizer
        self.rng = np.random.default_rng(seed)
        self.parameter = self.rng.standard_normal(size).astype(dtype)
        self.slots = [np.zeros_like(self.parameter) for _ in optimizer.slots]
        self.steps = 0

    def step(
        self,
        gradient: Array | None = None,
        cuts: Sequence[int] = (),
        scratch_fill: float = 0.0,
        rate: float | None = None,
        decay: float | None = None,
        factor: float = 1.0,
    ) -> None:
        """A step in pieces that end at `cuts`, or by parameter; a random gradient is multiplied by `factor`."""
        optimizer, dtype = self.optimizer, self.parameter.dtype
        if gradient is None:
            # Rounded, so that both dtypes see the same numbers.
            gradient = (factor * self.rng.standard_normal(self.parameter.size)).astype(np.float32).astype(dtype)
        else:
            gradient = gradient.astype(dtype)
        self.steps += 1
        step = Step(
            self.steps,
            optimizer.learning_rate if rate is None else rate,
            optimizer.weight_decay if decay is None else decay,
        )
        shapes = parameters(gradient.size)
        if not optimizer.by_parameter:
            shapes = [(end - start,) for start, end in zip((0, *cuts), (*cuts, gradient.size), strict=True)]
        for _, offset, shape in laid_out(("", shape) for shape in shapes):
            part = slice(offset, offset + math.prod(shape))
            arrays = [array[part].reshape(shape) for array in (self.parameter, gradient, *self.slots)]
            scratch = [np.full(shape, scratch_fill, dtype) for _ in range(optimizer.scratch)]
            optimizer.update(Chunk(arrays[0], arrays[1], arrays[2:], scratch), step)


class Trial(of_component.Trial):
    component: Optimizer

    def after(
        self, steps: int = STEPS, seed: int = 0, dtype: DTypeLike = np.float64, size: int = SIZE, **options: Any
    ) -> State:
        state = State(self.component, seed, dtype, size)
        for _ in range(steps):
            state.step(**options)
        return state


@RULES.rule("slots", "slots is a tuple of different names. scratch is the number of further arrays that update needs.")
def slots(trial: Trial) -> str:
    names, scratch = trial.component.slots, trial.component.scratch
    if not isinstance(names, tuple) or len(set(names)) != len(names) or not all(isinstance(n, str) for n in names):
        raise Broken(f"slots is {names!r}")
    if not isinstance(scratch, int) or scratch < 0:
        raise Broken(f"scratch is {scratch!r}")
    return f"{', '.join(names) or 'none'}; scratch {scratch}"


@RULES.rule(
    "runs",
    "update changes chunk.parameter and chunk.slots in place and returns nothing. A chunk has as many slots and "
    "scratch arrays as the class declares. Slots start at zero, and steps are counted from 1.",
    after=("arguments", "slots"),
)
def runs(trial: Trial) -> str:
    state = trial.after(1)
    before = State(trial.component).parameter
    if np.array_equal(state.parameter, before):
        raise Broken(f"the first step changes none of {SIZE} numbers")
    for _ in range(STEPS):
        state.step()
    for name, array in (("parameter", state.parameter), *zip(trial.component.slots, state.slots, strict=True)):
        if not np.isfinite(array).all():
            raise Broken(f"after {STEPS + 1} steps {name} is not finite")
    return f"{STEPS + 1} steps"


@RULES.rule(
    "nothing hidden",
    "An optimizer keeps its memory only in the slots; the step number comes with each step. Two networks may use "
    "it in turn, and a run can be resumed from a checkpoint.",
    after=("runs",),
)
def nothing_hidden(trial: Trial) -> str:
    alone = trial.after()
    first, second = State(trial.component), State(trial.component, seed=1)
    for step in range(STEPS):
        with GlobalNumbers(step):
            first.step()
            second.step()
    same_bytes(first.parameter, alone.parameter, "used in turn with another network")
    half, resumed = trial.after(STEPS // 2), State(trial.component, seed=5)
    resumed.rng, resumed.steps = half.rng, half.steps
    resumed.parameter[...] = half.parameter
    for slot, kept in zip(resumed.slots, half.slots, strict=True):
        slot[...] = kept
    for _ in range(STEPS - STEPS // 2):
        resumed.step()
    same_bytes(resumed.parameter, alone.parameter, "resumed with the slots of a checkpoint")
    return ""


@RULES.rule(
    "chunks",
    "Treat every element by itself: a chunk is only a part of the parameters, so use no norms or means over it. "
    "With by_parameter = True, update receives whole parameters of any shape; treat each one by itself.",
    after=("runs", "nothing hidden"),
)
def chunks(trial: Trial) -> str:
    if trial.component.by_parameter:
        return _by_parameter(trial)
    whole = trial.after()
    for cuts in ((SIZE // 2,), (1, 7, SIZE - 3)):
        found = trial.after(cuts=cuts)
        same(found.parameter, whole.parameter, f"after {STEPS} steps in {len(cuts) + 1} chunks")
    whole = trial.after(3, size=ROWS)
    for ends in ((4096,), tuple(range(64, ROWS, 64))):
        found = trial.after(3, size=ROWS, cuts=ends)
        same(found.parameter, whole.parameter, f"{ROWS} numbers, after 3 steps in {len(ends) + 1} chunks")
    return f"1, 2 and 4 chunks; {ROWS} numbers in 2 and {ROWS // 64 + 1}"


def _by_parameter(trial: Trial) -> str:
    """Parameters of many shapes, once one after the other and once in the opposite order."""
    optimizer = trial.component
    shapes = [(), (1,), (7,), (1, 1), (3, 1), (1, 4), (5, 2), (2, 5), (3, 2, 4), (2, 1, 3, 2), (2, 1, 1, 2, 3)]

    def after(order: Sequence[int]) -> dict[int, Array]:
        found = {n: np.random.default_rng(n).standard_normal(shapes[n]) for n in order}
        slots = {n: [np.zeros(shapes[n]) for _ in optimizer.slots] for n in order}
        for number in range(1, STEPS + 1):
            for n in order:
                gradient = np.random.default_rng([n, number]).standard_normal(shapes[n])
                scratch = [np.zeros(shapes[n]) for _ in range(optimizer.scratch)]
                step = Step(number, optimizer.learning_rate, optimizer.weight_decay)
                optimizer.update(Chunk(found[n], np.asarray(gradient), slots[n], scratch), step)
        return found

    forwards, backwards = after(range(len(shapes))), after(range(len(shapes))[::-1])
    for n, shape in enumerate(shapes):
        if not np.isfinite(forwards[n]).all():
            raise Broken(f"a parameter of shape {shape} is not finite after {STEPS} steps")
        same(
            backwards[n], forwards[n], f"a parameter of shape {shape}, with the other parameters in the opposite order"
        )
    return f"parameters of {len(shapes)} shapes, in two orders"


@RULES.rule(
    "scratch",
    "Scratch arrays contain arbitrary numbers: write them before you read them. Keep what must last in slots.",
    after=("runs", "nothing hidden"),
)
def scratch(trial: Trial) -> str:
    if not trial.component.scratch:
        return "it has none"
    whole = trial.after()
    found = trial.after(scratch_fill=np.nan)
    same_bytes(found.parameter, whole.parameter, "with nan in the scratch arrays before the step")
    return f"{trial.component.scratch} arrays"


@RULES.rule(
    "memory",
    "update must not allocate arrays of a chunk's size: use in-place operations and out=chunk.scratch[...], and "
    "declare a larger `scratch` if you need more arrays.",
    after=("runs",),
)
def memory(trial: Trial) -> str:
    size = 1 << 15
    state = State(trial.component, size=size)
    shape = (size >> 8, 1 << 8) if trial.component.by_parameter else (size,)
    arrays = [state.parameter, state.rng.standard_normal(size), *state.slots]
    arrays = [array.reshape(shape) for array in arrays]
    chunk = Chunk(arrays[0], arrays[1], arrays[2:], [np.zeros(shape) for _ in range(trial.component.scratch)])
    rates = (trial.component.learning_rate, trial.component.weight_decay)
    trial.component.update(chunk, Step(1, *rates))
    with tracing():
        peak = most_allocated(lambda: trial.component.update(chunk, Step(2, *rates)))
    if peak > 0.9 * size * 8:
        raise Broken(f"a step allocates {peak / (size * 8):.1f} arrays of a chunk's size")
    return f"at most {peak / (size * 8):.2f} of a chunk"


@RULES.rule(
    "dtypes",
    "Use Python floats for scalars, so that float32 stays float32: no np.float64 numbers. Gradients may be very "
    "small or very large: no squares of numbers that may be 1e20, no constants that vanish next to 1.",
    after=("runs",),
)
def dtypes(trial: Trial) -> str:
    for factor in GRADIENTS:
        changes = []
        for dtype in (np.float32, np.float64):
            state = State(trial.component, dtype=dtype)
            state.parameter[...] = State(trial.component, dtype=np.float32).parameter
            first = state.parameter.copy()
            for _ in range(STEPS):
                state.step(factor=factor)
            if state.parameter.dtype != dtype or any(slot.dtype != dtype for slot in state.slots):
                raise Broken(f"a step turns {np.dtype(dtype)} into another dtype")
            changes.append((state.parameter - first).astype(np.float64))
        single, double = changes
        size = float(np.abs(double).max())
        # A change that is small beside the parameter is rounded as that is.
        allowed = LARGEST_DIFFERENCE * size + STEPS * SINGLE * float(np.abs(first).max())
        distance = float(np.abs(single - double).max())
        if not distance <= allowed:
            raise Broken(
                f"gradients times {factor:g}: what {STEPS} steps have changed differs by {distance:.3g} between "
                f"float32 and float64, where the greatest change is {size:.3g}; at most {allowed:.2g} is expected"
            )
    return f"gradients times {', '.join(f'{factor:g}' for factor in GRADIENTS)}"


@RULES.rule(
    "descends",
    "The step goes against the gradient, parameter -= ..., and its size shrinks with the learning rate.",
    after=("runs",),
)
def descends(trial: Trial) -> str:
    state = State(trial.component)
    scale = np.linspace(0.5, 2.0, SIZE)
    first = float(scale @ state.parameter**2)
    for _ in range(100):
        state.step(2 * scale * state.parameter, decay=0.0)
    last = float(scale @ state.parameter**2)
    if not last < first:
        raise Broken(
            f"in 100 steps at the default rate, a quadratic function goes from {first:.4g} to {last:.4g} in 100 "
            "steps of the default rate"
        )
    return f"a quadratic falls from {first:.3g} to {last:.3g} in 100 steps"


@RULES.rule(
    "rate",
    "Take the size of a step from step.learning_rate, which includes the schedule, not from the field learning_rate.",
    after=("runs",),
)
def rate(trial: Trial) -> str:
    state = State(trial.component)
    before = state.parameter.copy()
    for _ in range(3):
        state.step(rate=0.0, decay=0.0)
    if not np.array_equal(state.parameter, before):
        raise Broken("with a rate of 0 the parameters change")
    still = State(trial.component)
    for _ in range(3):
        still.step(np.zeros(SIZE), rate=0.0, decay=0.1)
    if np.isfinite(still.parameter).all() and not np.array_equal(still.parameter, before):
        raise Broken(
            f"with a rate of 0 and a decay of 0.1 parameters move by "
            f"{np.abs(still.parameter - before).max():.3g}: multiply "
            "the decay by the rate"
        )
    changes = []
    for factor in (1.0, 0.5):
        state = State(trial.component)
        state.step(rate=factor * trial.component.learning_rate, decay=0.0)
        changes.append((state.parameter - before) / factor)
    size = float(np.abs(changes[0]).max())
    distance = float(np.abs(changes[1] - changes[0]).max())
    if not distance <= 1e-6 * size + 1e-14:
        raise Broken(
            f"twice the change of the first step with half the rate differs by {distance:.3g} from that "
            f"with the whole rate, "
            f"which is {size:.3g} at most; a step is to be as large as its rate"
        )
    return "0, one half, one"


@RULES.rule(
    "late steps",
    "Powers of step.number may reach 0 or 1, but not inf, and learning must continue after any number of steps.",
    after=("runs", "nothing hidden"),
)
def late_steps(trial: Trial) -> str:
    for late in LATE:
        state = trial.after()
        state.steps = late
        before = state.parameter.copy()
        for _ in range(2):
            state.step(decay=0.0)
        if not np.isfinite(state.parameter).all():
            raise Broken(
                f"after step {late:,} {np.sum(~np.isfinite(state.parameter))} of {SIZE} parameters are not finite"
            )
        if np.array_equal(state.parameter, before):
            raise Broken(f"after step {late:,} nothing moves")
    return f"after {' and '.join(f'{late:,}' for late in LATE)}"


@RULES.rule(
    "zero gradient",
    "If a gradient is 0 from the start, nothing is divided by 0 and no parameter moves: add epsilon to the root.",
    after=("runs",),
)
def zero_gradient(trial: Trial) -> str:
    state = State(trial.component)
    before = state.parameter.copy()
    for _ in range(3):
        state.step(np.zeros(SIZE), decay=0.0)
    if not np.array_equal(state.parameter, before):
        kind = "not finite" if not np.isfinite(state.parameter).all() else "others"
        raise Broken(f"with a gradient of 0 and no decay the parameters are {kind}")
    return ""


def _check_amount(trial: Trial) -> None:
    """Raises Broken unless a decay is either subtracted from the parameter or added to the gradient, once."""
    rate, decay = trial.component.learning_rate, 0.1
    state, added = State(trial.component), State(trial.component)
    first = state.parameter.copy()
    state.step(np.zeros(SIZE), decay=decay)
    added.step(decay * first, decay=0.0)
    found = state.parameter - first
    allowed = {
        "taken off": first * (1 - rate * decay) - first,
        "taken off, backwards": first / (1 + rate * decay) - first,
        "taken off, by the schedule's factor alone": first * (1 - decay) - first,
        "added to the gradient": added.parameter - first,
    }
    if trial.component.by_parameter and _shrinks(found, first):
        return
    if not any(np.allclose(found, expected, rtol=1e-3, atol=1e-12) for expected in allowed.values()):
        raise Broken(
            f"a first step with a decay of {decay}, a rate of {rate:g} and no gradient shrinks parameters by "
            f"{np.abs(found).sum() / np.abs(first).sum():.4g}; expected {rate * decay:.4g}, or what a "
            f"gradient of {decay} times "
            f"the parameter does, {np.abs(allowed['added to the gradient']).sum() / np.abs(first).sum():.4g}"
        )


def _shrinks(change: Array, first: Array) -> bool:
    """Whether each parameter shrinks as a whole: where a step is as long as the parameter, the decay says no more."""
    shares = change / first
    parts = np.split(shares, np.cumsum([math.prod(shape) for shape in parameters(first.size)])[:-1])
    return all(part.min() > -1 and part.max() < 0 and np.ptp(part) < 1e-6 for part in parts)


@RULES.rule(
    "weight decay",
    "Use step.weight_decay (0 for biases and norms), not the field weight_decay. It pulls parameters towards 0 "
    "and is applied once: theta -= eta lambda theta, or g += lambda theta.",
    after=("runs", "zero gradient"),
)
def weight_decay(trial: Trial) -> str:
    state = State(trial.component)
    before = float(np.abs(state.parameter).sum())
    for _ in range(3):
        state.step(np.zeros(SIZE), decay=0.1)
    after = float(np.abs(state.parameter).sum())
    if not after < before:
        raise Broken(f"with a decay of 0.1 and no gradient the sum of magnitudes goes from {before:.6g} to {after:.6g}")
    _check_amount(trial)
    decaying = type(trial.component)(**{**trial.fields, "weight_decay": 0.1})
    undecayed = State(decaying)
    start = undecayed.parameter.copy()
    for _ in range(3):
        undecayed.step(np.zeros(SIZE), decay=0.0)
    if not np.array_equal(undecayed.parameter, start):
        change = float(np.abs(undecayed.parameter - start).max())
        raise Broken(
            f"with step.weight_decay = 0, as for biases, and the field weight_decay = 0.1, "
            f"parameters move by {change:.3g}"
        )
    return "0.1 and 0"
