"""Random numbers for a batch that several processes share: each row gets the same numbers as in a single process."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.errors import TrainingError
from modnet.kinds.sharing import Share

METHODS = {"random": 0, "standard_normal": 0, "standard_exponential": 0, "uniform": 2, "normal": 2, "integers": 2}
"""What layers may draw for the rows of a shared batch: method -> the position of its argument `size`."""


class RowNoise:
    """A generator that draws what a single process would draw for the whole batch, and gives the rows of this process.

    So the numbers of a row do not depend on how many processes share the batch, and the generator is in the same state
    in all of them. An array with a first axis that is not the batch's cannot be divided, and is refused. Most numbers
    of `random` that belong to other processes are skipped; those of other methods are drawn, which takes their time.

    Args:
        generator: the generator of the run, from which all processes draw.
    """

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator
        self.bit_generator = generator.bit_generator
        self.share: Share | None = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or self.share is None:
            return getattr(self._generator, name)
        if name not in METHODS:
            raise TrainingError(
                f"a layer draws by rng.{name}, and a batch that several processes share has random numbers of "
                f"{', '.join(METHODS)} alone; train it in one process"
            )
        return _Rows(name, self._generator, self.share)


class _Rows:
    """A method of a generator, that gives the rows of one process."""

    def __init__(self, name: str, generator: np.random.Generator, share: Share) -> None:
        self._name, self._generator, self._share = name, generator, share
        self._draw: Any = getattr(generator, name)

    def __call__(self, *given: Any, out: Array | None = None, **named: Any) -> Any:
        shape = self._shape(given, named) if out is None else out.shape
        share = self._share
        rows = share.own.stop - share.own.start
        if not shape or shape[0] != rows:
            raise TrainingError(
                f"a layer draws an array of shape {tuple(shape)} by rng.{self._name} for {rows} rows of a batch that "
                "several processes share; random numbers can be divided among them if their first axis is the batch; "
                "train it in one process"
            )
        whole = (share.total, *shape[1:])
        if self._name == "random":
            return self._skipping(whole, out, *given, **named)
        drawn = self._draw(*self._sized(given, named, whole), **named)[share.own]
        if out is None:
            return drawn
        np.copyto(out, drawn)
        return out

    def _shape(self, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[int, ...]:
        position = METHODS[self._name]
        size = given[position] if len(given) > position else named.get("size")
        return () if size is None else tuple(size) if isinstance(size, tuple | list) else (int(size),)

    def _sized(self, given: tuple[Any, ...], named: dict[str, Any], size: tuple[int, ...]) -> tuple[Any, ...]:
        """The positional arguments, with another size, which otherwise is put among the named ones."""
        position = METHODS[self._name]
        if len(given) > position:
            return (*given[:position], size, *given[position + 1 :])
        named["size"] = size
        return given

    def _skipping(self, whole: tuple[int, ...], out: Array | None, size: Any = None, dtype: Any = np.float64) -> Array:
        """Uniform numbers of the own rows; those of others are skipped, as each takes the same part of the stream."""
        own, each = self._share.own, math.prod(whole[1:])
        drawn = np.empty((own.stop - own.start, *whole[1:]), dtype) if out is None else out
        single = drawn.dtype == np.float32
        self._skip(own.start * each, single)
        self._draw(dtype=drawn.dtype.type, out=drawn)
        self._skip((whole[0] - own.stop) * each, single)
        return drawn

    def _skip(self, count: int, single: bool) -> None:
        """Moves ahead as if that many numbers had been drawn: of 64 bits each, or float32, two of which use 64 bits."""
        bits: Any = self._generator.bit_generator
        if not single:
            state = bits.state
            bits.advance(count)  # which drops the half that was left of single ones
            if state["has_uint32"]:
                bits.state = {**bits.state, "has_uint32": 1, "uinteger": state["uinteger"]}
            return
        if count and bits.state["has_uint32"]:
            self._draw(dtype=np.float32)
            count -= 1
        if count > 1:
            bits.advance(count // 2)
        if count % 2:
            self._draw(dtype=np.float32)
