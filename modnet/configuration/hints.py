"""From a type hint to its checker."""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, Union, get_args, get_origin

from modnet.configuration.bounds import UNBOUNDED, Bounds
from modnet.configuration.checker import (
    Anything,
    Checker,
    Either,
    InstanceOf,
    ListOf,
    Nothing,
    OneOf,
    Real,
    TableOf,
    Text,
    Truth,
    TupleOf,
    Unsupported,
    Whole,
)


def checker_of(hint: Any, bounds: Bounds = UNBOUNDED) -> Checker:
    """The checker of a type hint, with the bounds of the numbers in it.

    A class can provide its own checker by a method `__checker__()`, as configurations and components do.
    """
    origin = get_origin(hint)
    if origin is not None:
        make = _GENERIC.get(origin)
        return make(get_args(hint), bounds) if make else Unsupported(hint)
    for known, checker in _PLAIN:  # not a dict: a hint need not be hashable
        if hint is known:
            return checker
    if hint is int:
        return Whole(bounds)
    if hint is float:
        return Real(bounds)
    if hasattr(hint, "__checker__"):
        own: Checker = hint.__checker__()
        return own
    return InstanceOf(hint) if isinstance(hint, type) else Unsupported(hint)


_PLAIN: tuple[tuple[Any, Checker], ...] = (
    (str, Text()),
    (bool, Truth()),
    (None, Nothing()),
    (type(None), Nothing()),
    (Any, Anything()),
)


def _one_of(arguments: Sequence[Any], bounds: Bounds) -> Checker:
    return OneOf(arguments)


def _either(arguments: Sequence[Any], bounds: Bounds) -> Checker:
    return Either([checker_of(part, bounds) for part in arguments])


def _tuple(arguments: Sequence[Any], bounds: Bounds) -> Checker:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return ListOf(checker_of(arguments[0], bounds))
    return TupleOf([checker_of(part, bounds) for part in arguments])


def _table(arguments: Sequence[Any], bounds: Bounds) -> Checker:
    return TableOf(checker_of(arguments[1], bounds))


_GENERIC: dict[Any, Callable[[Sequence[Any], Bounds], Checker]] = {
    Literal: _one_of,
    Union: _either,
    types.UnionType: _either,
    tuple: _tuple,
    dict: _table,
    Mapping: _table,
}


def resolved(cls: type, name: str) -> Any:
    """The hint of a field. A hint that is text is evaluated in the module and the class where it is written.

    Not by `typing.get_type_hints`, which would fail for all hints of a class if one of them cannot be resolved, and
    looks up names in the wrong class for inherited fields.

    Raises:
        NameError, AttributeError: a name in it does not exist at run time.
    """
    for base in cls.__mro__:
        annotation = inspect.get_annotations(base).get(name)
        if annotation is None:
            continue
        if not isinstance(annotation, str):
            return annotation
        module = sys.modules.get(base.__module__)
        try:
            return eval(annotation, vars(module) if module else {}, dict(vars(base)))
        except (NameError, AttributeError) as error:
            raise type(error)(f"{error}, in the annotation of {base.__name__}.{name}") from error
    raise KeyError(name)


def is_class_variable(annotation: Any) -> bool:
    """Whether an annotation, which may be text, says `ClassVar`."""
    if isinstance(annotation, str):
        return annotation.startswith(("ClassVar", "typing.ClassVar"))
    return annotation is ClassVar or get_origin(annotation) is ClassVar
