"""Optimizers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from modnet.arrays import Array
from modnet.configuration.fields import field
from modnet.kinds.component import Component

if TYPE_CHECKING:
    pass


class Optimizer(Component):
    """Changes parameters by their gradients.

    It works on flat chunks that fit into the processor's cache, one at a time, so that every numpy call finds its
    operands there.

    Attributes:
        scratch: how many arrays of a chunk's size `update` needs for intermediate results.
        learning_rate: the size of a step, before the factor of the schedule.
        weight_decay: factor of weight decay, applied to weights; to biases and norms only with `decay_all`.
        decay_all: whether weight decay applies to biases and norms too.
    """

    kind = "optimizer"
    scratch: ClassVar[int] = 1

    learning_rate: float = field(default=1e-3, minimum=0.0)
    weight_decay: float = field(default=0.0, minimum=0.0)
    decay_all: bool = False

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of the arrays that it keeps, each as large as the parameters and zero at first."""
        return ()

    def update(
        self,
        parameter: Array,
        gradient: Array,
        slots: Sequence[Array],
        scratch: Sequence[Array],
        step: int,
        learning_rate: float,
        weight_decay: float,
    ) -> None:
        """Changes `parameter` and `slots` in place; `gradient` may be overwritten. All are 1-D and equally long.

        Args:
            step: counted from 1.
            learning_rate: the rate of this step, after the schedule.
            weight_decay: the factor for this chunk, 0 for biases and norms.
        """
        raise NotImplementedError
