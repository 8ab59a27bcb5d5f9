"""modnet new-spec"""

from __future__ import annotations

import click

from modnet.cli.output import echo


@click.command("new-spec", short_help="Write a first spec for a table.")
@click.argument("data", type=click.Path())
@click.option(
    "--target", "targets", multiple=True, required=True, metavar="COLUMN", help="What to predict. Several for numbers."
)
@click.option("-o", "--output", metavar="FILE", type=click.Path(), help="Where to; by default the screen.")
def command(data: str, targets: tuple[str, ...], output: str | None) -> None:
    """Look at a .csv or .tsv table and write a spec that predicts the target from the other columns.

    The spec is meant to be read and changed; it says why it is as it is. An existing file is not overwritten.

    \b
    Example:
      modnet new-spec penguins.csv --target species -o penguins.toml
    """
    import os
    import shlex
    from pathlib import Path

    from modnet.cli.job import read_foreign
    from modnet.data.files import read
    from modnet.data.suggest import suggest_spec
    from modnet.data.table import Table
    from modnet.errors import DataError

    table = read(data, (read_foreign,))
    if not isinstance(table, Table):
        raise DataError(f"{data}: expected a table (.csv, .tsv), found arrays; their meaning is not in the file")
    if output is None or output == "-":
        echo(suggest_spec(table, targets, Path(data).as_posix()), nl=False)
        return
    path = Path(output)
    relative = os.path.relpath(data, path.parent)
    text = suggest_spec(table, targets, Path(relative).as_posix())
    file = path.open("x", encoding="utf-8")
    try:
        with file:
            file.write(text)
    except BaseException as error:
        path.unlink(missing_ok=True)  # a part of a spec would be in the way of the next attempt
        if isinstance(error, OSError):
            error.filename = str(path)
        raise
    echo(f"{path}\nnext: {shlex.join(['modnet', 'train', str(path)])}")
