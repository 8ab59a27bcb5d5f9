"""The parts of a spec, as checked values."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar, Literal

from modnet.arrays import Shape
from modnet.configuration.fields import Configuration, field
from modnet.data.spec import DataSpec
from modnet.kinds.callback import Callback
from modnet.kinds.component import Use
from modnet.kinds.loss import Loss, WeightedLoss
from modnet.kinds.metric import Metric
from modnet.kinds.node import Node
from modnet.kinds.optimizer import Optimizer
from modnet.kinds.schedule import Schedule
from modnet.specs.search import SearchSpec
from modnet.specs.weights import WeightsSpec
from modnet.words import show

Axis = int | None | Literal["variable"]
NAME = re.compile(r"[A-Za-z0-9_-]+")


class NetworkSpec(Configuration):
    """The `[network]` table.

    Attributes:
        input: the shape of one sample, or input name -> shape; an axis that may vary is "variable" or None.
        layers: the nodes, in order.
        outputs: the names of the nodes whose outputs are the network's; by default the last node.
        dtype: of the parameters and of all computations.
        members: how many such networks are trained side by side, each from its own first weights. The network predicts
            the mean of what they predict.
    """

    called: ClassVar[str] = "network"

    input: tuple[Axis, ...] | dict[str, tuple[Axis, ...]] = field(minimum=1)
    layers: tuple[Node, ...]
    outputs: tuple[str, ...] | None = None
    dtype: Literal["float32", "float64"] = "float32"
    members: int = field(default=1, minimum=1, maximum=10_000)

    def check(self) -> None:
        if not self.layers:
            raise ValueError("layers is empty; expected at least one")
        if not self.input and isinstance(self.input, dict):
            raise ValueError("input is empty; expected a shape such as [784], or name = shape for several")
        for name in self.input if isinstance(self.input, dict) else ():
            if not NAME.fullmatch(name):
                raise ValueError(f"input {show(name)}: a name consists of letters, digits, _ and -")
        if self.outputs is not None and not self.outputs:
            raise ValueError("outputs is empty; leave it out for the last node")

    def input_shapes(self) -> dict[str, Shape]:
        """Input name -> shape of one sample; a single unnamed input is called "input"."""
        inputs = self.input if isinstance(self.input, dict) else {"input": self.input}
        return {name: tuple(None if a == "variable" else a for a in shape) for name, shape in inputs.items()}


class NamedCallback(Use):
    """A callback of a run, under the name by which its state is saved; by default its type."""

    kind: ClassVar[str] = "callback"

    callback: Callback
    name: str | None = None


class TrainingSpec(Configuration):
    """The `[training]` table; the arguments of `modnet.train` have the same names and meanings.

    Attributes:
        loss: what is minimised; for several outputs output name -> loss, each with an optional `weight`.
        optimizer: by default adam.
        schedule: how the learning rate changes.
        metrics: what is reported besides the loss; for several outputs output name -> list.
        epochs: passes through the training data.
        batch_size: samples that go through the network together.
        accumulate: batches for each step of the optimizer. Their gradients are averaged: the step is that of one batch
            as large as all of them, but needs only the memory of one.
        drop_last: whether the samples of an epoch that do not fill its last batch are left out of it, unless there is
            no other. A step of few samples is noisy, and with a high rate it undoes what large batches have learnt; in
            shuffled epochs each leaves out others. Streams keep all of their batches.
        shuffle: whether every epoch sees the samples in a new random order.
        seed: of the initial parameters, the order of samples and all noise. Which rows are set aside does not depend on
            it, but on `split_seed` of the data.
        gradient_clipping: the greatest norm of the gradient of all parameters together; a longer one is scaled down.
        gradient_value_clipping: the greatest absolute value of any element of the gradient.
        callbacks: early stopping, checkpoints, logs and others.
    """

    called: ClassVar[str] = "training"

    loss: Loss | dict[str, WeightedLoss]
    optimizer: Optimizer | None = None
    schedule: Schedule | None = None
    metrics: tuple[Metric, ...] | dict[str, tuple[Metric, ...]] = ()
    epochs: int = field(default=10, minimum=1)
    batch_size: int = field(default=32, minimum=1)
    accumulate: int = field(default=1, minimum=1)
    drop_last: bool = False
    shuffle: bool = True
    seed: int = field(default=0, minimum=0)
    gradient_clipping: float | None = field(default=None, above=0.0)
    gradient_value_clipping: float | None = field(default=None, above=0.0)
    callbacks: tuple[NamedCallback, ...] = ()

    def losses(self, outputs: Iterable[str]) -> dict[str, WeightedLoss]:
        """Output name -> its loss; a single loss applies to all outputs of the network."""
        if isinstance(self.loss, Loss):
            return {name: WeightedLoss(self.loss) for name in outputs}
        return dict(self.loss)


class Spec(Configuration):
    """A whole spec: what the network is, how it is trained, on what, what a search may change of it, and which weights
    of another program's file are whose.
    """

    called: ClassVar[str] = "spec"

    network: NetworkSpec
    training: TrainingSpec | None = None
    data: DataSpec | None = None
    search: SearchSpec | None = None
    weights: WeightsSpec | None = None

    def plain(self) -> dict[str, Any]:
        """The spec as plain values, in canonical form: with every option, even those that have their defaults."""
        return {name: part for name, part in super().plain().items() if part is not None}

    def _repr_html_(self) -> str:
        from modnet.specs.notebook import spec_html  # not at the top: for notebooks alone

        return spec_html(self)
