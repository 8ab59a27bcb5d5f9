"""How the arrays of a node look in torch: their names, shapes and order of axes, for each type of layer.

A node's arrays may be in one module of torch or in several, and there may be several ways; each is a `Form`. The
first is the one that is written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from modnet.arrays import Array, Shape
from modnet.engine.graph import Graph, GraphNode
from modnet.errors import DataError
from modnet_torch.attention import attention_forms
from modnet_torch.form import Arrays, Form, Shapes
from modnet_torch.modules import modules_of


class Entry(NamedTuple):
    """One array: `theirs` in torch is `ours` with its axes in the order `axes`."""

    ours: str
    theirs: str
    axes: tuple[int, ...] = (0,)


LINEAR = (Entry("weight", "weight", (1, 0)), Entry("bias", "bias"))
NORM = (Entry("scale", "weight"), Entry("shift", "bias"))
RUNNING = (Entry("running_mean", "running_mean"), Entry("running_variance", "running_var"))


def _kernel(*axes: int) -> tuple[Entry, ...]:
    return Entry("weight", "weight", axes), Entry("bias", "bias")


ENTRIES: dict[str, tuple[Entry, ...]] = {
    "linear": LINEAR,
    "conv1d": _kernel(2, 1, 0),
    "conv2d": _kernel(3, 2, 0, 1),
    "conv3d": _kernel(4, 3, 0, 1, 2),
    "conv_transpose2d": _kernel(3, 2, 0, 1),
    "depthwise_conv2d": _kernel(2, 0, 1),
    "batch_norm": (*NORM, *RUNNING),
    "layer_norm": NORM,
    "rms_norm": NORM,
    "embedding": (Entry("weight", "weight", (0, 1)),),
    "positional_embedding": (Entry("weight", "weight", (0, 1)),),
    "prelu": (Entry("alpha", "weight"),),
}
"""Type of layer -> its arrays, of which a layer may lack some (`bias = false`)."""


@dataclass(frozen=True)
class _Moved:
    """An entry with its shapes.

    Attributes:
        shape: of the array in torch; it has the same numbers in the same order as `ours` with its axes moved.
        order: where the place of each of torch's features is among ours, along the first axis; None where they are
            alike.
    """

    entry: Entry
    moved: tuple[int, ...]
    shape: tuple[int, ...]
    order: Array | None

    def read(self, array: Array) -> Array:
        axes = self.entry.axes
        ours = array.reshape(self.moved).transpose(np.argsort(axes)) if self.moved else array.reshape(())
        if self.order is not None:
            ours = ours[np.argsort(self.order)]
        return ours

    def write(self, array: Array) -> Array:
        if self.order is not None:
            array = array[self.order]
        return (array.transpose(self.entry.axes) if self.moved else array).reshape(self.shape)


def forms_of(node: GraphNode, order: Array | None) -> list[Form]:
    """How the arrays of a node may look in torch.

    Args:
        order: that of the node's features in torch, if it differs (`feature_orders`).
    """
    shapes = {name: parameter.shape for name, parameter in node.parameters.items()}
    shapes |= {name: state.shape for name, state in node.state.items()}
    kind = "" if node.apart else node.layer.type  # the members of an ensemble have no counterpart
    if kind in ENTRIES:
        return _plain(kind, shapes, order)
    if kind in RECURRENT:
        return [_recurrent(kind, shapes)]
    if kind == "multi_head_attention":
        return attention_forms(node, shapes)
    return [as_it_is(shapes, order)] if shapes else []


def as_it_is(shapes: Shapes, order: Array | None = None) -> Form:
    """Arrays that torch has no module for, under their own names; those of features in torch's order."""

    def turned(array: Array, places: Array | None) -> Array:
        return array if places is None or array.shape != places.shape else array[places]

    blanks = {name: np.empty(shape) for name, shape in shapes.items()}
    modules = modules_of({f".{name}": blank for name, blank in blanks.items()})
    names = [{own: whole[1:] for own, whole in module.names.items()} for module in modules]

    def read(found: Sequence[Arrays]) -> dict[str, Array]:
        back = None if order is None else np.argsort(order)
        pairs = zip(found, names, strict=True)
        return {ours: turned(each[own], back) for each, owns in pairs for own, ours in owns.items()}

    def write(arrays: Arrays) -> list[dict[str, Array]]:
        return [{own: turned(arrays[ours], order) for own, ours in owns.items()} for owns in names]

    return Form(tuple(module.name for module in modules), tuple(module.shapes for module in modules), read, write)


def _plain(kind: str, shapes: Shapes, order: Array | None) -> list[Form]:
    """Those of a layer with one module, the usual one first."""
    entries = [entry for entry in ENTRIES[kind] if entry.ours in shapes]
    moved = [_moved(kind, entry, shapes[entry.ours], order) for entry in entries]
    forms = [_form(moved)]
    if kind in ("linear", "embedding") and order is None:
        # GPT-2's Conv1D has its weight as it is here.
        as_here = Entry("weight", "weight", (0, 1))
        if kind == "linear" and len(set(shapes["weight"])) > 1:
            forms.append(_form([_moved(kind, as_here, shapes["weight"], None), *moved[1:]]))
    if kind == "positional_embedding":
        (weight,) = moved
        for shape in (weight.shape, (1, *weight.shape)):
            loose = _Moved(Entry("weight", "", (0, 1)), weight.moved, shape, None)
            forms.append(_form([loose]))
    if kind in ("batch_norm", "layer_norm"):
        scale, shift = moved[:2]
        for without in ((shift,), (scale, shift)):  # torch's bias=False, elementwise_affine=False, affine=False
            kept = [each for each in moved if each not in without]
            if kept:
                forms.append(_form(kept, without))
    return forms


def _moved(kind: str, entry: Entry, shape: tuple[int, ...], order: Array | None) -> _Moved:
    moved = tuple(shape[axis] for axis in entry.axes[: len(shape)]) if shape else ()
    theirs = moved or (1,)
    if len(shape) > len(entry.axes):  # a norm over several axes
        moved = theirs = shape
        entry = entry._replace(axes=tuple(range(len(shape))))
    if kind == "depthwise_conv2d" and len(shape) == 3:
        theirs = (moved[0], 1, *moved[1:])
    return _Moved(entry, moved, theirs, order if _has_features(kind, entry) else None)


def _has_features(kind: str, entry: Entry) -> bool:
    """Whether the first axis of an array is that of the features of the layer's input."""
    return entry.ours == "weight" if kind == "linear" else kind in ("batch_norm", "layer_norm", "rms_norm", "prelu")


def _form(moved: Sequence[_Moved], without: Sequence[_Moved] = ()) -> Form:
    """A form of one module; the arrays of a norm that it is `without` do nothing: they are 1 and 0."""

    def read(found: Sequence[Arrays]) -> dict[str, Array]:
        (module,) = found
        arrays = {each.entry.ours: each.read(module[each.entry.theirs]) for each in moved}
        blanks = {each.entry.ours: np.full(each.moved, float(each.entry.ours == "scale")) for each in without}
        return {**arrays, **blanks}

    def write(arrays: Arrays) -> list[dict[str, Array]]:
        for each in without:
            if np.any(arrays[each.entry.ours] != float(each.entry.ours == "scale")):
                theirs, ours = each.entry.theirs, each.entry.ours
                raise DataError(f"the module that is to take it is a norm without {theirs}, but it has a {ours}")
        return [{each.entry.theirs: each.write(arrays[each.entry.ours]) for each in moved}]

    return Form(("",), ({each.entry.theirs: each.shape for each in moved},), read, write)


RECURRENT = {"rnn": 1, "lstm": 4, "gru": 3}
"""Type of layer -> how many gates it has; torch has them in the same order."""


def _recurrent(kind: str, shapes: Shapes) -> Form:
    """Of one layer in one direction: two weights, and two biases whose sum counts, but for the last gate of a gru."""
    (features, columns), (size, _) = shapes["weight_input"], shapes["weight_hidden"]
    theirs: dict[str, tuple[int, ...]] = {"weight_ih": (columns, features), "weight_hh": (columns, size)}
    if "bias" in shapes:
        theirs.update(bias_ih=(columns,), bias_hh=(columns,))
    rest = as_it_is({name: shape for name, shape in shapes.items() if name.startswith("initial_")})
    shared = 2 * size if kind == "gru" else columns

    def read(found: Sequence[Arrays]) -> dict[str, Array]:
        module, *others = found
        arrays = {"weight_input": module["weight_ih"].T, "weight_hidden": module["weight_hh"].T}
        if "bias" in shapes:
            of_input, of_hidden = module["bias_ih"], module["bias_hh"]
            arrays["bias"] = np.concatenate([of_input[:shared] + of_hidden[:shared], of_input[shared:]])
        if "bias_hidden" in shapes:
            arrays["bias_hidden"] = of_hidden[shared:]
        return {**arrays, **rest.read(others)}

    def write(arrays: Arrays) -> list[dict[str, Array]]:
        module = {"weight_ih": arrays["weight_input"].T, "weight_hh": arrays["weight_hidden"].T}
        if "bias" in arrays:
            of_hidden = np.zeros_like(arrays["bias"])
            if "bias_hidden" in arrays:
                of_hidden[shared:] = arrays["bias_hidden"]
            module.update(bias_ih=arrays["bias"], bias_hh=of_hidden)
        return [module, *rest.write(arrays)]

    return Form((".l0", *rest.names), (theirs, *rest.shapes), read, write)


def feature_orders(graph: Graph) -> dict[int, Array]:
    """Slot -> where each of its features stands here, where torch has them in another order.

    torch has the channels of an image before its rows, so that `flatten` gives its numbers in another order there.
    """
    orders: dict[int, Array] = {}
    sequences = convolved(graph)
    for node in graph.nodes:
        shape, source = node.input_shapes[0], node.inputs[0]
        if source in orders and keeps_features(node):
            orders[node.slot] = orders[source]
        elif _flattens(node) and (len(shape) > 2 or source in sequences):
            sizes = [size or 1 for size in shape]
            places = np.arange(math.prod(sizes)).reshape(sizes)
            orders[node.slot] = np.moveaxis(places, -1, 0).reshape(-1)
        elif node.layer.type == "concatenate" and len(node.shape) == 1 and not orders.keys().isdisjoint(node.inputs):
            orders[node.slot] = _joined([orders.get(slot) for slot in node.inputs], node.input_shapes)
    return orders


def _joined(orders: Sequence[Array | None], shapes: Sequence[Shape]) -> Array:
    """The order of features side by side; None for features that stand alike."""
    starts = accumulate((shape[0] or 0 for shape in shapes), initial=0)
    parts = zip(orders, shapes, starts, strict=False)
    return np.concatenate([start + (np.arange(shape[0] or 0) if own is None else own) for own, shape, start in parts])


def mixing(graph: Graph, orders: Mapping[int, Array]) -> list[GraphNode]:
    """The nodes that mix features in torch's order with others, so that the nodes after them have neither order."""
    found = []
    for node in graph.nodes:
        reads = not orders.keys().isdisjoint(node.inputs)
        if reads and node.slot not in orders and node.layer.type != "linear":
            found.append(node)
    return found


def _flattens(node: GraphNode) -> bool:
    return node.layer.type in ("flatten", "reshape") and len(node.shape) == 1


def joins_channels(node: GraphNode) -> bool:
    """Whether a node makes sequences of an image whose channels share an axis with its rows or columns."""
    shape = node.input_shapes[0]
    return node.layer.type == "reshape" and len(shape) > 2 and len(node.shape) > 1 and node.shape[-1] != shape[-1]


def keeps_features(node: GraphNode) -> bool:
    """Whether each number of a node's output is made of the one at its place, and perhaps of all together."""
    return node.shape == node.input_shapes[0] and (node.layer.kind == "activation" or node.layer.type in KEEPS)


KEEPS = ("dropout", "gaussian_noise", "batch_norm", "layer_norm", "rms_norm", "standardize")


def convolved(graph: Graph) -> set[int]:
    """The slots of sequences that torch has with their channels first: what windows over time have made."""
    found: set[int] = set()
    for node in graph.nodes:
        if node.layer.type.endswith("1d") or (node.inputs[0] in found and keeps_features(node)):
            found.add(node.slot)
    return found
