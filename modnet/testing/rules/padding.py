"""What padding may not reach: the rule of layers that are given sequences of different lengths."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from modnet.arrays import Array
from modnet.errors import ShapeError
from modnet.testing.contract import Broken, NotApplicable, Rules
from modnet.testing.rules.layer import Trial, copies, put_back, sequence_sizes, weights_for
from modnet.testing.rules.results import Results, draws, mode, results, weights_of
from modnet.testing.rules.rounding import EXACT, greatest

RULES = Rules()

MORE_STEPS = (12, 1)
"""Additional steps of padding; the first number that the layer accepts is used. With 12, windows with a stride of 2, 3,
4 or 6 that are centred on the whole keep their positions.
"""


@RULES.rule(
    "padding",
    "Steps after the end of a sequence, where context.masks[i] is False, must not influence a real step, a pooled "
    "output, a gradient or the state; nor may their number. Leave them out of sums, means, maxima and attention.",
    after=("runs", "shapes", "masks", "batches", "gradients", "gradients with a mask"),
)
def padding(trial: Trial) -> str:
    if trial.component.makes_mask:
        raise NotApplicable("it makes the mask itself")
    # The first axis of an image may be variable too, but is not time.
    sizes = sequence_sizes(trial, axes=2)
    steps = sizes[0][0]
    lengths = np.array([steps, steps - 1, max(1, steps // 2), 1])
    longer = tuple((steps + 1, *size[1:]) for size in sizes)
    grows = trial.component.output_shape(*sizes) != trial.component.output_shape(*longer)
    most = 0
    for training in (True, False):
        case = _Padded(trial, sizes, lengths, training)
        if grows and case.mask is None:
            raise NotApplicable("its output has steps, but no mask that marks the real ones")
        if training and case.drawn:
            continue
        case.check(0)
        for more in MORE_STEPS:
            with suppress(ShapeError):  # it has a greatest length
                case.check(more)
                most = max(most, more)
                break
    return (
        f"sequences of {', '.join(map(str, lengths))} steps, with other numbers as padding, and up to {most} more "
        "steps of padding"
    )


class _Padded:
    """Sequences of different lengths, whose padding can be replaced."""

    def __init__(self, trial: Trial, sizes: tuple[tuple[int, ...], ...], lengths: Array, training: bool) -> None:
        self.trial = trial
        self.sizes = sizes
        self.lengths = lengths
        self.training = training
        self.inputs = trial.inputs(sizes=sizes)
        self.weights = weights_of(trial, "random", sizes)
        self.gradient: Array | None = None
        self.mask: Array | None = None
        self.expected, _ = self._run(self.inputs, sizes)

    def _run(self, inputs: Sequence[Array], sizes: tuple[tuple[int, ...], ...]) -> tuple[Results, Array | None]:
        steps = sizes[0][0]
        mask = np.asarray(np.arange(steps) < self.lengths[:, None])
        context = self.trial.context(
            sizes=sizes, training=self.training, masks=[mask.copy() for _ in sizes], weights=self.weights
        )
        state = copies(context.state)
        output = self.trial.forward(context, inputs)
        self.drawn = draws(context)
        follows = context.output_mask if output.ndim > 1 else None
        if follows is not None and follows.shape[1:] != output.shape[1:2]:
            follows = None  # as in the network
        follows = None if follows is None else follows.copy()
        put_back(context.state, state)
        found = results(self.trial, context, inputs, self._gradient_for(output, follows))
        return found, follows

    def _gradient_for(self, output: Array, mask: Array | None) -> Array:
        """The gradient of the output: the same for each real step, at any position, and zeros for padding."""
        if self.gradient is None:
            self.gradient = weights_for(output)
            if mask is not None:
                self.gradient[~mask] = 0
            self.mask = mask
        what = f"in {mode(self.training)}, with other numbers as padding, context.output_mask"
        if (mask is None) != (self.mask is None):
            raise Broken(
                f"{what} is {'None' if mask is None else 'a mask'} for the output; before it was "
                f"{'a mask' if mask is None else 'None'}"
            )
        if mask is None or self.mask is None:
            return self.gradient.copy()
        gradient = np.zeros(output.shape)
        counts, before = mask.sum(axis=1), self.mask.sum(axis=1)
        if not np.array_equal(counts, before):
            raise Broken(f"{what} says that {counts.tolist()} steps are real; before it was {before.tolist()}")
        gradient[mask] = self.gradient[self.mask]
        return gradient

    def check(self, more: int) -> None:
        """Raises Broken if the results change with other padding that has `more` additional steps."""
        steps = self.sizes[0][0] + more
        sizes = tuple((steps, *size[1:]) for size in self.sizes)
        inputs = self.trial.inputs(sizes=sizes, seed=1)
        for x, before in zip(inputs, self.inputs, strict=True):
            for row, length in enumerate(self.lengths):
                x[row, :length] = before[row, :length]
        found, mask = self._run(inputs, sizes)
        what = f"in {mode(self.training)}, with other numbers as padding" + (
            f" and {more} more steps of it" if more else ""
        )
        for name, array in self.expected.items():
            self._compare(name, found[name], array, mask, what)

    def _compare(self, name: str, found: Array, expected: Array, mask: Array | None, what: str) -> None:
        if name == "the output" and mask is not None and self.mask is not None:
            found, expected = found[mask], expected[self.mask]
        elif name.startswith("the gradient of input "):
            real = np.arange(expected.shape[1]) < self.lengths[:, None]
            found, expected = found[:, : expected.shape[1]][real], expected[real]
        if not np.isfinite(expected).all() and not np.isfinite(found).all():
            return
        distance, scale = greatest(found - expected), greatest(expected)
        if not distance <= EXACT * max(scale, 1.0):
            raise Broken(
                f"{what}, {name} differs by {distance:.3g} where the greatest number is {scale:.3g}; at most "
                f"{EXACT * max(scale, 1.0):.2g} is expected"
            )
