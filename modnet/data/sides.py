"""Columns of an unknown table by which its rows hang together: by whom they are, and in time."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import numpy as np

from modnet.data.guess import IDENTIFIER, Guess
from modnet.data.table import Table

PERSON = re.compile(
    r"(^|[\W_])(patient|subject|customer|client|user|person|participant|student|pupil|respondent|"
    r"household|driver|player|donor|employee|animal)s?[\W_]?(id|ids|key|code|nr|no|number)?$",
    re.IGNORECASE,
)
"""Names of columns that say whose a row is."""

FEWEST_GROUPS = 10
"""With fewer groups none can be spared for validation."""

FEWEST_TIMES = 20
"""With fewer different times the last of them say little."""


def person_column(table: Table, guesses: Mapping[str, Guess], targets: Collection[str]) -> str | None:
    """The column that names the owner of a row, if owners occur in several rows; None if there is none.

    Who is to be predicted will most often be somebody new, so that the model must not know the rows' owners, and the
    rows to validate with have to be those of others.
    """
    return next((name for name in _repeated(table, guesses, targets) if PERSON.search(name)), None)


def repeated_ids(table: Table, guesses: Mapping[str, Guess], targets: Collection[str]) -> list[str]:
    """The columns that look by their names like ids, each of which many rows share."""
    return [name for name in _repeated(table, guesses, targets) if IDENTIFIER.search(name)]


def _repeated(table: Table, guesses: Mapping[str, Guess], targets: Collection[str]) -> list[str]:
    """The columns of texts or whole numbers whose values come again: one and a half rows for each, on average."""
    found = []
    for name, guess in guesses.items():
        several = FEWEST_GROUPS <= guess.profile.distinct <= len(table) / 1.5
        named = guess.kind == "category" or guess.is_whole
        if several and named and name not in targets and not guess.profile.missing:
            found.append(name)
    return found


def time_column(table: Table, guesses: Mapping[str, Guess], targets: Collection[str]) -> str | None:
    """The column with the dates in whose order the rows of the file are; None if there is none."""
    for name, guess in guesses.items():
        whole = guess.kind == "date" and not guess.profile.missing and guess.profile.distinct >= FEWEST_TIMES
        if name in targets or not whole:
            continue
        steps = np.diff(guess.dates(table.columns[name]).astype(np.int64))
        if (steps >= 0).all() or (steps <= 0).all():
            return name
    return None
