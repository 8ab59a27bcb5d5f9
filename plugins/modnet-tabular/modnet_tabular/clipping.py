"""Predictions within the range of the training targets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from modnet.arrays import Array, Shape
from modnet.errors import Problem, ShapeError, SpecError
from modnet.kinds.component import Example
from modnet.kinds.layer import Layer, State
from modnet.layers.row_sample import features_of, sample_rows

if TYPE_CHECKING:
    from modnet.kinds.context import Context


class ClipToTarget(Layer, type="clip_to_target"):
    """Keeps predictions of numbers within the range of the training targets, y = min(max(x, least), greatest).

    It comes last, after `unstandardize`. The training loss is measured on its input, since what is clipped has no
    gradient; predictions, validation and figures on its output. For an output of several numbers for one target
    (quantiles) all have that target's range. Before training it is the identity.

    Source: Holzmüller, Grinsztajn and Steinwart 2024, arXiv:2407.04491, section 3.

    State: least and greatest (features,), samples (the number of rows; 0 before training).

    Raises:
        ShapeError: the last axis has no fixed size, or the targets have another shape.
        SpecError: from `prepare`, if the node is not an output of the network.
        DataError: from `prepare`, for targets that are not finite.
    """

    streams = True
    only_in_prediction: ClassVar[bool] = True

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example(cls(), ((2,),)),)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        features_of(input_shapes[0])
        return input_shapes[0]

    def state(self, *input_shapes: Shape) -> Mapping[str, State]:
        features = (features_of(input_shapes[0]),)
        return {"least": State(features), "greatest": State(features), "samples": State(())}

    def prepare(self, context: Context, batches: Iterable[tuple[Array, Array | None]]) -> None:
        state = context.state
        if state["samples"]:
            return
        rows = ((self._fitting(x, target), context.masks[0]) for x, target in batches)
        count, least, greatest = 0, np.inf, -np.inf
        for batch in rows:
            sample = sample_rows([batch], len(state["least"]), context.dtype, self.type)
            if sample.count:
                least = np.minimum(least, sample.rows().min(axis=0))
                greatest = np.maximum(greatest, sample.rows().max(axis=0))
                count += sample.count
        if count:
            state["least"][...], state["greatest"][...], state["samples"][...] = least, greatest, count

    def _fitting(self, x: Array, target: Array | None) -> Array:
        """The targets in the shape of the predictions."""
        if target is None:
            message = "it learns from the targets of its output, but this node is not an output of the network"
            raise SpecError([Problem(self.type, message, "put it last, or name it in network.outputs")])
        fit = target.shape if target.ndim == x.ndim else (*target.shape, 1)
        if fit not in (x.shape, (*x.shape[:-1], 1)):
            raise ShapeError(
                f"{self.type} expects targets of the shape of its input, {x.shape[1:]}, found {target.shape[1:]}"
            )
        return np.broadcast_to(target.reshape(fit), x.shape)

    def forward(self, context: Context, x: Array) -> Array:
        state = context.state
        context.save(x)
        if not state["samples"]:
            return x
        return np.clip(x, state["least"], state["greatest"], out=context.buffer(x.shape))

    def backward(self, context: Context, gradient: Array) -> Array:
        (x,) = context.saved
        state = context.state
        if not state["samples"]:
            return gradient
        within = (x >= state["least"]) & (x <= state["greatest"])
        np.multiply(gradient, within, out=gradient)
        return gradient
