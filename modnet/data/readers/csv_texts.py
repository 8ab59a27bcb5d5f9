"""Texts from the cells of csv text, each different one made once."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count, islice

import numpy as np

from modnet.arrays import Array
from modnet.data.readers.csv_cells import Cells, pick

U = np.uint64

FEW_ROWS, LONGEST = 256, 32
"""Below so many rows, or with longer cells in bytes, a look-up by arrays takes longer than one by one."""

SMALLEST, LARGEST = 1 << 10, 1 << 16
"""The fewest and the most places of the table for the look-up by arrays; powers of two."""

FACTORS = (U(0x9E3779B97F4A7C15), U(0xC2B2AE3D27D4EB4F), U(0x165667B19E3779F9), U(0xD6E8FEB86659FD93))
"""Odd numbers that mix the bits of the words of a text (from the golden ratio, xxHash and SplitMix)."""

FIRST_BYTES = np.array([2 ** (8 * count) - 1 for count in range(9)], np.uint64)


def encode_columns(cells: Cells, dictionaries: Mapping[int, Dictionary]) -> dict[int, Array]:
    """Column -> its cells as positions in its dictionary, int32 (rows,); new texts are taken into the dictionary."""
    if not dictionaries:
        return {}
    columns = np.array(sorted(dictionaries), np.intp)
    starts, ends = (np.ascontiguousarray(pick(spans, columns).T) for spans in (cells.starts, cells.ends))
    return {
        column: dictionaries[column].encode(cells, starts[place], ends[place])
        for place, column in enumerate(columns.tolist())
    }


class Dictionary:
    """The different texts of a column, in the order in which they were found.

    Cells are looked up by their bytes as words of 64 bits, many at once, in a table whose places a hash gives; what
    is not there, or whose place is taken by another text, is looked up in a dict, one by one.

    Attributes:
        index: text -> its position.
        rows: how many cells have been looked up.
    """

    def __init__(self) -> None:
        self.index: dict[str, int] = {}
        self.words = np.zeros((0, 0), np.uint64)
        self.codes = np.zeros(0, np.int32)
        self.rows = 0

    def encode(self, cells: Cells, starts: Array, ends: Array) -> Array:
        """int32 (rows,): the positions of the cells of a column, from where they begin and end."""
        longest = int((ends - starts).max(initial=0))
        self.rows += len(starts)
        if len(starts) < FEW_ROWS or longest > LONGEST or self._mostly_new:
            return np.array(self._look_up(cells, starts, ends), np.int32)
        return self._encode_many(cells, starts, ends, max(longest, 1))

    def _encode_many(self, cells: Cells, starts: Array, ends: Array, longest: int) -> Array:
        width = max(-(-longest // 8), len(self.words))
        if width > len(self.words):
            self._resize(max(SMALLEST, len(self.codes)), width)
        texts = _words(cells.words, starts, ends, width)
        places = self._places(texts)
        codes = self.codes[places]
        known = codes >= 0
        for word, of_text in zip(self.words, texts, strict=True):
            known &= word[places] == of_text
        missed = np.flatnonzero(~known)
        if len(missed):
            before = len(self.index)
            codes[missed] = self._look_up(cells, starts[missed], ends[missed])
            self._learn(texts[:, missed], codes[missed], crowded=len(self.index) == before)
        return codes

    def _look_up(self, cells: Cells, starts: Array, ends: Array) -> list[int]:
        data, text = cells.data, cells.text
        spans = zip(starts.tolist(), ends.tolist(), strict=True)
        texts = [data[a:b].decode() for a, b in spans] if text is None else [text[a:b] for a, b in spans]
        index, size = self.index, len(self.index)
        codes = list(map(index.setdefault, texts, count(size)))
        new = len(index) - size
        if 0 < new < len(texts):  # else all are new and all different, or none is new; here there are gaps
            fresh = [*islice(reversed(index), new)][::-1]
            index.update(zip(fresh, range(size, size + new), strict=True))
            codes = list(map(index.__getitem__, texts))
        return codes

    @property
    def _mostly_new(self) -> bool:
        """Whether most cells have had a text of their own."""
        return self.rows > LARGEST // 4 and 2 * len(self.index) > self.rows

    def _places(self, texts: Array) -> Array:
        """The places in the table of texts, by a multiplicative hash of their words."""
        mixed = texts[0] * FACTORS[0]
        for word, factor in zip(texts[1:], FACTORS[1:], strict=False):
            mixed ^= word * factor
            mixed *= FACTORS[0]
        mixed ^= mixed >> U(29)
        mixed *= FACTORS[1]
        mixed >>= U(65 - len(self.codes).bit_length())
        places: Array = mixed.view(np.int64)
        return places

    def _learn(self, texts: Array, codes: Array, crowded: bool) -> None:
        """Takes texts into the table, which grows with their number, and where known ones take each other's places."""
        size = max(min(LARGEST, 1 << (8 * len(self.index)).bit_length()), 2 * len(self.codes) if crowded else 0)
        if len(self.codes) < size <= LARGEST:
            self._resize(size, len(self.words))
        self._put(texts, codes)

    def _resize(self, size: int, width: int) -> None:
        kept = np.flatnonzero(self.codes >= 0)
        words = np.zeros((width, len(kept)), np.uint64)
        words[: len(self.words)] = self.words[:, kept]
        codes = self.codes[kept]
        self.codes = np.full(size, -1, np.int32)
        self.words = np.zeros((width, size), np.uint64)
        if len(kept):
            self._put(words, codes)

    def _put(self, texts: Array, codes: Array) -> None:
        places = self._places(texts)
        winners = np.empty(len(self.codes), np.intp)
        winners[places] = np.arange(len(places))  # one text of those that would have the same place
        chosen = winners[places]
        self.codes[places], self.words[:, places] = codes[chosen], texts[:, chosen]


def _words(words: Array, starts: Array, ends: Array, width: int) -> Array:
    """uint64 (width, texts): the bytes of texts as words, with zeros after their end."""
    found = np.empty((width, len(starts)), np.uint64)
    for number in range(width):
        at = starts + 8 * number
        place = at >> 3
        shift = ((at & 7) << 3).view(np.uint64)
        word = words[np.minimum(place, len(words) - 2)] >> shift
        other = words[np.minimum(place, len(words) - 2) + 1] << U(1)
        other <<= shift ^ U(63)
        word |= other
        word &= FIRST_BYTES[np.minimum(np.maximum(ends - at, 0), 8)]
        found[number] = word
    return found
