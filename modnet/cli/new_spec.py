"""The body of `modnet new-spec`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modnet.cli.failures import WRONG_INPUT
from modnet.cli.output import echo, quiet, room, tell
from modnet.cli.plugin_file import load_plugin_files
from modnet.data.column import Column
from modnet.data.files import read
from modnet.data.guess import Guess, guess_columns
from modnet.data.named_arrays import NamedArrays
from modnet.data.options import ReadOptions
from modnet.data.recipe import Effort
from modnet.data.source import is_address
from modnet.data.suggest import suggest_spec
from modnet.data.table import Table
from modnet.data.values import category_key
from modnet.datasets.read import foreign_reader
from modnet.errors import DataError, NotInstalled
from modnet.kinds.layer import Layer
from modnet.plugins.registry import default_registry
from modnet.screen import fitted
from modnet.words import counted, legible, printable

TARGETS = ("target", "label", "labels", "class", "y", "outcome", "species", "diagnosis", "survived", "price", "quality")
"""Usual names of what is to be predicted."""

MOST_COLUMNS, NAME, EXAMPLE = 40, 30, 20


def run(
    data: str,
    targets: tuple[str, ...],
    effort: Effort,
    output: str | None,
    reading: dict[str, Any],
    plugins: tuple[str, ...],
) -> int:
    load_plugin_files(plugins)
    if effort == "best":
        _require_tabular()
    table = _table(data, reading)
    targets = tuple(part for target in targets for part in _targets_of(target, table))
    if not targets:
        tell(_choice(table, ["modnet", "new-spec", data, *_as_typed(reading)], room(err=True)), err=True)
        return WRONG_INPUT
    to_screen = output is None or output == "-"
    path = Path() if output is None else Path(output)
    text = suggest_spec(table, targets, _place(data, Path() if to_screen else path.parent), reading, effort)
    if to_screen:
        echo(text, nl=False)
    else:
        _write(path, text)
        _tell(path, text, plugins)
    return 0


def _require_tabular() -> None:
    """Raises NotInstalled if the layers of "best" are not there."""
    if "realmlp" not in default_registry().names(Layer):
        raise NotInstalled(
            "--effort best uses the plugin modnet-tabular, which is not installed:  pip install modnet-tabular  "
            "(--effort good needs none)",
            "modnet-tabular",
        )


def _tell(path: Path, text: str, plugins: tuple[str, ...]) -> None:
    """Says where the spec is, what it assumes, and what to do next."""
    tell(path)
    if quiet():
        return
    for line in _assumed(text):
        tell(line)
    options = [word for file in plugins for word in ("--plugin", file)]
    tell(f"next: {shlex.join(['modnet', 'train', str(path), *options])}")


def _table(data: str, given: Mapping[str, Any]) -> Table:
    if data == "-":
        raise DataError("standard input: expected a file, as the spec names it; save the table to one")
    # Images of several sizes are no table either, and are not to be refused for their sizes.
    table = read(data, (foreign_reader(),), ReadOptions(**given, size=(1, 1)))
    if isinstance(table, NamedArrays) and "file" in table.arrays:
        what = "expected a table, found images; for these, write the spec by hand"
        raise DataError(f"{data}: {what}: the tutorial about images has one to begin with (docs/tutorials/images.md)")
    if not isinstance(table, Table):
        raise DataError(f"{data}: expected a table, found arrays; their meaning is not in the file")
    return table


def _targets_of(given: str, table: Table) -> list[str]:
    """The columns that one --target means: a,b are two, unless there is a column of that name."""
    parts = [part.strip() for part in given.split(",")]
    return parts if given not in table.columns and all(part in table.columns for part in parts) else [given]


def _place(data: str, folder: Path) -> str:
    """The place of the data as a spec in that folder has it."""
    if is_address(data):
        return data
    return Path(os.path.relpath(data, folder)).as_posix() if folder != Path() else Path(data).as_posix()


def _write(path: Path, text: str) -> None:
    file = path.open("x", encoding="utf-8")
    try:
        with file:
            file.write(text)
    except BaseException as error:
        path.unlink(missing_ok=True)  # otherwise an incomplete file would block the next attempt
        if isinstance(error, OSError):
            error.filename = str(path)
        raise


def _assumed(text: str) -> list[str]:
    """What the comments of a spec say: those at its beginning, and about columns that are left out."""
    lines: list[str] = []
    head = text.partition("\n\n")[0].splitlines()
    left_out = text[text.index("[data]") :].splitlines()
    for line in [*head, *_paragraph(left_out, "# left out: ")]:
        if line.startswith("#   ") and lines:
            lines[-1] += line[3:]
        elif line.startswith("#"):
            lines.append(line[2:])
    return [f"  {line}" for line in lines]


def _paragraph(lines: list[str], beginning: str) -> list[str]:
    """The comment that begins so, and the lines with which it goes on."""
    start = next((place for place, line in enumerate(lines) if line.startswith(beginning)), len(lines))
    end = start + 1
    while end < len(lines) and lines[end].startswith("#   "):
        end += 1
    return lines[start:end]


# Without a target


def _choice(table: Table, call: list[str], width: int | None) -> str:
    """What there is to predict, for who has not said it."""
    guesses = guess_columns(table)
    rows, examples = [["column", "kind"]], ["for example"]
    for name, found in list(guesses.items())[:MOST_COLUMNS]:
        rows.append([legible(name, NAME), _kind(found)])
        examples.append(_examples(table.columns[name], found))
    lines = [
        f"{printable(table.name)}: {counted(len(table), 'row')}, {counted(len(guesses), 'column')}; "
        "say with --target which of them to predict",
        "",
        *fitted(rows, 2, width, examples),
    ]
    if len(guesses) > MOST_COLUMNS:
        lines.append(f"... and {len(guesses) - MOST_COLUMNS:,} more columns")
    likely = _likely(guesses)
    if likely:
        lines += ["", f"perhaps: {shlex.join([*call, '--target', likely])}"]
    return "\n".join(lines)


def _kind(found: Guess) -> str:
    if found.left_out:
        return f"left out: {found.left_out}"
    texts = found.profile.different.as_texts().texts or () if found.kind == "category" else ()
    different = f" of {len(set(map(category_key, texts))):,}" if texts else ""
    return f"{found.kind}{different}" + (f", {found.profile.missing:,} missing" if found.profile.missing else "")


def _examples(column: Column, found: Guess) -> str:
    """The first values that are not all the same."""
    values = [column.text(row) for row in range(min(len(column), 50)) if not found.profile.gaps[row]]
    different: dict[str, str] = {}
    for value in values:
        different.setdefault(category_key(value), value)
    return ", ".join(legible(value, EXAMPLE) for value in list(different.values())[:3])


def _likely(guesses: Mapping[str, Guess]) -> str:
    """The column that is most probably the target: one of a usual name, or else the last, as in most tables."""
    usable = [name for name, found in guesses.items() if not found.left_out]
    usual = [name for name in usable if name.casefold() in TARGETS]
    return usual[-1] if usual else usable[-1] if usable else ""


def _as_typed(given: Mapping[str, Any]) -> list[str]:
    return [word for name, value in given.items() for word in (f"--{name}", str(value))]
