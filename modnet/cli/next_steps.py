"""What `modnet` without a command shows: what to do next, depending on the files in the current folder."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence

from modnet.cli.output import tell

DATA = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".sqlite", ".db", ".xlsx")
SPECS = (".toml",)
MODELS = (".modnet",)

MOST_LOOKED_AT = 10_000
"""The number of entries of a folder whose kinds are checked."""

BEGINNING = 1 << 16
"""The number of bytes of a .toml file that are read to see whether it is a spec."""

PATHS = """\
modnet trains neural networks that a spec file describes.

I have a table
  modnet new-spec TABLE.csv --target COLUMN -o TABLE.toml
  modnet train TABLE.toml
  modnet predict TABLE.modnet NEW.csv

I write a plugin
  modnet new-plugin NAME
  modnet check-plugin modnet-NAME

I ship a model
  modnet inspect MODEL.modnet
  modnet verify MODEL.modnet
  modnet card MODEL.modnet -o README.md
"""


def show() -> None:
    """Shows the next commands for the files in the current folder, or else the three ways to begin."""
    blocks = list(_blocks(_newest_first()))
    text = "\n\n".join(blocks) if blocks else PATHS.rstrip()
    tell(f"{text}\n\nmodnet --help lists all commands")


def _newest_first() -> dict[str, list[str]]:
    """Kind ("data", "spec", "model") -> the names of such files in the current folder, the newest first."""
    found: dict[str, list[tuple[float, str]]] = {"data": [], "spec": [], "model": []}
    try:
        with os.scandir() as entries:
            for _, entry in zip(range(MOST_LOOKED_AT), entries, strict=False):
                kind = _kind(entry)
                if kind:
                    found[kind].append((-entry.stat().st_mtime, entry.name))
    except OSError:  # the folder cannot be read, or a file has gone meanwhile
        pass
    return {kind: [name for _, name in sorted(names)] for kind, names in found.items()}


def _kind(entry: os.DirEntry[str]) -> str:
    """What a file is for: "data", "spec", "model" or ""."""
    suffix = os.path.splitext(entry.name)[1].lower()
    if entry.name.startswith(".") or suffix not in (*DATA, *SPECS, *MODELS) or not entry.is_file():
        return ""
    if suffix in SPECS:
        with open(entry.path, "rb") as file:  # a pyproject.toml is none
            return "spec" if b"[network]" in file.read(BEGINNING) else ""
    return "data" if suffix in DATA else "model"


def _blocks(files: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The commands for the newest model, for the newest spec without a model, and else for the newest table."""
    models, specs, tables = files["model"], files["spec"], files["data"]
    if models:
        yield _of_model(models, next(iter(tables), "NEW.csv"))
    new = _without(specs, models)
    if new:
        yield _block(f"a spec: {new[0]}{_more(new)}", ["check", new[0]], ["train", new[0]])
    elif not models:
        for table in _without(tables, specs)[:1]:
            yield _of_table(table, tables)


def _without(names: Sequence[str], others: Sequence[str]) -> list[str]:
    """The files beside which none of the others has the same name, apart from its ending."""
    taken = {_stem(name) for name in others}
    return [name for name in names if _stem(name) not in taken]


def _of_model(models: Sequence[str], table: str) -> str:
    first = models[0]
    commands = (["predict", first, table], ["evaluate", first, table], ["inspect", first])
    return _block(f"a model: {first}{_more(models)}", *commands)


def _of_table(table: str, tables: Sequence[str]) -> str:
    spec = f"{_stem(table)}.toml"
    commands = (["new-spec", table], ["new-spec", table, "--target", "COLUMN", "-o", spec], ["train", spec])
    return _block(f"a table: {table}{_more(tables)}", *commands)


def _block(title: str, *commands: Sequence[str]) -> str:
    return "\n".join([f"here is {title}", *(f"  modnet {shlex.join(command)}" for command in commands)])


def _more(names: Sequence[str]) -> str:
    return f" (and {len(names) - 1:,} more)" if len(names) > 1 else ""


def _stem(name: str) -> str:
    return os.path.splitext(name)[0]
