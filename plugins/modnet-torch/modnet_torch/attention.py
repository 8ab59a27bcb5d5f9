"""How the arrays of `multi_head_attention` look in torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.engine.graph import GraphNode
from modnet_torch.form import Arrays, Form, Shapes

PARTS = ("query", "key", "value")
SHORT = {"query": "q", "key": "k", "value": "v"}


class _Attention:
    """The maps of a node to queries, keys, values and to its output, however they are packed.

    Attributes:
        projections: those of the layer: the name of each weight, with the widths of its parts.
        widths, features: of each part: how many numbers it has, and of how many they are made.
        biased, output_biased: whether there are biases.
    """

    def __init__(self, node: GraphNode, shapes: Shapes) -> None:
        layer: Any = node.layer
        self.projections = layer.projections(*node.input_shapes)
        self.widths: dict[str, int] = {}
        self.features: dict[str, int] = {}
        for projection in self.projections:
            self.widths.update(projection.parts)
            self.features.update(dict.fromkeys(projection.parts, shapes[f"{projection.name}_weight"][0]))
        self.output = shapes["output_weight"][::-1]
        self.biased = f"{self.projections[0].name}_bias" in shapes
        self.output_biased = "output_bias" in shapes

    def apart(self, arrays: Arrays) -> dict[str, Array]:
        """The node's arrays as torch has them: `query_weight` (width, features), `query_bias` and so on."""
        found = {}
        for projection in self.projections:
            ends = list(accumulate(projection.parts.values()))[:-1]
            for name in ("weight", "bias") if self.biased else ("weight",):
                parts = np.split(arrays[f"{projection.name}_{name}"].T, ends)
                found.update({f"{part}_{name}": array for part, array in zip(projection.parts, parts, strict=True)})
        found["output_weight"] = arrays["output_weight"].T
        if self.output_biased:
            found["output_bias"] = arrays["output_bias"]
        return found

    def joined(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """The inverse of `apart`."""
        found = {}
        for projection in self.projections:
            for name in ("weight", "bias") if self.biased else ("weight",):
                parts = [arrays[f"{part}_{name}"] for part in projection.parts]
                found[f"{projection.name}_{name}"] = np.concatenate(parts).T
        found["output_weight"] = arrays["output_weight"].T
        if self.output_biased:
            found["output_bias"] = arrays["output_bias"]
        return found

    def shapes_of(self, part: str) -> dict[str, tuple[int, ...]]:
        """Those of a separate linear map."""
        if part == "output":
            weight: tuple[int, ...] = self.output
            biased = self.output_biased
        else:
            weight, biased = (self.widths[part], self.features[part]), self.biased
        return {"weight": weight, "bias": weight[:1]} if biased else {"weight": weight}


def attention_forms(node: GraphNode, shapes: Shapes) -> list[Form]:
    """torch's own module, if possible; four linear maps; and, for one input, two, of which one makes all three.

    With grouped heads, or heads of another size than features / heads, it is four maps that are written.
    """
    attention = _Attention(node, shapes)
    every = set(attention.features.values()) | set(attention.widths.values())
    size = attention.output[0]
    forms = []
    alike = set(attention.widths.values()) == {size} == {attention.features["query"]}
    if alike and attention.biased == attention.output_biased:
        forms.append(_packed(attention) if every == {size} else _with_own_weights(attention))
    forms.append(_four(attention))
    if len(node.inputs) == 1:
        forms += [_two(attention, turned=False), _two(attention, turned=True)]
    return forms


def _concatenated(arrays: Mapping[str, Array], name: str) -> Array:
    return np.concatenate([arrays[f"{part}_{name}"] for part in PARTS])


def _split(attention: _Attention, name: str, array: Array) -> dict[str, Array]:
    ends = list(accumulate(attention.widths[part] for part in PARTS))[:-1]
    return {f"{part}_{name}": found for part, found in zip(PARTS, np.split(array, ends), strict=True)}


def _output(module: Arrays) -> dict[str, Array]:
    return {f"output_{name}": array for name, array in module.items()}


def _output_of(arrays: Arrays) -> dict[str, Array]:
    return {name.removeprefix("output_"): array for name, array in arrays.items() if name.startswith("output_")}


def _packed(attention: _Attention) -> Form:
    """torch's MultiheadAttention."""
    size = attention.output[0]
    inside: dict[str, tuple[int, ...]] = {"in_proj_weight": (3 * size, size)}
    if attention.biased:
        inside["in_proj_bias"] = (3 * size,)

    def read(found: Sequence[Arrays]) -> dict[str, Array]:
        own, output = found
        parts = _split(attention, "weight", own["in_proj_weight"])
        if attention.biased:
            parts |= _split(attention, "bias", own["in_proj_bias"])
        return attention.joined(parts | _output(output))

    def write(arrays: Arrays) -> list[dict[str, Array]]:
        apart = attention.apart(arrays)
        own = {name: _concatenated(apart, name.removeprefix("in_proj_")) for name in inside}
        return [own, _output_of(apart)]

    return Form(("", ".out_proj"), (inside, attention.shapes_of("output")), read, write)


def _with_own_weights(attention: _Attention) -> Form:
    """torch's MultiheadAttention with kdim or vdim: a weight for each part, and one bias."""
    inside: dict[str, tuple[int, ...]] = {
        f"{SHORT[part]}_proj_weight": (attention.widths[part], attention.features[part]) for part in PARTS
    }
    if attention.biased:
        inside["in_proj_bias"] = (sum(attention.widths.values()),)

    def read(found: Sequence[Arrays]) -> dict[str, Array]:
        own, output = found
        parts = {f"{part}_weight": own[f"{SHORT[part]}_proj_weight"] for part in PARTS}
        if attention.biased:
            parts |= _split(attention, "bias", own["in_proj_bias"])
        return attention.joined(parts | _output(output))

    def write(arrays: Arrays) -> list[dict[str, Array]]:
        apart = attention.apart(arrays)
        own = {f"{SHORT[part]}_proj_weight": apart[f"{part}_weight"] for part in PARTS}
        if attention.biased:
            own["in_proj_bias"] = _concatenated(apart, "bias")
        return [own, _output_of(apart)]

    return Form(("", ".out_proj"), (inside, attention.shapes_of("output")), read, write)


def _four(attention: _Attention) -> Form:
    """A linear map for each part, as in BERT and Llama."""
    places = (*PARTS, "output")

    def read(found: Sequence[Arrays]) -> dict[str, Array]:
        return attention.joined(
            {f"{part}_{name}": array for part, own in zip(places, found, strict=True) for name, array in own.items()}
        )

    def write(arrays: Arrays) -> list[dict[str, Array]]:
        apart = attention.apart(arrays)
        names = ("weight", "bias")
        return [{name: apart[f"{part}_{name}"] for name in names if f"{part}_{name}" in apart} for part in places]

    names = (".q_proj", ".k_proj", ".v_proj", ".out_proj")
    return Form(names, tuple(map(attention.shapes_of, places)), read, write, ("q", "k", "v", ""))


def _two(attention: _Attention, turned: bool) -> Form:
    """One linear map for all three parts, as in GPT-2; its own ones have their weights as they are here: `turned`."""
    width, features = sum(attention.widths.values()), attention.features["query"]
    shapes: list[dict[str, tuple[int, ...]]] = [{"weight": (width, features)}, attention.shapes_of("output")]
    if attention.biased:
        shapes[0]["bias"] = (width,)
    if turned:
        shapes = [{**each, "weight": each["weight"][::-1]} for each in shapes]

    def turn(module: Arrays) -> dict[str, Array]:
        return {**module, "weight": module["weight"].T} if turned else dict(module)

    def read(found: Sequence[Arrays]) -> dict[str, Array]:
        own, output = map(turn, found)
        parts: dict[str, Array] = {}
        for name, array in own.items():
            parts |= _split(attention, name, array)
        return attention.joined(parts | _output(output))

    def write(arrays: Arrays) -> list[dict[str, Array]]:
        apart = attention.apart(arrays)
        own = {name: _concatenated(apart, name) for name in shapes[0]}
        return [turn(own), turn(_output_of(apart))]

    return Form((".in_proj", ".out_proj"), tuple(shapes), read, write, ("", ""))
