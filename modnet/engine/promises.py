"""Checks the results of a layer's methods: declarations when the graph is built, arrays in the first pass.

A wrong result would fail later, inside the next layer or numpy, with a message that names neither the node nor the
plugin. Each function returns the fault in words, or "".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modnet.arrays import Array, Shape
from modnet.kinds.layer import MOST_AXES, Parameter, State
from modnet.words import show

MOST_NUMBERS = 2**60
"""The most numbers of a sample or of an array of parameters: a computer cannot address more of float64."""


def declaration_fault(shapes: Sequence[Any], parameters: Any, state: Any) -> str:
    """What is wrong with the shapes of the outputs, and the results of `parameters` and `state`."""
    for shape in shapes:
        if _is_shape(shape, variable=True):
            continue
        expected = "expected a tuple of whole numbers >= 0, or None for a variable axis"
        return f"output_shape gave {_shape_text(shape)}; {expected}"
    return _arrays_fault("parameters", parameters, Parameter) or _arrays_fault("state", state, State)


def _arrays_fault(method: str, given: Any, cls: type[Parameter | State]) -> str:
    if not isinstance(given, Mapping):
        return f"{method} gave {show(given)}; expected a dict from name to modnet.{cls.__name__}"
    for name, declared in given.items():
        if not isinstance(name, str) or not isinstance(declared, cls):
            return f"{method} gave {show(declared)} for {show(name)}; expected a modnet.{cls.__name__} for a name"
        if not _is_shape(declared.shape, variable=False):
            found = f"{method}: the shape of {show(name)} is {_shape_text(declared.shape)}"
            return f"{found}; expected a tuple of whole numbers >= 0"
    return ""


def size_fault(shape: Sequence[int | None]) -> str:
    """What a shape has too many of, or ""."""
    if len(shape) > MOST_AXES:
        return f"{len(shape):,} axes; expected at most {MOST_AXES}"
    numbers = math.prod(axis or 1 for axis in shape)
    if numbers > MOST_NUMBERS:
        return f"2^{numbers.bit_length() - 1} numbers or more; expected at most 2^{MOST_NUMBERS.bit_length() - 1}"
    return ""


def _is_shape(shape: Any, variable: bool) -> bool:
    return isinstance(shape, tuple) and all(
        (axis is None and variable) or (isinstance(axis, int | np.integer) and axis >= 0) for axis in shape
    )


def _shape_text(shape: Any) -> str:
    return repr(shape) if isinstance(shape, tuple) else show(shape)


def output_fault(value: Any, shape: Shape, dtype: np.dtype[Any], name: str = "") -> str:
    """What is wrong with an output; `shape` is that of one sample, `name` its name if there are several."""
    which = f" for {name}" if name else ""
    # A layer may pass on ids, which are integers.
    if not isinstance(value, np.ndarray) or not value.ndim:
        found = described(value)
    elif value.dtype != dtype and value.dtype.kind not in "iu":
        found = f"an array of {value.dtype}"
    elif value.shape[1:] == shape or _is_of(value.shape[1:], shape):
        return ""
    else:
        return f"output_shape gave {shape}{which}, but forward gave {value.shape[1:]}"
    return f"forward gave {found}{which}; expected one array of {dtype} and shape {_with_batch(shape)}"


def _is_of(found: tuple[int, ...], shape: Shape) -> bool:
    """Whether a fixed shape matches a shape with variable axes."""
    return len(found) == len(shape) and all(e in (None, f) for e, f in zip(shape, found, strict=True))


def several_fault(value: Any, names: Sequence[str]) -> str:
    """What is wrong with the result of a `forward` with several outputs, as a tuple."""
    if isinstance(value, tuple) and len(value) == len(names):
        return ""
    return f"forward gave {described(value)}; expected a tuple of {len(names)} arrays ({', '.join(names)})"


def gradients_fault(result: Any, inputs: Sequence[Array | None], dtype: np.dtype[Any]) -> str:
    """What is wrong with the result of `backward`.

    Args:
        inputs: those of `forward`; None for one that needs no gradient.
    """
    count = len(inputs)
    expected = "the gradient of its input" if count == 1 else f"a tuple with the gradients of its {count} inputs"
    gradients = result if isinstance(result, tuple) else (result,)
    if len(gradients) != count:
        return f"backward gave {described(result)}; expected {expected}"
    for position, (gradient, given) in enumerate(zip(gradients, inputs, strict=True)):
        which = "" if count == 1 else f" for input {position + 1}"
        if given is None:
            continue
        if not isinstance(gradient, np.ndarray) or gradient.shape != given.shape or gradient.dtype != dtype:
            expected = f"an array of {dtype} and shape {given.shape}, like its input"
            return f"backward gave {described(gradient)}{which}; expected {expected}"
    return ""


def described(value: Any) -> str:
    """A result of a method, in words."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} and shape {value.shape}"
    if isinstance(value, tuple | list):
        what = "arrays" if value and all(isinstance(item, np.ndarray) for item in value) else "values"
        return f"a {type(value).__name__} of {len(value)} {what if len(value) != 1 else what[:-1]}"
    if isinstance(value, np.generic):
        return f"a number of {value.dtype}"
    return show(value)


def _with_batch(shape: Shape) -> str:
    return f"({', '.join(['batch', *('any' if axis is None else str(axis) for axis in shape)])})"
