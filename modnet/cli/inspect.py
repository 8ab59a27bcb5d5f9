"""modnet inspect"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from modnet.cli.options import echo_json, json_option

if TYPE_CHECKING:
    from modnet.modelfile.reader import HeaderOnly

INDENT = 16


@click.command("inspect", short_help="Show what a model file says about itself.")
@click.argument("model", type=click.Path())
@json_option
def command(model: str, as_json: bool) -> None:
    """Show what is in a model file: who made it, what it needs and whether that is installed, its arrays.

    Only the header is read: no plugin is imported, no network is built, and the arrays' checksums are not compared.

    \b
    Example:
      modnet inspect digits.modnet

    \b
    JSON: {"file", "format", "bytes", "id", "made_by", "schema", "metrics",
           "epochs", "metadata",
           "arrays": [{"name", "group", "dtype", "shape"}],
           "needs": [{"distribution", "version", "components", "status"}]}
    """
    from modnet.modelfile.container import VERSION
    from modnet.modelfile.reader import read_header

    found = read_header(model)
    needs = [{**need, "status": _status(need)} for need in _rows(found.header.get("needs"))]
    if not as_json:
        click.echo("\n".join(_lines(model, found, needs)))
        return
    echo_json(
        {
            "file": model,
            "format": VERSION,
            "bytes": found.size,
            "id": found.id.hex(),
            "made_by": found.header.get("made_by"),
            "needs": needs,
            "schema": found.header.get("schema"),
            "metrics": found.header.get("metrics"),
            "epochs": _epochs(found.header),
            "metadata": found.header.get("metadata"),
            "arrays": [
                {"name": view.name, "group": view.group, "dtype": view.dtype.name, "shape": view.shape}
                for view in found.views
            ],
        }
    )


def _rows(value: Any) -> list[dict[str, Any]]:
    """A list of tables out of a file of which nothing is known."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _status(need: Mapping[str, Any]) -> str:
    """Whether what a file needs is here: "installed", or what to do."""
    import modnet
    from modnet.component import KINDS
    from modnet.errors import PluginError
    from modnet.registry import CORE, default_registry

    distribution, version = need.get("distribution", ""), need.get("version", "")
    if not distribution:
        return "not a plugin's: the program that saved it had defined it itself (--plugin FILE)"
    for component in _rows(need.get("components")):
        try:
            kind = KINDS[component.get("kind", "")]
            default_registry().entry(kind, f"{component.get('type')}@{distribution}")
        except (PluginError, KeyError):
            if distribution == CORE:
                return f"of a newer {CORE}: this is {modnet.__version__}"
            return f"not installed: pip install {distribution}=={version}"
    return "installed"


def _lines(model: str, found: HeaderOnly, needs: list[dict[str, Any]]) -> Iterator[str]:
    from modnet.modelfile.container import VERSION
    from modnet.summary import readable_bytes, shape_text

    header = found.header
    yield f"{model}   format {VERSION}   {readable_bytes(found.size)}   header complete and unchanged"
    made_by = header.get("made_by")
    if isinstance(made_by, dict):
        yield _labelled("made by", ", ".join(f"{name} {version}" for name, version in made_by.items()))
    for index, need in enumerate(needs):
        components = ", ".join(f"{row.get('type')} {row.get('version')}" for row in _rows(need.get("components")))
        name = " ".join(filter(None, (need.get("distribution"), need.get("version")))) or "a program's own"
        yield _labelled("" if index else "needs", f"{name} ({components}): {need['status']}")
    yield from _schema_lines(header.get("schema"))
    yield from _training_lines(header)
    metadata = header.get("metadata")
    if metadata:
        yield _labelled("metadata", ", ".join(map(str, metadata)))
    table = [(v.name, shape_text(v.shape), v.dtype.name, _nbytes(v)) for v in found.views]
    widths = [max((len(row[column]) for row in table), default=0) for column in range(4)]
    for name, shape, dtype, size in table:
        yield f"{name:<{widths[0]}}   {shape:<{widths[1]}}   {dtype:<{widths[2]}}   {size:>{widths[3]}}"


def _nbytes(view: Any) -> str:
    import math

    from modnet.summary import readable_bytes

    return readable_bytes(math.prod(view.shape) * view.dtype.itemsize)


def _labelled(label: str, text: str) -> str:
    wrapped = textwrap.wrap(text, 80 - INDENT, break_long_words=False, break_on_hyphens=False) or [""]
    return "\n".join(f"{'' if index else label:<{INDENT}}{line}" for index, line in enumerate(wrapped))


def _schema_lines(value: Any) -> Iterator[str]:
    from modnet.data.schema import DataSchema
    from modnet.errors import DataError

    if value is None:
        return
    try:
        schema = DataSchema.from_plain(value)
    except DataError as error:
        yield _labelled("table", str(error))
        return
    for name, columns in schema.inputs.items():
        yield _labelled(name, f"{len(columns)} columns: {' '.join(column.name for column in columns)}")
    for name, columns in schema.targets.items():
        classes = columns[0].categories
        what = f"{columns[0].name}, {len(classes)} classes: {' '.join(classes)}" if classes else ""
        yield _labelled(name, what or " ".join(column.name for column in columns))


def _epochs(header: Mapping[str, Any]) -> int:
    history = header.get("history")
    columns = list(history.values()) if isinstance(history, dict) else []
    return len(columns[0]) if columns and isinstance(columns[0], list) else 0


def _training_lines(header: Mapping[str, Any]) -> Iterator[str]:
    from modnet.training.progress import figure_text, figure_title

    epochs = _epochs(header)
    if not epochs:
        return
    metrics = header.get("metrics")
    figures = metrics if isinstance(metrics, dict) else {}
    texts = [f"{figure_title(n)} {figure_text(n, v)}" for n, v in figures.items() if isinstance(v, int | float)]
    yield _labelled("trained", ", ".join([f"{epochs} epoch{'' if epochs == 1 else 's'}", *texts]))
