"""From a spec file, or a dict, to a checked `Spec`; every fault is found and reported at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path as FilePath
from typing import Any, cast

from modnet.component import Component, Use
from modnet.configuration import INVALID, Checker, Path, describe, show
from modnet.errors import AmbiguousType, NotInstalled, Problem, SpecError, UnknownType
from modnet.registry import Registry, default_registry
from modnet.spec.model import Spec
from modnet.spec.source import Source, read_source

SpecLike = str | PathLike[str] | Mapping[str, Any] | Spec


def read_spec(
    source: SpecLike,
    registry: Registry | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> tuple[Spec, Source | None]:
    """A checked spec, and where it stands if it came from a file.

    Args:
        source: a path to a .toml, .json, .yaml or .yml file, the same as a dict, or a `Spec`, which is given back.
        registry: where components are looked up.
        overrides: dotted path -> value, put in place of what the spec has: {"training.epochs": 3}.

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
    else:
        path = FilePath(source)
        foreign = path.suffix.lower() not in (".toml", ".json", ".yaml", ".yml")
        located = read_source(path, (lambda p: registry.hooks.hook.modnet_read_spec(path=p),) if foreign else ())
        values = located.values
    for dotted, value in (overrides or {}).items():
        values = _overridden(values, dotted.split("."), value, dotted)
    checker = Checker(ComponentReader(registry))
    spec = checker.table(Spec, values, (), ignore=("$schema",))
    if checker.problems:
        raise located_error(SpecError(checker.problems), located)
    return cast(Spec, spec), located


class ComponentReader:
    """Reads components by name or table; what `Checker` calls for every hint that is a configuration class.

    Args:
        registry: where type names are looked up.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    def find(self, kind: type[Component], name: str) -> type[Component]:
        """The class that a type name stands for."""
        try:
            return self.registry.find(kind, name)
        except NotInstalled as error:
            raise UnknownType(str(error)) from None

    def table(self, cls: type[Component], table: dict[str, Any], path: Path) -> dict[str, Any]:
        """The table of a component, as its class of today understands it."""
        return table

    def __call__(self, checker: Checker, hint: Any, value: Any, path: Path) -> Any:
        if issubclass(hint, Use):
            return self._use(checker, hint, value, path)
        if issubclass(hint, Component):
            return self._component(checker, hint, value, path, ())[0]
        return NotImplemented

    def _use(self, checker: Checker, use: type[Use], value: Any, path: Path) -> Any:
        hints = use.hints()
        kind = next(iter(hints.values()))
        component, rest = self._component(checker, kind, value, path, use.options())
        options = {
            name: checker.value(hints[name], option, (*path, name), use.__fields__[name])
            for name, option in rest.items()
        }
        if component is INVALID or INVALID in options.values():
            return INVALID
        return use(component, **options)

    def _component(
        self, checker: Checker, kind: Any, value: Any, path: Path, options: Iterable[str]
    ) -> tuple[Any, dict[str, Any]]:
        """The component, and those of `options` that stand in its table."""
        if isinstance(value, kind):
            return value, {}
        if isinstance(value, str):
            name, where, table = value, path, {}
        elif isinstance(value, Mapping):
            if "type" not in value:
                return checker.problem(path, f'missing key "type": the name of {describe(kind)}'), {}
            name, where, table = value["type"], (*path, "type"), dict(value)
            if not isinstance(name, str):
                return checker.problem(where, f"expected the name of {describe(kind)}, found {show(name)}"), {}
        else:
            return checker.problem(path, f"expected {describe(kind)} by name or table, found {show(value)}"), {}
        try:
            cls = self.find(kind, name)
        except UnknownType as error:
            return checker.problem(where, error.message, error.hint), {}
        except AmbiguousType as error:
            return checker.problem(where, str(error)), {}
        if not issubclass(cls, kind):
            return checker.problem(where, f"{show(name)} is no {kind.__name__}"), {}
        table = self.table(cls, table, path)
        own = [option for option in options if option not in cls.__fields__]
        component = checker.table(cls, table, path, ("type", *own))
        return component, {option: table[option] for option in own if option in table}


def located_error(error: SpecError, source: Source | None) -> SpecError:
    """The error with the places of its problems in the file they came from."""
    if source is None:
        return error
    placed = []
    for problem in error.problems:
        position = source.locate(problem.keys, key=problem.at_key)
        placed.append(
            replace(
                problem,
                file=source.file,
                line=position.line,
                column=position.column,
                length=position.length,
                excerpt=position.excerpt,
            )
        )
    return SpecError(sorted(placed, key=lambda problem: (problem.line, problem.column)))


def _overridden(values: Any, parts: list[str], value: Any, whole: str) -> Any:
    """A copy of nested `values` with one value replaced or added."""
    head, *rest = parts
    if isinstance(values, list):
        if not head.isdigit() or int(head) >= len(values):
            raise SpecError([Problem(whole, f"cannot be set: {show(head)} is no position in a list of {len(values)}")])
        index = int(head)
        item = _overridden(values[index], rest, value, whole) if rest else value
        return [*values[:index], item, *values[index + 1 :]]
    if not isinstance(values, Mapping):
        raise SpecError([Problem(whole, f"cannot be set: {show(values)} holds no {show(head)}")])
    return {**values, head: _overridden(values.get(head, {}), rest, value, whole) if rest else value}
