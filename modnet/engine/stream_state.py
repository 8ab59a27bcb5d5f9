"""What a stream remembers, as a dict of arrays: taken out, checked, put together and taken apart."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.engine.built import BuiltGraph
from modnet.errors import DataError
from modnet.words import counted, show

OF_NETWORK, CHECK, BATCH = "network", "check", "batch"
"""Keys of a state besides "node/name": a digest of the network, a checksum, the number of sequences."""

SAMPLED = 32
"""How many numbers of each array of a network its digest looks at."""

PRIVATE = "_"
"""A name that begins so is of something that can be computed again, and is not part of the state."""

State = dict[str, Array]
Memory = dict[str, Any]


def digest_of(network: BuiltGraph) -> Array:
    """16 bytes that are other ones for another network: for other layers, shapes, dtypes, or trained weights."""
    made = hashlib.sha256(repr([(node.name, node.type, node.inputs) for node in network.graph.nodes]).encode())
    for arrays in (network.parameters, network.state):
        for name, array in arrays.items():
            made.update(f"{name} {array.dtype} {array.shape}".encode())
            made.update(array.reshape(-1)[:SAMPLED].tobytes())
    return np.frombuffer(made.digest()[:16], np.uint8)


def taken(network: BuiltGraph, memories: Mapping[str, Memory], batch: int) -> State:
    """The state of a stream: node name -> what its layer remembers."""
    found: State = {OF_NETWORK: digest_of(network), BATCH: np.array(batch)}
    for node, memory in memories.items():
        found.update(_flat(f"{node}/", memory))
    return _sealed(found)


def _flat(prefix: str, memory: Memory) -> State:
    found: State = {}
    for name, value in memory.items():
        if name.startswith(PRIVATE):
            continue
        if isinstance(value, dict):
            found.update(_flat(f"{prefix}{name}/", value))
        elif isinstance(value, np.ndarray | np.generic | bool | int | float):
            found[prefix + name] = np.array(value)
        else:
            what = f"a value of type {type(value).__name__}"
            raise DataError(f"{prefix}{name}: the layer remembers {what}, and a state holds arrays and numbers")
    return found


def given(network: BuiltGraph, state: Any) -> State:
    """A state from outside, checked.

    Raises:
        DataError: it is none, is damaged, or belongs to another network.
    """
    what = "state of a stream: expected a dict of arrays, as stream.state() gives it"
    if not isinstance(state, Mapping):
        raise DataError(f"{what}, found a value of type {type(state).__name__}")
    if missing := [name for name in (OF_NETWORK, CHECK, BATCH) if name not in state]:
        raise DataError(f"{what}, found one without {', '.join(map(show, missing))}")
    found = {str(name): np.asarray(value) for name, value in state.items()}
    if not np.array_equal(found[OF_NETWORK], digest_of(network)):
        raise DataError(
            "the state of the stream belongs to another network: to other layers, another dtype, or other weights, as "
            "those before a training; start the sequence again with this network"
        )
    if any(array.dtype.kind not in "biuf" for array in found.values()) or not np.array_equal(
        _sealed(dict(found))[CHECK], found[CHECK]
    ):
        raise DataError("the state of the stream is damaged: its arrays do not fit its checksum")
    return found


def joined(states: Sequence[State]) -> State:
    """One state of all sequences of several, in their order.

    Raises:
        DataError: they have gone through different numbers of steps, and a layer counts them.
    """
    first = states[0]
    if any(state.keys() != first.keys() for state in states):
        raise DataError("the states cannot be put together: not all have begun, or not all have masks")
    found = {name: _together(name, [state[name] for state in states]) for name in first if name != CHECK}
    return _sealed(found)


def _together(name: str, parts: Sequence[Array]) -> Array:
    """What is remembered under one name in several states, put together."""
    if name == OF_NETWORK:
        return parts[0]
    if name == BATCH:
        return np.array(sum(int(part) for part in parts))
    counts = parts[0].ndim == 0
    if len({part.item() if counts else part.shape[1:] for part in parts}) > 1:
        texts = dict.fromkeys(str(part if counts else part.shape) for part in parts)
        raise DataError(
            f"{name} differs from state to state, {' and '.join(texts)}: only sequences with the same number of steps "
            "can continue in one stream; put states of one length together, or use a stream for each"
        )
    return parts[0] if counts else np.concatenate(parts)


def part_of(state: State, rows: slice) -> State:
    """The state of some of the sequences.

    Raises:
        DataError: a layer remembers an array that has not the batch as its first axis.
    """
    batch = int(state[BATCH])
    found: State = {}
    for name, array in state.items():
        own = name not in (OF_NETWORK, CHECK, BATCH) and array.ndim > 0
        if own and len(array) != batch:
            raise DataError(f"{name} has the shape {array.shape}; expected {counted(batch, 'sequence')} first")
        found[name] = array[rows] if own else array
    found[BATCH] = np.array(len(range(batch)[rows]))
    return _sealed(found)


def memories_of(state: State) -> dict[str, Memory]:
    """Node name -> what its layer remembers, in new arrays."""
    found: dict[str, Memory] = {}
    for key, array in state.items():
        if key in (OF_NETWORK, CHECK, BATCH):
            continue
        node, *path, name = key.split("/")
        memory = found.setdefault(node, {})
        for part in path:
            memory = memory.setdefault(part, {})
        memory[name] = array.copy() if array.ndim else array.item()
    return found


def _sealed(state: State) -> State:
    """With the checksum of all names, dtypes, shapes and bytes."""
    found = 0
    for name in sorted(state):
        if name != CHECK:
            array = state[name]
            found = zlib.crc32(f"{name} {array.dtype.str} {array.shape}".encode(), found)
            found = zlib.crc32(np.ascontiguousarray(array).tobytes(), found)
    state[CHECK] = np.array(found, np.uint32)
    return state
