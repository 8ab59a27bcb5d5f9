"""Immutable, declared, checked configuration: the ground on which components and the parts of a spec stand.

A subclass of `Configuration` declares its fields as annotations. It gets a constructor, equality, a repr and
immutability, as a frozen dataclass would, and type checkers treat it as one (PEP 681). It is not made by
`dataclasses`: that compiles several functions for each class, about a millisecond, and a process that only predicts
would pay for every component in the modules it imports.

The annotations are also what values are checked against, by `Checker`: the same rules serve a constructor call and a
spec file, and the JSON Schema is made from them.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from typing import Any, ClassVar, Self, dataclass_transform, get_origin

from modnet.errors import Problem, SpecError
from modnet.words import did_you_mean, show


class Missing:
    """The default of a field that has none."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING = Missing()


class Field:
    """A declared field: its name, default and the bounds that its annotation cannot say.

    Attributes:
        minimum, maximum: inclusive bounds of a number, or of each number of a list.
        above, below: exclusive bounds.
        renamed_from: the name that this field had in an earlier version of its component.
    """

    __slots__ = ("above", "below", "default", "maximum", "minimum", "name", "renamed_from")

    def __init__(
        self,
        default: Any = MISSING,
        minimum: float | None = None,
        maximum: float | None = None,
        above: float | None = None,
        below: float | None = None,
        renamed_from: str | None = None,
    ) -> None:
        self.name = ""
        self.default = default
        self.minimum = minimum
        self.maximum = maximum
        self.above = above
        self.below = below
        self.renamed_from = renamed_from

    @property
    def required(self) -> bool:
        return self.default is MISSING

    def bounds(self) -> str:
        """The bounds as they read after "a number", or ""."""
        signs = ((">=", self.minimum), (">", self.above), ("<=", self.maximum), ("<", self.below))
        return " and ".join(f"{sign} {bound:g}" for sign, bound in signs if bound is not None)

    def admits(self, number: float) -> bool:
        return (
            (self.minimum is None or number >= self.minimum)
            and (self.maximum is None or number <= self.maximum)
            and (self.above is None or number > self.above)
            and (self.below is None or number < self.below)
        )


def field(
    default: Any = MISSING,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
    renamed_from: str | None = None,
) -> Any:
    """Declares a field with bounds: `rate: float = field(default=0.5, minimum=0.0, below=1.0)`."""
    return Field(default, minimum, maximum, above, below, renamed_from)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Configuration:
    """Immutable configuration whose fields are its annotations.

    Raises:
        SpecError: from the constructor, for a value of the wrong type or out of bounds.
        TypeError: from the constructor, for a missing or an unknown argument.
    """

    __fields__: ClassVar[dict[str, Field]] = {}
    __hints__: ClassVar[dict[str, Any] | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        fields: dict[str, Field] = {}
        for base in reversed(cls.__mro__[1:]):
            fields.update(base.__dict__.get("__fields__", {}))
        annotations = inspect.get_annotations(cls)
        for name, value in vars(cls).items():
            if isinstance(value, Field) and name not in annotations:
                raise TypeError(
                    f"{cls.__name__}.{name} has no annotation, which makes it a field: {name}: int = field(...)"
                )
        for name, annotation in annotations.items():
            if _is_class_variable(annotation):
                continue
            value = cls.__dict__.get(name, MISSING)
            declared = value if isinstance(value, Field) else Field(value)
            declared.name = name
            fields[name] = declared
            if declared.required:
                if name in cls.__dict__:
                    delattr(cls, name)
            else:
                setattr(cls, name, declared.default)
        # Required fields first, as a dataclass demands of its author; here it is arranged.
        ordered = sorted(fields.values(), key=lambda declared: not declared.required)
        cls.__fields__ = {declared.name: declared for declared in ordered}
        cls.__hints__ = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        fields = type(self).__fields__
        label = self._label()
        if len(args) > len(fields):
            raise TypeError(f"{label} takes {len(fields)} arguments at most, {len(args)} were given")
        values = dict(zip(fields, args, strict=False))
        for name, value in kwargs.items():
            if name not in fields:
                raise TypeError(f"{label} has no field {show(name)}{did_you_mean(name, fields)}")
            if name in values:
                raise TypeError(f"{label}: {name} was given twice")
            values[name] = value
        missing = [name for name, declared in fields.items() if declared.required and name not in values]
        if missing:
            raise TypeError(f"{label} needs {', '.join(missing)}")
        from modnet.configuration.checker import Checker

        checker = Checker()
        hints = type(self).hints() if values else {}
        for name, declared in fields.items():
            if name in values:
                self.__dict__[name] = checker.value(hints[name], values[name], (label, name), declared)
            else:
                self.__dict__[name] = declared.default
        checker.raise_problems()
        try:
            self.check()
        except ValueError as error:
            raise SpecError([Problem(label, str(error))]) from None

    def check(self) -> None:
        """Checks what concerns several fields at once. Override it; it says what is wrong by a ValueError."""

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{self._label()} is immutable; make a new one with .replace({name}=...)")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{self._label()} is immutable")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), tuple(map(_hashable, self.__dict__.values()))))

    def __repr__(self) -> str:
        changed = [
            f"{name}={self.__dict__[name]!r}"
            for name, declared in type(self).__fields__.items()
            if declared.required or self.__dict__[name] != declared.default
        ]
        return f"{type(self).__name__}({', '.join(changed)})"

    def replace(self, **changes: Any) -> Self:
        """The same configuration with some fields changed."""
        return type(self)(**{**self.__dict__, **changes})

    @classmethod
    def hints(cls) -> dict[str, Any]:
        """Field name -> resolved type hint."""
        if cls.__hints__ is None:
            cls.__hints__ = {name: _resolve(cls, name) for name in cls.__fields__}
        return cls.__hints__

    @classmethod
    def _label(cls) -> str:
        return cls.__name__

    def plain(self) -> dict[str, Any]:
        """The configuration as plain values: what a spec file or a model file holds."""
        return {name: plain(value) for name, value in self.__dict__.items()}


def _is_class_variable(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return annotation.startswith(("ClassVar", "typing.ClassVar"))
    return annotation is ClassVar or get_origin(annotation) is ClassVar


def _resolve(cls: type, name: str) -> Any:
    for base in cls.__mro__:
        annotation = inspect.get_annotations(base).get(name)
        if annotation is None:
            continue
        if not isinstance(annotation, str):
            return annotation
        module = sys.modules.get(base.__module__)
        return eval(annotation, vars(module) if module else {}, dict(vars(base)))
    raise KeyError(name)


def _hashable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return tuple((key, _hashable(item)) for key, item in value.items())
    return value


def plain(value: Any) -> Any:
    """A configuration value as plain None, bool, int, float, str, list and dict."""
    if isinstance(value, Configuration):
        return value.plain()
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value
