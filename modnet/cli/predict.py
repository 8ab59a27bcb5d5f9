"""The body of `modnet predict`."""

from __future__ import annotations

from typing import Any

import click

from modnet.cli.forms import form_of
from modnet.cli.output import say
from modnet.cli.plugin_file import load_plugin_files
from modnet.cli.predicted import Faults
from modnet.cli.prediction import Prediction, check_not_input
from modnet.errors import DataError
from modnet.model.load import load
from modnet.words import counted


def run(
    model: str,
    data: str,
    output: str,
    plugins: tuple[str, ...],
    keep: tuple[str, ...],
    keep_all: bool,
    chunk: int | None,
    thresholds: tuple[str, ...],
    engine: str | None,
    faults: Faults,
    as_json: bool,
    scheduler: str | None,
    resume: bool,
    reading: dict[str, Any],
) -> int:
    load_plugin_files(plugins)
    how = Prediction(None if keep_all else keep, chunk, thresholds, engine, faults, reading, plugins)
    if scheduler is not None:
        from modnet.cli.predict_parts import run_parts  # not at the top: it imports what trainings need

        return run_parts(model, data, output, how, scheduler, resume, as_json)
    if resume:
        raise click.UsageError("--resume goes on with a table in parts, by --scheduler ADDRESS")
    form = form_of(output, as_json)
    if output != "-":
        check_not_input(output, model=model, data=data)
    account, notes = how.write(load(model, engine=engine), data, output, form)
    say([*notes, *account.texts()])
    if account.lost and account.lost == account.rows:
        raise DataError(f"{_named(data)}: no prediction could be made for any of its {counted(account.rows, 'row')}")
    return 0


def _named(data: str) -> str:
    return "standard input" if data == "-" else data
