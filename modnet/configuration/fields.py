"""Immutable, declared, checked configuration: the base of components and of the parts of a spec.

A subclass of `Configuration` declares its fields as annotations. It gets a constructor, equality, a repr and
immutability, as a frozen dataclass would, and type checkers treat it as one (PEP 681). It is not made by
`dataclasses`: that compiles several functions for each class, about a millisecond, and a process that only predicts
would pay that for every component in the modules it imports.

Values are checked against the annotations: each becomes a `Checker`, which serves constructor calls, spec files, model
files and the JSON Schema.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self, cast, dataclass_transform

from modnet.configuration.bounds import UNBOUNDED, Bounds
from modnet.configuration.checker import Checker, ConfigurationOf
from modnet.configuration.hints import checker_of, is_class_variable, resolved
from modnet.configuration.reading import INVALID, Invalid, Reading
from modnet.errors import Problem, SpecError
from modnet.words import Path, did_you_mean, show


class Missing:
    """Marks a field without a default; None cannot, since it is a valid default."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING = Missing()


class Field:
    """A declared field: its name, its default, and what its annotation cannot say.

    Attributes:
        bounds: of a number, or of each number of a list.
        renamed_from: the name that this field had in an earlier version of its component.
    """

    __slots__ = ("bounds", "default", "name", "renamed_from")

    def __init__(self, default: Any = MISSING, bounds: Bounds = UNBOUNDED, renamed_from: str | None = None) -> None:
        self.name = ""
        self.default = default
        self.bounds = bounds
        self.renamed_from = renamed_from

    @property
    def required(self) -> bool:
        return self.default is MISSING


def field(
    default: Any = MISSING,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
    renamed_from: str | None = None,
) -> Any:
    """Declares a field with bounds: `rate: float = field(default=0.5, minimum=0.0, below=1.0)`.

    Args:
        default: its default; a field without one is required.
        minimum, maximum: inclusive bounds of a number, or of each number of a list.
        above, below: exclusive bounds.
        renamed_from: the name that this field had in an earlier version of its component.
    """
    return Field(default, Bounds(minimum, maximum, above, below), renamed_from)


class _Signature:
    """What `inspect.signature` shows of a configuration class; made on demand, so that classes are made quickly."""

    def __get__(self, instance: Any, owner: type[Configuration]) -> inspect.Signature:
        if owner.__init__ is not Configuration.__init__:
            # `inspect` then falls back to the signature of that constructor.
            raise AttributeError("a class with a constructor of its own has the signature of that")
        try:
            hints = owner.hints()
        except (NameError, AttributeError):  # an annotation cannot be resolved: show the names and defaults at least
            hints = {}
        parameters = [
            inspect.Parameter(
                name,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=inspect.Parameter.empty if declared.required else declared.default,
                annotation=hints.get(name, inspect.Parameter.empty),
            )
            for name, declared in owner.__fields__.items()
        ]
        return inspect.Signature(parameters, return_annotation=None)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Configuration:
    """Immutable configuration whose fields are its annotations.

    Raises:
        SpecError: from the constructor, for a value of the wrong type or out of bounds.
        TypeError: from the constructor, for a missing or an unknown argument.
    """

    called: ClassVar[str] = ""
    """What messages call it, where the name of the class means nothing to users."""

    __fields__: ClassVar[dict[str, Field]] = {}
    __hints__: ClassVar[dict[str, Any] | None] = None
    __checkers__: ClassVar[dict[str, Checker] | None] = None
    __signature__: ClassVar[_Signature] = _Signature()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        fields: dict[str, Field] = {}
        for base in reversed(cls.__mro__[1:]):
            fields.update(base.__dict__.get("__fields__", {}))
        fields.update(_declared_by(cls))
        # Required fields first. A dataclass refuses any other order; here the class is put in order (sorted is stable),
        # so that a subclass can add a required field to a base with defaults.
        ordered = sorted(fields.values(), key=lambda declared: not declared.required)
        cls.__fields__ = {declared.name: declared for declared in ordered}
        # On each class, or a subclass would find the cached ones of its base.
        cls.__hints__ = None
        cls.__checkers__ = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        cls = type(self)
        values = cls._arguments(args, kwargs)
        label, reading = cls._label(), Reading()
        # Without arguments no annotation has to be resolved: defaults such as `LecunNormal()` are made during import.
        checkers = cls.checkers() if values else {}
        for name, declared in cls.__fields__.items():
            if name in values:
                # Into `__dict__`, since `__setattr__` refuses.
                self.__dict__[name] = checkers[name].check(values[name], (label, name), reading)
            else:
                self.__dict__[name] = declared.default
        reading.raise_problems()
        try:
            self.check()
        except ValueError as error:
            raise SpecError([Problem(label, str(error))]) from None

    @classmethod
    def _arguments(cls, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Field name -> what a constructor was given for it."""
        fields, label = cls.__fields__, cls._label()
        if len(args) > len(fields):
            raise TypeError(f"{label} takes at most {len(fields)} arguments, {len(args)} were given")
        values = dict(zip(fields, args, strict=False))
        for name, value in kwargs.items():
            if name not in fields:
                raise TypeError(
                    f"{label} has no field {show(name)}{_unannotated(cls, name) or did_you_mean(name, fields)}"
                )
            if name in values:
                raise TypeError(f"{label}: {name} was given twice")
            values[name] = value
        missing = [name for name, declared in fields.items() if declared.required and name not in values]
        if missing:
            raise TypeError(f"{label} needs {', '.join(missing)}")
        return values

    @classmethod
    def from_table(cls, table: Any, path: Path, reading: Reading, ignore: Iterable[str] = ()) -> Self | Invalid:
        """A configuration from a table, or INVALID. Unknown and missing keys are problems, and every value is checked.

        Args:
            table: a part of a spec or a model file: plain values, or configurations that are made already.
            path: its place, for messages.
            reading: where problems are noted.
            ignore: keys of the table that are read elsewhere.
        """
        if reading.is_full:
            return INVALID
        if not isinstance(table, Mapping):
            return cast(Invalid, cls.__checker__().expected(table, path, reading))
        before = len(reading.problems)
        values = cls._values(table, path, reading, tuple(ignore))
        if len(reading.problems) > before:
            return INVALID
        made = cls.__new__(cls)  # without __init__, which would check the values again, and could not collect problems
        for name, declared in cls.__fields__.items():
            made.__dict__[name] = values.get(name, declared.default)
        try:
            made.check()
        except ValueError as error:
            return reading.problem(path, str(error))
        return made

    @classmethod
    def _values(cls, table: Mapping[Any, Any], path: Path, reading: Reading, ignore: tuple[str, ...]) -> dict[str, Any]:
        """Field name -> its value in a table."""
        checkers = cls.checkers()
        values: dict[str, Any] = {}
        # The fields that misspelt keys probably mean: they are not reported as missing as well.
        meant: set[str | None] = set()
        for key, value in table.items():
            if reading.is_full:
                break
            if key in ignore:
                continue
            name = key if key in cls.__fields__ else cls._name_of(key, path, reading, ignore, meant)
            if name is not None:
                values[name] = reading.value(checkers[name], value, (*path, key))
        for name, declared in cls.__fields__.items():
            if declared.required and name not in values and name not in meant:
                reading.problem(path, f'missing key "{name}" ({checkers[name].describe()})')
        return values

    @classmethod
    def _name_of(
        cls, key: Any, path: Path, reading: Reading, ignore: tuple[str, ...], meant: set[str | None]
    ) -> str | None:
        """The field that had this name in an earlier version, for a key that is not the name of a field; else None.

        If it is None, a problem is noted, and the field that was probably meant is added to `meant`.
        """
        fields = cls.__fields__
        name = next((name for name, declared in fields.items() if declared.renamed_from == key), None)
        if name is None:
            meant.add(reading.unknown_key(path, key, [*fields, *ignore]))
        elif reading.reader is None or not reading.reader.old_names:
            reading.problem((*path, key), f'this key is now called "{name}"', at_key=True)
            return None
        return name

    def check(self) -> None:
        """Checks conditions between fields. Override it, and raise ValueError to say what is wrong."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in type(self).__fields__:
            raise AttributeError(f"{self._label()} is immutable; make a new one with .replace({name}=...)")
        raise AttributeError(
            f"{self._label()} is immutable and has no field {show(name)}: an option is an annotated field, such as "
            f"{name}: int = 1; what is computed is kept elsewhere, such as a layer's context or an optimizer's slots"
        )

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
            # Identity first: `!=` of two arrays, which a component must not have, gives no bool.
            if self.__dict__[name] is not declared.default and self.__dict__[name] != declared.default
        ]
        return f"{type(self).__name__}({', '.join(changed)})"

    def replace(self, **changes: Any) -> Self:
        """The same configuration with some fields changed."""
        return type(self)(**{**self.__dict__, **changes})

    @classmethod
    def hints(cls) -> dict[str, Any]:
        """Field name -> resolved type hint."""
        if cls.__hints__ is None:
            cls.__hints__ = {name: resolved(cls, name) for name in cls.__fields__}
        return cls.__hints__

    @classmethod
    def checkers(cls) -> dict[str, Checker]:
        """Field name -> its checker; made once for each class, when first needed.

        Raises:
            NameError, AttributeError: an annotation uses a name that does not exist at run time.
        """
        if cls.__checkers__ is None:
            hints = cls.hints().items()
            cls.__checkers__ = {name: checker_of(hint, cls.__fields__[name].bounds) for name, hint in hints}
        return cls.__checkers__

    @classmethod
    def __checker__(cls) -> Checker:
        """The checker of a field whose annotation is this class."""
        return ConfigurationOf(cls)

    @classmethod
    def sample_arguments(cls) -> dict[str, Any]:
        """Arguments for the constructor: an example value for each required field.

        Raises:
            LookupError: no example value is known for a field.
        """
        arguments = {}
        for name, declared in cls.__fields__.items():
            if declared.required:
                try:
                    arguments[name] = cls.checkers()[name].sample()
                except LookupError as error:
                    raise LookupError(f"{name}: {error}") from None
        return arguments

    @classmethod
    def _label(cls) -> str:
        return cls.called or cls.__name__

    def plain(self) -> dict[str, Any]:
        """The configuration as plain values, as a spec file or a model file holds it."""
        return {name: plain(value) for name, value in self.__dict__.items()}


def _declared_by(cls: type) -> dict[str, Field]:
    """The fields that a class itself declares; each default becomes a class attribute.

    Raises:
        TypeError: a `field(...)` has no annotation.
    """
    annotations = inspect.get_annotations(cls)
    for name, value in vars(cls).items():
        if isinstance(value, Field) and name not in annotations:
            raise TypeError(
                f"{cls.__name__}.{name} is not a field without an annotation; write {name}: int = field(...)"
            )
    fields = {}
    for name, annotation in annotations.items():
        if is_class_variable(annotation):
            continue
        value = cls.__dict__.get(name, MISSING)
        declared = value if isinstance(value, Field) else Field(value)
        declared.name = name
        fields[name] = declared
        if not declared.required:
            setattr(cls, name, declared.default)
        elif name in cls.__dict__:  # `x: int = field(minimum=1)`: reading `cls.x` must not give the declaration
            delattr(cls, name)
    return fields


def _unannotated(cls: type[Configuration], name: str) -> str:
    """A hint for an option that a class has without an annotation, `rate = 0.5`; "" for any other name."""
    value = next((vars(base)[name] for base in cls.__mro__ if name in vars(base)), None)
    known = isinstance(value, bool | int | float | str | tuple) and not hasattr(Configuration, name)
    return (
        f"; {cls.__name__}.{name} has no annotation: write {name}: {type(value).__name__} = {value!r}" if known else ""
    )


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
