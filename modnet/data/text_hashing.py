"""Texts as numbers: hashed n-grams of characters."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np

from modnet.arrays import Array

NGRAMS = (3, 4)
"""The lengths of n-grams, from the shortest to the longest, in characters."""

LONGEST_NGRAM = 16
"""In characters: a longer one is in hardly any two texts."""

LONGEST = 1_000
"""The number of characters of a text that are used."""


def hash_texts(texts: Sequence[str], buckets: int, ngrams: tuple[int, int] = NGRAMS) -> Array:
    """Each text as a point on the unit sphere, float64 (texts, buckets); zeros for an empty text.

    The n-grams of the text in small letters, with a blank at both ends, are counted in the bucket that a hash gives
    each, with a sign by the hash so that collisions cancel on average; then the vector is divided by its length.

    Source: K. Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", ICML 2009. The hash is CRC-32
    (ISO 3309) of the UTF-8 bytes, which is the same everywhere.

    Args:
        ngrams: the lengths of the n-grams, from the shortest to the longest.
    """
    lengths = range(ngrams[0], ngrams[1] + 1)
    found = np.zeros((len(texts), buckets))
    for row, text in enumerate(texts):
        words = f" {' '.join(text[:LONGEST].casefold().split())} "
        if words.isspace():
            continue
        grams = [words[start : start + n] for n in lengths for start in range(len(words) - n + 1)]
        hashes = np.array([crc32(gram.encode("utf-8", "surrogatepass")) for gram in grams], np.int64)
        signs = np.where(hashes & 1, 1.0, -1.0)
        np.add.at(found[row], (hashes >> 1) % buckets, signs)
    norms = np.sqrt((found * found).sum(axis=1, keepdims=True))
    return found / np.where(norms > 0, norms, 1)
