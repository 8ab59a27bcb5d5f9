"""One node of an ONNX graph, as those see it who turn it into layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import onnx

from modnet.arrays import Array
from modnet_onnx.importing.building import Builder
from modnet_onnx.importing.inference import Kind
from modnet_onnx.importing.values import NotNative, Value

if TYPE_CHECKING:
    from modnet_onnx.importing.graph import Reading


class NeedsConstant(NotNative):
    """An operator is a layer of modnet only if this input of it is known beforehand, such as weights.

    Attributes:
        name: of the tensor.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not a constant")
        self.name = name


class Step:
    """A node, what it reads, and where what it gives is put.

    Attributes:
        node: of the ONNX graph.
        kinds: of what it gives.
        version: of the operators of its domain.
    """

    def __init__(self, reading: Reading, node: onnx.NodeProto, kinds: list[Kind], version: int) -> None:
        self.node = node
        self.kinds = kinds
        self.version = version
        self._reading = reading
        self._given = ""
        self._attributes = {given.name: onnx.helper.get_attribute_value(given) for given in node.attribute}

    @property
    def builder(self) -> Builder:
        return self._reading.builder

    @property
    def rows(self) -> int:
        """How many samples the file was made with; 0 if for any number."""
        return self._reading.rows

    @property
    def count(self) -> int:
        """How many inputs there are."""
        return len(self.node.input)

    def has(self, position: int) -> bool:
        """Whether there is an input at a place."""
        return position < len(self.node.input) and bool(self.node.input[position])

    def wants(self, position: int) -> bool:
        """Whether anything reads an output."""
        outputs = self.node.output
        return position < len(outputs) and bool(outputs[position]) and self._reading.is_read(outputs[position])

    def any(self, position: int) -> Value:
        """An input, constant or not."""
        value = self._reading.values[self.node.input[position]]
        return self._reading.made(value) if value.is_pending else value

    def value(self, position: int = 0) -> Value:
        """An input that is in an array.

        Raises:
            NotNative: it is a constant.
        """
        value = self.any(position)
        if not value.source:
            raise NotNative(f"{value.name} is a constant")
        return value

    def floats(self, position: int = 0) -> Value:
        """An input of numbers with fractions that is in an array.

        Raises:
            NotNative: it is a constant, or its numbers are whole.
        """
        value = self.value(position)
        if not value.is_float:
            raise NotNative("it computes with whole numbers")
        return value

    def constant(self, position: int) -> Array:
        """The elements of an input.

        Raises:
            NeedsConstant: they are not known.
            NotNative: they are sizes that are open.
        """
        value = self._reading.values[self.node.input[position]]
        if value.constant is None:
            raise NeedsConstant(value.name)
        if value.shape_of_batch:
            raise NotNative(f"{value.name} depends on sizes that are not known yet")
        return value.constant

    def sizes(self, position: int) -> list[int]:
        """Whole numbers that may stand for open sizes.

        Raises:
            NeedsConstant: they are not known.
        """
        value = self._reading.values[self.node.input[position]]
        if value.constant is None:
            raise NeedsConstant(value.name)
        return [int(size) for size in value.constant.reshape(-1)]

    def learned(self, position: int) -> str:
        """The name of the weights at a place, "" for other constants."""
        value = self._reading.values[self.node.input[position]]
        return value.name if value.learned else ""

    def attribute(self, name: str, default: Any = None) -> Any:
        found = self._attributes.get(name, default)
        return found.decode() if isinstance(found, bytes) else found

    def integers(self, name: str, position: int) -> list[int] | None:
        """What newer operators read as an input, and older ones have as an attribute, such as axes; None without."""
        if name in self._attributes:
            return [int(number) for number in self._attributes[name]]
        return [int(number) for number in self.constant(position).reshape(-1)] if self.has(position) else None

    def bias_after(self, features: int) -> Array | None:
        """The weights that an Add after this node adds to the last axis; the Add is then taken together with it."""
        reader = self._reading.lone_reader(self.node.output[0])
        if reader is None or reader.op_type != "Add":
            return None
        other = next((name for name in reader.input if name != self.node.output[0]), "")
        value = self._reading.values.get(other)
        if value is None or value.constant is None or not value.learned or value.shape != (features,):
            return None
        self._reading.skip(reader)
        self._given = reader.output[0]
        return value.constant

    def give(self, value: Value, position: int = 0) -> None:
        """The output at a place has these numbers."""
        self._reading.give(self.node.output[position], value, self.kinds[position])
        if self._given:
            self._reading.give(self._given, value, self.kinds[position])


Converter = Callable[[Step], None]

CONVERTERS: dict[tuple[str, str], Converter] = {}
"""(domain, operator) -> what turns it into layers of modnet; it raises NotNative if there are none."""


def converts(*operators: str, domain: str = "") -> Callable[[Converter], Converter]:
    """Puts a function into the table of converters."""

    def put(function: Converter) -> Converter:
        CONVERTERS.update({(domain, operator): function for operator in operators})
        return function

    return put
