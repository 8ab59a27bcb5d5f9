"""modnet as a backend of ONNX, by the interface of `onnx.backend.base`: what runs ONNX's own tests.

    import modnet_onnx.backend as backend

    backend.run_model(model, [x])

An operator's tests give it everything as inputs, its weights and axes too. In modnet weights belong to a layer. So a
graph becomes a network when the inputs are there, and those of them become weights without which there is no layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx.backend.base import Backend, BackendRep, Device, DeviceType, namedtupledict

from modnet.arrays import Array
from modnet.engine.passes import Pass
from modnet.errors import ModnetError
from modnet_onnx.importing.graph import NotImportable
from modnet_onnx.importing.reading import Imported, prepared, read


class Prepared(BackendRep):
    """A model that is ready to run.

    Attributes:
        imported: what became of it for the last inputs.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = prepared(model)
        stored = {given.name for given in self.model.graph.initializer}
        self.names = [given.name for given in self.model.graph.input if given.name not in stored]
        self.imported: Imported | None = None

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The outputs for inputs, in the order of the graph's or by name.

        Raises:
            NotImportable: modnet cannot run it.
        """
        given = dict(inputs) if isinstance(inputs, Mapping) else dict(zip(self.names, inputs, strict=False))
        arrays = {name: np.asarray(array) for name, array in given.items()}
        for imported, data in self._natively(arrays):
            try:
                found = outputs_of(imported, data, self.model)
            except ModnetError:
                continue  # such as an id below 0, which ONNX allows
            self.imported = imported
            return self._named(found)
        self.imported = read(self.model, None)
        return self._named(outputs_of(self.imported, arrays, self.model))

    def _natively(self, arrays: Mapping[str, Array]) -> Iterator[tuple[Imported, Mapping[str, Array]]]:
        """(network, its inputs) for those readings in which every operator is a layer."""
        constants: dict[str, Array] = {}
        for axis in (None, 0, 1):
            found = self._with_constants(arrays, axis, constants)
            if found is not None and not found.delegated:
                yield found, {name: array for name, array in arrays.items() if name not in constants}

    def _with_constants(
        self, arrays: Mapping[str, Array], axis: int | None, constants: dict[str, Array]
    ) -> Imported | None:
        """The network for inputs of which those are weights that have to be, which are added to `constants`."""
        while len(constants) < len(arrays):
            data = {name: array for name, array in arrays.items() if name not in constants}
            if axis is not None and not _same_rows(list(data.values()), axis):
                return None
            found = None
            try:
                found = read(self.model, None if axis is None else dict.fromkeys(data, axis), constants)
                needed = found.needed
            except NotImportable as error:
                needed = error.needed
            wanted = [name for name in needed if name in data]
            if not wanted or (found is not None and not found.delegated):
                return found
            constants.update({name: data[name] for name in wanted})
        return None

    def _named(self, outputs: Sequence[Array]) -> tuple[Any, ...]:
        names = [given.name for given in self.model.graph.output]
        found: tuple[Any, ...] = namedtupledict("Outputs", names)(*outputs)
        return found


def _same_rows(arrays: Sequence[Array], axis: int) -> bool:
    long = all(array.ndim > axis for array in arrays)
    return long and len({array.shape[axis] for array in arrays}) == 1


def outputs_of(imported: Imported, arrays: Mapping[str, Array], model: onnx.ModelProto) -> list[Array]:
    """What a network gives for the inputs of a graph, as the graph would.

    Raises:
        ModnetError: they do not fit to the network.
    """
    network, batch = imported.network, imported.batch
    given = [
        array[None] if batch is None else np.moveaxis(array, batch[name], 0)
        for name, array in arrays.items()
        if imported.inputs[name] in network.inputs
    ]
    slots = list(network.graph.outputs.values())
    checked = network.arrays(dict(zip(network.inputs, given, strict=True)))
    # Not by `forward`, which refuses nan: of a test it may be the result.
    values = Pass(network, slots).forward(checked)
    found = []
    for value, output in zip(values, model.graph.output, strict=True):
        axis = imported.outputs[output.name]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(output.type.tensor_type.elem_type)
        found.append((value[0] if axis is None else np.moveaxis(value, 0, axis)).astype(dtype))
    return found


class ModnetBackend(Backend):
    """The backend."""

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> Prepared:
        """Raises NotImportable for what modnet cannot run."""
        super().prepare(model, device, **kwargs)
        return Prepared(model)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        return bool(Device(device).type == DeviceType.CPU)


prepare = ModnetBackend.prepare
run_model = ModnetBackend.run_model
run_node = ModnetBackend.run_node
supports_device = ModnetBackend.supports_device
