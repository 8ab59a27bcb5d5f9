"""Several labels in one value: `comedy; drama`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

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


def label_table(texts: Sequence[str], separator: str) -> tuple[list[str], Array]:
    """The different labels as they are spelled, and which text has which, bool (texts, labels)."""
    index: dict[str, int] = {}
    pairs = [
        (row, index.setdefault(label, len(index)))
        for row, text in enumerate(texts)
        for label in split_labels(text, separator)
    ]
    has = np.zeros((len(texts), len(index)), np.bool_)
    if pairs:
        rows, places = np.array(pairs).T
        has[rows, places] = True
    return list(index), has
