"""The contract of an initializer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from modnet.component import Array, Initializer, Parameter, Shape
from modnet.errors import ShapeError
from modnet.testing.contract import Broken, Rules
from modnet.testing.rules import component as of_component
from modnet.testing.rules.component import GlobalNumbers, same, same_bytes

RULES = Rules()

SHAPES: tuple[Shape, ...] = ((), (5,), (8, 6), (6, 8), (3, 3, 4, 6))


class Trial(of_component.Trial):
    """An initializer with the shapes of parameters that it takes."""

    component: Initializer

    def __init__(self, component: Any, shapes: tuple[Shape, ...]) -> None:
        super().__init__(component, shapes)
        self.sizes: list[tuple[int, ...]] = []
        for shape in shapes or SHAPES:
            size = tuple(axis or 1 for axis in shape)
            try:
                self.fill(size)
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
        self.component.initialize(out, *fans, np.random.default_rng(seed))
        return out


@RULES.rule("fills", "initialize writes every element of `out`, in place: out[...] = ... and not out = ...")
def fills(trial: Trial) -> str:
    if not trial.sizes:
        raise Broken("it refuses every shape that was tried")
    for shape in trial.sizes:
        for dtype in (np.float32, np.float64):
            out = trial.fill(shape, dtype=dtype)
            if not np.isfinite(out).all():
                raise Broken(f"{np.sum(~np.isfinite(out))} of {out.size} elements of shape {shape} are not finite")
    return f"shapes {', '.join(map(str, trial.sizes))}"


@RULES.rule("reads nothing", "What stands in `out` before has no meaning.", after=("fills",))
def reads_nothing(trial: Trial) -> str:
    for shape in trial.sizes:
        same_bytes(trial.fill(shape, before=1.0), trial.fill(shape, before=0.0), f"{shape}: over ones and over zeros")
    return ""


@RULES.rule(
    "same seed, same bytes",
    "All randomness comes from `rng`: no np.random functions, no generator of its own.",
    after=("fills", "reads nothing"),
)
def same_seed(trial: Trial) -> str:
    for shape in trial.sizes:
        with GlobalNumbers(1):
            first = trial.fill(shape, seed=3)
        with GlobalNumbers(2):
            same_bytes(trial.fill(shape, seed=3), first, f"{shape}: with one seed")
    return ""


@RULES.rule("dtypes", "The same numbers in float32 and float64, to rounding.", after=("fills", "same seed, same bytes"))
def dtypes(trial: Trial) -> str:
    for shape in trial.sizes:
        same(trial.fill(shape, dtype=np.float32), trial.fill(shape), f"{shape}: float32 against float64", 1e-5)
    return ""
