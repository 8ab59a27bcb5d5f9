"""Targets and sample weights of a caller, as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modnet.arrays import Array, as_numbers
from modnet.errors import DataError
from modnet.words import did_you_mean, show


def named_targets(y: Any, outputs: Sequence[str]) -> dict[str, Array]:
    """The targets by output name, from an array or a mapping.

    Args:
        outputs: the outputs whose loss takes a target.

    Raises:
        DataError: an output without a target, or a target without an output.
    """
    if not outputs:
        if y is None or (isinstance(y, Mapping) and not y):
            return {}
        raise DataError("found targets, but no loss takes one; leave them out")
    if not isinstance(y, Mapping):
        if len(outputs) > 1:
            raise DataError(f"{len(outputs)} outputs have a loss; give the targets as a dict with {_listed(outputs)}")
        y = {outputs[0]: y}
    _check_names(y, outputs)
    return {name: _target(y[name], f"target of {show(name)}") for name in outputs}


def _check_names(targets: Mapping[Any, Any], outputs: Sequence[str]) -> None:
    for name in targets:
        if name not in outputs:
            raise DataError(
                f"found a target for {show(name)}, but the outputs with a loss are {_listed(outputs)}"
                f"{did_you_mean(str(name), outputs)}"
            )
    missing = [name for name in outputs if name not in targets]
    if missing:
        raise DataError(f"there is no target for the output {_listed(missing)}")


def _listed(outputs: Sequence[str]) -> str:
    return ", ".join(map(show, outputs))


def _target(value: Any, what: str) -> Array:
    if value is None:
        raise DataError(f"{what}: expected an array of numbers, found None")
    target = as_numbers(value, what, "to make labels 0, 1, ...:  names, y = np.unique(y, return_inverse=True)")
    if target.ndim == 0:
        raise DataError(f"{what}: expected an array of numbers, one for each sample; found a single number")
    return target


def sample_weights(value: Any) -> Array:
    """Weights as an array.

    Raises:
        DataError: they are not numbers.
    """
    return as_numbers(value, "sample weights")


def check_weights(weights: Array, samples: int) -> None:
    """Checks the number of weights and their values; a second axis is that of steps.

    Raises:
        DataError: the number is wrong, or a weight is negative or not finite.
    """
    if weights.ndim not in (1, 2) or len(weights) != samples:
        raise DataError(
            f"sample weights: expected shape ({samples},), a weight for each sample, or ({samples}, steps) if the "
            f"output is a sequence; found {weights.shape}"
        )
    fit = np.isfinite(weights) & (weights >= 0)
    if not fit.all():
        first = np.argwhere(~fit)[0]
        raise DataError(
            f"sample weights: expected finite numbers >= 0, found {weights[tuple(first)]:g} in row {first[0]}"
        )
