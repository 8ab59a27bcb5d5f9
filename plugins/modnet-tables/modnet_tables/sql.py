"""Databases by their addresses, by SQLAlchemy."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy

import modnet
from modnet.data.column import Column
from modnet.data.options import ReadOptions
from modnet.data.source import without_password
from modnet.data.table import Table
from modnet.words import did_you_mean, legible, listed, show

BATCH = 10_000
"""Rows that are fetched at once."""


def read(url: str, options: ReadOptions) -> Iterator[Table]:
    """What the database gives for `options.query`, or a table of it, some rows at a time.

    The table is the only one, or the one that follows the address after "#".

    `$NAME` and `${NAME}` in the address stand for variables of the environment, so that no password need be in a spec.

    Raises:
        DataError: nothing answers there, or the query is not valid.
    """
    label = without_password(url)
    url, _, table = url.partition("#")
    query = table or options.query
    try:
        address = sqlalchemy.make_url(os.path.expandvars(url))
        engine = sqlalchemy.create_engine(address)
    except ImportError as error:
        needs = f"needs {error.name}, which is not installed:  pip install {error.name}"
        raise modnet.DataError(f"{label}: {needs}") from error
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise modnet.DataError(f"{label}: {_text(error)}") from error
    try:
        with engine.connect().execution_options(stream_results=True) as connection:
            yield from _tables(connection.execute(_query(connection, query, label)), label)
    except sqlalchemy.exc.SQLAlchemyError as error:
        asked = f"query {show(query)}: " if query else ""
        raise modnet.DataError(f"{label}: {asked}{_text(error)}") from error
    finally:
        engine.dispose()


def _text(error: Exception) -> str:
    """The message of the database, without SQLAlchemy's words about it."""
    return " ".join(str(getattr(error, "orig", None) or error).split())[:300]


def _query(connection: sqlalchemy.Connection, query: str | None, label: str) -> sqlalchemy.Executable:
    if query is not None and len(query.split()) > 1:
        return sqlalchemy.text(query)
    looked = sqlalchemy.inspect(connection)
    tables = looked.get_table_names()
    names = [*tables, *looked.get_view_names()]
    if not names:
        raise modnet.DataError(f"{label}: a database without tables")
    if query is None and len(tables or names) > 1:
        advice = f"name one of them, {label}#{names[0]}, or set data.query"
        raise modnet.DataError(f"{label}: holds several tables: {listed(names, 12)}; {advice}")
    wanted = names[0] if query is None else query
    if wanted not in names:
        near = did_you_mean(wanted, names) or f"; it has {listed(names, 12)}"
        raise modnet.DataError(f"{label}: no table {show(wanted)}{near}")
    return sqlalchemy.select(sqlalchemy.text("*")).select_from(sqlalchemy.table(wanted))


def _tables(result: Any, label: str) -> Iterator[Table]:
    if not result.returns_rows:
        raise modnet.DataError(f"{label}: the query gives no rows; expected a SELECT")
    names = list(result.keys())
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise modnet.DataError(f"{label}: two columns are both called {show(twice)}; rename one: ... AS ...")
    first = True
    for rows in result.partitions(BATCH):
        first = False
        columns = zip(names, zip(*rows, strict=True), strict=True)
        yield Table({name: _column(values, name, label) for name, values in columns}, label)
    if first:
        yield Table({name: Column.of([], name) for name in names}, label)


def _column(values: Sequence[Any], name: str, label: str) -> Column:
    if not {bytes, memoryview}.isdisjoint(map(type, values)):
        raise modnet.DataError(f"{label}: column {legible(name)}: found bytes; leave the column out by a query")
    try:
        return Column.of(values, name)
    except modnet.DataError as error:
        raise modnet.DataError(f"{label}: {error}; leave the column out, or convert it, by a query") from error
