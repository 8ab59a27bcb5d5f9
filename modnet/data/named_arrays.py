"""Named arrays from one or two files, and their assignment to a network's inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from modnet.arrays import Array
from modnet.data.table import shorten
from modnet.errors import DataError
from modnet.words import show


@dataclass(frozen=True)
class NamedArrays:
    """Named arrays of one or two files.

    Attributes:
        name: of the file or files, in messages.
        arrays: name -> array.
        notes: what the reader assumed or has to say, a line each.
    """

    name: str
    arrays: Mapping[str, Array]
    notes: tuple[str, ...] = ()

    def take(self, rows: Array) -> NamedArrays:
        """The arrays with only these rows."""
        return NamedArrays(self.name, {name: array[rows] for name, array in self.arrays.items()}, self.notes)

    def listing(self) -> str:
        return shorten(f"{key} {array.shape}" for key, array in self.arrays.items())

    def keys_for(self, names: Sequence[str], short: str, noun: str) -> dict[str, str]:
        """Name of a network's input or output -> name of its array."""
        if len(names) == 1 and names[0] not in self.arrays and short in self.arrays:
            return {names[0]: short}
        for name in names:
            if name not in self.arrays:
                expected = " or ".join(map(show, dict.fromkeys((name, short) if len(names) == 1 else (name,))))
                raise DataError(
                    f"{self.name}: no array for the network's {noun} {show(name)}: "
                    f"expected {expected}, found {self.listing() or 'none'}{self._missing_classes(noun)}"
                )
        return {name: name for name in names}

    def _missing_classes(self, noun: str) -> str:
        """What to do about images that have no targets: `file` is the array that only they have."""
        return "; put the images into a folder for each class" if noun == "output" and "file" in self.arrays else ""

    def check(self, keys: Iterable[str], empty: bool = False) -> None:
        """Checks that these arrays have the same number of rows, and at least one unless `empty`."""
        first = ""
        for key in keys:
            array = self.arrays[key]
            if array.ndim == 0 or (len(array) == 0 and not empty):
                raise DataError(f"{self.name}: {key} has shape {array.shape}; expected rows")
            if not first:
                first = key
            elif len(array) != len(self.arrays[first]):
                raise DataError(
                    f"{self.name}: {first} has {len(self.arrays[first]):,} rows, {key} has {len(array):,}; "
                    "expected the same number"
                )

    def check_numbers(self, key: str) -> None:
        """Checks that an array contains numbers.

        Raises:
            DataError: it does not.
        """
        dtype = self.arrays[key].dtype
        if dtype.kind not in "biuf":
            raise DataError(f"{self.name}: {key} contains {dtype}; expected numbers")
