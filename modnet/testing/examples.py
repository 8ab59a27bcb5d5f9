"""Uses of a component on which its contract is tested: its own, or found out from its fields."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin

from modnet.arrays import Shape
from modnet.configuration.fields import Field
from modnet.errors import ModnetError, ShapeError
from modnet.kinds.component import Component, Example
from modnet.kinds.layer import Layer
from modnet.kinds.node import Composite

SHAPES: tuple[Shape, ...] = ((6,), (5, 4), (6, 4, 3))
"""Shapes of one sample that a layer is tried with: features, a sequence, an image."""


def examples_of(cls: type[Component]) -> list[Example]:
    """The uses of a component: those of `cls.examples()`, else made from its defaults and from shapes that it accepts.

    Raises:
        ModnetError: nothing could be made up; the class has to override `examples`.
    """
    own = list(cls.examples())
    if own:
        return own
    try:
        component = cls(**{name: _sample(cls, field) for name, field in cls.__fields__.items() if field.required})
    except (LookupError, ModnetError) as error:
        raise ModnetError(f"{cls.__name__}: no example could be made up ({error}); override examples()") from error
    if not isinstance(component, Layer) or isinstance(component, Composite):
        return [Example(component)]
    found = [Example(component, shapes) for shapes in accepted_shapes(component)]
    if not found:
        raise ModnetError(f"{cls.__name__} accepts none of the shapes {SHAPES}; override examples()")
    return found


def accepted_shapes(layer: Layer) -> Iterator[tuple[Shape, ...]]:
    """Those of `SHAPES` that a layer accepts, one for each of its inputs."""
    for shape in SHAPES:
        shapes = (shape,) * max(1, layer.inputs[0])
        try:
            layer.output_shape(*shapes)
            layer.parameters(*shapes)
        except ShapeError:
            continue
        yield shapes


def _sample(cls: type[Component], field: Field) -> Any:
    """A valid value for a required field.

    Raises:
        LookupError: for a type that nothing can be made up for.
    """
    hint = cls.hints()[field.name]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        hint = arguments[0]
    if origin is Literal:
        return arguments[0]
    if hint is bool:
        return True
    if hint is int:
        return int(_within(field, 3))
    if hint is float:
        return float(_within(field, 0.5))
    if hint is str:
        return "name"
    raise LookupError(f"no value for {field.name}")


def _within(field: Field, value: float) -> float:
    low = field.minimum if field.minimum is not None else field.above
    high = field.maximum if field.maximum is not None else field.below
    if field.admits(value):
        return value
    if low is not None and high is not None:
        return (low + high) / 2
    return low + 1 if low is not None else (high or 0) - 1
