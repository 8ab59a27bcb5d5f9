"""The entry point `report`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from modnet.assessment.explanation.explain import Explanation, explain
from modnet.assessment.report.facts import (
    columns_of,
    provenance_of,
    sentence_of,
    spec_of,
    title_of,
    training_of,
)
from modnet.assessment.report.held_out import HeldOut
from modnet.assessment.report.page import Block, Part, page_of, require_page
from modnet.assessment.report.plots import curves_of
from modnet.assessment.report.usage import command_of, python_of
from modnet.assessment.samples import Samples, target_outputs
from modnet.engine.drawing import drawing_of
from modnet.engine.network import Network
from modnet.engine.summary import Summary
from modnet.errors import DataError
from modnet.model.atomic import replace_file
from modnet.records import Record
from modnet.words import counted

MOST_NODES = 200
"""How many nodes are listed."""

SHOWN = 4
"""Of how many columns the partial dependence is drawn."""


class Report(Record, eq=False):
    """A page about a network.

    Attributes:
        html: the page, which needs no other file.
        notes: what was done about missing and unknown values in the rows, in lines.
    """

    html: str
    notes: tuple[str, ...] = ()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the page. The file is replaced as a whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        replace_file(path, [self.html.encode("utf-8")], durable=False)


def report(
    network: Network, x: Any = None, y: Any = None, *, model: str = "model.modnet", repeats: int = 10, seed: int = 0
) -> Report:
    """A report about a network: what it predicts, how well, from what, and how to use it.

        modnet.report(network, held_out).save("report.html")

    Args:
        network: a trained network.
        x, y: rows that it was not trained on, with their targets, as for `evaluate`, but no batches. Without them the
            page says what the network's card knows.
        model: the network's file, as it is called in the commands that the page shows.
        repeats: how often each column is shuffled for its importance.
        seed: of the shuffling, and of the bootstrap.

    Raises:
        MissingExtra: jinja2 or matplotlib is not installed.
        SpecError, ShapeError, DataError: as `evaluate`.
    """
    require_page()
    samples = None if x is None else Samples.of(network, x, y, targets=bool(target_outputs(network)))
    measured = None if samples is None else HeldOut.of(network, samples, seed)
    parts = [] if measured is None else list(measured.parts())
    if samples is not None and measured is not None:
        found = _explained(network, x, y, repeats, seed)
        parts += [_importance(found), *measured.worst(found if isinstance(found, Explanation) else None)]
    parts += _of_card(network, samples, model)
    tiles = () if measured is None else measured.tiles()
    notes = () if samples is None else (*samples.notes, *samples.warning(network))
    return Report(page_of(title_of(network.card.schema, model), sentence_of(network), tiles, parts), notes)


def _explained(network: Network, x: Any, y: Any, repeats: int, seed: int) -> Explanation | str:
    """The explanation, or why there is none."""
    try:
        return explain(network, x, y, repeats=repeats, seed=seed)
    except DataError as error:
        return str(error)


def _importance(found: Explanation | str) -> Part:
    if isinstance(found, str):
        return Part("columns", "What matters", [Block(texts=[f"This cannot be said here: {found}."])])
    pictures = found.pictures()
    blocks = [
        Block(
            texts=[
                "How much worse the predictions get when the values of a column are shuffled among the rows; the lines "
                "are one standard deviation. A column that others repeat seems unimportant."
            ],
            pictures=pictures[:1],
        ),
        Block(
            heading="How the predictions change with a column",
            texts=["The mean prediction if all rows had the same value in the column."],
            pictures=pictures[1 : 1 + SHOWN],
        ),
    ]
    return Part("columns", "What matters", blocks if len(pictures) > 1 else blocks[:1])


def _of_card(network: Network, samples: Samples | None, model: str) -> Iterator[Part]:
    """What the network's card knows."""
    training, curves = training_of(network), list(curves_of(network.card.history))
    if training or curves:
        yield Part("training", "Training", [Block(pictures=curves), Block(facts=training)])
    table = None if samples is None else samples.table
    columns = columns_of(network.card.schema, table)
    if columns:
        head = ["column", "use", "kind", "encoding", "values", "missing values", "missing here"]
        here = table is not None
        rows = columns if here else [row[:-1] for row in columns]
        count = "" if samples is None else counted(len(samples), "row")
        texts = [f"Ranges and missing values are those of the {count} here."] if count else []
        yield Part(
            "data", "Data", [Block(texts=texts, head=head if here else head[:-1], rows=rows, left=6, kind="columns")]
        )
    yield _network(network)
    yield Part(
        "use",
        "How to predict",
        [
            Block(heading="From the command line", code=command_of(network, model)),
            Block(heading="From Python", code=python_of(network, samples, model)),
        ],
    )
    origin, spec = list(provenance_of(network, samples)), spec_of(network)
    yield Part("provenance", "Where it comes from", [Block(facts=origin), Block(heading="The whole spec", code=spec)])


def _network(network: Network) -> Part:
    summary = Summary.of(network)
    cells = summary.cells()
    total = ("total", "", summary.size(), f"{summary.parameters:,}", f"{summary.multiply_adds:,}")
    more = [f"and {counted(len(cells) - MOST_NODES, 'more node')}"] if len(cells) > MOST_NODES else []
    head = ["node", "type", "output", "parameters", "multiply-adds"]
    table = Block(head=head, rows=[*cells[:MOST_NODES], total], left=3)
    drawn = drawing_of(network)
    texts = [] if drawn is not None else [f"{counted(len(network.graph.nodes), 'node')}, too many to be drawn."]
    return Part("network", "Network", [Block(texts=texts, drawing=drawn), table, Block(texts=more)])
