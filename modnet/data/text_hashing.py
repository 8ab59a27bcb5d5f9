"""Texts as numbers: hashed n-grams of characters."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np

from modnet.arrays import Array

LENGTHS = (3, 4)
"""Of n-grams, in characters."""

LONGEST = 1_000
"""Only so many characters of a text are looked at."""


def hash_texts(texts: Sequence[str], buckets: int) -> Array:
    """Each text as a point on the unit sphere, float64 (texts, buckets); zeros for a text without letters or digits.

    The n-grams of the text in small letters, with a blank at both ends, are counted in the bucket that a hash gives
    each, with a sign by the hash so that collisions cancel on average; then the vector is divided by its length.

    Source: K. Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", ICML 2009. The hash is CRC-32
    (ISO 3309) of the UTF-8 bytes, which is the same everywhere.
    """
    found = np.zeros((len(texts), buckets))
    for row, text in enumerate(texts):
        words = f" {' '.join(text[:LONGEST].casefold().split())} "
        grams = [words[start : start + n] for n in LENGTHS for start in range(len(words) - n + 1)]
        hashes = np.array([crc32(gram.encode("utf-8", "surrogatepass")) for gram in grams], np.int64)
        signs = np.where(hashes & 1, 1.0, -1.0)
        np.add.at(found[row], (hashes >> 1) % buckets, signs)
    lengths = np.sqrt((found * found).sum(axis=1, keepdims=True))
    return found / np.where(lengths > 0, lengths, 1)
