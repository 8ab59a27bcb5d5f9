"""The data of an example, in the number of rows and the sizes that a rule needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from modnet.arrays import Array, Shape
from modnet.errors import DataError
from modnet.kinds.component import Example
from modnet.testing.contract import NotApplicable
from modnet.words import show


class Given:
    """What an author has given as `Example(..., data=...)`.

    Args:
        example: one with data.

    Raises:
        DataError: they are not (x, y), have no rows, or do not have the shapes of the example.
    """

    def __init__(self, example: Example) -> None:
        data = example.data
        self._make: Callable[[np.random.Generator], Any] | None = data if callable(data) else None
        self._fixed = None if callable(data) else _pair(data)
        self.shapes = tuple(x.shape[1:] for x in self.arrays(0)[0])
        wanted = example.input_shapes or self.shapes
        if example.component.kind in ("loss", "metric"):
            wanted = wanted[:1]  # the second is that of the target
        for found, shape in zip(self.shapes, wanted, strict=True):
            if not _fits(found, shape):
                raise DataError(
                    f"the data of an example have samples of shape {found}; expected {shape}, as in its input_shapes"
                )

    def arrays(self, seed: int) -> tuple[list[Array], Array | None]:
        """All rows: the inputs and the target; a function gives different ones for each seed."""
        if self._make is not None:
            return _pair(self._make(np.random.default_rng(seed)))
        assert self._fixed is not None
        return self._fixed

    def rows(self, count: int, seed: int = 0) -> tuple[list[Array], Array | None]:
        """`count` rows; if there are fewer, they are repeated in order."""
        inputs, target = self.arrays(seed)
        first = 0 if self._make is not None else seed
        which = (np.arange(count) + first) % len(inputs[0])
        return [x[which] for x in inputs], None if target is None else target[which]

    def inputs(self, sizes: Sequence[Shape], count: int, dtype: DTypeLike, seed: int, ids: bool) -> list[Array]:
        """The inputs of `count` rows, cut to `sizes`.

        Raises:
            NotApplicable: the data are smaller, or have other axes.
        """
        inputs, _ = self.rows(count, seed)
        found = [_cut(x, size) for x, size in zip(inputs, sizes, strict=True)]
        return [x if ids else x.astype(dtype) for x in found]


def _pair(data: Any) -> tuple[list[Array], Array | None]:
    if not isinstance(data, tuple) or len(data) != 2:
        raise DataError(
            f"data of an example: expected (x, y), or a function of an rng that returns them; found {show(data)}"
        )
    x, y = data
    inputs = [np.asarray(part) for part in _parts(x)]
    target = None if y is None else np.asarray(y)
    shapes = [np.shape(array) for array in (*inputs, inputs[0] if target is None else target)]
    rows = {shape[:1] for shape in shapes}
    if len(rows) != 1 or rows & {(), (0,)}:
        found = ", ".join(map(str, dict.fromkeys(shapes)))
        raise DataError(
            f"data of an example: expected arrays with the same number of rows, at least 1; found the shapes {found}"
        )
    return inputs, target


def _parts(x: Any) -> Sequence[Any]:
    if isinstance(x, Mapping):
        return list(x.values())
    return x if isinstance(x, tuple | list) else (x,)


def _fits(found: tuple[int, ...], shape: Shape) -> bool:
    return len(found) == len(shape) and all(e in (None, f) for e, f in zip(shape, found, strict=True))


def _cut(array: Array, size: Shape) -> Array:
    """An array whose samples are cut to the first elements along each axis."""
    sizes = tuple(3 if axis is None else axis for axis in size)
    if len(sizes) != array.ndim - 1 or any(axis > found for axis, found in zip(sizes, array.shape[1:], strict=True)):
        raise NotApplicable(f"the data of its example have samples of shape {array.shape[1:]}; this rule needs {sizes}")
    return array[(slice(None), *(slice(axis) for axis in sizes))]
