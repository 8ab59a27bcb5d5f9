"""The layers of ensembles: their samples have an axis of members."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from modnet.arrays import Array, Shape
from modnet.kinds.translations import Translation
from modnet.layers.members import EnsembleMean, LinearMembers, Members, ToMembers
from modnet_onnx.exporting.components import export_of
from modnet_onnx.exporting.writer import Writer


def _ensemble_mean(writer: Writer, layer: EnsembleMean, x: str) -> str:
    return writer.reduce("ReduceMean", x, [1])


def to_members(writer: Writer, x: str, members: int, axes: int) -> str:
    """(batch, ...) -> (batch, members, ...), for samples of so many axes."""
    return str(writer.op("Expand", writer.unsqueeze(x, 1), [1, members, *[1] * axes]))


def _to_members(writer: Writer, layer: ToMembers, x: str) -> str:
    return to_members(writer, x, layer.members, len(writer.input_shapes[0]))


def _within(
    writer: Writer,
    layer: Members,
    label: str,
    arrays: Callable[[Mapping[str, Array]], Mapping[str, Array]],
    inputs: tuple[str, ...],
    shapes: tuple[tuple[Shape, ...], tuple[Shape, ...]],
) -> tuple[Any, Writer]:
    """The output of the layer inside, with these of the arrays, and its writer."""
    raw = writer.raw if layer.shared else ()
    inner = writer.inner(label, arrays(writer.params), arrays(writer.state), *shapes, writer.masks, raw)
    export = export_of(layer.layer)
    assert export is not None
    return export(inner, *inputs), inner


def _members(writer: Writer, layer: Members, *inputs: str) -> Any:
    """One member after the other."""
    given = writer.input_shapes if layer.shared else tuple(shape[1:] for shape in writer.input_shapes)
    shapes = given, tuple(shape[1:] for shape in writer.output_shapes)
    found: list[tuple[str, ...]] = []
    for member in range(layer.members):
        own = inputs if layer.shared else tuple(writer.op("Gather", x, member, axis=1) for x in inputs)

        def part(arrays: Mapping[str, Array], member: int = member) -> Mapping[str, Array]:
            return {name: array[member] for name, array in arrays.items()}

        made, inner = _within(writer, layer, str(member), part, own, shapes)
        writer.output_mask = inner.output_mask
        found.append(made if isinstance(made, tuple) else (made,))
    joined = tuple(
        writer.concat([writer.unsqueeze(value, 1) for value in values], 1) for values in zip(*found, strict=True)
    )
    return joined if layer.outputs else joined[0]


def _featurewise_members(writer: Writer, layer: Members, x: str) -> Any:
    """All members as one wide sample."""
    if len(writer.output_shapes[0]) != 2:
        return _members(writer, layer, x)
    if layer.shared:
        x = to_members(writer, x, layer.members, 1)
    features = writer.input_shapes[0][-1] or 0
    wide = layer.members * features
    width = layer.members * (writer.output_shapes[0][-1] or 0)

    def joined(arrays: Mapping[str, Array]) -> Mapping[str, Array]:
        return {name: array.reshape(-1, *array.shape[2:]) for name, array in arrays.items()}

    writer.raw = (None,)
    y, _ = _within(writer, layer, "wide", joined, (writer.reshape(x, [0, wide]),), (((wide,),), ((width,),)))
    return writer.reshape(y, [0, layer.members, -1])


def _linear_members(writer: Writer, layer: LinearMembers, x: str) -> str:
    """One product of all members, which stand in front: (members, batch, ..., in)."""
    weight, bias = writer.params["weight"], writer.params.get("bias")
    steps = len(writer.output_shapes[0]) - 2
    if not steps:
        writer.output_mask = None
    axes = [1, 0, *range(2, steps + 3)]
    rows = writer.unsqueeze(x, 0) if layer.shared else writer.transpose(x, axes)
    y = writer.op("MatMul", rows, weight[:, None] if steps else weight)
    if bias is not None:
        y = writer.op("Add", y, bias[:, None, None] if steps else bias[:, None])
    return writer.transpose(y, axes)


EXPORTS: dict[str, Translation] = {
    "EnsembleMean": _ensemble_mean,
    "FeaturewiseMembers": _featurewise_members,
    "LinearMembers": _linear_members,
    "Members": _members,
    "MembersAtOnce": _members,
    "ToMembers": _to_members,
}
