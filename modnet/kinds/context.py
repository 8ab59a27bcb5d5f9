"""What one layer sees during one pass."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from modnet.arrays import Array, aligned_empty


class Context:
    """Everything that a layer needs beside its configuration while it runs.

    A context belongs to one node of one pass, and is used by one thread at a time.

    Attributes:
        params: name -> parameter, to be read.
        grads: name -> gradient of that parameter, to be overwritten by `backward`.
        state: name -> array that the layer keeps between passes; a layer writes into it while `training` only.
        dtype: the network's dtype, that of parameters and buffers.
        rng: the source of random numbers of this pass.
        training: whether this pass is one of training.
        needs_input_gradient: False where nobody uses what `backward` would return.
        may_overwrite_input: whether the output may be written over the (first) input.
        saved: what `forward` has saved for `backward`.
        masks: for each input, a bool array (batch, time) that is False where a sequence has ended, or None.
        output_mask: the same for the output. Before `forward` it says where all inputs that have a mask agree; a layer
            can set it.
        raw: for each input of a layer that says `raw_input`, the array that was given to the network, where that has
            another dtype than the network and reaches the layer unchanged; otherwise None. () for other layers.
        memory: what the layer keeps from one piece of a sequence to the next, for `Network.stream`; None elsewhere.
    """

    __slots__ = (
        "_cursor",
        "_meter",
        "_rng",
        "_storage",
        "_views",
        "dtype",
        "grads",
        "masks",
        "may_overwrite_input",
        "memory",
        "needs_input_gradient",
        "output_mask",
        "params",
        "raw",
        "saved",
        "state",
        "training",
    )

    def __init__(
        self,
        dtype: DTypeLike,
        params: Mapping[str, Array] | None = None,
        grads: Mapping[str, Array] | None = None,
        state: Mapping[str, Array] | None = None,
        rng: np.random.Generator | None = None,
        training: bool = False,
        needs_input_gradient: bool = True,
        may_overwrite_input: bool = False,
        storage: list[Array] | None = None,
        meter: list[int] | None = None,
    ) -> None:
        self.dtype = np.dtype(dtype)
        self.params: Mapping[str, Array] = params or {}
        self.grads: Mapping[str, Array] = grads or {}
        self.state: Mapping[str, Array] = state or {}
        self._rng = rng
        self.training = training
        self.needs_input_gradient = needs_input_gradient
        self.may_overwrite_input = may_overwrite_input
        self.saved: tuple[Any, ...] = ()
        self.masks: tuple[Array | None, ...] = (None,)
        self.output_mask: Array | None = None
        self.raw: tuple[Array | None, ...] = ()
        self.memory: dict[str, Any] | None = None
        self._cursor = 0
        self._views: list[Array] = []
        self._storage: list[Array] = [] if storage is None else storage
        # The bytes of the buffers of all contexts of a pass, which share it as some share their storage.
        self._meter = [0] if meter is None else meter

    @property
    def rng(self) -> np.random.Generator:
        if self._rng is None:
            # numpy.random takes as long to import as half of numpy, and few networks draw anything to predict.
            self._rng = np.random.default_rng(0)
        return self._rng

    @rng.setter
    def rng(self, rng: np.random.Generator) -> None:
        self._rng = rng

    @property
    def nbytes(self) -> int:
        """What the buffers take in memory."""
        return sum(storage.nbytes for storage in self._storage)

    def begin(self) -> None:
        """Starts a pass: the next call of `buffer` is the first again."""
        self._cursor = 0

    def save(self, *values: Any) -> None:
        """Keeps values for `backward`, where they are `context.saved`."""
        self.saved = values

    def buffer(self, shape: tuple[int, ...], dtype: DTypeLike | None = None) -> Array:
        """An uninitialised array, the same again at the same call of the next pass.

        A pass is a `forward` and the `backward` after it. The array is aligned to a cache line. For a smaller batch it
        is the first part of the one before; a larger one replaces it.

        Args:
            shape: with the batch axis.
            dtype: by default the network's.
        """
        position = self._cursor
        self._cursor = position + 1
        if position < len(self._views):
            view = self._views[position]
            if view.shape == shape and view.dtype == (self.dtype if dtype is None else dtype):
                return view
        return self._renew(position, shape, self.dtype if dtype is None else np.dtype(dtype))

    def _renew(self, position: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        size = math.prod(shape) * dtype.itemsize
        if position == len(self._storage):
            self._storage.append(aligned_empty(size, np.dtype(np.uint8)))
            self._meter[0] += size
        storage = self._storage[position]
        if storage.size < size:
            self._meter[0] += size - storage.size
            storage = self._storage[position] = aligned_empty(size, np.dtype(np.uint8))
        view = storage[:size].view(dtype).reshape(shape)
        self._views[position : position + 1] = [view]
        return view
