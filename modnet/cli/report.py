"""The body of `modnet report`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from modnet.assessment.report.page import require_page
from modnet.assessment.report.report import report
from modnet.cli.explain import rows_in
from modnet.cli.output import say, tell
from modnet.cli.places import check_place
from modnet.cli.plugin_file import load_plugin_files
from modnet.model.load import load
from modnet.words import readable_bytes


def run(
    model: str,
    data: str | None,
    output: str | None,
    repeats: int,
    seed: int,
    plugins: tuple[str, ...],
    reading: dict[str, Any],
) -> None:
    load_plugin_files(plugins)
    if data is None and reading:
        raise click.UsageError("options of reading are for DATA, which is not given")
    require_page()
    path = _path(model, output)
    network = load(model)
    rows = None if data is None else rows_in(network, data, reading)
    found = report(network, rows, model=model, repeats=repeats, seed=seed)
    found.save(path)
    say(found.notes)
    tell(f"{path}  {readable_bytes(path.stat().st_size)}")
    if data is None:
        say([f"without rows it cannot say how good the model is: modnet report {model} TEST.csv"])


def _path(model: str, output: str | None) -> Path:
    """The file to write.

    Raises:
        UsageError: it does not end with .html, and may be another file.
        ModnetError: it cannot be written there.
    """
    path = Path(model).with_suffix(".html") if output is None else Path(output)
    if path.suffix.lower() not in (".html", ".htm"):
        raise click.UsageError(f"-o {path}: a report is a file .html")
    check_place(path)
    return path
