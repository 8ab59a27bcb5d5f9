"""A layer in both dtypes, with the same numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from modnet.testing.contract import Broken
from modnet.testing.rules.layer import Trial, weights_for
from modnet.testing.rules.results import Results, draws, mode, results, weights_of
from modnet.testing.rules.rounding import (
    FITS,
    SATURATED,
    SINGLE,
    check_single,
    greatest,
    in_dtype,
    moved,
    room,
    rounded,
)


@dataclass(frozen=True)
class Setting:
    """The weights, mode and inputs with which a layer is run in both dtypes.

    Attributes:
        weights: a kind, as for `weights_of`.
        factor, offset: inputs are multiplied by the factor, then the offset is added.
    """

    weights: str
    training: bool
    factor: float = 1.0
    offset: float = 0.0

    @property
    def is_large(self) -> bool:
        return self.factor > 1 or self.offset > 0

    def __str__(self) -> str:
        text = f"in {mode(self.training)}, weights {self.weights}"
        text += "" if self.factor == 1 else f", inputs times {self.factor:g}"
        return text + (f", {self.offset:g} added to the inputs" if self.offset else "")


@dataclass(frozen=True)
class _Dtypes:
    """What one setting gives, by name.

    Attributes:
        double, single: in float64 and in float32.
        shifted: in float64, with everything that goes in moved by one rounding unit of float32.
        given: the greatest number of the gradient that backward was given.
    """

    double: Results
    single: Results
    shifted: Results
    given: float

    def size(self, name: str) -> float:
        """The greatest number of a result; for a gradient, of all gradients, because terms of a single gradient can
        cancel out.
        """
        names = [other for other in self.double if _is_gradient(other)] if _is_gradient(name) else [name]
        return max(greatest(self.double[other]) for other in names)

    def check(self, name: str, setting: Setting) -> float:
        """The difference as a share of what rounding explains."""
        double, single = self.double[name], self.single[name]
        size = self.size(name)
        # Not finite after an offset: other settings test large numbers.
        if size > FITS or (setting.offset and not np.isfinite(single).all()):
            return 0.0
        if not np.isfinite(single).all():
            raise Broken(
                f"{setting}: {int(np.sum(~np.isfinite(single)))} of {double.size} numbers of {name} are not finite in "
                f"float32; in float64 all are finite, and at most {greatest(double):.3g}"
            )
        if setting.is_large and _is_gradient(name):
            return 0.0  # the terms that cancel out in saturated units are as large as a power of the inputs
        allowed = room(size, greatest(self.shifted[name] - double)) + float(np.finfo(np.float32).tiny)
        if _is_gradient(name):
            allowed += SATURATED * SINGLE * self.given
        return check_single(single, double, allowed, f"{setting}: {name}")


def _is_gradient(name: str) -> bool:
    return name.startswith("the gradient")


def compare_dtypes(trial: Trial, setting: Setting) -> float | None:
    """The greatest difference between the dtypes as a share of the allowed one; None if they cannot be compared."""
    dtypes = _in_both_dtypes(trial, setting)
    if dtypes is None or greatest(dtypes.double["the output"]) > FITS:
        return None
    return max(dtypes.check(name, setting) for name in dtypes.double)


def _in_both_dtypes(trial: Trial, setting: Setting) -> _Dtypes | None:
    """Runs a layer; None if it draws random numbers, or float64 does not hold what it gives."""
    weights = weights_of(trial, setting.weights)
    inputs = [rounded(setting.factor * x + setting.offset) if x.dtype.kind == "f" else x for x in trial.inputs()]
    context = trial.context(training=setting.training, weights=weights)
    given = rounded(weights_for(trial.forward(context, inputs)))
    # A layer may draw different numbers for float32; in prediction it draws none.
    if draws(context):
        return None

    def run(dtype: DTypeLike, by: float = 0.0) -> Results:
        rng = np.random.default_rng(5)
        near = {name: moved(array, by, rng) for name, array in weights.items()}
        context = trial.context(dtype, setting.training, weights=near)
        inputs_near = [in_dtype(moved(x, by, rng), dtype) for x in inputs]
        return results(trial, context, inputs_near, moved(given, by, rng).astype(dtype))

    double = run(np.float64)
    if not all(np.isfinite(array).all() for array in double.values()):
        return None
    return _Dtypes(double, run(np.float32), run(np.float64, SINGLE), greatest(given))
