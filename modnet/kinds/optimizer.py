"""Optimizers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from modnet.arrays import Array
from modnet.configuration.fields import field
from modnet.kinds.component import Component
from modnet.kinds.schedule import Schedule


class Chunk:
    """A part of the parameters, with the arrays that belong to it.

    All arrays are flat and equally long; with `Optimizer.by_parameter` they have the shape of one parameter.

    Attributes:
        parameter: to be changed in place.
        gradient: of the loss; may be overwritten.
        slots: arrays that are kept from step to step, in the order of `Optimizer.slots`; initially zero.
        scratch: `Optimizer.scratch` arrays for intermediate results; initially undefined.
    """

    # __slots__, because every step reads these attributes for every chunk.
    __slots__ = ("gradient", "parameter", "scratch", "slots")

    def __init__(
        self, parameter: Array, gradient: Array, slots: Sequence[Array] = (), scratch: Sequence[Array] = ()
    ) -> None:
        self.parameter = parameter
        self.gradient = gradient
        # Lists, not tuples: `chunk.slots[0] += ...` adds in place and then also assigns to the item.
        self.slots = list(slots)
        self.scratch = list(scratch)


class Step:
    """What the chunks of one step have in common. The same object at every step, with new numbers.

    Attributes:
        number: counted from 1.
        learning_rate: the rate of this step, including the schedule and the factors of nodes.
        weight_decay: the factor of weight decay, including its schedule; 0 for biases and norms unless
            `Optimizer.decay_all` is set.
    """

    __slots__ = ("learning_rate", "number", "weight_decay")

    def __init__(self, number: int, learning_rate: float, weight_decay: float = 0.0) -> None:
        self.number = number
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay


class Optimizer(Component):
    """Updates parameters from their gradients.

    It works on flat chunks that fit into the processor's cache, one at a time, so that every numpy call finds its
    operands there, and treats each element separately. One that needs whole parameters, for their norms or as matrices,
    sets `by_parameter`.

    Attributes:
        scratch: how many arrays of a chunk's size `update` needs for intermediate results.
        by_parameter: whether `update` is called once for each parameter, with arrays in the parameter's own shape.
        learning_rate: the size of a step, before the factor of the schedule.
        weight_decay: factor of weight decay, applied to weights; to biases and norms only with `decay_all`.
        decay_all: whether weight decay applies to biases and norms too.
        weight_decay_schedule: a schedule that multiplies `weight_decay`.
    """

    kind = "optimizer"
    scratch: ClassVar[int] = 1
    by_parameter: ClassVar[bool] = False

    learning_rate: float = field(default=1e-3, minimum=0.0)
    weight_decay: float = field(default=0.0, minimum=0.0)
    decay_all: bool = False
    weight_decay_schedule: Schedule | None = None

    def check(self) -> None:
        if self.weight_decay_schedule is not None and not self.weight_decay:
            raise ValueError("weight_decay_schedule has no effect because weight_decay is 0; set weight_decay > 0")

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of the arrays that it keeps, each as large as the parameters and initially zero."""
        return ()

    def update(self, chunk: Chunk, step: Step) -> None:
        """Changes `chunk.parameter` and `chunk.slots` in place."""
        raise NotImplementedError
