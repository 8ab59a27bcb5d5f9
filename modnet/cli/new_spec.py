"""The body of `modnet new-spec`."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from modnet.cli.output import echo
from modnet.cli.plugin_file import load_plugin_files
from modnet.data.files import read
from modnet.data.source import is_address
from modnet.data.suggest import suggest_spec
from modnet.data.table import Table
from modnet.datasets.read import foreign_reader
from modnet.errors import DataError


def _written(data: str, folder: Path = Path()) -> str:
    """The place of the data as a spec in this folder writes it."""
    return data if is_address(data) else Path(os.path.relpath(data, folder) if folder.parts else data).as_posix()


def run(data: str, targets: tuple[str, ...], output: str | None, plugins: tuple[str, ...]) -> None:
    load_plugin_files(plugins)
    table = read(data, (foreign_reader(),))
    if not isinstance(table, Table):
        raise DataError(f"{data}: expected a table, found arrays; their meaning is not in the file")
    if output is None or output == "-":
        echo(suggest_spec(table, targets, _written(data)), nl=False)
        return
    path = Path(output)
    text = suggest_spec(table, targets, _written(data, path.parent))
    file = path.open("x", encoding="utf-8")
    try:
        with file:
            file.write(text)
    except BaseException as error:
        path.unlink(missing_ok=True)  # otherwise an incomplete file would block the next attempt
        if isinstance(error, OSError):
            error.filename = str(path)
        raise
    options = [word for file in plugins for word in ("--plugin", file)]
    echo(f"{path}\nnext: {shlex.join(['modnet', 'train', str(path), *options])}")
