"""One flat array with named views: the storage of parameters, gradients, state and optimizer slots."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from modnet.arrays import Array, aligned_zeros
from modnet.errors import ShapeError
from modnet.threads import lock_for_filling
from modnet.words import did_you_mean

_joining = lock_for_filling()


def laid_out(shapes: Iterable[tuple[str, tuple[int, ...]]]) -> Iterator[tuple[str, int, tuple[int, ...]]]:
    """(name, offset in elements, shape) of arrays that are stored one after the other."""
    offset = 0
    for name, shape in shapes:
        yield name, offset, shape
        offset += math.prod(shape)


class FlatArray(Mapping[str, Array]):
    """Named arrays that are stored one after the other in one flat array, `flat`.

    It is a mapping from name to view; writing to a view changes `flat`. `array["name"] = value` copies a value into a
    view and requires exactly its shape.
    """

    def __init__(self, shapes: Iterable[tuple[str, tuple[int, ...]]], dtype: DTypeLike) -> None:
        self._offsets: dict[str, tuple[int, tuple[int, ...]]] = {}
        size = 0
        for name, offset, shape in laid_out(shapes):
            if name in self._offsets:
                raise ValueError(f"two arrays are called {name}")
            self._offsets[name] = (offset, shape)
            size = offset + math.prod(shape)
        self.adopt(aligned_zeros(size, np.dtype(dtype)))

    def like(self, dtype: DTypeLike | None = None) -> FlatArray:
        """A new one with the same layout, filled with zeros."""
        return FlatArray(((name, shape) for name, (_, shape) in self._offsets.items()), dtype or self.dtype)

    def copy(self) -> FlatArray:
        """A new one with the same contents."""
        made = self.like()
        np.concatenate(self.flats, out=made.flat)
        return made

    def adopt(self, *flats: Array) -> None:
        """Uses other flat arrays, such as mapped ones, instead of its own.

        Either one of the same length, or several that have this length together; each named array must be entirely in
        one of them. In the second case `flat` is made when it is first used, by copying.
        """
        views: dict[str, Array] = {}
        sizes = [flat.size for flat in flats]
        begin = number = 0
        for name, (start, shape) in self._offsets.items():
            end = start + math.prod(shape)
            while end > begin + sizes[number]:
                begin += sizes[number]
                number += 1
            views[name] = flats[number][start - begin : end - begin].reshape(shape)
        self._views = views  # in one assignment, as other threads may be reading
        self.flats = flats

    def completed(self, flat: Array, missing: Mapping[str, float]) -> Array:
        """A flat array of this layout, made from one in which some of the arrays are missing.

        Args:
            missing: their names, with the value of their elements.

        Raises:
            ValueError: `flat` does not have the right number of elements.
        """
        parts, end = [], 0
        for name, (_, shape) in self._offsets.items():
            size = math.prod(shape)
            if name in missing:
                parts.append(np.full(size, missing[name], self.dtype))
            else:
                parts.append(flat[end : end + size])
                end += size
        if end != flat.size:
            raise ValueError(f"expected {end} numbers, found {flat.size}")
        return np.concatenate(parts) if missing else flat

    @property
    def flat(self) -> Array:
        """All arrays, one after the other."""
        if len(self.flats) > 1:
            with _joining:
                if len(self.flats) > 1:
                    joined = np.concatenate(self.flats)
                    joined.flags.writeable = all(flat.flags.writeable for flat in self.flats)
                    self.adopt(joined)
        return self.flats[0]

    @flat.setter
    def flat(self, values: Array) -> None:  # `array.flat += change` calls this with the same array, already changed
        if values is not self.flat:
            self.flat[...] = values

    def __getstate__(self) -> dict[str, object]:
        return {"flats": self.flats, "_offsets": self._offsets}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Not the views: pickle and copy would make separate arrays of them. They are made again from the flat array.
        self._offsets = state["_offsets"]
        self.adopt(*state["flats"])

    @property
    def dtype(self) -> np.dtype[np.generic]:
        return self.flats[0].dtype

    @property
    def size(self) -> int:
        """The elements of all arrays."""
        return sum(flat.size for flat in self.flats)

    @property
    def nbytes(self) -> int:
        """The bytes of all arrays."""
        return sum(flat.nbytes for flat in self.flats)

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
        return f"<{len(self)} arrays, {self.size} numbers, {self.dtype}>"
