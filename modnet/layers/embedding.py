"""Vectors for ids."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from modnet.arrays import Array, Shape
from modnet.configuration.fields import field
from modnet.errors import DataError
from modnet.initializers import Normal
from modnet.kinds.component import Example
from modnet.kinds.initializer import Initializer
from modnet.kinds.layer import Layer, Parameter

if TYPE_CHECKING:
    from modnet.kinds.context import Context


def _to_whole(ids: Array, whole: Array) -> None:
    """Converts ids that are floats to integers."""
    with np.errstate(invalid="ignore"):
        np.copyto(whole, ids, casting="unsafe")
    if not np.array_equal(whole, ids):
        at = tuple(np.argwhere(whole != ids)[0].tolist())
        raise DataError(f"embedding: expected whole numbers (ids), found {ids[at]} at {list(at)} of the batch")


class Embedding(Layer, type="embedding"):
    """A trainable vector for each id: ids of shape (...) -> (..., embedding_size).

    Parameter: weight (vocabulary_size, embedding_size), by default N(0, 1) as in torch.

    Attributes:
        vocabulary_size: the number of ids, which are 0 ... vocabulary_size - 1.
        embedding_size: the length of a vector; by default by the size of the vocabulary, min(600, 1.6 n^0.56), the rule
            of fastai (J. Howard, S. Gugger, "fastai: A Layered API for Deep Learning", 2020).
        padding: the id that fills the end of shorter sequences; a mask for later layers is made from ids (time,).
        weight_initializer: of the vectors.

    Raises:
        DataError: from `forward`, for an id out of range.
    """

    streams = True
    repeats = True
    integer_input = True
    scratch_output = True
    output_range = (-math.inf, math.inf)
    vocabulary_size: int = field(minimum=1)
    embedding_size: int | None = field(default=None, minimum=1)
    padding: int | None = field(default=None, minimum=0)
    weight_initializer: Initializer = Normal(standard_deviation=1.0)

    @property
    def makes_mask(self) -> bool:  # type: ignore[override]
        return self.padding is not None

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example(cls(vocabulary_size=10, embedding_size=4), ((7,),)),)

    @property
    def _size(self) -> int:
        return self.embedding_size or min(600, round(1.6 * self.vocabulary_size**0.56))

    def output_shape(self, *input_shapes: Shape) -> Shape:
        return (*input_shapes[0], self._size)

    def parameters(self, *input_shapes: Shape) -> Mapping[str, Parameter]:
        return {"weight": Parameter((self.vocabulary_size, self._size), self.weight_initializer)}

    def forward(self, context: Context, ids: Array) -> Array:
        if ids.dtype.kind != "i":
            # If another layer reads the same input as floats, the network converts it once, for both.
            floats, ids = ids, context.buffer(ids.shape, np.intp)
            context.do(_to_whole, floats, ids)
        context.do(self._check_range, ids)
        context.save(ids)
        if self.padding is not None and ids.ndim == 2:
            context.output_mask = ids != self.padding
        y = context.buffer((*ids.shape, self._size))
        # The ids are checked; in the mode "raise", take would write to a copy of `out` first.
        context.do(context.params["weight"].take, ids, 0, y, "clip")
        return y

    def _check_range(self, ids: Array) -> None:
        if ids.size == 1:
            inside = 0 <= ids.item() < self.vocabulary_size
        else:
            inside = not ids.size or (ids.min() >= 0 and ids.max() < self.vocabulary_size)
        if not inside:
            at = tuple(np.argwhere((ids < 0) | (ids >= self.vocabulary_size))[0].tolist())
            raise DataError(
                f"embedding: found the id {ids[at]} at {list(at)} of the batch, expected 0 to "
                f"{self.vocabulary_size - 1}; vocabulary_size = {self.vocabulary_size} must be greater than every id"
            )

    def backward(self, context: Context, gradient: Array) -> None:
        (ids,) = context.saved
        weight = context.grads["weight"]
        weight.fill(0)
        # add.at, and not `weight[ids] += gradient`, which counts a repeated id only once. With flat indices, since
        # add.at is several times faster for one axis than for rows.
        elements = context.buffer(gradient.shape, np.intp)
        np.multiply(ids[..., None], self._size, out=elements)
        np.add(elements, np.arange(self._size), out=elements)
        np.add.at(weight.reshape(-1), elements.reshape(-1), gradient.reshape(-1))
