"""What a plugin may provide: `Component`, and its use at a place.

A component is configuration only: what it needs while it runs (parameters, state, saved arrays, buffers, random
numbers) is in the `Context` that it is handed, so one component serves many networks and threads.

Shapes here are those of one sample, without the batch axis; an axis that may vary is None. Arrays have the batch as
their first axis. Images are (batch, height, width, channels), sequences (batch, time, features).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from modnet.arrays import Shape
from modnet.configuration.fields import Configuration, plain


class Component(Configuration):
    """Anything that a spec can name by `type`.

    A concrete component names itself as it is defined: `class Linear(Layer, type="linear", version=1)`.

    Attributes:
        requires_modnet: the oldest modnet-core with which it works, such as "0.3"; "" for any. A package says the same
            in its dependencies; this tells those who installed it without them.
    """

    kind: ClassVar[str] = "component"
    type: ClassVar[str] = ""
    version: ClassVar[int] = 1
    requires_modnet: ClassVar[str] = ""
    # `name@distribution`, where a spec has chosen the class so, or its name alone would mean another class.
    _chosen_as: ClassVar[str] = ""

    def __init_subclass__(cls, type: str = "", version: int = 1, **kwargs: Any) -> None:
        cls.type = type
        cls._chosen_as = ""
        cls.version = version
        super().__init_subclass__(**kwargs)

    @classmethod
    def _label(cls) -> str:
        return cls.type or cls.__name__

    def plain(self) -> dict[str, Any]:
        """The component as plain values, from which a spec gives the same one again."""
        return {"type": self._chosen_as or self.type, **super().plain()}

    @classmethod
    def upgrade(cls, config: dict[str, Any], from_version: int) -> dict[str, Any]:
        """An older file's configuration as today's; `config` was written by version `from_version`."""
        return config

    @classmethod
    def examples(cls) -> Sequence[Example]:
        """Uses of this component, for the tests that every component undergoes and for its reference page.

        By default the tests find out by themselves, from the defaults, which shapes it takes.
        """
        return ()


@dataclass(frozen=True)
class Example:
    """A component with the shapes of one sample of each of its inputs."""

    component: Any
    input_shapes: tuple[Shape, ...] = ()


class Use(Configuration):
    """A component at its place, with options that are the place's own and not the component's.

    In a spec both stand in one table: `{ type = "linear", out_features = 10, name = "hidden" }`. The first field is
    the component. An option whose name the component has as a field goes to the component.
    """

    @classmethod
    def options(cls) -> tuple[str, ...]:
        """The names of the place's own options."""
        return tuple(cls.__fields__)[1:]

    def component(self) -> Component:
        return cast(Component, self.__dict__[next(iter(type(self).__fields__))])

    def plain(self) -> dict[str, Any]:
        fields = type(self).__fields__
        changed = {name: self.__dict__[name] for name in self.options() if self.__dict__[name] != fields[name].default}
        return {**self.component().plain(), **{name: plain(value) for name, value in changed.items()}}
