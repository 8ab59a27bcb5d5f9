"""Looks for bytes that `modnet.load` neither refuses in words nor makes a model of; see README.md."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random
from tempfile import mkdtemp

import atheris
import msgpack

sys.path.insert(0, str(Path(__file__).parents[2]))
with atheris.instrument_imports(include=["modnet"]):
    from tests.model import hostile, surgery

PATH = Path(mkdtemp(prefix="modnet-fuzz-"), "model.modnet")


def load(data: bytes) -> None:
    surgery.outcome(PATH, data)


def mutate(data: bytes, longest: int, seed: int) -> bytes:
    """Another input made of `data`.

    A reader that meets a wrong digest stops at once, so that changes of bytes alone would never lead any further. Most
    changes therefore have the digests made right behind them.
    """
    random = Random(seed)
    way = random.randrange(4)
    try:
        if way == 0:
            changed = _with_other_header_bytes(data)
        elif way < 3:
            changed = _with_other_values(data, random)
        else:
            changed = b""
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError, msgpack.UnpackException):
        changed = b""  # the input is no whole file
    return changed if 0 < len(changed) <= longest else atheris.Mutate(data, longest)


def _with_other_header_bytes(data: bytes) -> bytes:
    unpacker = msgpack.Unpacker()
    unpacker.feed(data)
    unpacker.skip()
    raw = data[: unpacker.tell()]
    _, payloads = surgery.apart(data)
    return hostile.assemble(atheris.Mutate(raw, len(raw) + 64), payloads)


def _with_other_values(data: bytes, random: Random) -> bytes:
    header, payloads = surgery.apart(data)
    for _ in range(random.choice([1, 1, 2, 4])):
        surgery.change(header, random)
    return surgery.signed(header, payloads)


if __name__ == "__main__":
    atheris.Setup(sys.argv, load, custom_mutator=mutate)
    atheris.Fuzz()
