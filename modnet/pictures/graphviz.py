"""The program `dot` of Graphviz, where it is installed: it places a graph, and writes it in further formats."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

from modnet.errors import ModnetError
from modnet.pictures.graph import HEIGHT, SIZE, WIDTH, Edge, Placed, Point, Sketch
from modnet.pictures.palette import FIRST, QUIET, THEMES, THIRD
from modnet.words import printable

PATIENCE = 60.0
"""Seconds after which `dot` is stopped: its time grows fast with the number of lines that cross others."""

_INCH, _POINTS = 96, 96 / 72
"""Pixels in an inch, and in a point."""


def is_installed() -> bool:
    return shutil.which("dot") is not None


def dot_source(sketch: Sketch) -> str:
    """The graph in the language of Graphviz."""
    ink, _ = THEMES["light"]
    text = f'fontname="sans-serif" fontsize={0.75 * SIZE} fontcolor="{ink}" color="{QUIET}"'
    size = f"width={WIDTH / _INCH:.3f} height={HEIGHT / _INCH:.3f}"
    lines = [
        "digraph network {",
        f"  graph [ranksep=0.42 nodesep=0.3 style=rounded {text}]",
        f"  node [shape=box style=rounded fixedsize=true {size} {text}]",
        f"  edge [arrowsize=0.5 {text}]",
        *_boxes(sketch),
    ]
    for number, edge in enumerate(sketch.edges):
        label = f" label={_quoted(f' {edge.label} ')}" if edge.label else ""
        lines.append(f"  n{edge.source} -> n{edge.target} [id=e{number}{label}]")
    return "\n".join([*lines, "}", ""])


def _boxes(sketch: Sketch) -> Iterator[str]:
    """The boxes, those of a composite within a cluster."""
    strokes = {"input": f' color="{FIRST}"', "output": f' color="{THIRD}"', "node": ""}
    open_groups: tuple[str, ...] = ()
    count = 0
    for number in sorted(range(len(sketch.boxes)), key=lambda number: _first_of_group(sketch, number)):
        box = sketch.boxes[number]
        shared = sum(1 for _ in _common(open_groups, box.group))
        yield from ("  }" for _ in open_groups[shared:])
        for name in box.group[shared:]:
            yield f"  subgraph cluster_{count} {{ label={_quoted(name)}"
            count += 1
        open_groups = box.group
        label = "\\n".join(_escaped(text) for text in (box.title, box.text) if text)
        yield f'  n{number} [label="{label}"{strokes[box.kind]}]'
    yield from ("  }" for _ in open_groups)


def _first_of_group(sketch: Sketch, number: int) -> tuple[int, ...]:
    """Where the boxes of the same composites begin, so that those of each stand together."""
    group = sketch.boxes[number].group
    starts = (
        next(place for place, box in enumerate(sketch.boxes) if box.group[: depth + 1] == group[: depth + 1])
        for depth in range(len(group))
    )
    return (*starts, number)


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> Iterator[str]:
    for name, same in zip(one, other, strict=False):
        if name != same:
            return
        yield name


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    return printable(text).replace("\\", "\\\\").replace('"', '\\"')


def by_dot(sketch: Sketch, form: str) -> bytes:
    """What `dot` makes of a graph: a picture of a format, such as "png" or "pdf".

    Raises:
        ModnetError: `dot` fails or takes more than a minute.
        FileNotFoundError: it is not installed.
    """
    command = ["dot", f"-T{form}", *(["-Gdpi=144"] if form == "png" else [])]
    try:
        done = subprocess.run(command, input=dot_source(sketch).encode(), capture_output=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise ModnetError(f"dot (Graphviz) was stopped after {PATIENCE:.0f} seconds") from None
    if done.returncode or not done.stdout:
        raise ModnetError(f"dot (Graphviz) failed: {printable(done.stderr.decode(errors='replace').strip()[:300])}")
    return done.stdout


def placed_by_dot(sketch: Sketch) -> Placed:
    """The graph with the places that `dot` gives it.

    Raises:
        ModnetError, FileNotFoundError: as `by_dot`.
    """
    found = json.loads(by_dot(sketch, "json0"))
    *_, width, height = (float(number) * _POINTS for number in found["bb"].split(","))
    places = {item["name"]: _point(item["pos"], height) for item in found["objects"] if "pos" in item}
    boxes = tuple(
        box.replace(x=x - WIDTH / 2, y=y - HEIGHT / 2)
        for number, box in enumerate(sketch.boxes)
        for x, y in [places[f"n{number}"]]
    )
    lines = {item["id"]: item for item in found.get("edges", ())}
    edges = tuple(_edge(edge, lines[f"e{number}"], height) for number, edge in enumerate(sketch.edges))
    return Placed(boxes, edges, width, height)


def _edge(edge: Edge, item: dict[str, Any], height: float) -> Edge:
    (*texts,) = item["pos"].split()
    end = next(_point(text[2:], height) for text in texts if text.startswith("e,"))
    points = [_point(text, height) for text in texts if not text.startswith(("e,", "s,"))]
    points[-1] = end  # the arrow is part of the line
    at = _point(item["lp"], height) if "lp" in item else (0.0, 0.0)
    return edge.replace(curve=tuple(points), label_at=at)


def _point(text: str, height: float) -> Point:
    """A place in pixels from the top, of one in points from the bottom."""
    x, y = (float(number) * _POINTS for number in text.split(","))
    return x, height - y
