"""How predictions for the rows of a file are made, named and written."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click
import numpy as np

from modnet.arrays import Array
from modnet.cli.cells import Joined, warn_of_formulas
from modnet.cli.forms import SPELLED, TEXTS, Named, encoded, npz, write_by_plugin
from modnet.cli.output import of_screen
from modnet.cli.places import by_option, check_place
from modnet.cli.predicted import Account, Faults, Predicted, Predictor, blanked
from modnet.cli.threshold import Decision, decisions
from modnet.data.column import Column
from modnet.data.path_columns import PathValue
from modnet.data.table import Table, shorten
from modnet.datasets.predictions import schema_of
from modnet.engine.network import Network
from modnet.model.atomic import replace_file
from modnet.records import Record, fresh
from modnet.words import legible

GIVEN = " (given)"
"""Is appended to the name of a column that is kept next to a prediction of that name."""


class Prediction(Record):
    """How predictions are made, whatever the file: the options of `modnet predict`. It can be pickled.

    Attributes:
        keep: the columns that are carried through; None for all.
        chunk: how many rows are read, predicted and written at a time; None for all at once.
        thresholds, engine, faults, reading, plugins: as the options are.
    """

    keep: tuple[str, ...] | None = ()
    chunk: int | None = None
    thresholds: tuple[str, ...] = ()
    engine: str | None = None
    faults: Faults = "raise"
    reading: dict[str, Any] = fresh(factory=dict)
    plugins: tuple[str, ...] = ()

    def write(
        self,
        network: Network,
        data: str,
        output: str,
        form: str,
        constants: Mapping[str, PathValue] = MappingProxyType({}),
        look: Callable[[], object] = lambda: None,
    ) -> tuple[Account, list[str]]:
        """Writes the predictions for the rows of a file.

        Args:
            form: the ending that says how, as `form_of` gives it.
            constants: the columns that stand in the path of the file.
            look: is called before rows are predicted, and may raise what ends the work.

        Returns:
            What there is to say about the rows, and about the names of the predictions.

        Raises:
            UsageError: a threshold is not possible for this model, or for a file of arrays.
            DataError: as `Predictor.predict`.
        """
        predictor = Predictor(network, self.faults, self.keep, form in SPELLED, self.reading, constants)
        parts = _looked_after(predictor.predict(data, self.chunk), look)
        if form == ".npz":
            _write_arrays(parts, output, self.thresholds)
            return predictor.account, []
        names = Names(network, self.thresholds)
        write((names.table(part) for part in parts), form, output)
        return predictor.account, names.notes


def _looked_after(parts: Iterator[Predicted], look: Callable[[], object]) -> Iterator[Predicted]:
    for part in parts:
        look()
        yield part


def _write_arrays(parts: Iterator[Predicted], output: str, thresholds: Sequence[str]) -> None:
    if thresholds:
        raise click.UsageError("--threshold: a .npz file has the network's outputs, and no classes")
    replace_file(output, [npz(parts)], durable=False)


def write(tables: Iterable[Named], form: str, output: str) -> None:
    """Writes predictions to a file, or to the screen for "-".

    Args:
        form: the ending that says how, as `form_of` gives it; not .npz.
    """
    if form not in TEXTS:
        write_by_plugin(tables, output)
    elif output != "-":
        replace_file(output, encoded(TEXTS[form](tables), output), durable=False)
    else:
        for text in TEXTS[form](tables):
            _print(text)


def _print(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()  # who reads along gets each block at once
    except BrokenPipeError:
        raise
    except OSError as error:
        raise of_screen(error) from None


def check_not_input(output: str, **inputs: str) -> None:
    """Checks that the predictions can be written there, and would not overwrite the model or the data."""
    check_place(Path(output))
    for what, given in inputs.items():
        if os.path.exists(given) and os.path.exists(output) and os.path.samefile(given, output):
            raise click.UsageError(f"{output}: this is the {what}; name another file{by_option()}")


class Names:
    """Names for a network's outputs.

    Attributes:
        notes: what there is to say, for the screen.
    """

    def __init__(self, network: Network, thresholds: Sequence[str] = ()) -> None:
        """Raises UsageError: a threshold is not possible for this model."""
        self._schema = schema_of(network)
        self._decisions: list[Decision] = decisions(thresholds, self._schema)
        self._dtype = network.dtype
        self.notes: list[str] = []
        self._begun = False

    def table(self, part: Predicted) -> Named:
        """The columns that are carried through, then the predictions."""
        found = {name: self._column(values) for name, values in self._schema.decode(part.outputs).items()}
        for decision in self._decisions:
            found[decision.column.name] = decision.decided(part.outputs)
        found = {name: blanked(column, part.blank) for name, column in found.items()}
        kept = {name + GIVEN if name in found else name: column for name, column in part.kept.columns.items()}
        if not self._begun:
            self._begin(found, part.kept.columns)
        return Named(Table({**kept, **found}), frozenset(found))

    def _begin(self, predictions: Mapping[str, Column], kept: Iterable[str]) -> None:
        self._begun = True
        classes = [name for names in self._schema.classes().values() for name in names]
        warn_of_formulas([*predictions, *classes])
        twice = [name for name in kept if name in predictions]
        if not twice:
            return
        told = f"the column of the data is called {legible(twice[0])}{GIVEN}"
        if len(twice) == 1:
            self.notes.append(f"{legible(twice[0])} is what is predicted: {told}")
        else:
            self.notes.append(f"{shorten(twice)} are what is predicted: {told}, and so on")

    def _column(self, values: Array) -> Column:
        if values.dtype != object:
            return Column(np.asarray(values, self._dtype))
        return Column.of_texts(v if isinstance(v, str) else Joined.of(v) for v in values.tolist())
