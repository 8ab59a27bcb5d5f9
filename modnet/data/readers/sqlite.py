"""Tables from SQLite databases: one of their tables, or what a query gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from modnet.data.column import Column
from modnet.data.options import ReadOptions
from modnet.data.source import Source
from modnet.data.table import Table, shorten
from modnet.errors import DataError
from modnet.words import did_you_mean, legible, show

if TYPE_CHECKING:
    import sqlite3

MARK = b"SQLite format 3\0"
"""The first bytes of a database."""

BLOCK = 10_000

TABLES = (
    "select name, type from sqlite_master where type in ('table', 'view') and name not like 'sqlite\\_%' escape '\\'"
)


def read_sqlite(source: Source, options: ReadOptions) -> Table:
    """The table of a SQLite database: what `options.query` asks for, or its only table.

    NULL is a missing value. The database is opened read-only.

    Args:
        options: `query` is a SELECT, or the name of a table or view.

    Raises:
        DataError: it is no database; it holds several tables and there is no query; the query is not valid; or a value
            is a blob.
    """
    return Table.joined(list(sqlite_blocks(source, options, BLOCK)))


def sqlite_blocks(source: Source, options: ReadOptions, rows: int) -> Iterator[Table]:
    """As `read_sqlite`, some rows at a time; at least one block, which may be empty."""
    import sqlite3  # a separate library for one kind of file, which not every Python has

    label = source.label
    if source.begin(len(MARK)) != MARK:
        raise DataError(f"{label}: not a SQLite database, or a truncated one")
    try:
        connection = _connected(source)
        try:
            cursor = connection.execute(_query(connection, options.query, label))
            yield from _fetched(cursor, label, rows)
        finally:
            connection.close()
    except (sqlite3.Error, sqlite3.Warning, UnicodeError) as error:
        asked = f"query {show(options.query)}: " if options.query else ""
        raise DataError(f"{label}: {asked}{legible(str(error), 300)}") from error


def _connected(source: Source) -> sqlite3.Connection:
    import sqlite3  # as above

    connection = sqlite3.connect(f"{source.path.absolute().as_uri()}?mode=ro", uri=True)
    connection.execute("pragma query_only = on")
    connection.execute("pragma trusted_schema = off")  # a stranger's views and triggers call no functions of effect
    return connection


def _query(connection: sqlite3.Connection, query: str | None, label: str) -> str:
    found = dict(connection.execute(TABLES).fetchall())
    if query is None:
        return _all_of(_only_table(found, label))
    if query in found:
        return _all_of(query)
    if len(query.split()) < 2:
        near = did_you_mean(query, found) or f"; it has {shorten(found) or 'none'}"
        raise DataError(f"{label}: no table {show(query)}{near}")
    return query


def _only_table(found: Mapping[str, str], label: str) -> str:
    """Args: found: name -> "table" or "view"."""
    names = [name for name, kind in found.items() if kind == "table"] or list(found)
    if not names:
        raise DataError(f"{label}: a database without tables")
    if len(names) > 1:
        raise DataError(
            f"{label}: holds several tables: {shorten(found)}; name one of them, {label}/{names[0]}, or ask by SQL for "
            'what you want: query = "select ..." in the [data] of a spec'
        )
    return names[0]


def _all_of(table: str) -> str:
    quoted = table.replace('"', '""')
    return f'select * from "{quoted}"'


def _fetched(cursor: sqlite3.Cursor, label: str, rows: int) -> Iterator[Table]:
    if cursor.description is None:
        raise DataError(f"{label}: the query gives no rows; expected a SELECT")
    names = [str(column[0]) for column in cursor.description]
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise DataError(f"{label}: two columns are both called {show(twice)}; rename one in the query: ... AS ...")
    fetched, block = False, cursor.fetchmany(rows)
    while block or not fetched:
        fetched = True
        columns = zip(*block, strict=True) if block else [()] * len(names)
        yield Table({name: _column(values, name, label) for name, values in zip(names, columns, strict=True)}, label)
        block = cursor.fetchmany(rows)


def _column(values: tuple[Any, ...], name: str, label: str) -> Column:
    if bytes in set(map(type, values)):
        row = next(row for row, value in enumerate(values) if type(value) is bytes)
        raise DataError(
            f"{label}: row {row + 1}, column {legible(name)}: found {len(values[row]):,} bytes (a blob); expected a "
            "number or a text: leave the column out by a query"
        )
    return Column.of(values, name)
