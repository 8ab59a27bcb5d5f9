"""Components by name or table, as specs and model files hold them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from modnet.configuration.checker import ComponentOf
from modnet.configuration.reading import INVALID, Invalid, Reader, Reading
from modnet.errors import AmbiguousType, NotInstalled, UnknownType
from modnet.kinds.component import Component, Use, remember_choice
from modnet.plugins.builtin import CORE
from modnet.plugins.distributions import normalized
from modnet.plugins.faults import NamingFaults
from modnet.plugins.registry import Registry
from modnet.words import Path, show


class Choice(NamedTuple):
    """The component class for a name.

    Attributes:
        cls: the class.
        name: the name with which a spec gets the same class, `name@distribution`; "" if its type name is enough.
    """

    cls: type[Component]
    name: str = ""


class _Asked(NamedTuple):
    """The name, place and table of a component, as the spec has them."""

    name: str
    path: Path
    table: dict[str, Any]


class ComponentReader(Reader):
    """Reads components by name or table.

    Args:
        registry: where type names are looked up.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    def find(self, kind: type[Component], name: str) -> Choice:
        """The class for a name.

        Raises:
            UnknownType, AmbiguousType: no plugin offers it, or several do.
            BrokenPlugin: it cannot be imported.
        """
        try:
            cls = self.registry.find(kind, name)
        except NotInstalled as error:
            raise UnknownType(str(error)) from None
        distribution = name.partition("@")[2]
        return Choice(cls, name if distribution and normalized(distribution) != CORE else "")

    def upgraded(self, cls: type[Component], table: dict[str, Any]) -> dict[str, Any]:
        """The table of a component, converted to the present version of its class; specs are always up to date."""
        return table

    def component(self, kind: type[Component], value: Any, path: Path, reading: Reading) -> Any:
        return self._component(kind, value, path, reading, ())[0]

    def use(self, use: type[Use], value: Any, path: Path, reading: Reading) -> Any:
        checkers = use.checkers()
        component, rest = self._component(use.kind_of_component(), value, path, reading, use.options())
        options = {name: reading.value(checkers[name], option, (*path, name)) for name, option in rest.items()}
        if component is INVALID or any(option is INVALID for option in options.values()):
            return INVALID
        return use(component, **options)

    def _component(
        self, kind: type[Component], value: Any, path: Path, reading: Reading, options: Iterable[str]
    ) -> tuple[Any, Mapping[str, Any]]:
        """The component, and those of `options` that are in its table."""
        if isinstance(value, kind):
            return value, {}
        asked = _asked(kind, value, path, reading)
        if isinstance(asked, Invalid):
            return INVALID, {}
        choice = self._choice(kind, asked, reading)
        if isinstance(choice, Invalid):
            return INVALID, {}
        cls, chosen = choice
        table = self.upgraded(cls, asked.table)
        # An option of the place that is also a field (`activation` of an LSTM) goes to the component.
        own = [option for option in options if option not in cls.__fields__]
        with NamingFaults():
            made = cls.from_table(table, path, reading, ("type", *own))
        if chosen and isinstance(made, Component):
            remember_choice(made, chosen)
        return made, {option: table[option] for option in own if option in table}

    def _choice(self, kind: type[Component], asked: _Asked, reading: Reading) -> Choice | Invalid:
        try:
            choice = self.find(kind, asked.name)
        except UnknownType as error:
            return reading.problem(asked.path, error.message, error.hint)
        except AmbiguousType as error:
            return reading.problem(asked.path, str(error))
        if issubclass(choice.cls, kind):
            return choice
        return reading.problem(asked.path, f"{show(asked.name)} is not a {kind.__name__}")


def _asked(kind: type[Component], value: Any, path: Path, reading: Reading) -> _Asked | Invalid:
    """The name of a component, its place, and the table with its options."""
    words = ComponentOf(kind).describe()
    if isinstance(value, str):
        return _Asked(value, path, {})
    if not isinstance(value, Mapping):
        return reading.problem(path, f"expected {words} (its name or a table), found {show(value)}")
    if "type" not in value:
        return reading.problem(path, f'missing key "type": the name of {words}')
    name = value["type"]
    if not isinstance(name, str):
        return reading.problem((*path, "type"), f"expected the name of {words}, found {show(name)}")
    return _Asked(name, (*path, "type"), dict(value))
