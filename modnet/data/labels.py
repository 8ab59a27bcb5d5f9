"""Several labels in one value: `comedy; drama`, or a list as JSON and Python write it: `["comedy", "drama"]`."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from modnet.arrays import Array
from modnet.data.values import category_key

SEPARATORS = (";", "|", ",")
"""Separators of labels if the spec names none; if two are equally frequent, the first is used."""


ITEM = re.compile(r"""\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|([^,'"]+))\s*(?:,|$)""")
"""An item of a list as Python writes it."""


def split_labels(text: str, separator: str) -> list[str]:
    """The labels of a text, without blanks at their ends; none for an empty text or an empty list."""
    parts = list_items(text) if is_list(text) else text.split(separator)
    return [label for label in map(str.strip, parts) if label]


def is_list(text: str) -> bool:
    """Whether a text is a list in brackets."""
    return text.startswith("[") and text.endswith("]")


def list_items(text: str) -> list[str]:
    """The items of a list in brackets, as texts."""
    try:
        items = json.loads(text)
    except (ValueError, RecursionError):
        return [first or second or third for first, second, third in ITEM.findall(text[1:-1])]
    return [item if isinstance(item, str) else json.dumps(item) for item in items if item is not None]


def list_text(values: Iterable[str]) -> str:
    """A list of values as one text, which `split_labels` takes apart again."""
    return json.dumps(list(values), ensure_ascii=False)


def is_label_list(value: object) -> bool:
    """Whether a value of a record or a frame is a list of labels, which are texts."""
    if isinstance(value, np.ndarray):
        return value.ndim == 1 and all(isinstance(item, str) for item in value.tolist())
    return isinstance(value, list | tuple | set | frozenset) and all(isinstance(item, str) for item in value)


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
