"""Texts from the cells of csv text, each different one made once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import compress

import numpy as np

from modnet.arrays import Array
from modnet.data.readers.csv_cells import Cells, pick

U = np.uint64

FEW_ROWS, LONGEST = 256, 32
"""Below so many rows, or with longer cells in bytes, a look-up by arrays takes longer than one by one."""

SMALLEST, LARGEST = 1 << 10, 1 << 16
"""The fewest and the most places of the table for the look-up by arrays; powers of two."""

MANY = 1 << 14
"""From so many rows on, the texts of a column are looked up one by one if most of them have been new, and not at all
while nearly all are.
"""

FACTORS = (U(0x9E3779B97F4A7C15), U(0xC2B2AE3D27D4EB4F), U(0x165667B19E3779F9), U(0xD6E8FEB86659FD93))
"""Odd numbers that mix the bits of the words of a text (from the golden ratio, xxHash and SplitMix)."""

FIRST_BYTES = np.array([2 ** (8 * count) - 1 for count in range(9)], np.uint64)


def add_texts(cells: Cells, dictionaries: Mapping[int, Dictionary]) -> None:
    """Takes the cells of some columns into the dictionaries of these columns."""
    if not dictionaries:
        return
    columns = np.array(sorted(dictionaries), np.intp)
    starts, ends = (np.ascontiguousarray(pick(spans, columns).T) for spans in (cells.starts, cells.ends))
    for place, column in enumerate(columns.tolist()):
        dictionaries[column].add(cells, starts[place], ends[place])


class _Index(dict[str, int]):
    """Text -> its position; a new text gets the next one."""

    def __missing__(self, text: str) -> int:
        self[text] = position = len(self)
        return position

    def of(self, texts: Collection[str]) -> Array:
        """int32 (texts,): their positions."""
        return np.fromiter(map(self.__getitem__, texts), np.int32, len(texts))


class _NearlyAllNew:
    """The texts of a column of which nearly all are new: all are kept, and equal ones found now and then, by hashes.

    Attributes:
        texts: the different ones up to some row, then that of each row.
        codes: in parts, the position of each row's text in `texts`.
    """

    def __init__(self, texts: list[str], codes: list[Array]) -> None:
        self.texts, self.codes = texts, codes
        self._hashes = [_hashes(texts)]
        self._most = 2 * len(texts)

    def add(self, texts: list[str]) -> bool:
        """Takes the texts of cells; returns whether it is time to make equal ones one."""
        self.codes.append(np.arange(len(self.texts), len(self.texts) + len(texts), dtype=np.int32))
        self.texts += texts
        self._hashes.append(_hashes(texts))
        return len(self.texts) > self._most

    def make_equal_ones_one(self) -> None:
        hashes = np.concatenate(self._hashes)
        ordered = np.sort(hashes)
        twice = ordered[1:][ordered[1:] == ordered[:-1]]
        if len(twice):
            rows = np.flatnonzero(np.isin(hashes, twice)).tolist()
            known: dict[str, int] = {}
            first = np.arange(len(hashes))
            first[rows] = [known.setdefault(self.texts[row], row) for row in rows]
            kept = first == np.arange(len(hashes))
            self.texts = [*compress(self.texts, kept.tolist())]
            places = np.cumsum(kept, dtype=np.int32) - np.int32(1)
            self.codes = [places[first][np.concatenate(self.codes)]]
            hashes = hashes[kept]
        self._hashes, self._most = [hashes], 2 * len(hashes)


def _hashes(texts: list[str]) -> Array:
    return np.fromiter(map(hash, texts), np.int64, len(texts))


class Dictionary:
    """The texts of a column, of which each different one is kept once.

    Cells are looked up by their bytes as words of 64 bits, many at once, in a table whose places a hash gives; what
    is not there, or whose place is taken by another text, is looked up in a dict, one by one. While nearly all
    are new, as in a column of identifiers, there is nothing to look up.
    """

    def __init__(self) -> None:
        self._index = _Index()
        self._new: _NearlyAllNew | None = None
        self._parts: list[Array] = []
        self._rows = 0
        # The table: the codes at each place, -1 where there is none, and the words of these texts.
        self._codes = np.zeros(0, np.int32)
        self._words = np.zeros((0, 0), np.uint64)

    def add(self, cells: Cells, starts: Array, ends: Array) -> None:
        """Takes the cells of some rows, from where they begin and end."""
        self._rows += len(starts)
        if self._new is not None:
            self._add_new(self._new, _texts(cells, starts, ends))
            return
        longest = int((ends - starts).max(initial=0))
        many = self._rows > MANY
        if len(starts) < FEW_ROWS or longest > LONGEST or (many and 2 * len(self._index) > self._rows):
            codes = self._index.of(_texts(cells, starts, ends))
        else:
            codes = self._look_up(cells, starts, ends, max(longest, 1))
        self._parts.append(codes)
        if many and self._nearly_all_are_new(len(self._index)):
            self._new = _NearlyAllNew(list(self._index), self._parts)
            self._index = _Index()

    def _add_new(self, new: _NearlyAllNew, texts: list[str]) -> None:
        if new.add(texts):
            new.make_equal_ones_one()
            if not self._nearly_all_are_new(len(new.texts)):
                self._index = _Index(zip(new.texts, range(len(new.texts)), strict=True))
                self._parts, self._new = new.codes, None

    def _nearly_all_are_new(self, different: int) -> bool:
        return 10 * (self._rows - different) < self._rows

    def finish(self) -> tuple[Array, list[str]]:
        """int32 (rows,): the position of each cell in the list of the different texts; and this list."""
        texts, parts = list(self._index), self._parts
        if self._new is not None:
            self._new.make_equal_ones_one()
            texts, parts = self._new.texts, self._new.codes
        return np.concatenate(parts) if parts else np.zeros(0, np.int32), texts

    def _look_up(self, cells: Cells, starts: Array, ends: Array, longest: int) -> Array:
        """The codes of many cells."""
        width = max(-(-longest // 8), len(self._words))
        if width > len(self._words):
            self._resize(max(SMALLEST, len(self._codes)), width)
        texts = _words(cells.words, starts, ends, width)
        places = self._places(texts)
        codes = self._codes[places]
        known = codes >= 0
        for word, of_text in zip(self._words, texts, strict=True):
            known &= word[places] == of_text
        missed = np.flatnonzero(~known)
        if len(missed):
            before = len(self._index)
            codes[missed] = self._index.of(_texts(cells, starts[missed], ends[missed]))
            self._learn(texts[:, missed], codes[missed], crowded=len(self._index) == before)
        return codes

    def _places(self, texts: Array) -> Array:
        """The places in the table of texts, by a multiplicative hash of their words."""
        mixed = texts[0] * FACTORS[0]
        for word, factor in zip(texts[1:], FACTORS[1:], strict=False):
            mixed ^= word * factor
            mixed *= FACTORS[0]
        mixed ^= mixed >> U(29)
        mixed *= FACTORS[1]
        mixed >>= U(65 - len(self._codes).bit_length())
        places: Array = mixed.view(np.int64)
        return places

    def _learn(self, texts: Array, codes: Array, crowded: bool) -> None:
        """Takes texts into the table, which grows with their number, and where known ones have no place."""
        size = max(min(LARGEST, 1 << (8 * len(self._index)).bit_length()), 2 * len(self._codes) if crowded else 0)
        grows = len(self._codes) < size <= LARGEST
        if grows:
            self._resize(size, len(self._words))
        if grows or not crowded:
            self._put(texts, codes)

    def _resize(self, size: int, width: int) -> None:
        kept = np.flatnonzero(self._codes >= 0)
        words = np.zeros((width, len(kept)), np.uint64)
        words[: len(self._words)] = self._words[:, kept]
        codes = self._codes[kept]
        self._codes = np.full(size, -1, np.int32)
        self._words = np.zeros((width, size), np.uint64)
        if len(kept):
            self._put(words, codes)

    def _put(self, texts: Array, codes: Array) -> None:
        """Gives texts those places that are free."""
        places = self._places(texts)
        free = self._codes[places] < 0
        places, codes = places[free], codes[free]
        self._codes[places] = codes
        kept = self._codes[places] == codes  # of several texts with the same place, one
        self._words[:, places[kept]] = texts[:, free][:, kept]


def _texts(cells: Cells, starts: Array, ends: Array) -> list[str]:
    """The texts of cells."""
    data, text = cells.data, cells.text
    spans = zip(starts.tolist(), ends.tolist(), strict=True)
    return [data[a:b].decode() for a, b in spans] if text is None else [text[a:b] for a, b in spans]


def _words(words: Array, starts: Array, ends: Array, width: int) -> Array:
    """uint64 (width, texts): the bytes of texts as words, with zeros after their end."""
    found = np.empty((width, len(starts)), np.uint64)
    at, lengths = starts, ends - starts
    for number in range(width):
        if number:
            at, lengths = at + 8, np.maximum(lengths - 8, 0)
        place = np.minimum(at >> 3, len(words) - 2)
        shift = ((at & 7) << 3).view(np.uint64)
        word = words[place]
        word >>= shift
        place += 1
        other = words[place]
        other <<= U(1)
        shift ^= U(63)
        other <<= shift
        word |= other
        word &= FIRST_BYTES[np.minimum(lengths, 8)]
        found[number] = word
    return found
