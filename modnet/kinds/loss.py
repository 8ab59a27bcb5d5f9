"""Losses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from modnet.arrays import Array, Shape
from modnet.configuration.fields import field
from modnet.errors import ShapeError
from modnet.kinds.component import Component, Use
from modnet.kinds.context import Context


class Loss(Component):
    """How far predictions are from their targets.

    A loss computes one value for each sample and the derivative of that value; the network applies means and weights.
    A loss that compares the samples of a batch with each other sets `couples` and defines `batch` instead.

    Attributes:
        takes_target: False for a loss of only the prediction: there are no targets then, and methods receive None in
            their place. `check_shapes` receives () as the target's shape.
        couples: whether a sample's loss depends on the others in its batch, as in contrastive learning and ranking.
            Such a loss defines `batch` instead of `values` and `gradient`. Its batches are never cut into pieces:
            validation and `evaluate` go through the data in batches of the training's size.
        joint_with: types of activations at the network's end with which the loss has a joint, numerically stable form.
            In training that activation is left out, and `joint` receives what it would have received (logits).
        takes_labels: whether targets may be integer class labels, of the prediction's shape without its last axis.
        positions: whether a sample's value is the mean over the positions of a sequence, (batch, time, ...), each of
            which could be a separate sample. Such a loss leaves padded steps out, and accepts a weight for each step.
        of_residuals: whether only the difference of prediction and target counts, so that the loss may be measured in
            another unit. After a layer that gives `target_before` (unstandardize), it is: that layer is left out, and
            prediction and target are what it would have received. The loss then has the unit of deviations, and
            neither the size of the target's unit nor that of another column of the target matters.
        weighted: whether values and gradient are already multiplied by `sample_weights`; the network then only divides
            by the sum of these.
        prediction_range: the lowest and the highest allowed prediction; None for any.
        normalized: True if predictions have to be probabilities that sum to 1 along the last axis (softmax), at least
            two; False if they must not be, as each output is a separate decision (sigmoid); None if both are fine.
        decides_at: the prediction at which the decision changes: predictions must be possible on both sides of it.
        ending: what the network should end with instead, for a message.
    """

    kind = "loss"
    takes_target: ClassVar[bool] = True
    couples: ClassVar[bool] = False
    joint_with: ClassVar[tuple[str, ...]] = ()
    takes_labels: ClassVar[bool] = False
    positions: ClassVar[bool] = False
    of_residuals: ClassVar[bool] = False
    weighted: ClassVar[bool] = False
    prediction_range: ClassVar[tuple[float, float] | None] = None
    normalized: ClassVar[bool | None] = None
    decides_at: ClassVar[float | None] = None
    ending: ClassVar[str] = ""

    def values(self, prediction: Array, target: Any) -> Array:
        """The loss of each sample, shape (batch,)."""
        raise NotImplementedError

    def gradient(self, prediction: Array, target: Any) -> Array:
        """The derivative of each sample's value with respect to its prediction, in the shape of `prediction`."""
        raise NotImplementedError

    def measure(self, context: Context, prediction: Array, target: Any) -> tuple[Array, Array | None]:
        """Values and gradient together, as training needs them.

        Override it to share work between the two; both results may be arrays from `context.buffer`. If
        `context.needs_input_gradient` is False, the gradient may be None. The shapes have been checked.
        `context.masks[0]` says which steps of sequences count, (batch, time), or is None; a loss with `positions`
        receives only those steps.
        """
        gradient = self.gradient(prediction, target) if context.needs_input_gradient else None
        return self.values(prediction, target), gradient

    def joint(self, context: Context, logits: Array, target: Any) -> tuple[Array, Array | None]:
        """The results of `measure`, computed from the input of an activation in `joint_with`."""
        raise NotImplementedError

    def batch(
        self, context: Context, prediction: Array, target: Any, weights: Array | None
    ) -> tuple[float, Array | None]:
        """The mean loss of a batch of coupled samples, and its derivative; only for a loss with `couples`.

        Args:
            context: for buffers, as in `measure`; if `context.needs_input_gradient` is False, the gradient may be None.
            prediction, target: of the whole batch, which may have a single sample.
            weights: of the samples, (batch,), at least one of them above 0; None for ones. The mean is weighted by
                them: multiplying all weights by one number changes nothing.

        Returns:
            The value, a number, and its derivative with respect to the prediction, of the prediction's shape.
        """
        raise NotImplementedError

    def fitted(self, shape: Shape, target: Array | None, weights: Array | None, names: Sequence[str]) -> Loss:
        """The loss with what it takes from the training data, such as weights by the names of classes, as numbers.

        Called once, before training. What it returns takes the place of the loss, in the model file too, so that
        `evaluate` measures as training did.

        Args:
            shape: of one sample's prediction.
            target: those of all training samples; None if there are none to look at, as in a stream of batches.
            weights: of the samples, or of the steps of sequences; None for ones.
            names: of the classes, in the order of their labels; empty if they have no names.

        Raises:
            ValueError: an option does not fit them.
        """
        return self

    def sample_weights(self, target: Array) -> Array | None:
        """A weight for each sample, derived from its target (class weights), shape (batch,), or None."""
        return None

    def check_targets(self, prediction_shape: Shape, target: Array) -> None:
        """Checks what can be checked of targets before there is a prediction; called before training.

        Args:
            prediction_shape: of one sample.
            target: many targets, (samples, ...), whose shape has been checked.

        Raises:
            DataError: a target that the loss cannot use.
        """

    def target_shapes(self, prediction_shape: Shape) -> tuple[Shape, ...]:
        """The possible shapes of one sample's target for a prediction of this shape.

        Raises:
            ShapeError: the loss does not accept such a prediction, with any target.
        """
        if not self.takes_target:
            return ((),)
        if self.takes_labels:
            return (prediction_shape[:-1], prediction_shape)
        return (prediction_shape,)

    def check_shapes(self, prediction_shape: Shape, target_shape: Shape) -> None:
        """Checks the shapes of one sample's prediction and target.

        Raises:
            ShapeError: naming both shapes.
        """
        accepted = self.target_shapes(prediction_shape)
        if not any(_same_shape(shape, target_shape) for shape in accepted):
            expected = " or ".join(dict.fromkeys(map(str, accepted)))
            hint = ""
            if prediction_shape == (1,) and target_shape == ():
                hint = "give the target a last axis of 1: y[:, None]"
            elif target_shape == (1,) and () in accepted:
                hint = "labels have no axis of their own: y[:, 0]"
            elif target_shape == prediction_shape[1:] and target_shape:
                hint = "shapes are those of one sample; is the batch axis missing?"
            raise ShapeError(
                f"{self.type} expects a target of shape {expected} for a prediction of shape {prediction_shape}, "
                f"found a target of shape {target_shape}",
                hint,
            )


def _same_shape(first: Shape, second: Shape) -> bool:
    return len(first) == len(second) and all(
        a is None or b is None or a == b for a, b in zip(first, second, strict=True)
    )


class WeightedLoss(Use):
    """The loss of one output, with its weight in the sum over all outputs.

    Attributes:
        loss: the loss.
        weight: its factor in the sum.
    """

    kind: ClassVar[str] = "loss"

    loss: Loss
    weight: float = field(default=1.0, minimum=0.0)
