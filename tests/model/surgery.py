"""Takes right model files apart, changes them anywhere, puts them together with right digests, and loads the result."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import msgpack

import modnet
from modnet.model.reader import read

from .hostile import assemble, put

REGISTRY = modnet.Registry(list)
REFUSALS = (modnet.ModelFileError, modnet.PluginError)

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 3, 63, 64, 2**31, 2**32 - 64, 2**53 + 1, 2**63 - 1, 2**64 - 1, -(2**63)),
    *(0.5, -0.0, math.nan, math.inf, "", "a", "a.b", "linear", "relu", "repeat", "input", "parameters", "variable"),
    *("linear@modnet-core", "modnet-core", "é" * 200, "\0", b"", bytes(32), [], {}, [[]], [0], {"": None}, [{}] * 3),
    *({"type": "linear", "out_features": 2}, {"type": "repeat", "count": 10_000, "layers": ["relu"]}, {"type": {}}),
)

Place = tuple[Any, Any]
"""A list or map, and an index or key of it."""


def apart(content: bytes) -> tuple[dict[str, Any], tuple[bytes, ...]]:
    """The header and the payloads of a right file."""
    unpacker = msgpack.Unpacker(max_buffer_size=len(content) + 1)
    unpacker.feed(content)
    header, _, *payloads = (item for item in unpacker if item is not None)
    return header, tuple(payloads)


def signed(header: dict[str, Any], payloads: Sequence[bytes]) -> bytes:
    """A file whose digests agree with its header and payloads, whatever these are.

    The payloads are shorter than a chunk. What the header says of their places and lengths is left as it is.
    """
    segments = header.get("segments")
    if isinstance(segments, list):
        for segment, payload in zip(segments, payloads, strict=False):
            if isinstance(segment, dict):
                segment["sha256"] = sha256(sha256(payload).digest() if payload else b"").digest()
    return assemble(header, tuple(payloads))


def change(header: dict[str, Any], random: Random) -> None:
    """Alters, drops, doubles, moves, exchanges or renames something in a header."""
    places = list(_places(header))
    if not places:
        return
    container, key = random.choice(places)
    other, other_key = random.choice(places)
    match random.randrange(7):
        case 0:
            del container[key]
        case 1:
            container[key] = _copy(random.choice(VALUES))
        case 2:
            container[key] = _near(container[key], random)
        case 3:
            container[key] = _copy(other[other_key])
        case 4:
            container[key], other[other_key] = _copy(other[other_key]), _copy(container[key])
        case 5 if isinstance(container, list):
            container.insert(key, _copy(container[key]))
        case 5:
            container[random.choice([text for text in VALUES if isinstance(text, str)])] = _copy(container[key])
        case 6 if isinstance(container, dict):
            container[_near(key, random) if key else "a"] = container.pop(key)
        case 6:
            container.reverse()


def _places(value: Any) -> Iterator[Place]:
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def _copy(value: Any) -> Any:
    """A deep copy, so that no container comes to hold itself and VALUES stay as they are."""
    return msgpack.unpackb(msgpack.packb(value), strict_map_key=False)


def _near(value: Any, random: Random) -> Any:
    match value:
        case bool():
            return not value
        case int() if abs(value) < 2**62:
            return value + random.choice([-64, -4, -1, 1, 4, 64]) if random.randrange(2) else -value
        case float():
            return value * random.choice([-1.0, 2.0, 1e300])
        case str() if value:
            at = random.randrange(len(value))
            return value[:at] + random.choice(["", "a", "_", ".", "@", "1"]) + value[at + 1 :]
        case bytes() if value:
            return value[:-1]
        case list():
            return {"a": value}
    return [value]


def outcome(path: Path, content: bytes) -> bytes | type[Exception]:
    """Writes a file, reads and loads it in all ways, and saves what was loaded.

    Returns what the network is saved as, or the class of the error by which it was refused. Anything else is a fault
    of the library: an error of another class, or a network that is not the same after it was saved and loaded.
    """
    put(path, content)
    for mmap in (False, True):
        with suppress(modnet.ModelFileError):
            read(path, mmap=mmap, verify=True)
    mapped, loaded = (_saved_from(path, mmap) for mmap in (True, False))
    source = content if len(content) % 2 else BytesIO(content)  # by turns, since each takes its time
    assert _saved_from(source, mmap=False, saved=path.with_name("saved.modnet")) == loaded
    if isinstance(loaded, bytes):
        again = path.with_name("again.modnet")
        put(again, loaded)
        assert _saved_from(again, mmap=False) == loaded
        assert mapped == loaded
    return loaded


def _saved_from(source: Any, mmap: bool, saved: Path | None = None) -> bytes | type[Exception]:
    try:
        network = modnet.load(source, mmap=mmap, registry=REGISTRY)
    except REFUSALS as error:
        return type(error)
    with suppress(*REFUSALS):
        _ = network.card.training
    saved = saved or source.with_name("saved.modnet")
    saved.unlink(missing_ok=True)
    modnet.save(network, saved, registry=REGISTRY)
    return saved.read_bytes()
