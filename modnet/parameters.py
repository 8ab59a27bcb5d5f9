"""One flat array with named views: how parameters, gradients, state and optimizer slots are kept."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from modnet.component import Array
from modnet.configuration import did_you_mean
from modnet.context import aligned_zeros
from modnet.errors import ShapeError


class FlatArray(Mapping[str, Array]):
    """Named arrays that lie one behind the other in one flat array, `flat`.

    It is a mapping from name to view; the views write through. `array["name"] = value` copies a value of exactly the
    view's shape into it.
    """

    flat: Array

    def __init__(self, shapes: Iterable[tuple[str, tuple[int, ...]]], dtype: DTypeLike) -> None:
        self._offsets: dict[str, tuple[int, tuple[int, ...]]] = {}
        offset = 0
        for name, shape in shapes:
            if name in self._offsets:
                raise ValueError(f"two arrays are called {name}")
            self._offsets[name] = (offset, shape)
            offset += math.prod(shape)
        self.adopt(aligned_zeros(offset, np.dtype(dtype)))

    def like(self, dtype: DTypeLike | None = None) -> FlatArray:
        """Another one of the same layout, filled with zeros."""
        return FlatArray(((name, shape) for name, (_, shape) in self._offsets.items()), dtype or self.dtype)

    def copy(self) -> FlatArray:
        """Another one with the same contents."""
        made = self.like()
        np.copyto(made.flat, self.flat)
        return made

    def adopt(self, flat: Array) -> None:
        """Uses another flat array of the same length, such as a mapped one, in place of its own."""
        self.flat = flat
        self._views = {
            name: flat[start : start + math.prod(shape)].reshape(shape)
            for name, (start, shape) in self._offsets.items()
        }

    def __getstate__(self) -> dict[str, object]:
        return {"flat": self.flat, "_offsets": self._offsets}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Views are copied as arrays of their own; they have to be made anew.
        self._offsets = state["_offsets"]
        self.adopt(state["flat"])

    @property
    def dtype(self) -> np.dtype[np.generic]:
        return self.flat.dtype

    @property
    def layout(self) -> tuple[tuple[str, int, tuple[int, ...]], ...]:
        """(name, offset in elements, shape) of every array, in order."""
        return tuple((name, offset, shape) for name, (offset, shape) in self._offsets.items())

    def __getitem__(self, name: str) -> Array:
        try:
            return self._views[name]
        except KeyError:
            raise KeyError(f"no array is called {name!r}{did_you_mean(name, self._views)}") from None

    def __setitem__(self, name: str, value: object) -> None:
        view = self[name]
        array = np.asarray(value)
        if array.shape != view.shape:
            raise ShapeError(f"{name} has shape {view.shape}, found a value of shape {array.shape}")
        view[...] = array

    def __contains__(self, name: object) -> bool:
        return name in self._views

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)

    def __repr__(self) -> str:
        return f"<{len(self)} arrays, {self.flat.size} numbers, {self.dtype}>"
