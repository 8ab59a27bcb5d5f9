"""Several labels in one value: `comedy; drama`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from modnet.arrays import Array
from modnet.data.values import category_key

SEPARATORS = (";", "|", ",")
"""What may stand between labels where the spec does not say it; of two that are as frequent the first."""


def split_labels(text: str, separator: str) -> list[str]:
    """The labels of a text, without blanks at their ends; none for an empty text."""
    return [label for label in (part.strip() for part in text.split(separator)) if label]


def find_separator(texts: Sequence[str]) -> str:
    """The separator that is in most of the texts; ";" if there is none, and each text is one label."""
    return max(SEPARATORS, key=lambda mark: sum(mark in text for text in texts))


def find_labels(texts: Sequence[str], separator: str) -> list[str]:
    """The different labels of all texts; of several spellings of one, the most frequent."""
    counts = Counter(label for text in texts for label in split_labels(text, separator))
    spellings: dict[str, str] = {}
    for label, _ in counts.most_common():
        spellings.setdefault(category_key(label), label)
    return list(spellings.values())


class Found(NamedTuple):
    """The labels of texts.

    Attributes:
        labels: the different ones as they are spelled.
        texts, places: which text has which of them, int64, a pair for each time that a label stands in a text.
    """

    labels: list[str]
    texts: Array
    places: Array


def labels_in(texts: Sequence[str], separator: str) -> Found:
    """The labels of texts, in memory for as many as there are, not for all pairs of texts and labels."""
    index: dict[str, int] = {}
    pairs = [
        (row, index.setdefault(label, len(index)))
        for row, text in enumerate(texts)
        for label in split_labels(text, separator)
    ]
    rows, places = np.array(pairs, np.int64).reshape(-1, 2).T
    return Found(list(index), rows, places)
