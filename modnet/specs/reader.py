"""From a spec file, or a dict, to a checked `Spec`; all faults are reported at once."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path as FilePath
from typing import Any, cast

from modnet.configuration.reading import Reading
from modnet.data.spec import DataSpec
from modnet.errors import Problem, SpecError
from modnet.kinds.callback import Callback
from modnet.kinds.layer import Layer
from modnet.kinds.loss import Loss
from modnet.kinds.optimizer import Optimizer
from modnet.plugins.registry import Registry, default_registry
from modnet.specs.components import ComponentReader
from modnet.specs.model import NetworkSpec, Spec, TrainingSpec
from modnet.specs.paths import resolved, with_value
from modnet.specs.range_checks import check_ranges
from modnet.specs.source import Source, read_source
from modnet.words import NAMES_ELSEWHERE, show

SpecLike = str | PathLike[str] | Mapping[str, Any] | Spec


class _SpecReader(ComponentReader):
    """Reads the components of a spec, and knows where a key belongs that is at the wrong place."""

    def home_of(self, key: str) -> str:
        if NAMES_ELSEWHERE.get(key, key) is None:
            return "leave it out: it is known from the layer before"
        for title, table in (("network", NetworkSpec), ("training", TrainingSpec), ("data", DataSpec)):
            if key in table.__fields__:
                return f"it belongs to [{title}]"
        if key in self.registry.names(Callback):
            return f"it is a callback: callbacks = [{show(key)}] in [training]"
        if key in self.registry.names(Layer):
            return f"it is a layer: layers = [..., {{ type = {show(key)}, ... }}] in [network]"
        for kind, name in ((Optimizer, "adam"), (Loss, "cross_entropy"), (Callback, "early_stopping")):
            if key in self.registry.find(kind, name).__fields__:
                return f'it is an option of the {kind.kind}: {{ type = "{name}", {key} = ... }}'
        return ""


def read_spec(
    source: SpecLike,
    registry: Registry | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> tuple[Spec, Source | None]:
    """A checked spec, and the source with its positions if it came from a file.

    Args:
        source: a path to a .toml, .json, .yaml or .yml file, the same as a dict, or a `Spec`, which is returned.
        registry: where components are looked up.
        overrides: dotted path -> value that replaces the one of the spec: {"training.epochs": 3}. An item of a list is
            given by its index from 0, its name, or its type where no other item has that.

    Raises:
        SpecError: with all faults.
    """
    registry = registry or default_registry()
    located = None
    if isinstance(source, Spec):
        if not overrides:
            return source, None
        values: Any = source.plain()
    elif isinstance(source, Mapping):
        values = source
    elif not isinstance(source, str | PathLike):
        raise TypeError(f"expected a spec (the path of its file, a dict or a Spec), found {show(source)}")
    else:
        path = FilePath(source).expanduser()
        foreign = path.suffix.lower() not in (".toml", ".json", ".yaml", ".yml")
        located = read_source(path, (lambda p: registry.hooks.hook.modnet_read_spec(path=p),) if foreign else ())
        values = located.values
    reading = Reading(_SpecReader(registry))
    values = _overridden(values, overrides or {})
    spec = _read(values, reading)
    if reading.problems:
        raise located_error(SpecError(reading.problems), located)
    return spec, located


def _overridden(values: Any, overrides: Mapping[str, Any]) -> Any:
    """A copy of the plain values of a spec with some replaced or added."""
    for dotted, value in overrides.items():
        try:
            values = with_value(values, resolved(values, dotted), value)
        except LookupError as error:
            raise SpecError([Problem(dotted, f"cannot be set: {error.args[0]}")]) from None
    return values


def _read(values: Any, reading: Reading) -> Spec:
    """The spec of plain values, all of whose problems are noted."""
    spec = cast(Spec, Spec.from_table(values, (), reading, ignore=("$schema",)))
    ranges = check_ranges(values, reading)
    if reading.problems or spec.search is None:
        return spec
    return spec.replace(search=spec.search.replace(ranges=ranges))


def located_error(error: SpecError, source: Source | None) -> SpecError:
    """The error with the positions of its problems in the file."""
    if source is None:
        return error
    placed = []
    for problem in error.problems:
        position = source.locate(problem.keys, key=problem.at_key)
        placed.append(
            problem.replace(
                file=source.file,
                line=position.line,
                column=position.column,
                length=position.length,
                excerpt=position.excerpt,
            )
        )
    return SpecError(sorted(placed, key=lambda problem: (problem.line, problem.column)))
