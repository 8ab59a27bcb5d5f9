"""Model cards: what a model is, for those who find it, in Markdown with the metadata of the Hugging Face hub.

Everything comes from the header of the model file: no plugin is imported, and no network is built.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from modnet.assessment.report.facts import Rows, columns_of, title_of, training_rows, what_it_predicts
from modnet.data.column_schema import ColumnSchema
from modnet.data.schema import DataSchema
from modnet.errors import DataError, MalformedFile
from modnet.kinds.figures import TEST, VALIDATION, figure_text, figure_title
from modnet.model.container import NETWORK_GROUPS
from modnet.model.figures import unpacked
from modnet.model.header import Header
from modnet.model.needs import VERSION, Need
from modnet.model.reader import HeaderOnly, opened, structure
from modnet.plugins.builtin import CORE
from modnet.words import counted, listed, printable, readable_bytes, shape_text

BEGINNING = '---\nlibrary_name: "modnet"\n'
"""What every card begins with."""

OF_THE_AUTHOR = ("license", "datasets", "description", "author")
"""The keys of the metadata that have places of their own in a card."""

_TASKS = ("tabular-classification", "tabular-regression", "text-classification", "image-classification")
"""The tasks of the hub that a network may be for."""

_TYPES = 6
"""How many types of nodes are named."""

_LONGEST = 1000
"""How many characters of a text are shown."""

_MOST = 100
"""How many figures, entries of metadata, fingerprints and distributions are shown."""

_MARKS = {sign: f"\\{sign}" for sign in "\\`*_{}[]#|~"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
_SPECIAL = str.maketrans(_MARKS)


class _Known(NamedTuple):
    """What a card is made of."""

    name: str
    header: Header
    found: HeaderOnly
    metrics: Mapping[str, Any]
    schema: DataSchema | None

    @property
    def network(self) -> dict[str, Any]:
        return self.header.require_spec().network

    @property
    def inputs(self) -> list[ColumnSchema]:
        """The columns of the table; empty for a network that takes arrays."""
        return [] if self.schema is None else list(chain.from_iterable(self.schema.inputs.values()))

    @property
    def targets(self) -> list[ColumnSchema]:
        return [] if self.schema is None else list(chain.from_iterable(self.schema.targets.values()))


def model_card(path: str | PathLike[str]) -> str:
    """The model card of a model file.

    Raises:
        ModelFileError: the file is damaged or is not a model file; there is no network in it.
        OSError: the file cannot be read.
    """
    with opened(path) as file:
        found = structure(file)
        header = Header.of_file(file.path, found.header)
        header.require_features(file.path)
        header.require_spec()
        metrics = unpacked(file, header, found)["metrics"]
    try:
        schema = None if header.schema is None else DataSchema.from_plain(header.schema)
    except DataError as error:
        raise MalformedFile(path, str(error), "header.schema") from None
    known = _Known(Path(path).name, header, found, metrics, schema)
    title = printable(title_of(schema, known.name))
    return "\n".join([*_front(known, title), *_body(known, title)]) + "\n"


# The metadata, in YAML


def _front(known: _Known, title: str) -> Iterator[str]:
    """The metadata of the hub: https://huggingface.co/docs/hub/model-cards."""
    task, own = _task(known), known.header.metadata
    front: dict[str, Any] = {"library_name": "modnet"}
    if isinstance(own.get("license"), str):
        front["license"] = own["license"]
    if task:
        front["pipeline_tag"] = task
    front["tags"] = ["modnet", "numpy", *(["tabular"] if known.inputs else [])]
    datasets = _datasets(own)
    if datasets:
        front["datasets"] = datasets
    results = list(_results(known, task or "other", datasets))
    if results:
        front["model-index"] = [{"name": Path(known.name).stem or title, "results": results}]
    yield "---"
    yield from _yaml(front)
    yield "---"
    yield ""


def _task(known: _Known) -> str:
    """The hub's name for what a network does, where its file tells; else ""."""
    if not known.targets:
        return ""
    goal = "classification" if any(column.categories for column in known.targets) else "regression"
    return f"{_form(known)}-{goal}" if f"{_form(known)}-{goal}" in _TASKS else ""


def _form(known: _Known) -> str:
    """What the inputs are, by the hub's words; "" for arrays of another kind."""
    shape = known.network.get("input")
    if not known.inputs:
        return "image" if isinstance(shape, list) and len(shape) == 3 else ""
    return "text" if {column.kind for column in known.inputs} == {"text"} else "tabular"


def _datasets(metadata: Mapping[str, Any]) -> list[str]:
    given = metadata.get("datasets")
    names = given.split(",") if isinstance(given, str) else given if isinstance(given, list) else []
    return [name.strip() for name in names if isinstance(name, str) and name.strip()]


def _results(known: _Known, task: str, datasets: list[str]) -> Iterator[dict[str, Any]]:
    """The figures, by the rows that they were measured on."""
    for split, figures in _measured(known.metrics).items():
        data = datasets[0] if datasets else "unpublished"
        yield {
            "task": {"type": task},
            "dataset": {"type": data, "name": f"{data} ({split} rows)", "split": split},
            "metrics": [
                {"type": name, "value": float(value), "name": figure_title(name)} for name, value in figures.items()
            ],
        }


def _measured(metrics: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """The rows that figures were measured on -> figure -> value; of those that are numbers."""
    found: dict[str, dict[str, float]] = {}
    for name, value in islice(metrics.items(), _MOST):
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            prefix = next((prefix for prefix in (VALIDATION, TEST) if name.startswith(prefix)), "")
            found.setdefault(prefix.rstrip("_") or "training", {})[name.removeprefix(prefix)] = value
    return found


def _yaml(value: Any, indent: str = "") -> Iterator[str]:
    """Plain values as YAML, in blocks; every text is quoted, so that none is taken for anything else."""
    for key, item in value.items():
        if isinstance(item, dict):
            yield f"{indent}{key}:"
            yield from _yaml(item, f"{indent}  ")
        elif isinstance(item, list):
            yield f"{indent}{key}:"
            for entry in item:
                lines = list(_yaml(entry, "  ")) if isinstance(entry, dict) else [f"  {_scalar(entry)}"]
                yield f"{indent}- {lines[0][2:]}"
                yield from (f"{indent}{line}" for line in lines[1:])
        else:
            yield f"{indent}{key}: {_scalar(item)}"


def _scalar(value: Any) -> str:
    """A text in double quotes, where YAML takes what JSON does and more signs have to be escaped; or a number."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(sign if sign.isprintable() else f"\\U{ord(sign):08x}" for sign in text)


# The text


def _body(known: _Known, title: str) -> Iterator[str]:
    header, own = known.header, known.header.metadata
    yield f"# {_text(title)}"
    yield ""
    yield f"{_sentence(known)}"
    if isinstance(own.get("description"), str):
        yield from ("", _text(own["description"]))
    yield from _section("How to use it", _use(known))
    heads = ["Column", "Use", "Kind", "Encoding", "Values", "Missing values"]
    yield from _section("Columns", _table(heads, columns_of(known.schema, None) if known.inputs else []))
    yield from _section("Figures", _figures(known))
    training = header.require_spec().training
    if training is not None:
        yield from _section("Training", _table(["", ""], training_rows(training)))
    yield from _section("Limits", _limits(known))
    yield from _section("Where it comes from", _table(["", ""], list(_provenance(known))))


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield from ("", f"## {title}", "", *found)


def _table(heads: list[str], rows: Rows) -> Iterator[str]:
    if rows:
        yield f"| {' | '.join(heads)} |"
        yield f"|{'---|' * len(heads)}"
        for row in rows:
            yield f"| {' | '.join(map(_text, row))} |"


def _text(text: Any) -> str:
    """A text on one line, in which nothing is taken for Markdown or HTML."""
    whole = str(text)
    return printable(whole[:_LONGEST]).translate(_SPECIAL) + (" ..." if len(whole) > _LONGEST else "")


def _sentence(known: _Known) -> str:
    nodes = known.header.stored_nodes()
    types = listed(list(dict.fromkeys(node.type for node in nodes)), _TYPES)
    count = sum(math.prod(view.shape) for view in known.found.views if view.group == NETWORK_GROUPS[0])
    what = what_it_predicts(known.schema) if known.schema is not None and known.inputs else _of_arrays(known)
    return _text(
        f"A neural network that predicts {what}. It has {counted(len(nodes), 'node')} ({types}) and "
        f"{counted(count, 'parameter')}, and is a model file of modnet."
    )


def _of_arrays(known: _Known) -> str:
    given = known.network.get("input")
    inputs = given.items() if isinstance(given, dict) else [("an array", given)]
    shapes = ", ".join(f"{name} {_shape(shape)}" for name, shape in inputs)
    return f"{listed([column.name for column in known.targets], _TYPES) or 'numbers'} from {shapes} for each sample"


def _shape(shape: Any) -> str:
    axes = shape if isinstance(shape, list) else []
    return shape_text(tuple(axis if isinstance(axis, int) else None for axis in axes))


def _use(known: _Known) -> Iterator[str]:
    """How it is installed, loaded and asked."""
    yield from ("```sh", f"pip install {_requirements(known.header)}", "```", "", "```python", "import modnet", "")
    yield f"network = modnet.load({_python(known.name)}, id={_python(known.found.id.hex())})"
    if known.inputs:
        yield "print(network.predict({"
        yield from (f"    {_python(column.name)}: {_python(_sample(column))}," for column in known.inputs)
        yield "}))"
    else:
        yield "print(network.inputs, network.outputs)  # name -> shape of one sample"
        yield "predictions = network.predict(samples)  # an array with the samples along its first axis"
    yield "```"


def _requirements(header: Header) -> str:
    """What pip is to install: the distributions that wrote the file."""
    versions = {CORE: header.made_by.get(CORE, "")}
    versions |= {need.distribution: need.version for need in header.needs if need.distribution}
    return " ".join(
        f"{name}=={version}" if version and VERSION.fullmatch(version) else name for name, version in versions.items()
    )


def _python(value: Any) -> str:
    return printable(repr(value)).replace("`", "\\x60")


def _sample(column: ColumnSchema) -> Any:
    """A value that a column may have."""
    if column.has_categories and column.categories:
        return column.categories[0]
    if isinstance(column.lowest, float | int) and isinstance(column.highest, float | int):
        middle = float(f"{(column.lowest + column.highest) / 2:.4g}")
        return int(middle) if middle.is_integer() else middle
    known = {"number": 0.0, "date": column.range_texts()[0] if column.lowest is not None else "2024-01-31"}
    return {**known, "boolean": True}.get(column.kind, "text")


def _figures(known: _Known) -> Iterator[str]:
    measured = _measured(known.metrics)
    names = list(dict.fromkeys(name for figures in measured.values() for name in figures))
    rows = [
        [figure_title(name), *(figure_text(name, got[name]) if name in got else "" for got in measured.values())]
        for name in names
    ]
    yield from _table(["", *(f"{split} rows" for split in measured)], rows)


def _limits(known: _Known) -> Iterator[str]:
    if any(column.lowest is not None for column in known.inputs):
        yield "- It has seen no value outside of the ranges above; `network.predict(rows, report=[])` tells of each."
    yield from _refusals(known.inputs)
    for column in known.targets:
        if column.interval is not None:
            share = f"{column.interval.coverage:g} of rows, learnt from {column.interval.rows:,}"
            yield f"- {_text(column.name)} has intervals or sets for {share} that the training had not seen."
    if _measured(known.metrics).keys() <= {"training"}:
        yield "- There is no figure of rows that the training had not seen: how good it is, is not known."
    yield "- Whether these data are right, and for whom it may decide, a model file does not know."


def _refusals(columns: Iterable[ColumnSchema]) -> Iterator[str]:
    refused = {
        "A category that is not listed": [c.name for c in columns if c.categories and c.unknown == "error"],
        "A missing value": [c.name for c in columns if c.refuses_gaps],
    }
    for what, names in refused.items():
        if names:
            yield f"- {what} is an error: {_text(listed(names, _TYPES))}."


def _provenance(known: _Known) -> Iterator[list[str]]:
    header, own = known.header, known.header.metadata
    yield from ([key, str(own[key])] for key in ("author", "license", "datasets") if key in own)
    yield ["id of the file", known.found.id.hex()]
    yield ["size", readable_bytes(known.found.size)]
    yield ["made by", ", ".join(f"{name} {version}" for name, version in header.made_by.items())]
    yield from ([f"needs {_need_name(need)}", _components(need)] for need in header.needs[:_MOST])
    yield from ([f"fingerprint of {name}", text] for name, text in islice(header.data.items(), _MOST))
    for key, value in islice(own.items(), _MOST):
        if key not in OF_THE_AUTHOR:
            yield [key, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)]


def _need_name(need: Need) -> str:
    return " ".join(filter(None, (need.distribution, need.version))) or "a program's own"


def _components(need: Need) -> str:
    return ", ".join(f"{component.type} {component.version}" for component in need.components)
