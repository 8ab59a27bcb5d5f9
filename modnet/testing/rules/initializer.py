"""The contract of an initializer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from modnet.arrays import Array, Shape
from modnet.errors import ShapeError
from modnet.kinds.component import Example
from modnet.kinds.initializer import Initializer
from modnet.kinds.layer import Parameter
from modnet.testing.contract import Broken, NotApplicable, Rules
from modnet.testing.rules import component as of_component
from modnet.testing.rules.component import GlobalNumbers, NoOtherGenerators, changed, same, same_bytes

RULES = Rules()

SHAPES: tuple[Shape, ...] = ((), (5,), (8, 6), (6, 8), (3, 3, 4, 6))


class Trial(of_component.Trial):
    """An initializer with the shapes of parameters that it takes."""

    component: Initializer

    def __init__(self, example: Example) -> None:
        super().__init__(example)
        self.sizes: list[tuple[int, ...]] = []
        self.first: dict[tuple[int, ...], Array] = {}
        self.drawn: dict[tuple[int, ...], Any] = {}
        for shape in self.shapes or SHAPES:
            size = tuple(axis or 1 for axis in shape)
            try:
                self.first[size] = self.fill(size)
                self.drawn[size] = self.rng.bit_generator.state
            except ShapeError:
                continue
            except Exception:
                pass
            self.sizes.append(size)

    def fill(
        self, shape: tuple[int, ...], seed: int = 0, dtype: DTypeLike = np.float64, before: float = np.nan
    ) -> Array:
        out = np.full(shape, before, dtype)
        fans = Parameter(shape, self.component).fans()
        self.rng = np.random.default_rng(seed)
        self.component.initialize(out, *fans, self.rng)
        return out


@RULES.rule(
    "fills",
    "initialize writes every element of `out`, in place: out[...] = ..., not out = ...",
    after=("arguments",),
)
def fills(trial: Trial) -> str:
    if not trial.sizes:
        raise Broken("it refuses all shapes that were tried")
    for shape in trial.sizes:
        for dtype in (np.float32, np.float64):
            out = trial.fill(shape, dtype=dtype)
            if not np.isfinite(out).all():
                raise Broken(f"{np.sum(~np.isfinite(out))} of {out.size} elements of shape {shape} are not finite")
    _check_one_connection(trial)
    return f"shapes {', '.join(map(str, trial.sizes))}"


def _check_one_connection(trial: Trial) -> None:
    """Raises Broken if a unit with one input or output, as in tables of one column, gets nan or inf."""
    for shape in trial.sizes:
        for fans in ((1, 5), (5, 1), (1, 1)):
            out = np.empty(shape)
            try:
                trial.component.initialize(out, *fans, np.random.default_rng(0))
            except Exception:  # it may say that such connections make no sense
                continue
            if not np.isfinite(out).all():
                raise Broken(
                    f"{np.sum(~np.isfinite(out))} of {out.size} elements of shape {shape} are not finite for fan_in "
                    f"{fans[0]} and fan_out {fans[1]}"
                )


@RULES.rule(
    "reads nothing",
    "Do not read `out`: its first contents have no meaning. Do not write outside of it: do not use out.base.",
    after=("fills",),
)
def reads_nothing(trial: Trial) -> str:
    for shape in trial.sizes:
        same_bytes(
            trial.fill(shape, before=1.0),
            trial.fill(shape, before=0.0),
            f"{shape}: written over ones, compared with zeros",
        )
        size = max(1, math.prod(shape))
        whole = np.full(size + 20, 7.0)
        out = whole[10 : 10 + size].reshape(shape)
        trial.component.initialize(out, *Parameter(shape, trial.component).fans(), np.random.default_rng(0))
        outside = np.concatenate([whole[:10], whole[10 + size :]])
        if (outside != 7).any():
            raise Broken(
                f"{shape}: it writes over {changed(outside, np.full(20, 7.0))} outside of out, which belong to "
                "other parameters"
            )
    return ""


@RULES.rule(
    "same seed, same bytes",
    "Draw all random numbers from `rng`: no np.random functions and no other generator.",
    after=("fills", "reads nothing"),
)
def same_seed(trial: Trial) -> str:
    for shape in trial.sizes:
        with GlobalNumbers(1):
            first = trial.fill(shape, seed=3)
        with GlobalNumbers(2):
            same_bytes(trial.fill(shape, seed=3), first, f"{shape}: two calls with the same seed")
        same_bytes(
            trial.fill(shape),
            trial.first[shape],
            f"{shape}: two calls with the same seed, one of them after other calls",
        )
        if trial.rng.bit_generator.state != trial.drawn[shape]:
            raise Broken(
                f"{shape}: a second call with the same shape and seed draws more or fewer random numbers: does it "
                "keep earlier ones?"
            )
        drawn = np.random.default_rng(4)
        with NoOtherGenerators():
            trial.component.initialize(np.empty(shape), *Parameter(shape, trial.component).fans(), drawn)
        _not_all_equal(trial, shape, drawn)
    return ""


def _not_all_equal(trial: Trial, shape: tuple[int, ...], drawn: np.random.Generator) -> None:
    """Raises Broken if a matrix is drawn with all rows, or all columns, the same: its units would learn the same."""
    if drawn.bit_generator.state == np.random.default_rng(4).bit_generator.state or len(shape) < 2:
        return
    matrix = trial.fill(shape).reshape(-1, shape[-1])
    if min(matrix.shape) < 2 or (matrix == matrix[0, 0]).all():
        return
    for name, array in (("rows", matrix), ("columns", matrix.T)):
        if (array == array[0]).all():
            raise Broken(f"{shape}: all {len(array)} {name} are the same, so that what they belong to learns the same")


@RULES.rule(
    "fans",
    "Use fan_in and fan_out as the numbers of connections, not the axes of `out`: a layer may store its weights "
    "transposed.",
    after=("fills", "same seed, same bytes"),
)
def fans(trial: Trial) -> str:
    if not all(len(size) >= 2 for size in trial.sizes[-1:]):
        raise NotApplicable("it takes no matrices")
    deviations = []
    for shape in ((60, 200), (200, 60)):
        out = np.empty(shape)
        try:
            trial.component.initialize(out, 60, 200, np.random.default_rng(0))
        except ShapeError:
            raise NotApplicable("it refuses matrices") from None
        deviations.append(float(out.std()))
    if not math.isclose(*deviations, rel_tol=0.1, abs_tol=1e-12):
        raise Broken(
            f"for fan_in 60 and fan_out 200 the standard deviation is {deviations[0]:.4g} in a parameter "
            f"of shape (60, 200) "
            f"and {deviations[1]:.4g} in one of (200, 60); a difference of at most 10% is expected"
        )
    return f"standard deviation {deviations[0]:.3g} for fans of 60 and 200"


@RULES.rule(
    "dtypes",
    "Give the same numbers in float32 and in float64, except for rounding.",
    after=("fills", "same seed, same bytes"),
)
def dtypes(trial: Trial) -> str:
    for shape in trial.sizes:
        same(trial.fill(shape, dtype=np.float32), trial.fill(shape), f"{shape}: float32, compared with float64", 1e-5)
    return ""
