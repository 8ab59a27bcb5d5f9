"""The layers of ensembles."""

from __future__ import annotations

import math

from modnet.kinds.translations import Translation
from modnet.layers.members import EnsembleMean, LinearMembers, Members, ToMembers
from modnet_compiled.errors import CannotCompile
from modnet_compiled.operations import Value
from modnet_compiled.writer import Writer


def _ensemble_mean(writer: Writer, layer: EnsembleMean, x: Value) -> Value:
    writer.refuse_masks()
    return writer.mean(x, 0)


def _to_members(writer: Writer, layer: ToMembers, x: Value) -> Value:
    writer.refuse_masks()
    return writer.repeated(x, layer.members)


def _linear(writer: Writer, layer: LinearMembers, x: Value) -> Value:
    writer.refuse_masks()
    weight, bias = writer.params["weight"], writer.params.get("bias")
    members, depth, columns = weight.shape
    steps = x.shape[:-1] if layer.shared else x.shape[1:-1]
    rows = math.prod(steps)
    output = writer.value((members, *steps, columns))
    size, out_size = rows * depth * (1 if layer.shared else members), rows * columns * members
    for member in range(members):
        first = 0 if layer.shared else member * rows * depth
        places = (rows, depth, columns, size, out_size, first, member * rows * columns)
        own = None if bias is None else bias[member]
        writer.write_product(x, output, weight[member], own, places)
    return output


def _members(writer: Writer, layer: Members, *inputs: Value) -> Value:
    """The layer inside, once for each member."""
    writer.refuse_masks()
    if layer.outputs:
        raise CannotCompile("it has several outputs")
    params, state = writer.params, writer.state
    made = []
    for member in range(layer.members):
        own = inputs if layer.shared else [_of_member(writer, x, member) for x in inputs]
        y = writer.layer(
            layer.layer,
            *own,
            params={name: array[member] for name, array in params.items()},
            state={name: array[member] for name, array in state.items()},
        )
        made.append(writer.reshaped(y, (1, *y.shape)))
    return writer.concatenated(made, 0)


def _of_member(writer: Writer, x: Value, member: int) -> Value:
    part = writer.part(x, 0, member, member + 1)
    return writer.reshaped(part, x.shape[1:])


def _wide(writer: Writer, layer: Members, x: Value) -> Value:
    """The features of all members as those of one sample."""
    writer.refuse_masks()
    if len(x.shape) != (1 if layer.shared else 2):
        return _members(writer, layer, x)
    if layer.shared:
        x = writer.repeated(x, layer.members)
    arrays = [
        {name: array.reshape(-1, *array.shape[2:]) for name, array in given.items()}
        for given in (writer.params, writer.state)
    ]
    flat = writer.reshaped(x, (x.size,))
    y = writer.layer(layer.layer, flat, params=arrays[0], state=arrays[1])
    return writer.reshaped(y, (layer.members, y.size // layer.members))


def _at_once(writer: Writer, layer: Members, x: Value) -> Value:
    writer.refuse_masks()
    if any(array.ndim != len(x.shape) + layer.shared for array in writer.params.values()):
        return _members(writer, layer, x)
    if layer.shared:
        x = writer.repeated(x, layer.members)
    return writer.layer(layer.layer, x, params=writer.params, state=writer.state)


LOWERINGS: dict[str, Translation] = {
    "EnsembleMean": _ensemble_mean,
    "FeaturewiseMembers": _wide,
    "LinearMembers": _linear,
    "Members": _members,
    "MembersAtOnce": _at_once,
    "ToMembers": _to_members,
}
