"""The body of `modnet inspect`."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from modnet.cli.output import echo, echo_json
from modnet.words import printable

if TYPE_CHECKING:
    from modnet.model.container import View
    from modnet.model.reader import HeaderOnly

INDENT, WIDTH = 16, 80
WIDEST_NAME = 44
"""Longer names of arrays push what stands beside them to the right."""

LONGEST = 4000
"""Characters that stand behind a label; of a longer text this much is shown."""

MOST_BRANCHES = 10_000
"""So many nodes are drawn as a tree. What comes beyond them, under a name of hundreds of parts perhaps, is listed."""

LINES_AT_A_TIME = 500

MOST_MISSING = 4
"""Of the components that an installed version does not offer so many are named."""

KNOWN = ("features", "made_by", "needs", "spec", "schema", "history", "metrics", "metadata", "training")
"""The header keys that modnet itself writes."""


def run(model: str, as_json: bool) -> None:
    from modnet.model.container import VERSION
    from modnet.model.figures import read_figures
    from modnet.model.reader import read_header

    found, figures = read_figures(model) if as_json else (read_header(model), {})
    header = found.header
    needs = [_need(row) for row in _rows(header.get("needs"))]
    if not as_json:
        lines = map(printable, _lines(model, found, needs))  # together they can be many times as long as the file
        while some := list(islice(lines, LINES_AT_A_TIME)):
            echo("\n".join(some))
        return
    echo_json(
        {
            "file": model,
            "format": VERSION,
            "bytes": found.size,
            "id": found.id.hex(),
            "made_by": header.get("made_by"),
            "needs": needs,
            "features": header.get("features"),
            "spec": header.get("spec"),
            "schema": header.get("schema"),
            **figures,
            "epochs": _epochs(found),
            "metadata": header.get("metadata"),
            "checkpoint": _checkpoint(header),
            "other": {key: value for key, value in header.items() if key not in KNOWN},
            "nodes": ({"name": name, "type": kind} for name, kind in _nodes(header, found.size).items()),
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
    )


def listed(names: Sequence[str], most: int) -> str:
    """The first so many names, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


# What the header says, of which nothing is known


def _rows(value: Any) -> list[dict[str, Any]]:
    """A list of tables."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _need(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `needs`, with the installed version (None where that has not all of it) and what to do."""
    distribution, version = _text(row.get("distribution")), _text(row.get("version"))
    components = _rows(row.get("components"))
    installed, missing = _installed(distribution, components)
    status = "installed" if installed is not None else _what_to_do(distribution, version)
    if installed is not None and missing:
        names = listed(missing, MOST_MISSING)
        status = f"installed, version {installed}, without {names}: {_command(distribution, version)}"
    return {
        "distribution": distribution,
        "version": version,
        "components": components,
        "installed": None if missing else installed,
        "missing": missing,
        "status": status,
    }


def _installed(distribution: str, components: Iterable[Mapping[str, Any]]) -> tuple[str | None, list[str]]:
    """The version of a distribution that is installed here, and which of the components it does not offer.

    A version of a component is compared where that needs no import of a plugin: for the core's own.
    """
    import modnet
    from modnet.errors import NotInstalled, PluginError
    from modnet.kinds import KINDS
    from modnet.plugins.builtin import CORE
    from modnet.plugins.distributions import normalized
    from modnet.plugins.registry import default_registry

    if not distribution:
        return None, []
    is_core = normalized(distribution) == CORE
    version = modnet.__version__ if is_core else ""
    missing = []
    for component in components:
        kind, name = KINDS.get(_text(component.get("kind"))), _text(component.get("type"))
        number = component.get("version")
        try:
            if kind is None:
                raise PluginError
            entry = default_registry().entry(kind, f"{name}@{distribution}")
            version = version or entry.origin.version
            newer = is_core and isinstance(number, int) and number > entry.load().version
            if newer:
                missing.append(f"version {number} of {kind.kind} {name}")
        except NotInstalled:
            return None, []
        except PluginError:
            missing.append(f"{_text(component.get('kind'))} {name}")
    return version or _version(distribution), missing


def _version(distribution: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _what_to_do(distribution: str, version: str) -> str:
    import modnet
    from modnet.plugins.builtin import CORE
    from modnet.plugins.distributions import normalized

    if not distribution:
        return "not a plugin's: the program that saved it had defined it itself (--plugin FILE)"
    if normalized(distribution) == CORE:
        return f"of a newer {CORE}: this is {modnet.__version__}"
    return f"not installed: {_command(distribution, version)}"


def _command(distribution: str, version: str) -> str:
    return f"pip install {distribution}" + (f"=={version}" if version else "")


def _epochs(found: HeaderOnly) -> int:
    from modnet.model.figures import is_figures

    history = found.header.get("history")
    columns = list(history.values()) if isinstance(history, dict) else []
    lengths = [len(column) for column in columns if isinstance(column, list)]
    lengths += [view.shape[0] for view in found.views if is_figures(view.group, "history") and view.shape]
    return lengths[0] if lengths else 0


def _checkpoint(header: Mapping[str, Any]) -> dict[str, int] | None:
    """How far the training was that goes on from this file."""
    training = header.get("training")
    if not isinstance(training, dict):
        return None
    place = {key: training[key] for key in ("step", "epoch") if type(training.get(key)) is int}
    return place if len(place) == 2 else None


def _nodes(header: Mapping[str, Any], size: int) -> dict[str, str]:
    """Name -> type of the nodes, as far as a file tells that without its plugins."""
    from modnet.model.container import Fault
    from modnet.model.edit import stored_nodes

    try:
        return {node.name: node.type for node in stored_nodes(header, size)}
    except Fault:
        return {}


def _groups(found: HeaderOnly) -> dict[str, list[View]]:
    """Group -> its arrays, of groups that have any."""
    return {name: list(views) for name, views in groupby(found.views, key=attrgetter("group"))}


def _nbytes(view: View) -> int:
    return math.prod(view.shape) * view.dtype.itemsize


# The screen


def _lines(model: str, found: HeaderOnly, needs: list[dict[str, Any]]) -> Iterator[str]:
    from modnet.model.container import NETWORK_GROUPS, VERSION
    from modnet.words import readable_bytes

    header = found.header
    yield f"{model}   format {VERSION}   {readable_bytes(found.size)}   header complete and unchanged"
    made_by = header.get("made_by")
    if isinstance(made_by, dict):
        yield from _labelled("made by", ", ".join(f"{name} {version}" for name, version in made_by.items()))
    for index, need in enumerate(needs):
        components = ", ".join(f"{row.get('type')} {row.get('version')}" for row in need["components"])
        name = " ".join(filter(None, (need["distribution"], need["version"]))) or "a program's own"
        status = need["status"]
        if need["installed"] and need["installed"] != need["version"]:
            status = f"installed, version {need['installed']}"
        yield from _labelled("" if index else "needs", f"{name} ({components}): {status}")
    yield from _schema_lines(header.get("schema"))
    yield from _training_lines(found)
    metadata = header.get("metadata")
    for index, (key, value) in enumerate(metadata.items() if isinstance(metadata, dict) else ()):
        yield from _labelled("" if index else "metadata", f"{key} = {_shown(value)}")
    features = header.get("features")
    if features:
        what = ", ".join(map(str, features)) if isinstance(features, list) else _shown(features)
        yield from _labelled("features", f"unknown to this version, which does not load the model: {what}")
    other = [key for key in header if key not in KNOWN]
    if other:
        yield from _labelled("also", f"unknown to this version: {', '.join(other)}")
    groups = _groups(found)
    for name, views in groups.items():
        if name not in NETWORK_GROUPS:
            size = readable_bytes(sum(map(_nbytes, views)))
            yield from _labelled("", f"{name}: {counted(len(views), 'array')}, {views[0].dtype.name}, {size}")
    yield from _tree(groups, _nodes(header, found.size))


def _shown(value: Any) -> str:
    from modnet.words import show

    return show(value)


def _labelled(label: str, text: str) -> Iterator[str]:
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]} ... ({len(text) - LONGEST:,} more characters)"
    if 0 < len(text) <= WIDTH - INDENT and text.isprintable():
        yield f"{label:<{INDENT}}{text}".rstrip()
        return
    wrapped = textwrap.wrap(text, WIDTH - INDENT, break_long_words=False, break_on_hyphens=False) or [""]
    for index, line in enumerate(wrapped):
        yield f"{'' if index else label:<{INDENT}}{line}"


def _schema_lines(value: Any) -> Iterator[str]:
    from modnet.data.schema import DataSchema
    from modnet.errors import DataError

    if value is None:
        return
    try:
        schema = DataSchema.from_plain(value)
    except DataError as error:
        yield from _labelled("table", str(error))
        return
    for name, columns in schema.inputs.items():
        yield from _labelled(name, f"{counted(len(columns), 'column')}: {' '.join(column.name for column in columns)}")
    for name, columns in schema.targets.items():
        classes = columns[0].categories
        what = f"{columns[0].name}, {len(classes)} classes: {' '.join(classes)}" if classes else ""
        yield from _labelled(name, what or " ".join(column.name for column in columns))


def _training_lines(found: HeaderOnly) -> Iterator[str]:
    from modnet.training.progress import figure_text, figure_title

    header = found.header
    epochs = _epochs(found)
    metrics = header.get("metrics")
    figures = metrics if isinstance(metrics, dict) else {}
    texts = [f"{figure_title(n)} {figure_text(n, v)}" for n, v in figures.items() if isinstance(v, int | float)]
    if epochs or texts:
        yield from _labelled("trained", ", ".join([counted(epochs, "epoch")] * bool(epochs) + texts))
    place = _checkpoint(header)
    if place is not None:
        yield from _labelled("checkpoint", f"step {place['step']:,} of epoch {place['epoch']:,}")
    elif "training" in header:
        yield from _labelled("checkpoint", "of a training; how far it was is not told")


@dataclass(slots=True)
class _Branch:
    """What names with a common beginning stand for."""

    branches: dict[str, _Branch] = field(default_factory=dict)
    arrays: list[tuple[str, View]] = field(default_factory=list)


def _tree(groups: Mapping[str, Sequence[View]], types: Mapping[str, str]) -> Iterator[str]:
    """The nodes in the order of the network, below each its arrays, and composites' nodes as branches."""
    from modnet.model.container import NETWORK_GROUPS
    from modnet.words import readable_bytes, shape_text

    root = _Branch({name: _Branch() for name in types})
    count = 0
    for group in NETWORK_GROUPS:
        for view in groups.get(group, ()):
            branch = root
            *path, leaf = view.name.split(".")
            if count > MOST_BRANCHES:
                path, leaf = [], view.name
            for part in path:
                if part not in branch.branches:
                    branch.branches[part] = _Branch()
                    count += 1
                branch = branch.branches[part]
            branch.arrays.append((leaf, view))
    rows: list[tuple[str, str, str, str, str]] = []

    def add(branch: _Branch, depth: int) -> None:
        indent = "  " * depth
        for name, view in branch.arrays:
            remark = "state" if view.group == "state" else ""
            size = readable_bytes(_nbytes(view))
            rows.append((indent + name, shape_text(view.shape), view.dtype.name, size, remark))
        for name, inner in branch.branches.items():
            rows.append((indent + name, "" if depth else types.get(name, ""), "", "", ""))
            add(inner, depth + 1)

    add(root, 0)
    names, shapes, dtypes, sizes = (
        max((len(row[column]) for row in rows if column == 0 or row[2]), default=0) for column in range(4)
    )
    if rows:
        yield ""
    for name, shape, dtype, size, remark in rows:
        line = f"{name:<{min(names, WIDEST_NAME)}}   {shape:<{shapes}}   {dtype:<{dtypes}}   {size:>{sizes}}   {remark}"
        yield line.rstrip()
