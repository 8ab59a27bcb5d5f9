"""What a pipeline makes of the columns of a table, as a linear map of the numbers that encode them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from modnet.arrays import Array
from modnet.data.column_schema import ColumnSchema

Columns = dict[int, ColumnSchema]
"""How each column of the table is encoded, by its position."""


class Features:
    """Features y = offset + sum over columns of (x - center) part, where x are the numbers that encode a column.

    Attributes:
        columns: how the columns are encoded.
        parts: position of a column -> (numbers that encode it, features), of the columns that matter.
        centers: position of a column -> what is subtracted from its numbers. It is kept apart from the offset, since
            the difference has more digits than its terms.
        offset: (features,).
    """

    def __init__(
        self, columns: Columns, parts: Mapping[int, Array], centers: Mapping[int, float], offset: Array
    ) -> None:
        self.columns, self.parts, self.centers, self.offset = columns, dict(parts), dict(centers), offset

    @classmethod
    def of_columns(cls, columns: Columns, chosen: Sequence[int]) -> Features:
        """The columns of these positions as they are."""
        identity = np.eye(len(chosen))
        parts: dict[int, Array] = {}
        for place, position in enumerate(chosen):
            parts[position] = parts.get(position, 0) + identity[place : place + 1]
        return cls(columns, parts, {}, np.zeros(len(chosen)))

    @classmethod
    def joined(cls, several: Sequence[Features], columns: Columns) -> Features:
        """Features side by side.

        Raises:
            ValueError: two of them read a column in two ways.
        """
        width = sum(len(one.offset) for one in several)
        parts: dict[int, Array] = {}
        centers: dict[int, float] = {}
        offsets, start = [np.zeros(0)], 0
        columns, read = dict(columns), set()
        for one in several:
            stop = start + len(one.offset)
            for position in one.parts:
                if position in read and columns[position] != one.columns[position]:
                    name = columns[position].name
                    raise ValueError(f"column {name} is read in two ways; a model file reads each column in one way")
                read.add(position)
                columns[position] = one.columns[position]
                centers.setdefault(position, one.centers.get(position, 0.0))
            offsets.append(one._offset_from(centers))
            for position, part in one.parts.items():
                wide = parts.setdefault(position, np.zeros((len(part), width)))
                wide[:, start:stop] += part
            start = stop
        return cls(columns, parts, centers, np.concatenate(offsets))

    def _offset_from(self, centers: Mapping[int, float]) -> Array:
        """The offset if other numbers are subtracted from the columns."""
        moved = {position: centers[position] - self.centers.get(position, 0.0) for position in self.parts}
        return sum((moved[position] * part.sum(axis=0) for position, part in self.parts.items()), self.offset)

    def __len__(self) -> int:
        return len(self.offset)

    def raw(self) -> list[int] | None:
        """The position of the column that each feature is, as it is; None if one is something else."""
        found = []
        for feature in range(len(self)):
            of = [position for position, part in self.parts.items() if part[:, feature].any()]
            if len(of) != 1 or self.parts[of[0]].shape[0] != 1 or self.parts[of[0]][0, feature] != 1:
                return None
            found.append(of[0])
        plain = not any(self.centers.values()) and not self.offset.any() and len(set(found)) == len(found)
        return found if plain else None

    def shifted(self, by: Array) -> Features:
        """The features minus some numbers."""
        raw = self.raw()
        if raw is None:
            return Features(self.columns, self.parts, self.centers, self.offset - by)
        return Features(self.columns, self.parts, dict(zip(raw, by.tolist(), strict=True)), self.offset)

    def read_as(self, columns: Columns) -> Features:
        """The same features, with some columns encoded differently by the same number of numbers."""
        return Features({**self.columns, **columns}, self.parts, self.centers, self.offset)

    def mapped(self, matrix: Array) -> Features:
        """The features times a matrix (features, new features)."""
        parts = {position: part @ matrix for position, part in self.parts.items()}
        return Features(self.columns, parts, self.centers, self.offset @ matrix)

    def scaled(self, factors: Array) -> Features:
        """Each feature times a number."""
        parts = {position: part * factors for position, part in self.parts.items()}
        return Features(self.columns, parts, self.centers, self.offset * factors)

    def used(self) -> list[int]:
        """The positions of the columns that matter, in order."""
        return sorted(self.parts)

    def whole(self) -> tuple[Array, Array, Array]:
        """(center (numbers,), matrix (numbers, features), offset (features,)) of all numbers together."""
        used = self.used()
        center = np.concatenate([np.full(len(self.parts[p]), self.centers.get(p, 0.0)) for p in used])
        return center, np.concatenate([self.parts[p] for p in used]), self.offset
