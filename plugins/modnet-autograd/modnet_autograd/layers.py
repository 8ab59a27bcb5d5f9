"""Layers by formula."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
from autograd import make_vjp

from modnet import Context, Layer, ShapeError
from modnet.arrays import Array, Shape

SIZES = (2, 3)
"""The two sizes that a variable axis is tried with: an axis of the output that differs between them is variable."""


TRIED, TRIED_AT_MOST = 1 << 18, 1 << 22
"""Numbers in the inputs and parameters of a trial. Up to the first, `compute` is tried on two samples; beyond it on
none, which allocates next to nothing, and on one only if that fails. Beyond the second, a trial on one is refused.
"""


class AutogradLayer(Layer):
    '''A layer of which `compute` is written, with functions of `autograd.numpy` that leave their arguments as they are.

        import autograd.numpy as np

        class Gate(AutogradLayer, type="gate"):
            """x times the sigmoid of x W."""

            def parameters(self, *input_shapes):
                features = input_shapes[0][-1]
                return {"weight": Parameter((features, features), GlorotUniform())}

            def compute(self, x, weight):
                return x * np.exp(-np.logaddexp(0, -np.matmul(x, weight)))

    The shape of the output is found by calling `compute` on zeros; override `output_shape` if zeros do not work.
    For large samples it is tried on an empty batch.

    Raises:
        ShapeError: `compute` cannot be tried for these shapes; the message has its own reason.
    '''

    allocates = True  # the record of each pass

    def compute(self, *inputs: Any, **parameters: Any) -> Any:
        """The output for a batch, from the inputs (batch, ...) and the parameters by their names. A pure function."""
        raise NotImplementedError

    def output_shape(self, *input_shapes: Shape) -> Shape:
        first, second = (self._tried(input_shapes, size) for size in SIZES)
        return tuple(a if a == b else None for a, b in zip(first, second, strict=True))

    def _tried(self, input_shapes: tuple[Shape, ...], size: int) -> Shape:
        sizes = [tuple(size if axis is None else axis for axis in shape) for shape in input_shapes]
        try:
            arrays = {name: found.shape for name, found in self.parameters(*input_shapes).items()}
            numbers = sum(map(math.prod, (*sizes, *arrays.values())))
            if numbers > TRIED:
                with suppress(ValueError, IndexError, TypeError, ArithmeticError, MemoryError):
                    return self._computed(0, sizes, arrays)
                if numbers > TRIED_AT_MOST:
                    message = f"expects shapes for which it can be tried on zeros; these have {numbers:,} numbers"
                    raise ShapeError(message, "write its output_shape")
            # One sample looks like a sum over the batch.
            return self._computed(2 if numbers <= TRIED else 1, sizes, arrays)
        except ShapeError:
            raise
        except (ValueError, IndexError, TypeError) as error:
            raise ShapeError(f"expects shapes for which it can be computed; for these: {error}") from error

    def _computed(self, batch: int, sizes: list[tuple[int, ...]], arrays: Mapping[str, tuple[int, ...]]) -> Shape:
        """The shape of one sample of the result of `compute`, called with a number of samples of zeros."""
        dtype = np.intp if self.integer_input else np.float64
        inputs = [np.zeros((batch, *shape), dtype) for shape in sizes]
        # With no samples parameters are not read: one zero stands for all of them.
        zeros = np.zeros if batch else partial(np.broadcast_to, 0.0)
        parameters = {name: zeros(shape) for name, shape in arrays.items()}
        with np.errstate(all="ignore"):
            found: tuple[int, ...] = np.shape(self.compute(*inputs, **parameters))
        if found[:1] != (batch,):
            hint = "let compute keep the first axis, that of the batch"
            raise ShapeError(f"expects shapes for which it keeps the batch; {batch} samples give shape {found}", hint)
        return found[1:]

    def forward(self, context: Context, *inputs: Array) -> Array:
        names = list(context.params)
        moving = [position for position, x in enumerate(inputs) if x.dtype.kind == "f"]

        def function(values: tuple[Any, ...]) -> Any:
            given: list[Any] = list(inputs)
            for position, value in zip(moving, values, strict=False):
                given[position] = value
            return self.compute(*given, **dict(zip(names, values[len(moving) :], strict=True)))

        values = (*(inputs[position] for position in moving), *context.params.values())
        if values and (context.needs_input_gradient or context.grads):
            back, y = make_vjp(function)(values)
            context.save(back, moving, len(inputs))
        else:
            context.save()
            y = function(values)
        out = context.buffer(np.shape(y))
        np.copyto(out, y)
        return out

    def backward(self, context: Context, gradient: Array) -> Any:
        if not context.saved:
            return None
        back, moving, count = context.saved
        found = back(gradient)
        for name, slope in zip(context.grads, found[len(moving) :], strict=True):
            np.copyto(context.grads[name], slope)
        slopes: list[Array | None] = [None] * count
        for position, slope in zip(moving, found, strict=False):
            slopes[position] = np.asarray(slope, context.dtype)
        return tuple(slopes) if count > 1 else slopes[0]
