"""What a plugin may provide: `Component`, and its use at a place.

A component is configuration only: what it needs while it runs (parameters, state, saved arrays, buffers, random
numbers) is in the `Context` that it is given, so that one component serves many networks and threads.

Shapes here are those of one sample, without the batch axis; an axis that may vary is None. Arrays have the batch as
their first axis. Images are (batch, height, width, channels), sequences (batch, time, features).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self, cast

from modnet.arrays import Shape
from modnet.configuration.checker import Checker, ComponentOf, UseOf
from modnet.configuration.fields import Configuration, plain
from modnet.records import Record, fresh


class Component(Configuration):
    """Anything that a spec can name by `type`.

    A concrete component gets its name with its definition: `class Linear(Layer, type="linear", version=1)`.
    """

    kind: ClassVar[str] = "component"
    type: ClassVar[str] = ""
    version: ClassVar[int] = 1

    # `name@distribution`, if a spec has chosen the class by that. In a slot and not in `__dict__`, where the fields
    # are: two components that differ only in it are equal, and `vars` does not show it.
    __slots__ = ("_chosen_as",)

    def __init_subclass__(cls, type: str = "", version: int = 1, **kwargs: Any) -> None:
        cls.type = type
        cls.version = version
        super().__init_subclass__(**kwargs)
        _refuse_taken_names(cls)

    @classmethod
    def _label(cls) -> str:
        return cls.type or cls.__name__

    @classmethod
    def __checker__(cls) -> Checker:
        return ComponentOf(cls)

    def replace(self, **changes: Any) -> Self:
        made = super().replace(**changes)
        if hasattr(self, "_chosen_as"):
            remember_choice(made, self._chosen_as)
        return made

    def __setstate__(self, state: Any) -> None:
        """For `copy` and `pickle`: by default they would use `setattr` for the slot, which raises."""
        fields, slots = state if isinstance(state, tuple) else (state, {})
        self.__dict__.update(fields or {})
        if slots:
            remember_choice(self, slots["_chosen_as"])

    def plain(self) -> dict[str, Any]:
        """The component as plain values, from which an equal one can be made again."""
        return {"type": getattr(self, "_chosen_as", self.type), **super().plain()}

    @classmethod
    def upgrade(cls, config: dict[str, Any], from_version: int) -> dict[str, Any]:
        """Converts the configuration from an older file, written by version `from_version`, to the present one."""
        return config

    @classmethod
    def examples(cls) -> Sequence[Example]:
        """Examples of this component, for the tests that every component has to pass and for its reference page.

        Without any, the tests use the defaults and find out which shapes it takes.
        """
        return ()


def _refuse_taken_names(cls: type[Component]) -> None:
    """Raises TypeError for a field with the name of a method or class variable of the kind, such as `inputs`."""
    kind: type[Component] = next((base for base in cls.__mro__[1:] if "kind" in vars(base)), cls)
    for name in cls.__fields__:
        if name not in kind.__fields__ and hasattr(kind, name):
            raise TypeError(
                f"{cls.__name__}.{name}: an annotation makes it an option, but every {kind.kind} has {name} already; "
                f"set that without an annotation, {name} = ..., or choose another name for the option"
            )


def remember_choice(component: Component, name: str) -> None:
    """Makes `plain()` of a component say `name@distribution`, because its type name alone means another class."""
    object.__setattr__(component, "_chosen_as", name)


class Example(Record):
    """A use of a component, on which its contract is tested.

    Attributes:
        component: with the configuration to try.
        input_shapes: the shape of one sample of each of its inputs; for a loss or a metric, of prediction and target;
            for an initializer, of the parameters to fill. Without them, several shapes are tried.
        data: for a component that cannot use random numbers (ids, lengths, sorted times, probabilities): (x, y) as
            arrays with the batch axis first, or a function of a `numpy.random.Generator` that returns them. x is a
            tuple of arrays for several inputs, and the prediction for a loss or a metric; y is the target, or None.
            Rows are repeated if a rule needs more of them; axes of variable size are cut, so give eight steps or more.
        training: arguments of `modnet.train` that replace the kit's own: loss, optimizer, epochs and so on.
    """

    component: Any
    input_shapes: tuple[Shape, ...] = ()
    data: Any = None
    training: Mapping[str, Any] = fresh(factory=dict)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Example) and self._compared() == other._compared()

    def __hash__(self) -> int:
        return hash(self._compared())

    def _compared(self) -> tuple[Any, ...]:
        return self.component, self.input_shapes  # arrays are not comparable


class Use(Configuration):
    """A component at its place, with options that belong to the place and not to the component.

    In a spec both are in one table: `{ type = "linear", out_features = 10, name = "hidden" }`. The first field is the
    component. If the component has a field with the name of an option, the value goes to the component.
    """

    @classmethod
    def __checker__(cls) -> Checker:
        return UseOf(cls)

    @classmethod
    def kind_of_component(cls) -> type[Component]:
        """The kind that its component must have."""
        return cast(type[Component], next(iter(cls.hints().values())))

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
