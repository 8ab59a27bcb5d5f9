"""What a report says of rows that the network was not trained on: how good, how sure, and where it is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from modnet.assessment.bootstrap import bootstrap_intervals
from modnet.assessment.explanation.explain import Explanation
from modnet.assessment.report.page import Block, Part, Tile
from modnet.assessment.report.plots import number_pictures, reliability_picture
from modnet.assessment.report.targets import ClassTarget, NumberTarget, Target, targets_of
from modnet.assessment.samples import Samples
from modnet.engine.network import Network
from modnet.kinds.figures import figure_text, figure_title, number_text
from modnet.records import Record
from modnet.training.evaluate import evaluate
from modnet.training.measured import OF_CLASS, Figures, base_text
from modnet.words import counted

SHARE = 0.95
"""How often the figures of other rows lie within the intervals."""

WORST, MOST_COLUMNS = 10, 12
"""How many of the worst rows are shown, with how many of their columns."""

MOST_CLASSES = 60
"""Of how many classes a table has a line each."""


class HeldOut(Record, eq=False):
    """Rows with targets, and how the network does on them.

    Attributes:
        warning: what makes the figures better than they are.
        figures: as `evaluate` measures them.
        bounds: figure -> its bootstrap interval.
        targets: truth and prediction of each target of classes or numbers.
    """

    samples: Samples
    warning: Sequence[str]
    figures: Figures
    bounds: Mapping[str, tuple[float, float]]
    targets: Sequence[Target]

    @classmethod
    def of(cls, network: Network, samples: Samples, seed: int) -> HeldOut:
        """Raises SpecError, ShapeError, DataError: as `evaluate`."""
        bounds = bootstrap_intervals(network, samples.data, share=SHARE, seed=seed)
        figures, targets = evaluate(network, samples.data), targets_of(network, samples)
        return cls(samples, samples.warning(network), figures, bounds, targets)

    def tiles(self) -> list[Tile]:
        """The figures at the top of the page."""
        found = [Tile("rows measured", f"{len(self.samples):,}")]
        for name in [*self._numbers()[1:3], "loss"]:
            notes = [self._interval(name), f"guessing {self._guess(name)}" if self._guess(name) else ""]
            note = "; ".join(filter(None, notes))
            found.append(Tile(figure_title(name), figure_text(name, self.figures[name]), note))
        return found

    def _numbers(self) -> list[str]:
        """The figures that are one number."""
        return [name for name, value in self.figures.items() if np.ndim(value) == 0]

    def _guess(self, name: str) -> str:
        return base_text(name, self.figures.base.get(name))

    def _interval(self, name: str) -> str:
        if name not in self.bounds:
            return ""
        low, high = self.bounds[name]
        if name.endswith("accuracy") and low == high == 1.0:
            # No resample has an error, but other rows may: with this share p, p^n is the chance to see none.
            low = (1 - SHARE) ** (1 / len(self.samples))
        return f"{figure_text(name, low)} to {figure_text(name, high)}"

    def parts(self) -> Iterator[Part]:
        """How good it is, and how sure."""
        yield Part("figures", "How good it is", list(self._figure_blocks()))
        sure = list(self._certainty_blocks())
        if sure:
            yield Part("certainty", "How far it can be believed", sure)

    def _figure_blocks(self) -> Iterator[Block]:
        text = (
            f"Measured on {counted(len(self.samples), 'row')}. The interval is where {SHARE:.0%} of other tests of as "
            "many rows would lie, by the bootstrap; guessing looks at no column."
        )
        rows = []
        for name in self._numbers():
            value, guessing = figure_text(name, self.figures[name]), self._guess(name)
            rows.append([figure_title(name), value, self._interval(name), guessing])
        yield Block(
            texts=[*self.warning, text], head=["figure", "value", f"{SHARE:.0%} interval", "guessing"], rows=rows
        )
        for output, classes in self.figures.classes.items():
            if len(classes) <= MOST_CLASSES:
                yield Block(heading=f"Each class of {output}", head=[output, *OF_CLASS], rows=_class_rows(classes))
        yield from map(_beside_the_truth, self.targets)

    def _certainty_blocks(self) -> Iterator[Block]:
        for target in self.targets:
            if isinstance(target, ClassTarget):
                text = (
                    f"Calibration error {target.calibration_error():.3f}: the mean distance between how sure the "
                    "predictions are and how often they are right. Dots below the dotted line are too sure; larger "
                    "dots stand for more rows."
                )
                pictures = [reliability_picture(target)]
                yield Block(heading=f"Probabilities of {target.name}", texts=[text], pictures=pictures)
        if self.figures.coverage:
            found = self.figures.coverage.items()
            rows = [[name, *(number_text(float(value)) for value in known.values())] for name, known in found]
            head = ["target", *next(iter(self.figures.coverage.values()))]
            yield Block(heading="Intervals", texts=["How often the truth is covered."], head=head, rows=rows)

    def worst(self, explanation: Explanation | None) -> Iterator[Part]:
        """The rows with the worst predictions, with their values in the most important columns."""
        blocks = [self._worst_of(target, self._columns(explanation)) for target in self.targets]
        if blocks:
            yield Part("worst", "Where it is most wrong", blocks)

    def _columns(self, explanation: Explanation | None) -> list[str]:
        if self.samples.table is None or explanation is None or explanation.importance is None:
            return []
        importance = explanation.importance
        return [importance.columns[place] for place in importance.order()[:MOST_COLUMNS]]

    def _worst_of(self, target: Target, columns: Sequence[str]) -> Block:
        badness = target.badness()
        rows = []
        for row in np.argsort(-badness, kind="stable")[:WORST].tolist():
            values = [self.samples.cell(name, row) for name in columns]
            rows.append([self.samples.row_name(row).removeprefix("row "), *target.said(row), *values])
        head = ["row", f"true {target.name}", "predicted", *columns]
        what = "the least probability of the true class" if isinstance(target, ClassTarget) else "the largest error"
        return Block(
            heading=target.name if len(self.targets) > 1 else "",
            texts=[f"The rows with {what}, and their values in the most important columns."],
            head=head,
            rows=rows,
            left=len(head),
            kind="rows",
        )


def _class_rows(classes: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    return [
        [name, f"{found['rows']:,.10g}", *(f"{found[key]:.3f}" for key in OF_CLASS[1:])]
        for name, found in classes.items()
    ]


def _beside_the_truth(target: Target) -> Block:
    """The predictions of a target beside the truth."""
    if isinstance(target, NumberTarget):
        return Block(heading=f"Truth and prediction of {target.name}", pictures=number_pictures(target))
    counts = target.confusion()
    if counts is None:
        return Block(texts=[f"{target.name} has {len(target.classes):,} classes, too many for a table of confusions."])
    return Block(heading=f"Confusion of {target.name}", confusion=(target.classes, counts))
