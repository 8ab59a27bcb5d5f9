"""Components by name or table, as specs and model files hold them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from modnet.configuration.checker import INVALID, Checker, describe
from modnet.errors import AmbiguousType, NotInstalled, UnknownType
from modnet.kinds.component import Component, Use
from modnet.plugins.faults import NamingFaults
from modnet.plugins.registry import Registry
from modnet.words import Path, show


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
            return self.registry.choose(kind, name)
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
        with NamingFaults():
            component = checker.table(cls, table, path, ("type", *own))
        return component, {option: table[option] for option in own if option in table}
