"""The arrays that a caller passes to a network, checked against the shapes of its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from modnet.arrays import Array, Shape, as_numbers
from modnet.engine.built import BuiltGraph
from modnet.errors import DataError, SampleError, ShapeError
from modnet.words import did_you_mean, show

MOST_SHAPES = 256
"""How many shapes of arrays are known to fit."""


class GivenInput:
    """The check of what a caller passes to a network; for a lone array of a shape that has fitted before, it is short.

    In a prediction of one row, the whole check would take a good part of the time.
    """

    def __init__(self, inputs: Mapping[str, Shape]) -> None:
        """
        Args:
            inputs: input name -> shape of one sample.
        """
        self._inputs = inputs
        self._fitting: set[tuple[int, ...]] = set()

    def arrays(self, x: Any) -> list[Array]:
        """The arrays in order, not yet converted; as `given_arrays`."""
        if type(x) is np.ndarray and x.shape[1:] in self._fitting and x.ndim and x.dtype.kind in "biuf":
            return [x]
        found = given_arrays(self._inputs, x)
        if len(found) == 1 and len(self._fitting) < MOST_SHAPES:
            self._fitting.add(found[0].shape[1:])
        return found


def given_arrays(inputs: Mapping[str, Shape], x: Any) -> list[Array]:
    """The arrays for a network's inputs, in order, checked against their shapes, not yet converted.

    Args:
        inputs: input name -> shape of one sample.
        x: an array, or input name -> array.

    Raises:
        ShapeError: an array does not have the shape of its input.
        DataError: an array is missing or unknown, is not an array of numbers, or differs in length from the others.
    """
    names = list(inputs)
    if isinstance(x, Mapping):
        for name in x:
            if name not in inputs:
                raise DataError(f"no input of the network is called {show(name)}{did_you_mean(str(name), names)}")
        missing = [name for name in names if name not in x]
        if missing:
            raise DataError(f"the network needs the input {', '.join(map(show, missing))}")
        given = [x[name] for name in names]
    elif len(names) > 1:
        raise DataError(f"the network has {len(names)} inputs; give a dict with {', '.join(map(show, names))}")
    else:
        given = [x]
    arrays = [as_numbers(value, f"input {show(name)}") for name, value in zip(names, given, strict=True)]
    for name, array in zip(names, arrays, strict=True):
        _check_shape(name, inputs[name], array)
    if len(arrays) > 1 and len({len(array) for array in arrays}) > 1:
        raise DataError(
            "the inputs differ in length: " + ", ".join(f"{n} has {len(a)}" for n, a in zip(names, arrays, strict=True))
        )
    return arrays


def _check_shape(name: str, shape: Shape, array: Array) -> None:
    found = array.shape[1:]
    if found == shape and array.ndim:
        return
    if array.ndim == len(shape) + 1 and all(e in (None, f) for e, f in zip(shape, found, strict=True)):
        return
    expected = ", ".join(["batch", *("any" if axis is None else str(axis) for axis in shape)])
    hint = ""
    if array.shape == shape:
        hint = "this is a single sample; pass x[None] for a batch of one"
    elif len(array.shape) == len(shape) + 2 and array.shape[-1] == 1:
        hint = "remove the last axis of 1: x[..., 0]"
    elif len(array.shape) == len(shape) and shape[-1:] == (1,):
        hint = "an axis of 1 is missing at the end: x[..., None]"
    elif len(shape) > 1 and found == (shape[-1], *shape[:-1]):
        hint = "channels come last: np.moveaxis(x, 1, -1)"
    elif len(found) > 1 and shape == (found[-1], *found[:-1]):
        hint = f"channels come last: set input = {list(found)}"
    elif len(found) > 1 and shape == found[:-1]:
        hint = f"the axis of channels is missing: set input = {list(found)}"
    raise ShapeError(f"input {show(name)}: expected an array of shape ({expected}), found {array.shape}", hint)


def check_predictions(built: BuiltGraph, values: list[Array], arrays: list[Array], start: int = 0) -> None:
    """Refuses outputs of nan, which would otherwise be taken for predictions.

    Args:
        values: of the outputs, for the rows from `start` on of `arrays`, the inputs.

    Raises:
        SampleError: with the row, and the cause as far as it is known.
    """
    for value in values:
        # argmax treats nan as the greatest, and for few numbers it is faster than a sum or a maximum.
        if value.size and (greatest := value.item(value.argmax())) != greatest:
            raise _no_prediction(built, values, arrays, start)


def _no_prediction(built: BuiltGraph, values: list[Array], arrays: list[Array], start: int) -> SampleError:
    name, value = next(
        (name, value) for name, value in zip(built.graph.outputs, values, strict=True) if np.isnan(value).any()
    )
    row = start + int(np.argwhere(np.isnan(value))[0][0])
    which = f" (output {show(name)})" if len(values) > 1 else ""
    return SampleError(f"the prediction{which} is nan", row, f": {_cause_of_nan(built, arrays, row)}", f"row {row}")


def _cause_of_nan(built: BuiltGraph, arrays: list[Array], row: int) -> str:
    for known, array in zip(built.inputs, arrays, strict=True):
        places = np.argwhere(~np.isfinite(array[row]))
        if len(places):
            place = tuple(int(index) for index in places[0])
            where = f" at {place[0] if len(place) == 1 else place}" if place else ""
            return f"that row of input {show(known)} contains {array[row][place]}{where}"
    broken = [key for key, array in (*built.parameters.items(), *built.state.items()) if np.isnan(array).any()]
    reason = f"{broken[0]} of the network contains nan" if broken else "numbers became too large inside the network"
    return f"its input is finite, but {reason}"
