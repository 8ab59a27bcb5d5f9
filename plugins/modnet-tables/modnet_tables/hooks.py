"""What modnet asks for files that it does not know: which module reads or writes them, by their names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import modnet
from modnet.data.options import ReadOptions
from modnet.data.table import Table


class Kind(NamedTuple):
    """A kind of files.

    Attributes:
        endings: of their names.
        module: the one that reads them, by `read(path, options)`.
        library: what it imports.
        extra: what installs the library.
    """

    endings: tuple[str, ...]
    module: str
    library: str
    extra: str

    def imported(self, purpose: str) -> Any:
        """The module. Raises MissingExtra."""
        try:
            return import_module(f"modnet_tables.{self.module}")
        except ImportError as error:
            raise modnet.MissingExtra(self.library, "modnet-tables", extra=self.extra, purpose=purpose) from error


ARROW = Kind((".parquet", ".pq", ".feather", ".arrow", ".arrows", ".ipc"), "arrow", "pyarrow", "parquet")
EXCEL = Kind((".xlsx", ".xlsm"), "excel", "openpyxl", "excel")
SPREADSHEETS = Kind((".xls", ".xlsb", ".ods"), "spreadsheets", "python-calamine", "spreadsheets")
IMAGES = Kind((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"), "images", "Pillow", "images")
SQL = Kind((), "sql", "SQLAlchemy", "sql")

PARQUET = (".parquet", ".pq")
"""The endings of what is written some rows at a time."""

NOT_DATABASES = ("http", "https", "ftp", "file", "s3", "gs", "az", "abfs")
"""The addresses of files."""


def kind_of(path: Path) -> Kind | None:
    """Which kind of files this is, by its name; of a folder, by the names of what is in it."""
    if path.is_dir():
        return _kind_of_folder(path)
    return next((kind for kind in (ARROW, EXCEL, SPREADSHEETS, IMAGES) if _ends(path, kind.endings)), None)


def _kind_of_folder(folder: Path) -> Kind | None:
    inside = sorted(folder.iterdir())
    hive = (part for path in inside if "=" in path.name for part in path.rglob("*"))
    if _any_ends(inside, ARROW.endings) or _any_ends(hive, ARROW.endings):
        return ARROW
    below = (path for part in inside if part.is_dir() for path in part.iterdir())
    return IMAGES if _any_ends([*inside, *below], IMAGES.endings) else None


def _any_ends(paths: Iterable[Path], endings: tuple[str, ...]) -> bool:
    return any(_ends(path, endings) for path in paths)


def _ends(path: Path, endings: tuple[str, ...]) -> bool:
    return path.name.lower().endswith(endings)


@modnet.hookimpl
def modnet_read_data(path: Path, options: ReadOptions) -> Any:
    """A table in parts, or arrays of images: those of a folder, or a single one."""
    kind = kind_of(path)
    return None if kind is None else kind.imported(f"reading {path.name}").read(path, options)


@modnet.hookimpl
def modnet_read_url(url: str, options: ReadOptions) -> Any:
    """A table in parts, from a database."""
    scheme = url.partition("://")[0].lower()
    if scheme in NOT_DATABASES:
        return None
    return SQL.imported(f"reading from {scheme}").read(url, options)


@modnet.hookimpl
def modnet_write_data(table: Table, path: Path) -> bool | None:
    """Writes Parquet, Feather, Arrow and .xlsx."""
    kind = next((kind for kind in (ARROW, EXCEL) if _ends(path, kind.endings)), None)
    if kind is None:
        return None
    kind.imported(f"writing {path.name}").write(table, path)
    return True


@modnet.hookimpl
def modnet_write_blocks(tables: Iterator[Table], path: Path) -> bool | None:
    """Writes Parquet, some rows at a time."""
    if not _ends(path, PARQUET):
        return None
    ARROW.imported(f"writing {path.name}").write_parquet(tables, path)
    return True
