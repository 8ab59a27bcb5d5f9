"""The body of `modnet inspect`."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby, islice
from operator import attrgetter
from typing import Any

import modnet
from modnet.cli.output import echo_json, room, tell
from modnet.data.column_schema import ColumnSchema
from modnet.data.schema import DataSchema
from modnet.errors import DataError, NotInstalled, PluginError
from modnet.kinds import KINDS
from modnet.kinds.figures import figure_text, figure_title
from modnet.model.container import NETWORK_GROUPS, VERSION, View
from modnet.model.figures import is_figures, unpacked
from modnet.model.header import RULES, Header
from modnet.model.needs import Need
from modnet.model.reader import HeaderOnly, opened, structure
from modnet.plugins.builtin import CORE
from modnet.plugins.distributions import installed_version, normalized
from modnet.plugins.registry import default_registry
from modnet.screen import short
from modnet.words import counted, listed, printable, readable_bytes, shape_text, show

INDENT, WIDTH = 16, 80
WIDEST_NAME = 44
"""The widest column for names; longer ones push the other columns of their line to the right."""

LEAST_NAME = 16
"""How wide the column for names is at least, also on a narrow terminal."""

LONGEST = 4000
"""How many characters of a text are shown after its label."""

MOST_BRANCHES = 10_000
"""How many nodes are drawn as a tree; the others, perhaps with names of hundreds of parts, are listed."""

LINES_AT_A_TIME = 500

MOST_RANGES = 12
"""The ranges of how many columns are shown."""

DIGITS = 12
"""How many digits of a fingerprint are shown."""

MOST_MAPS = 2
"""How many maps within a map are shown with what is in them."""

MOST_MISSING = 4
"""How many of the components that an installed version does not have are named."""


def run(model: str, as_json: bool) -> None:
    with opened(model) as file:
        found = structure(file)
        header = Header.of_file(file.path, found.header)
        figures = unpacked(file, header, found) if as_json else {}
    needs = [_status_of(need) for need in header.needs]
    if as_json:
        echo_json(_plain(model, header, found, needs, figures))
        return
    # Together they can be many times as long as the file.
    lines = map(printable, _lines(model, header, found, needs, room()))
    while some := list(islice(lines, LINES_AT_A_TIME)):
        tell("\n".join(some))


def _plain(
    model: str, header: Header, found: HeaderOnly, needs: list[dict[str, Any]], figures: Mapping[str, Any]
) -> dict[str, Any]:
    """The output of `--json`."""
    return {
        "file": model,
        "format": VERSION,
        "bytes": found.size,
        "id": found.id.hex(),
        **{key: header.values.get(key) for key in RULES if key != "training"},
        **figures,
        "needs": needs,
        "epochs": _epochs(header, found),
        "checkpoint": _checkpoint(header),
        "other": header.unknown(),
        "nodes": ({"name": node.name, "type": node.type} for node in header.stored_nodes()),
        "groups": [
            {"name": name, "dtype": views[0].dtype.name, "arrays": len(views), "bytes": sum(map(_nbytes, views))}
            for name, views in _groups(found).items()
        ],
        "arrays": (
            {
                "name": view.name,
                "group": view.group,
                "dtype": view.dtype.name,
                "shape": view.shape,
                "bytes": _nbytes(view),
            }
            for view in found.views
        ),
    }


# What the file needs, and what is installed here


def _status_of(need: Need) -> dict[str, Any]:
    """A row of `needs`, with the installed version (None if that has not all of it) and what to do."""
    distribution, version = need.distribution, need.version
    installed, missing = _installed(need)
    status = "installed" if installed is not None else _what_to_do(distribution, version)
    if installed is not None and missing:
        names = listed(missing, MOST_MISSING)
        status = f"installed, version {installed}, without {names}: {_command(distribution, version)}"
    return {
        "distribution": distribution,
        "version": version,
        "components": [component._asdict() for component in need.components],
        "installed": None if missing else installed,
        "missing": missing,
        "status": status,
    }


def _installed(need: Need) -> tuple[str | None, list[str]]:
    """The version of a distribution that is installed here, and which of the components it does not offer.

    A version of a component is compared where that needs no import of a plugin: for the core's own.
    """
    if not need.distribution:
        return None, []
    is_core = normalized(need.distribution) == CORE
    version = modnet.__version__ if is_core else ""
    missing = []
    for component in need.components:
        kind = KINDS.get(component.kind)
        try:
            if kind is None:
                raise PluginError
            entry = default_registry().entry(kind, f"{component.type}@{need.distribution}")
            version = version or entry.origin.version
            if is_core and component.version > entry.load().version:
                missing.append(f"version {component.version} of {kind.kind} {component.type}")
        except NotInstalled:
            return None, []
        except PluginError:
            missing.append(f"{component.kind} {component.type}")
    return version or installed_version(need.distribution) or None, missing


def _what_to_do(distribution: str, version: str) -> str:
    if not distribution:
        return "defined by the program that saved it (--plugin FILE)"
    if normalized(distribution) == CORE:
        return f"of a newer {CORE}: this is {modnet.__version__}"
    return f"not installed: {_command(distribution, version)}"


def _command(distribution: str, version: str) -> str:
    return f"pip install {distribution}" + (f"=={version}" if version else "")


def _epochs(header: Header, found: HeaderOnly) -> int:
    lengths = [len(column) for column in header.history.values() if isinstance(column, list)]
    lengths += [view.shape[0] for view in found.views if is_figures(view.group, "history") and view.shape]
    return lengths[0] if lengths else 0


def _checkpoint(header: Header) -> dict[str, int] | None:
    """The step and epoch at which the training would resume from this file."""
    return None if header.training is None else {key: header.training[key] for key in ("step", "epoch")}


def _groups(found: HeaderOnly) -> dict[str, list[View]]:
    """Group -> its arrays, of groups that have any."""
    return {name: list(views) for name, views in groupby(found.views, key=attrgetter("group"))}


def _nbytes(view: View) -> int:
    return math.prod(view.shape) * view.dtype.itemsize


# The screen


def _lines(
    model: str, header: Header, found: HeaderOnly, needs: list[dict[str, Any]], screen: int | None
) -> Iterator[str]:
    yield f"{model}   format {VERSION}   {readable_bytes(found.size)}   header intact"
    width = min(screen or WIDTH, WIDTH)
    for label, text in _entries_of(header, found, needs):
        yield from _labelled(label, text, width)
    yield from _tree(_groups(found), {node.name: node.type for node in header.stored_nodes()}, screen)


def _entries_of(header: Header, found: HeaderOnly, needs: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """What the header says: (label, text)."""
    yield "id", found.id.hex()
    if header.made_by:
        yield "made by", ", ".join(f"{name} {version}" for name, version in header.made_by.items())
    for index, need in enumerate(needs):
        yield "" if index else "needs", _need_text(need)
    yield from _schema_lines(header.schema)
    yield from _training_lines(header, found)
    yield from _kept_with_it(header)
    if header.features:
        what = ", ".join(header.features)
        yield "features", f"unknown to this version, which does not load the model: {what}"
    if header.unknown():
        yield "also", f"unknown to this version: {', '.join(header.unknown())}"
    for name, views in _groups(found).items():
        if name not in NETWORK_GROUPS:
            size = readable_bytes(sum(map(_nbytes, views)))
            yield "", f"{name}: {counted(len(views), 'array')}, {views[0].dtype.name}, {size}"


def _kept_with_it(header: Header) -> Iterator[tuple[str, str]]:
    """Results, metadata, and the fingerprints of the data."""
    for label, values in (("results", header.results), ("metadata", header.metadata)):
        for index, (key, value) in enumerate(_entries(values)):
            yield "" if index else label, f"{key} = {show(value)}"
    for index, (name, fingerprint) in enumerate(header.data.items()):
        what, _, digest = fingerprint.rpartition(" ")
        yield "" if index else "data", f"{name}: {what} {digest[:DIGITS]}"


def _entries(values: Mapping[str, Any], before: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The entries of a map; those of maps in it, down to some depth, by names such as `calibration.output.rows`."""
    for key, value in values.items():
        if isinstance(value, dict) and value and depth < MOST_MAPS:
            yield from _entries(value, f"{before}{key}.", depth + 1)
        else:
            yield f"{before}{key}", value


def _need_text(need: Mapping[str, Any]) -> str:
    components = ", ".join(f"{row['type']} {row['version']}" for row in need["components"])
    name = " ".join(filter(None, (need["distribution"], need["version"]))) or "a program's own"
    is_another = need["installed"] and need["installed"] != need["version"]
    status = f"installed, version {need['installed']}" if is_another else need["status"]
    return f"{name} ({components}): {status}"


def _labelled(label: str, text: str, width: int) -> Iterator[str]:
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]} ... ({len(text) - LONGEST:,} more characters)"
    if 0 < len(text) <= width - INDENT and text.isprintable():
        yield f"{label:<{INDENT}}{text}".rstrip()
        return
    if " " not in text and text.isprintable():  # an id stays whole
        yield from (label, text)
        return
    wrapped = textwrap.wrap(text, width - INDENT, break_long_words=False, break_on_hyphens=False) or [""]
    for index, line in enumerate(wrapped):
        yield f"{'' if index else label:<{INDENT}}{line}"


def _schema_lines(value: dict[str, Any] | None) -> Iterator[tuple[str, str]]:
    if value is None:
        return
    try:
        schema = DataSchema.from_plain(value)
    except DataError as error:
        yield "table", str(error)
        return
    for name, columns in schema.inputs.items():
        yield name, f"{counted(len(columns), 'column')}: {' '.join(column.name for column in columns)}"
    for name, columns in schema.targets.items():
        classes = columns[0].categories
        what = f"{columns[0].name}, {len(classes)} classes: {' '.join(classes)}" if classes else ""
        yield name, what or " ".join(column.name for column in columns)
    yield from _trust_lines(schema)


def _trust_lines(schema: DataSchema) -> Iterator[tuple[str, str]]:
    """The ranges of the columns in training, and the intervals of predictions."""
    columns = [column for columns in schema.inputs.values() for column in columns if column.lowest is not None]
    if columns:
        yield "ranges", listed([_range_text(column) for column in columns], MOST_RANGES)
    for column in (column for columns in schema.targets.values() for column in columns):
        if column.interval is not None:
            share = f"{column.interval.coverage:g} of rows, learnt from {column.interval.rows:,}"
            yield "intervals", f"{column.name}: {share}; {column.interval.describe(column.quantiles)}"


def _range_text(column: ColumnSchema) -> str:
    lowest, highest = column.range_texts()
    return f"{column.name} {lowest} to {highest}"


def _training_lines(header: Header, found: HeaderOnly) -> Iterator[tuple[str, str]]:
    epochs = _epochs(header, found)
    figures = header.metrics.items()
    texts = [f"{figure_title(n)} {figure_text(n, v)}" for n, v in figures if isinstance(v, int | float)]
    if epochs or texts:
        yield "trained", ", ".join([counted(epochs, "epoch")] * bool(epochs) + texts)
    place = _checkpoint(header)
    if place is not None:
        yield "checkpoint", f"step {place['step']:,} of epoch {place['epoch']:,}"


@dataclass(slots=True)
class _Branch:
    """A part of the tree: what has names with a common beginning."""

    branches: dict[str, _Branch] = field(default_factory=dict)
    arrays: list[tuple[str, View]] = field(default_factory=list)


def _branches(groups: Mapping[str, Sequence[View]], types: Mapping[str, str]) -> _Branch:
    root = _Branch({name: _Branch() for name in types})
    count = 0
    for view in chain.from_iterable(groups.get(group, ()) for group in NETWORK_GROUPS):
        branch = root
        *path, leaf = view.name.split(".")
        if count > MOST_BRANCHES:  # a file of megabytes can have names of millions of parts
            path, leaf = [], view.name
        for part in path:
            if part not in branch.branches:
                branch.branches[part] = _Branch()
                count += 1
            branch = branch.branches[part]
        branch.arrays.append((leaf, view))
    return root


def _branch_rows(branch: _Branch, types: Mapping[str, str], depth: int) -> Iterator[tuple[str, str, str, str, str]]:
    """Name, shape, dtype, size and remark of everything at and below a branch."""
    indent = "  " * depth
    for name, view in branch.arrays:
        remark = "state" if view.group == "state" else ""
        yield indent + name, shape_text(view.shape), view.dtype.name, readable_bytes(_nbytes(view)), remark
    for name, inner in branch.branches.items():
        yield indent + name, "" if depth else types.get(name, ""), "", "", ""
        yield from _branch_rows(inner, types, depth + 1)


def _room_for(names: int, others: int, screen: int | None) -> tuple[int, int, bool]:
    """How wide the names are, and the longest may be, and whether there is room for the types of numbers."""
    if screen is None:
        return names, LONGEST, True
    cut = max(min(names, screen - others), min(names, LEAST_NAME))
    return cut, cut, cut + others <= screen


def _tree(groups: Mapping[str, Sequence[View]], types: Mapping[str, str], screen: int | None) -> Iterator[str]:
    """The nodes in the order of the network, below each its arrays, and composites' nodes as branches."""
    rows = list(_branch_rows(_branches(groups, types), types, 0))
    names, shapes, dtypes, sizes = (
        max((len(row[column]) for row in rows if column == 0 or row[2]), default=0) for column in range(4)
    )
    others = shapes + dtypes + sizes + 9 + max((3 + len(row[4]) for row in rows if row[4]), default=0)
    names, longest, with_dtypes = _room_for(min(names, WIDEST_NAME), others, screen)
    if rows:
        yield ""
    for name, shape, dtype, size, remark in rows:
        dtype = f"   {dtype:<{dtypes}}" if with_dtypes else ""
        yield f"{short(name, longest):<{names}}   {shape:<{shapes}}{dtype}   {size:>{sizes}}   {remark}".rstrip()
