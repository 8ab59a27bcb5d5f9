"""The entry point `explain`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.assessment.explanation.attribution import baseline_of, wide
from modnet.assessment.explanation.dependence import Dependence, grid_of, partial_dependence
from modnet.assessment.explanation.features import Feature, chosen, features_of, rows_taken
from modnet.assessment.explanation.importance import Importance, permutation_importance, permutations
from modnet.assessment.explanation.pictures import pictures_of
from modnet.assessment.explanation.quantities import Quantity, quantities_of
from modnet.assessment.explanation.reasons import Reasoning, Reasons
from modnet.assessment.explanation.texts import plain, text_of
from modnet.assessment.pictures import Picture, figure_of, write_pictures
from modnet.assessment.samples import Samples, target_outputs
from modnet.engine.network import Network
from modnet.records import Record
from modnet.words import counted

MOST_MEASURED, MOST_VARIED = 10_000, 1_000
"""How many rows the importance, and the partial dependence, are computed from; of more, so many are drawn."""

SHOWN = 3
"""Of how many of the most important columns the partial dependence is computed where none are named."""


class Explanation(Record, eq=False):
    """Why a network predicts what it predicts; `print` shows tables.

    Attributes:
        importance: what is lost without each column; None if it was not asked for.
        dependence: how the predictions change with columns.
        reasons: what each column adds to the predictions of the rows that were asked for.
        notes: what was done about missing and unknown values, and how many rows were used, in lines.
    """

    importance: Importance | None
    dependence: tuple[Dependence, ...]
    reasons: tuple[Reasons, ...]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.text()

    def text(self, width: int | None = None) -> str:
        """As `str` gives it, in lines of at most this width, if there is one."""
        return text_of(self.importance, self.dependence, self.reasons, width)

    def plain(self) -> dict[str, Any]:
        """The explanation as plain values, as `modnet explain --json` prints it."""
        return plain(self.importance, self.dependence, self.reasons)

    def plot(self, path: str | os.PathLike[str] | None = None) -> Any:
        """Draws the explanation: the importance, the partial dependence of each column, and the reasons of each row.

        Args:
            path: a file, which gets all of it, or a folder, for a file with each; by default nothing is written.

        Returns:
            The matplotlib figure with all of it.

        Raises:
            MissingExtra: matplotlib is not installed.
            DataError: the suffix of the file is of no format of pictures.
        """
        pictures = self.pictures()
        if path is not None:
            write_pictures(pictures, path)
        return figure_of(pictures)

    def pictures(self) -> list[Picture]:
        """What `plot` draws, each by itself."""
        return pictures_of(self.importance, self.dependence, self.reasons)


def explain(
    network: Network,
    x: Any,
    y: Any = None,
    *,
    rows: Iterable[int] = (),
    columns: Iterable[str] = (),
    figures: Sequence[str] = (),
    target_class: str | None = None,
    log_odds: bool = False,
    baseline: Any = None,
    repeats: int = 10,
    seed: int = 0,
) -> Explanation:
    """Explains a network by rows that it was not trained on; or, with `rows`, its predictions for some of these rows.

    Without `rows`: the importance of every column (`permutation_importance`), and the `partial_dependence` of the most
    important ones. With `rows`: `integrated_gradients` from a baseline to each of them; x needs no targets then.

    Args:
        network, x, y: as for `evaluate`, but no batches.
        rows: positions of rows to explain, from 0.
        columns: whose partial dependence is computed; by default of the three most important.
        figures: by which the importance is measured; by default the loss, and the first metric of the training.
        target_class: the class or label to explain; by default the class that is predicted for each of `rows`.
        log_odds: explains log(p / (1 - p)) instead of the probability p of a class.
        baseline: what rows are compared with: one row as x has them; by default `baseline_of`.
        repeats, seed: how often each column is shuffled, at least once, and the seed of that.

    Raises:
        DataError: there is no such row, column, class or figure, or an output is no row of numbers.
        SpecError, ShapeError, DataError: as `evaluate`.
    """
    places = list(rows)
    samples = Samples.of(network, x, y, targets=bool(target_outputs(network)) and not places)
    explaining = _Explaining(network, samples, quantities_of(network, target_class, log_odds), seed)
    named = chosen(explaining.features, columns)
    return explaining.rows(places, named, baseline) if places else explaining.columns(named, figures, repeats)


class _Explaining:
    """Explains a network by some rows."""

    def __init__(self, network: Network, samples: Samples, quantities: Sequence[Quantity], seed: int) -> None:
        self.network, self.samples, self.quantities, self.seed = network, samples, quantities, seed
        data = samples.data
        self.inputs = wide(network, rows_taken(data.inputs, slice(None) if data.rows is None else data.rows))
        self.features = features_of(network, self.inputs)

    def columns(self, named: Sequence[Feature], figures: Sequence[str], repeats: int) -> Explanation:
        """The importance of all columns, and the dependence on those that are named, or else on the most important."""
        data, notes = self.samples.data, [*self.samples.notes, *self.samples.warning(self.network)]
        if len(data) > MOST_MEASURED:
            data = data.take(self._drawn(MOST_MEASURED))
            notes.append(f"the importance is measured on {counted(len(data), 'row')} of these, drawn at random")
        orders = permutations(len(data), repeats, self.seed)
        importance = permutation_importance(self.network, data, self.features, orders, figures)
        best = [self.features[place] for place in importance.order()]
        dependence = self.dependence(named) if named else self.dependence(best, SHOWN)
        return Explanation(importance, dependence, (), tuple(notes))

    def rows(self, places: Sequence[int], named: Sequence[Feature], baseline: Any) -> Explanation:
        """What the columns add to the predictions for some rows, and the dependence on those that are named."""
        given = baseline is not None
        start = self._encoded(baseline) if given else baseline_of(self.network, self.inputs, self.features)
        reasoning = Reasoning(self.network, self.samples, self.features, self.quantities, start)
        return Explanation(None, self.dependence(named), reasoning.of(places), tuple(self.samples.notes))

    def _encoded(self, row: Any) -> dict[str, Array]:
        """Input name -> array (1, *shape), from one row in any form that `predict` takes, or arrays."""
        schema = self.network.card.schema
        encoded = self.network.encode(row) if schema is not None and schema.inputs else row
        return dict(zip(self.network.inputs, self.network.arrays(encoded), strict=True))

    def dependence(self, features: Iterable[Feature], most: int | None = None) -> tuple[Dependence, ...]:
        """The partial dependence on the first `most` of these columns that have one."""
        some = rows_taken(self.inputs, self._drawn(MOST_VARIED))
        grids = ((feature, grid_of(feature, self.inputs, self.samples.table)) for feature in features)
        found = (
            partial_dependence(self.network, some, feature, grid, self.quantities)
            for feature, grid in grids
            if grid is not None
        )
        return tuple(islice(found, most))

    def _drawn(self, most: int) -> Array:
        """The positions of at most so many rows, in order."""
        rows = len(self.samples)
        if rows <= most:
            return np.arange(rows)
        return np.sort(np.random.default_rng(self.seed).choice(rows, most, replace=False))
