"""The first rows of a training table, and what the network is given for them: a part of `modnet check`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.data.column_schema import ColumnSchema
from modnet.data.schema import DataSchema
from modnet.data.table import Table
from modnet.datasets.load import LoadedData
from modnet.kinds.figures import figure_text
from modnet.screen import fitted
from modnet.words import in_columns, legible

MOST_COLUMNS = 30
"""How many columns of a table are shown; in JSON all are."""

MOST_NUMBERS = 3
"""How many of the numbers that a value becomes are shown."""

MOST_CLASSES = 6

WIDTH = 100
"""How wide the table is at most, if one row can do."""

NAME, READ_AS, RAW = 20, 32, 12
"""How wide the parts of a line are at most."""


def described(loaded: LoadedData) -> dict[str, Any]:
    """What was read, as plain values: the columns with the first rows, and the targets."""
    columns = [] if loaded.head is None or loaded.schema is None else _columns(loaded.schema, loaded.head)
    return {"data": loaded.notes, "columns": columns, "targets": list(_targets(loaded))}


def texts(found: Mapping[str, Any], width: int | None) -> Iterator[str]:
    """The same as lines for the screen, a terminal of this width or none; no line if there are no data."""
    if not found:
        return
    yield from found["data"]
    columns = found["columns"]
    if columns:
        yield ""
        yield from _table(columns, min(width or WIDTH, WIDTH))
    if found["targets"]:
        yield ""
        yield from (_target_text(target) for target in found["targets"])


# Columns


def _columns(schema: DataSchema, head: Table) -> list[dict[str, Any]]:
    """Each column: name, what it is read as, the values of the first rows, and the numbers that they become."""
    encoded = schema.encode(head, targets=False, faults="none")
    found = []
    for name, columns in schema.inputs.items():
        start = 0
        for column in columns:
            numbers = encoded.inputs[name][:, start : start + column.width]
            start += column.width
            found.append(_column(head, column, numbers.tolist(), name))
    for name, columns in schema.targets.items():
        found += [_column(head, column, _goals(head, column), name, target=True) for column in columns]
    return found


def _column(
    head: Table, column: ColumnSchema, numbers: Sequence[Any], place: str, target: bool = False
) -> dict[str, Any]:
    values = head.columns[column.name]
    return {
        "name": column.name,
        "of": place,
        "read_as": f"target, {read_as(column)}" if target else read_as(column),
        "if_missing": None if target else if_missing(column),
        "rows": [
            {"row": head.row_name(row), "value": values.text(row), "numbers": numbers[row]} for row in range(len(head))
        ],
    }


def _goals(head: Table, column: ColumnSchema) -> list[Any]:
    """What the values of a target become."""
    values = head.columns[column.name]
    if column.has_categories:
        return [[code] if code >= 0 else [] for code in column.codes(values).tolist()]
    return [[] for _ in range(len(head))]


def read_as(column: ColumnSchema) -> str:
    """What the values of a column are taken for, in a few words."""
    if column.kind == "category":
        words = f"category of {len(column.categories):,}"
        words += "" if column.encoding == "one_hot" else f", {column.encoding}"
    elif column.kind == "boolean":
        words = f"boolean, 1 is {legible(column.categories[1], 12)}"
    elif column.kind == "date":
        written = column.date_format.date_format if column.date_format is not None else ""
        words = f"date{f' {written}' if written else ''}: {', '.join(column.parts)}"
    elif column.kind == "text":
        words = "text, hashed"
    else:
        words = "number" + _number_format(column)
    return words


def if_missing(column: ColumnSchema) -> str:
    """What stands in for a value that is missing in prediction: a value, or "code", "error"."""
    if column.fill is not None:
        return _number(str(column.fill).partition("T")[0] if column.kind == "date" else column.fill)
    return "error" if column.refuses_gaps else "code"


def _number_format(column: ColumnSchema) -> str:
    written = column.number_format
    if written is None:
        return ""
    parts = [
        f"in {written.unit}" if written.unit else "",
        "decimal comma" if written.decimal == "," else "",
        f"thousands {written.thousands!r}" if written.thousands else "",
        "(negative)" if written.negative == "parentheses" else "",
    ]
    return "".join(f", {part}" for part in parts if part)


def _table(columns: Sequence[Mapping[str, Any]], width: int) -> Iterator[str]:
    shown = columns[:MOST_COLUMNS] if len(columns) > MOST_COLUMNS + 1 else columns
    for count in range(len(shown[0]["rows"]), 0, -1):
        lines = in_columns(list(_lines(shown, count)), left=3 + count)
        if max(map(len, lines)) <= width:
            break
    else:  # not even one row beside the columns: below them
        lines = fitted(list(_lines(shown, 1)), 4, width)
    yield from lines
    if len(shown) < len(columns):
        yield f"... and {len(columns) - len(shown):,} more columns"


def _lines(columns: Sequence[Mapping[str, Any]], count: int) -> Iterator[list[str]]:
    """The cells of the table, with so many of the first rows."""
    yield ["column", "read as", "if missing", *(entry["row"] for entry in columns[0]["rows"][:count])]
    for column in columns:
        about = legible(column["name"], NAME), legible(column["read_as"], READ_AS), column["if_missing"] or ""
        yield [*about, *map(_cell, column["rows"][:count])]


def _cell(entry: Mapping[str, Any]) -> str:
    """A value and its numbers: `39.1`, `Adelie -> 1 0 0`."""
    raw = legible(entry["value"], RAW) or '""'
    numbers = entry["numbers"]
    ones = [place for place, number in enumerate(numbers) if number]
    if len(numbers) > MOST_NUMBERS and len(ones) == 1 and numbers[ones[0]] == 1:
        becomes = f"1 at {ones[0] + 1} of {len(numbers)}"
    else:
        becomes = " ".join(map(_number, numbers[:MOST_NUMBERS]))
        becomes += f" ... ({len(numbers)})" if len(numbers) > MOST_NUMBERS else ""
    return raw if becomes in ("", raw) else f"{raw} -> {becomes}"


def _number(value: Any) -> str:
    if isinstance(value, str):
        return legible(value, RAW)
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else f"{value:.5g}"


# Targets


def _targets(loaded: LoadedData) -> Iterator[dict[str, Any]]:
    """Each target: its classes with their counts, or its range; and what always the same answer would reach."""
    train = loaded.train
    for output, values in train.targets.items():
        rows = values if train.rows is None else values[train.rows]
        names = _names(loaded.schema, output)
        if rows.dtype.kind in "iu" and rows.ndim == 1:
            yield _classes(names[0] if names else output, rows, train.classes.get(output))
        elif rows.ndim == 2:
            names = names or _numbered(output, rows.shape[1])
            yield from (_numbers(name, rows[:, place]) for place, name in enumerate(names[:MOST_COLUMNS]))


def _names(schema: DataSchema | None, output: str) -> list[str]:
    """The columns of a target; none for one of arrays."""
    return [] if schema is None else [column.name for column in schema.targets.get(output, ())]


def _numbered(output: str, width: int) -> list[str]:
    return [output] if width == 1 else [f"{output}[{place}]" for place in range(width)]


def _classes(name: str, labels: Array, classes: Sequence[str] | None) -> dict[str, Any]:
    counts = np.bincount(labels[labels >= 0]) if len(labels) else np.zeros(0, np.int64)
    named = {(classes[place] if classes else str(place)): int(count) for place, count in enumerate(counts)}
    for missing in classes or ():
        named.setdefault(missing, 0)
    most = max(named.values(), default=0)
    return {"name": name, "classes": named, "base_rate": most / max(1, len(labels))}


def _numbers(name: str, values: Array) -> dict[str, Any]:
    known = values[np.isfinite(values)].astype(np.float64)
    if not len(known):
        return {"name": name, "minimum": None, "maximum": None, "mean": None, "deviation": None}
    return {
        "name": name,
        "minimum": float(known.min()),
        "maximum": float(known.max()),
        "mean": float(known.mean()),
        "deviation": float(known.std()),
    }


def _target_text(target: Mapping[str, Any]) -> str:
    name = legible(target["name"], NAME)
    if "classes" not in target:
        if target["mean"] is None:
            return f"{name}: no finite number"
        low, high, mean, deviation = (f"{target[key]:.5g}" for key in ("minimum", "maximum", "mean", "deviation"))
        return f"{name}: {low} to {high}, mean {mean} (always the mean: RMSE {deviation})"
    classes = sorted(target["classes"].items(), key=lambda item: -item[1])
    shown = ", ".join(f"{legible(label, RAW)} {count:,}" for label, count in classes[:MOST_CLASSES])
    more = f" and {len(classes) - MOST_CLASSES:,} more" if len(classes) > MOST_CLASSES else ""
    rate = figure_text("accuracy", target["base_rate"])
    return f"{name}: {shown}{more} (always {legible(classes[0][0], RAW)}: accuracy {rate})"
