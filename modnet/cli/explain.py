"""The body of `modnet explain`."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from modnet.assessment.explanation.explain import explain
from modnet.assessment.pictures import check_pictures, write_pictures
from modnet.cli.data import STANDARD_INPUT, standard_input
from modnet.cli.evaluate import naming_option
from modnet.cli.output import echo_json, say, tell_found
from modnet.cli.places import check_place
from modnet.cli.plugin_file import load_plugin_files
from modnet.datasets.read import loader_for
from modnet.engine.network import Network
from modnet.errors import DataError
from modnet.model.load import load


def run(
    model: str,
    data: str,
    rows: tuple[str, ...],
    columns: tuple[str, ...],
    target_class: str | None,
    log_odds: bool,
    figures: tuple[str, ...],
    repeats: int,
    seed: int,
    plot: str | None,
    reading: dict[str, Any],
    plugins: tuple[str, ...],
    as_json: bool,
) -> None:
    load_plugin_files(plugins)
    _check_plot(plot)
    network = load(model)
    given = rows_in(network, data, reading)
    with naming_option("--figure", figures):
        found = explain(
            network,
            given,
            rows=_places(rows),
            columns=columns,
            figures=figures,
            target_class=target_class,
            log_odds=log_odds,
            repeats=repeats,
            seed=seed,
        )
    say(found.notes)
    echo_json({"model": model, "data": data, **found.plain()}) if as_json else tell_found(found)
    if plot is not None:
        say(map(str, write_pictures(found.pictures(), plot)))


def _check_plot(plot: str | None) -> None:
    """Checks, before any work is done, that pictures can be written there: a file, or a folder that may not be there.

    Raises:
        ModnetError: they cannot.
    """
    if plot is not None:
        check_pictures(plot)
        if not Path(plot).is_dir():
            check_place(Path(plot))


def _places(rows: tuple[str, ...]) -> list[int]:
    """The positions of rows, from 0, by their numbers, from 1, in texts such as `1,5,9` and `3-6`."""
    found: list[int] = []
    for part in (part.strip() for text in rows for part in text.split(",")):
        match = re.fullmatch(r"(\d{1,12})(?:-(\d{1,12}))?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 0 < first <= last:
            raise click.UsageError(f"--rows: expected numbers of rows from 1, such as 1,5,9 or 3-6; found {part!r}")
        if last - first >= MOST_ROWS:
            raise click.UsageError(f"--rows {part}: more than {MOST_ROWS:,} rows; explain fewer at a time")
        found += range(first - 1, last)
    return list(dict.fromkeys(found))


MOST_ROWS = 1_000


def rows_in(network: Network, data: str, given: dict[str, Any]) -> Any:
    """The table of a data file, or on standard input for "-", or the arrays of a file of arrays.

    Args:
        given: options of reading.

    Raises:
        DataError: it cannot be read, or the model knows no columns.
    """
    schema = network.card.schema
    if data != "-":
        loader = loader_for(network)
        return replace(loader, options=loader.options.replace(**given)).read(data, None, schema)
    if schema is None or not schema.inputs:
        raise DataError(f"{STANDARD_INPUT}: expected a file with arrays: the model knows no columns")
    (table,) = standard_input(None, schema.reading().replace(**given))
    return table
