"""The body of `modnet diff`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from modnet.cli.failures import FAILED
from modnet.cli.output import echo_json, room, tell
from modnet.model.compare import ABSENT, ArrayDifference, ArrayPlace, Comparison, Difference, compare
from modnet.model.container import NETWORK_GROUPS
from modnet.screen import short
from modnet.words import counted, path_text, printable, shape_text, show

T = TypeVar("T")

MOST_LINES = 20
"""How many differences of each kind are shown."""

WIDEST_NAME, LEAST_NAME = 36, 12


def run(a: str, b: str, as_json: bool) -> int:
    found = compare(a, b)
    if as_json:
        echo_json(_plain(a, b, found))
    else:
        tell("\n".join(_lines(printable(a), printable(b), found, room())))
    return 0 if found.same else FAILED


def _plain(a: str, b: str, found: Comparison) -> dict[str, Any]:
    return {
        "a": a,
        "b": b,
        "same": found.same,
        "identical": found.identical,
        "header": [
            {
                "path": path_text(difference.path),
                **{name: value for name, value in (("a", difference.a), ("b", difference.b)) if value is not ABSENT},
            }
            for difference in found.header
        ],
        "only_in_a": [{"group": place.group, "name": place.name} for place in found.only_in_a],
        "only_in_b": [{"group": place.group, "name": place.name} for place in found.only_in_b],
        "arrays": [
            {
                "group": difference.place.group,
                "name": difference.place.name,
                "dtypes": difference.dtypes,
                "shapes": difference.shapes,
                "differing": difference.differing,
                "largest": difference.largest,
                "mean": difference.mean,
            }
            for difference in found.arrays
        ],
    }


def _lines(a: str, b: str, found: Comparison, width: int | None) -> Iterator[str]:
    if found.same:
        yield f"{a} and {b} " + ("are the same" if found.identical else "hold the same values, but not byte for byte")
        return
    places = [("A", place) for place in found.only_in_a] + [("B", place) for place in found.only_in_b]
    parts = [
        list(_first(found.header, _header_line)),
        list(_first(places, lambda found: f"only in {found[0]}: {_name(found[1])}")),
        list(_array_lines(found.arrays, width)),
    ]
    yield "\n\n".join("\n".join(part) for part in parts if part)
    if not (found.arrays or places):
        yield "the arrays are the same"


def _first(items: Sequence[T], line: Callable[[T], str]) -> Iterator[str]:
    """The lines of the first items, and the number of the others."""
    yield from map(line, items[:MOST_LINES])
    if len(items) > MOST_LINES:
        yield f"and {len(items) - MOST_LINES:,} more"


def _header_line(difference: Difference) -> str:
    # Paths as in a spec file, which users know, and not as in the header.
    keys = difference.path[1:] if difference.path[0] == "spec" and len(difference.path) > 1 else difference.path
    path = printable(path_text(keys))
    if difference.b is ABSENT:
        return f"only in A: {path}: {printable(show(difference.a))}"
    if difference.a is ABSENT:
        return f"only in B: {path}: {printable(show(difference.b))}"
    ours, theirs = printable(show(difference.a)), printable(show(difference.b))
    if ours == theirs:
        return f"{path}: {ours} in both, and different {_place(difference.a, difference.b)}"
    line = f"{path}: {ours} -> {theirs}"
    return line if len(line) <= 80 else f"{path}:\n  {ours}\n  -> {theirs}"


def _place(a: Any, b: Any) -> str:
    """The position from which two values differ, if they begin in the same way."""
    if not isinstance(a, str | list) or not isinstance(b, str | list):
        return "within"
    same = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    return f"from {'character' if isinstance(a, str) else 'item'} {same} on"


def _name(place: ArrayPlace) -> str:
    return printable(place.name if place.group in NETWORK_GROUPS else f"{place.group}: {place.name}")


def _array_lines(differences: Sequence[ArrayDifference], width: int | None) -> Iterator[str]:
    if not differences:
        return
    rows = [("array", "largest", "mean", "differing"), *map(_cells, differences[:MOST_LINES])]
    widths = [max(len(row[column]) for row in rows if row[2]) for column in range(3)]
    widths[0] = min(max(len(row[0]) for row in rows), WIDEST_NAME)
    if width is not None:
        others = sum(widths[1:]) + max(len(row[3]) for row in rows) + 9
        widths[0] = max(min(widths[0], width - others), LEAST_NAME)
        rows = _with_names_cut(rows, widths[0])
    for name, largest, mean, share in rows:
        yield f"{name:<{widths[0]}}   {largest:>{widths[1]}}   {mean:>{widths[2]}}   {share}".rstrip()
    if len(differences) > MOST_LINES:
        yield f"and {counted(len(differences) - MOST_LINES, 'array')} more"


def _with_names_cut(rows: Sequence[tuple[str, str, str, str]], width: int) -> list[tuple[str, str, str, str]]:
    """The rows for a terminal; a row of two shapes alone has room for the whole name."""
    return [(short(name, width) if mean else name, largest, mean, share) for name, largest, mean, share in rows]


def _cells(difference: ArrayDifference) -> tuple[str, str, str, str]:
    name = _name(difference.place)
    if difference.shapes[0] != difference.shapes[1]:
        return name, " -> ".join(map(shape_text, difference.shapes)), "", ""
    dtypes = "" if difference.dtypes[0] == difference.dtypes[1] else f"   {' -> '.join(difference.dtypes)}"
    share = f"{difference.differing:,} of {_size(difference):,}{dtypes}"
    return name, f"{difference.largest:.3g}", f"{difference.mean:.3g}", share


def _size(difference: ArrayDifference) -> int:
    return math.prod(difference.shapes[0])
