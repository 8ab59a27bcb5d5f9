"""An ONNX file becomes a network."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import onnx
from onnx.inliner import inline_local_functions

from modnet.arrays import Array
from modnet.engine.build import plan
from modnet.engine.network import Network
from modnet.errors import DataError, SpecError
from modnet.records import Record
from modnet_onnx.importing import operators as operators
from modnet_onnx.importing.building import as_name
from modnet_onnx.importing.graph import NotImportable, Reading, control_flow, described, is_number
from modnet_onnx.importing.values import sample_shape

WHOLE_NUMBERS = (onnx.TensorProto.INT32, onnx.TensorProto.INT64, onnx.TensorProto.UINT32, onnx.TensorProto.UINT64)
"""The types whose numbers float32 may not hold."""


class Imported(Record, eq=False):
    """A network that was made of an ONNX graph.

    Attributes:
        network: of modnet.
        batch: input name of the graph -> the axis that is the batch; None if each input is a single sample.
        native, delegated: the operators that have become layers, and those that onnx runs, one for each node.
        reasons: for each of the latter why.
        needed: inputs that would have let an operator become a layer, had they been constants.
        inputs: input name of the graph -> that of the network.
        outputs: output name of the graph -> which of its axes is the batch.
    """

    network: Network
    batch: Mapping[str, int] | None
    native: list[str]
    delegated: list[str]
    reasons: list[str]
    needed: list[str]
    inputs: dict[str, str]
    outputs: dict[str, int | None]


def read_network(path: Path) -> Network:
    """The network of an ONNX file.

    It warns of operators that onnx has to run.

    Raises:
        DataError: the file is no ONNX model, or has what modnet cannot do; the message lists all of it.
        NotInstalled: a plugin with layers that it needs is missing.
    """
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except OSError:
        raise
    except Exception as error:
        raise DataError(f"{path}: cannot be read as an ONNX model; {error}") from error
    try:
        found = imported(model)
    except NotImportable as error:
        raise DataError(f"{path}: {error}") from None
    if found.delegated:
        counts = Counter(found.delegated)
        names = ", ".join(name if count == 1 else f"{count} {name}" for name, count in sorted(counts.items()))
        warnings.warn(
            f"{path}: modnet has no layers for {names}; onnx's reference implementation runs them, which is slow, and "
            "nothing before them can be trained",
            stacklevel=2,
        )
    return found.network


def imported(model: onnx.ModelProto) -> Imported:
    """The network of a model, by that reading of its axes which leaves the fewest operators to onnx.

    Raises:
        NotImportable: with all that modnet cannot do.
    """
    model = prepared(model)
    best: Imported | None = None
    failure: NotImportable | None = None
    for batch in readings(model):
        try:
            found = read(model, batch)
        except NotImportable as error:
            failure = failure or error
            continue
        if best is None or len(found.delegated) < len(best.delegated):
            best = found
        if not best.delegated:
            break
    if best is None:
        raise failure or NotImportable("the graph has no inputs")
    return best


def prepared(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the functions of its own put in place.

    Raises:
        NotImportable: it has what modnet cannot do, wherever that stands.
    """
    if model.functions:
        model = inline_local_functions(model)
    problems = [f"the operator {name} (control flow)" for name in dict.fromkeys(control_flow(model.graph))]
    stored = {given.name for given in model.graph.initializer}
    for given in model.graph.input:
        kind = given.type
        if given.name not in stored and (
            kind.WhichOneof("value") != "tensor_type" or not is_number(kind.tensor_type.elem_type)
        ):
            problems.append(f"the input {given.name}, which {described(kind)}")
    if problems:
        raise NotImportable(f"modnet has nothing for {'; '.join(problems)}{_advice(model)}")
    return model


def _advice(model: onnx.ModelProto) -> str:
    """What to do about a file that modnet has written with the columns of a table."""
    if all((entry.key, entry.value) != ("modnet.inputs", "columns") for entry in model.metadata_props):
        return ""
    advice = "use the model file that it was made from, or write it with the option inputs=encoded"
    return f"; the file prepares the rows of a table, which is only for other programs: {advice}"


def readings(model: onnx.ModelProto) -> Iterator[Mapping[str, int] | None]:
    """The ways to choose which axis of each input is the batch, the most likely first; None for a single sample."""
    stored = {given.name for given in model.graph.initializer}
    inputs = {given.name: given.type.tensor_type.shape.dim for given in model.graph.input if given.name not in stored}
    named = _named_batch(inputs)
    if named is not None:
        yield named
    for axis in (0, 1):
        if all(len(axes) > axis for axes in inputs.values()) and inputs:
            sizes = {(axes[axis].dim_param, axes[axis].dim_value) for axes in inputs.values()}
            if len({size for _, size in sizes if size}) < 2 and (axis == 0 or _is_recurrent(model)):
                yield dict.fromkeys(inputs, axis)
    # A first axis of any size can be nothing else than the batch.
    if not all(axes and not axes[0].HasField("dim_value") for axes in inputs.values()):
        yield None


def _named_batch(inputs: Mapping[str, Any]) -> Mapping[str, int] | None:
    """The axes of variable size that are called the batch."""
    found = {}
    for name, axes in inputs.items():
        called = [at for at, axis in enumerate(axes) if "batch" in axis.dim_param.lower()]
        if len(called) != 1:
            return None
        found[name] = called[0]
    return found or None


def _is_recurrent(model: onnx.ModelProto) -> bool:
    return any(node.op_type in ("RNN", "LSTM", "GRU") for node in model.graph.node)


def read(
    model: onnx.ModelProto, batch: Mapping[str, int] | None, constants: Mapping[str, Array] | None = None
) -> Imported:
    """The network of a prepared model, by one reading of its axes.

    Args:
        batch: input name -> the axis that is the batch; None if each input is a single sample.
        constants: the elements of inputs that are taken for weights, axes and the like.

    Raises:
        NotImportable: it cannot be read so.
    """
    reading = Reading(model, batch, constants)
    outputs = reading.run()
    return Imported(
        _network(reading, outputs),
        batch,
        reading.native,
        [node.op_type for node in reading.delegated],
        reading.reasons,
        reading.needed,
        {value.name: value.source for value in reading.given},
        {name: reading.values[name].batch_axis for name in outputs},
    )


def _network(reading: Reading, outputs: Mapping[str, str]) -> Network:
    renamed = _renamed(reading, outputs)
    sources = [renamed.get(source, source) for source in outputs.values()]
    nodes = [
        node.replace(
            name=renamed.get(str(node.name), node.name),
            inputs=tuple(renamed.get(source, source) for source in node.inputs or ()),
        )
        for node in reading.builder.kept(list(outputs.values()))
    ]
    read = {source.partition(".")[0] for node in nodes for source in node.inputs or ()}
    inputs = {value.source: sample_shape(value.sizes) for value in reading.given if value.source in read}
    spec = {
        "network": {
            "input": inputs,
            "layers": nodes,
            "outputs": sources,
            "dtype": _dtype(reading, nodes),
        }
    }
    try:
        network = plan(spec)
    except SpecError as error:
        raise NotImportable(f"modnet cannot build what the graph describes; {error}") from error
    network.seed = None
    for arrays in (network.parameters, network.state):
        for name in arrays:
            arrays[name][...] = reading.builder.arrays[name]
    return network


def _renamed(reading: Reading, outputs: Mapping[str, str]) -> dict[str, str]:
    """Name of a node -> that of the output of the file which it gives, where there are several outputs.

    Nodes with parameters keep the names that these have in the file.
    """
    with_arrays = {name.rpartition(".")[0] for name in reading.builder.arrays}
    sources = list(outputs.values())
    found = {}
    for name, source in outputs.items():
        if len(sources) > 1 and sources.count(source) == 1 and "." not in source and source not in with_arrays:
            found[source] = reading.builder.reserve(as_name(name))
    return found


def _dtype(reading: Reading, nodes: list[Any]) -> str:
    """float64 where float32 does not hold the numbers of an input or output."""
    types = [given.type.tensor_type.elem_type for given in (*reading.graph.input, *reading.graph.output)]
    if onnx.TensorProto.DOUBLE in types:
        return "float64"
    for given in reading.given:
        readers = [node for node in nodes if given.source in (node.inputs or ())]
        if given.dtype in WHOLE_NUMBERS and not all(node.layer.integer_input for node in readers):
            return "float64"
    return "float32"
