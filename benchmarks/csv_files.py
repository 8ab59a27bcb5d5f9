"""Reading csv files: time and peak memory of whole processes, beside pandas and polars."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.rounds import Case, Contestant, Play, Settings
from benchmarks.start import timed

MODNET = """
from modnet.data.files import read
table = read({path!r})
assert len(table) == {rows}
"""

PANDAS = """
import pandas
table = pandas.read_csv({path!r})
assert len(table) == {rows}
"""

POLARS = """
import polars
table = polars.read_csv({path!r}, infer_schema_length=1000)
assert len(table) == {rows}
"""

CSV_MODULE = """
import csv
with open({path!r}, newline="") as file:
    rows = list(csv.reader(file))
assert len(rows) == {rows} + 1
"""

SCRIPTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "modnet": (MODNET, ()),
    "pandas": (PANDAS, ("pandas",)),
    "polars": (POLARS, ("polars",)),
    "csv.reader": (CSV_MODULE, ()),
}

CHUNK = 50_000


def cases(settings: Settings) -> list[Case]:
    many, wide, genes = (2_000, 20, 200) if settings.quick else (1_000_000, 200, 32_000)
    files: dict[str, tuple[int, Callable[[Path], None]]] = {
        "csv-mixed": (many, partial(write_mixed, many)),
        "csv-wide": (wide, partial(write_wide, wide, genes)),
    }
    return [
        Case(
            name,
            "process",
            [
                Contestant(reader, partial(reading, settings, name, rows, write, script), ("resource", *needs))
                for reader, (script, needs) in SCRIPTS.items()
            ],
        )
        for name, (rows, write) in files.items()
    ]


def reading(settings: Settings, name: str, rows: int, write: Callable[[Path], None], script: str) -> Play:
    path = settings.folder / f"{name}.csv"
    if not path.exists():
        write(path)
    return timed(settings, script.format(path=str(path), rows=rows))


def write_mixed(rows: int, path: Path) -> None:
    """18 columns of numbers with fractions, one of them with gaps; 4 of whole ones; 6 of categories, a day, a code."""
    draw = np.random.default_rng(0)
    names = [f"{kind}{number}" for kind, count in (("f", 18), ("i", 4), ("c", 6)) for number in range(count)]
    day = np.datetime64("2015-01-01")
    with path.open("w") as file:
        file.write(",".join([*names, "date", "id"]) + "\n")
        for start in range(0, rows, CHUNK):
            size = min(CHUNK, rows - start)
            columns = [_prices(draw, size, gaps=number == 3) for number in range(9)]
            columns += [list(map(repr, draw.normal(size=size).tolist())) for _ in range(9)]
            columns += [list(map(str, draw.integers(0, 10 ** (number + 1), size).tolist())) for number in range(4)]
            columns += [[f"kind_{k}" for k in draw.integers(0, 5 * number + 5, size).tolist()] for number in range(6)]
            columns.append(list(map(str, day + draw.integers(0, 3000, size))))
            columns.append([f"A{code:08d}" for code in range(start, start + size)])
            file.writelines(",".join(row) + "\n" for row in zip(*columns, strict=True))


def _prices(draw: np.random.Generator, size: int, gaps: bool) -> list[str]:
    texts = [f"{value:.2f}" for value in (draw.normal(size=size) * 100).tolist()]
    return ["" if gaps and row % 50 == 0 else text for row, text in enumerate(texts)]


def write_wide(rows: int, columns: int, path: Path) -> None:
    """So many columns of numbers, and one of classes."""
    draw = np.random.default_rng(0)
    with path.open("w") as file:
        file.write(",".join([f"gene_{number}" for number in range(columns)] + ["class"]) + "\n")
        for row in range(rows):
            values = draw.normal(size=columns).tolist()
            file.write(",".join([f"{value:.4f}" for value in values] + ["ab"[row % 2]]) + "\n")
