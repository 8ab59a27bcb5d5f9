"""Records: values with named attributes that never change."""

from __future__ import annotations

from collections.abc import Callable
from inspect import get_annotations
from typing import Any, ClassVar, Self, TypeVar, cast, dataclass_transform

T = TypeVar("T")


class _Fresh:
    """A default that each record gets an own one of."""

    __slots__ = ("factory",)

    def __init__(self, factory: Callable[[], Any]) -> None:
        self.factory = factory


def fresh(*, factory: Callable[[], T]) -> T:
    """A default for a `Record` that is made for each one: `history: dict[str, float] = fresh(factory=dict)`."""
    return cast(T, _Fresh(factory))


@dataclass_transform(frozen_default=True, field_specifiers=(fresh,))
class Record:
    """A value whose attributes are its annotations, with those of its bases before them.

    It is what a frozen dataclass is, also to type checkers, but a class takes 0.02 ms to make and not half a one:
    nothing is compiled for it. So those that a process needs to predict are records.

    Args:
        frozen: in the definition of a class: whether attributes cannot be set.
        eq: in the same place: whether records of equal attributes are equal, and not only one and the same.

    Raises:
        TypeError: from the constructor, for a missing or an unknown argument.
    """

    __match_args__: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, frozen: bool = True, eq: bool = True, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        names = dict.fromkeys((*cls.__match_args__, *get_annotations(cls)))
        type.__setattr__(cls, "__match_args__", tuple(names))
        changes: Any = cls
        if not frozen:
            changes.__setattr__, changes.__delattr__ = object.__setattr__, object.__delattr__
        if not eq:
            changes.__eq__, changes.__hash__ = object.__eq__, object.__hash__

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        names, values = self.__match_args__, self.__dict__  # into `__dict__`, since `__setattr__` refuses
        values.update(zip(names, args, strict=False))
        if len(args) > len(names) or not (kwargs.keys().isdisjoint(values) and kwargs.keys() <= set(names)):
            wrong = ", ".join([*map(repr, args[len(names) :]), *(name for name in kwargs if name not in names)])
            raise TypeError(
                f"{type(self).__name__} takes each of {', '.join(names)} once; found {wrong or 'one twice'}"
            )
        values.update(kwargs)
        if len(values) < len(names):
            self._take_defaults()
        self.__post_init__()

    def __post_init__(self) -> None:
        """Is called when a record has its attributes. Override it to change them, in `self.__dict__`."""

    def _take_defaults(self) -> None:
        cls, values = type(self), self.__dict__
        for name in self.__match_args__:
            if name not in values:
                if not hasattr(cls, name):
                    raise TypeError(f"{cls.__name__} needs {name}")
                default = getattr(cls, name)
                values[name] = default.factory() if isinstance(default, _Fresh) else default

    def replace(self, **changes: Any) -> Self:
        """The same record with other values of some attributes."""
        return type(self)(**{**dict(zip(self.__match_args__, self._values(), strict=True)), **changes})

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable; make a new one with .replace({name}=...)")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __eq__(self, other: object) -> bool:
        return self is other or (type(other) is type(self) and self._values() == other._values())

    def __hash__(self) -> int:
        return hash((type(self), *self._values()))

    def _values(self) -> list[Any]:
        return [self.__dict__[name] for name in self.__match_args__]

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={self.__dict__[name]!r}" for name in self.__match_args__)
        return f"{type(self).__name__}({shown})"
