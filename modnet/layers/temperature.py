"""Temperature scaling of probabilities, fitted to held-out rows when a network has been trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from modnet.activations.sigmoid import logistic
from modnet.activations.softmax import with_classes
from modnet.arrays import Array, Shape
from modnet.kinds.component import Example
from modnet.kinds.layer import Layer, State

if TYPE_CHECKING:
    from modnet.kinds.context import Context


def smallest(dtype: np.dtype[Any]) -> tuple[float, float]:
    """The least that a probability, and one minus a probability, are taken for, so that their logarithms are finite.

    Below the first a probability has underflowed. The second is a half of the distance from 1 to the next smaller
    number: a probability that is 1 has been rounded from less than that.
    """
    found = np.finfo(dtype)
    return float(found.tiny), float(found.epsneg) / 2


class Temperature(Layer, type="temperature"):
    """Makes probabilities less confident, or more: y_i = p_i^(1/T) / sum(p_j^(1/T)) over the last axis.

    T > 1 makes the probabilities more equal, T < 1 less; the most probable class stays the same. For p = softmax(z)
    this is softmax(z / T). Where a probability stands by itself, as after sigmoid, and where the last axis is 1,
    y = p^(1/T) / (p^(1/T) + (1 - p)^(1/T)), which for p = sigmoid(z) is sigmoid(z / T).

    T is the state `temperature`. It is 1 while the network is trained, which changes nothing, and at the end of the
    training it is fitted to the validation rows, so that their log loss is the lowest. `modnet calibrate` puts this
    layer after a network that was trained without it. A probability that has underflowed to 0 is taken for the
    smallest normal number; its derivative is 0.

    Source: Guo et al. 2017, "On calibration of modern neural networks", arXiv:1706.04599, section 4.2.

    Attributes:
        independent: whether each number is a probability by itself, as for several labels.
    """

    output_range = (0.0, 1.0)
    only_in_prediction: ClassVar[bool] = True

    independent: bool = False

    @classmethod
    def examples(cls) -> Sequence[Example]:
        def classes(rng: np.random.Generator) -> tuple[Array, None]:
            return rng.dirichlet(np.ones(4), size=6), None

        def labels(rng: np.random.Generator) -> tuple[Array, None]:
            return rng.uniform(0.02, 0.98, (6, 3)), None

        return (Example(cls(), ((4,),), data=classes), Example(cls(independent=True), ((3,),), data=labels))

    def state(self, *input_shapes: Any, **_: Any) -> Mapping[str, State]:
        return {"temperature": State((), fill=1.0)}

    def output_shape(self, *input_shapes: Shape) -> Shape:
        return with_classes(input_shapes[0])

    def forward(self, context: Context, x: Array) -> Array:
        y = context.buffer(x.shape)
        least, rest = smallest(x.dtype)
        np.log(np.maximum(x, least, out=y), out=y)
        if self._alone(x):
            others = np.subtract(1, x, out=context.buffer(x.shape))
            y -= np.log(np.maximum(others, rest, out=others), out=others)
            y /= context.state["temperature"]
            np.copyto(others, y)
            logistic(others, y)
        else:
            y /= context.state["temperature"]
            y -= y.max(axis=-1, keepdims=True)
            np.exp(y, out=y)
            y /= y.sum(axis=-1, keepdims=True)
        context.save(x, y)
        return y

    def backward(self, context: Context, gradient: Array) -> Array:
        x, y = context.saved
        slope, work = context.buffer(x.shape), context.buffer(x.shape)
        least, rest = smallest(x.dtype)
        _reciprocals(x, least, work, slope)
        if self._alone(x):
            others = np.subtract(1, x, out=context.buffer(x.shape))
            more = context.buffer(x.shape)
            slope += _reciprocals(others, rest, work, more)
            gradient *= np.subtract(1, y, out=others)
        else:
            gradient -= np.einsum("...i,...i->...", gradient, y)[..., None]
        gradient *= y
        gradient *= slope
        gradient /= context.state["temperature"]
        return gradient

    def _alone(self, x: Array) -> bool:
        return self.independent or x.shape[-1] == 1


def _reciprocals(x: Array, least: float, work: Array, out: Array) -> Array:
    """1 / x where x is above `least`, the derivative of log(max(x, least)), and 0 elsewhere."""
    np.divide(1, np.maximum(x, least, out=out), out=out)
    out *= np.greater(x, least, out=work)
    return out
