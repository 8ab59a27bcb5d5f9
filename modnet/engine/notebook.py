"""How networks, histories and cards show themselves in a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from modnet.engine.built import BuiltGraph
from modnet.engine.courses import courses_of, measured
from modnet.engine.drawing import drawing_of
from modnet.engine.summary import Summary
from modnet.kinds.figures import VALIDATION, figure_text, figure_title
from modnet.pictures import html
from modnet.pictures.curves import Panel, curves_drawing
from modnet.words import counted, short_value

HIGHEST = 480
"""How high a drawing of a network is before it scrolls, in pixels."""

MOST = 60
"""How many rows a table has."""


def network_html(network: BuiltGraph) -> str:
    """A network: its drawing, and its summary to unfold."""
    summary, drawing = Summary.of(network), drawing_of(network)
    head = ("node", "type", "output", "parameters", "multiply-adds")
    cells = summary.cells()
    total = ("total", "", summary.size(), f"{summary.parameters:,}", f"{summary.multiply_adds:,}")
    nodes = html.table(head, [*cells[:MOST], *_more(len(cells), 5), total], left=3)
    title = f"Network of {counted(len(network.graph.nodes), 'node')}, {counted(summary.parameters, 'parameter')}"
    if drawing is None:
        return html.block(title, html.scrolled(nodes, HIGHEST))
    return html.block(title, html.scrolled(drawing.in_notebook(), HIGHEST), html.folded("nodes and their sizes", nodes))


def _more(count: int, columns: int) -> Iterator[tuple[str, ...]]:
    if count > MOST:
        yield (f"and {count - MOST:,} more", *[""] * (columns - 1))


def history_html(history: Any, title: str = "") -> str:
    """A `History`: its curves, and the figures of the last epoch, or of the best one if its weights were restored.

    Args:
        title: what is written above; it also says why the training stopped.
    """
    ended = [f"stopped: {history.stopped}"] if history.stopped and not title else []
    title = title or f"History of {counted(history.epochs, 'epoch')}"
    panels = panels_of(history)
    if not panels:
        return html.block(title)
    if history.restored:
        ended.append(f"weights of epoch {', '.join(map(str, history.restored))}")
    remark = html.line("; ".join(ended)) if ended else ""
    curves = curves_drawing(panels, "The figures of each epoch").in_notebook()
    return html.block(title, curves, remark, html.table((f"epoch {history.epochs}", *_SPLITS), _last(history)))


_SPLITS = ("training", "validation")


def _last(history: Any) -> Iterator[tuple[str, str, str]]:
    """(figure, its last value, that of the validation)."""
    last = {name: float(values[-1]) for name, values in courses_of(history).items()}
    for name in islice(_bare(history), MOST):
        pair = (last.get(name), last.get(f"{VALIDATION}{name}"))
        own, validation = ("" if value is None else figure_text(name, value) for value in pair)
        yield figure_title(name), own, validation


def _bare(history: Any) -> list[str]:
    return [name.removeprefix(VALIDATION) for name in measured(history)]


def panels_of(history: Any) -> list[Panel]:
    """A panel for each figure of a `History`, training and validation together."""
    courses = courses_of(history)
    found = []
    for name in _bare(history):
        pair = zip(_SPLITS, (name, f"{VALIDATION}{name}"), strict=True)
        curves = {label: courses[full].tolist() for label, full in pair if full in courses}
        found.append(Panel(figure_title(name), curves, history.restored))
    return found


def card_html(card: Any) -> str:
    """A `ModelCard`: the columns, the final figures, the metadata and what the data were, and the history."""
    parts = [html.table(("column", "use", "kind"), islice(_columns(card.schema), MOST), left=3)] if card.schema else []
    known: dict[str, Mapping[str, Any]] = {
        "figure": {figure_title(name): value for name, value in card.metrics.items()},
        "metadata": card.metadata,
        "result": card.results,
        "fingerprint of": card.data,
    }
    for title, values in known.items():
        if values:
            rows = ((name, _value(value)) for name, value in islice(values.items(), MOST))
            parts.append(html.table((title, ""), rows, left=2))
    if card.history.epochs:
        parts.append(history_html(card.history))
    return html.block("Model card", *parts, html.folded("spec", card.spec._repr_html_()))


def _columns(schema: Any) -> Iterator[tuple[str, str, str]]:
    for use, groups in (("input", schema.inputs), ("target", schema.targets)):
        for columns in groups.values():
            yield from ((column.name, use, column.kind) for column in columns)


def _value(value: Any) -> str:
    return figure_text("", value) if isinstance(value, float) else short_value(value)
