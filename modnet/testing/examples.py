"""Uses of a component with which its contract is tested: its own examples, or some made from its fields."""

from __future__ import annotations

from collections.abc import Iterator

from modnet.arrays import Shape
from modnet.engine.build import build
from modnet.errors import ModnetError, ShapeError, SpecError
from modnet.kinds.component import Component, Example
from modnet.kinds.layer import Layer
from modnet.kinds.node import Composite, Node

SHAPES: tuple[Shape, ...] = ((6,), (5, 4), (6, 4, 3))
"""Shapes of one sample that a layer is tried with: features, a sequence, an image."""


def examples_of(cls: type[Component]) -> list[Example]:
    """The uses of a component: those of `cls.examples()`, else made from its defaults and from shapes that it accepts.

    Raises:
        ModnetError: no example could be made; the class must override `examples`.
    """
    own = list(cls.examples())
    if own:
        return own
    try:
        component = cls(**cls.sample_arguments())
    except (LookupError, ModnetError) as error:
        raise ModnetError(
            f"{cls.__name__}: no example could be made from its fields ({error}); override examples()"
        ) from error
    if not isinstance(component, Layer):
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
            if isinstance(layer, Composite):
                _build(layer, shapes)
            else:
                layer.output_shape(*shapes)
                layer.parameters(*shapes)
        except (ShapeError, SpecError):
            continue
        yield shapes


def _build(composite: Composite, shapes: tuple[Shape, ...]) -> None:
    """Makes a network of only a composite. Raises SpecError for shapes that one of its nodes refuses."""
    inputs = {f"x{place}": list(shape) for place, shape in enumerate(shapes)}
    build({"network": {"input": inputs, "layers": [Node(layer=composite, inputs=tuple(inputs))]}})
