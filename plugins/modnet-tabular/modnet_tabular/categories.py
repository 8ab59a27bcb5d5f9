"""Vectors for categories."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from modnet.arrays import Array, Shape
from modnet.configuration.fields import field
from modnet.errors import ShapeError
from modnet.initializers import Normal
from modnet.kinds.component import Example
from modnet.kinds.initializer import Initializer
from modnet.kinds.layer import Layer, Parameter, State
from modnet.layers.embedding import Embedding

if TYPE_CHECKING:
    from modnet.kinds.context import Context


class CategoryEmbedding(Layer, type="category_embedding"):
    """A trained vector for each category; a category that was not in the training data gets the mean of all others.

    The mean is weighted by the rows of each category, so that the network treats a new or a missing category like that
    of a row drawn at random. Without this, the vector of an id that no training row has would keep its random first
    values. Before training the layer is `embedding`.

    Shapes: ids (...) -> (..., embedding_size). Parameter: weight (vocabulary_size, embedding_size). State: shares
    (vocabulary_size,), of the training rows, and samples, their number.

    Source: entity embeddings are of Guo and Berkhahn 2016, arXiv:1604.06737.

    Attributes:
        vocabulary_size: the number of ids, which are 0 ... vocabulary_size - 1.
        embedding_size: the length of a vector; by default by the size of the vocabulary, as of `embedding`.
        weight_initializer: of the vectors.

    Raises:
        DataError: from `forward`, for an id out of range.
    """

    integer_input = True
    scratch_output = True
    output_range = (-math.inf, math.inf)

    vocabulary_size: int = field(minimum=1)
    embedding_size: int | None = field(default=None, minimum=1)
    weight_initializer: Initializer = Normal(standard_deviation=1.0)

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example(cls(vocabulary_size=10, embedding_size=4), ((1,),)), Example(cls(vocabulary_size=5), ((3,),)))

    def _embedding(self) -> Embedding:
        return Embedding(vocabulary_size=self.vocabulary_size, embedding_size=self.embedding_size)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        if None in input_shapes[0]:
            raise ShapeError("expects a fixed number of ids; for sequences, whose padding needs a mask, use embedding")
        return self._embedding().output_shape(*input_shapes)

    def parameters(self, *input_shapes: Shape) -> Mapping[str, Parameter]:
        size = self._embedding().output_shape(())[-1]
        assert size is not None
        return {"weight": Parameter((self.vocabulary_size, size), self.weight_initializer)}

    def state(self, *input_shapes: Shape) -> Mapping[str, State]:
        return {"shares": State((self.vocabulary_size,)), "samples": State(())}

    def prepare(self, context: Context, batches: Iterable[tuple[Array, Array | None]]) -> None:
        state = context.state
        if state["samples"]:
            return
        counts, rows = np.zeros(self.vocabulary_size), 0
        for ids, _ in batches:
            context.begin()
            self._embedding().forward(context, ids)  # which refuses ids out of range
            (whole,) = context.saved
            counts += np.bincount(whole.reshape(-1), minlength=self.vocabulary_size)
            rows += len(ids)
        if rows:
            state["shares"][...] = counts / counts.sum()
            state["samples"][...] = rows

    def forward(self, context: Context, ids: Array) -> Array:
        y: Array = self._embedding().forward(context, ids)
        (whole,) = context.saved
        shares = context.state["shares"]
        new = np.flatnonzero(shares[whole] == 0) if context.state["samples"] else np.zeros(0, np.intp)
        if new.size:
            y.reshape(-1, y.shape[-1])[new] = shares @ context.params["weight"]
        context.save(whole, new)
        return y

    def backward(self, context: Context, gradient: Array) -> None:
        whole, new = context.saved
        gradient = np.ascontiguousarray(gradient)
        rows = gradient.reshape(-1, gradient.shape[-1])
        of_mean = rows[new].sum(axis=0)
        rows[new] = 0
        context.save(whole)
        self._embedding().backward(context, gradient)
        context.save(whole, new)
        if new.size:
            context.grads["weight"][...] += np.outer(context.state["shares"], of_mean)
