"""RealMLP as one layer of a spec."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from modnet.activations import SELU, Identity
from modnet.configuration.fields import field
from modnet.initializers import Zeros
from modnet.kinds.activation import Activation
from modnet.kinds.component import Example
from modnet.kinds.layer import Layer
from modnet.kinds.node import Composite, Node
from modnet.layers.noise import Dropout
from modnet_tabular.activations import Parametric, SmoothClip
from modnet_tabular.inputs import TableInputs
from modnet_tabular.linear import NTKLinear, Scale
from modnet_tabular.numbers import PBLD
from modnet_tabular.scaling import RobustScale
from modnet_tabular.schedules import FlatCosine

SCALE_RATE, BIAS_RATE = 6.0, 0.1
"""Factors of the learning rate, of the factors in front and of the biases."""

SLOW = 0.1
"""The factor of the learning rate, and of the weight decay, of blended activations and of embeddings of numbers."""

DROPOUT = 0.15


class RealMLP(Composite, type="realmlp"):
    """The network RealMLP-TD, or its simpler form RealMLP-TD-S, without softmax or `unstandardize` at its end.

    Numbers are scaled by their quartiles and clipped (`robust_scale`, `smooth_clip`), embedded (`pbld`), and each
    feature is given a trained factor (`scale`). Hidden layers are `ntk_linear` with first weights from the data, the
    blended activation (`parametric`) and dropout, whose rate is flat for half of the run and then falls to 0. The form
    "td-s" has no embeddings of numbers, no blend, no dropout, plain random first weights and a last layer of zeros.

    Inputs: an array of numbers (features,); or first this, then one of one-hot codes (features,), which are scaled
    and not embedded; and after them as many inputs of ids (1,) as `vocabulary_sizes` has numbers, which get a
    `category_embedding` each. So `inputs = ["numbers", "codes", "city", "street"], vocabulary_sizes = [31, 120]`. A
    table without numbers has `number_embedding = "identity"`, and its one-hot codes are the first input.

    It was tuned with 256 epochs, batches of 256, the schedule `coslog4` and Adam with beta2 = 0.95; the README of
    modnet-tabular has whole specs.

    Source: Holzmüller, Grinsztajn and Steinwart 2024, "Better by default: strong pre-tuned MLPs and boosted trees on
    tabular data", arXiv:2407.04491.

    Attributes:
        out_features: the classes, or the numbers to predict.
        variant: "td" or "td-s".
        hidden_features: of each hidden layer.
        activation: "selu" for classes, "mish" for numbers.
        dropout: its rate; by default 0.15, and none in "td-s".
        number_embedding: the layer that embeds the numbers; by default `pbld`, and "identity" in "td-s".
        vocabulary_sizes: the number of ids of each input of ids, 0 for what is unknown among them.
        embedding_size: of the vectors for ids.
    """

    inputs: ClassVar[tuple[int, int | None]] = (1, None)

    out_features: int = field(minimum=1)
    variant: Literal["td", "td-s"] = "td"
    hidden_features: tuple[int, ...] = (256, 256, 256)
    activation: Activation = SELU()
    dropout: float | None = field(default=None, minimum=0.0, below=1.0)
    number_embedding: Layer | None = None
    vocabulary_sizes: tuple[int, ...] = ()
    embedding_size: int = field(default=8, minimum=1)

    @classmethod
    def examples(cls) -> Sequence[Example]:
        small = cls(out_features=3, hidden_features=(5, 4), dropout=0.0)
        return (
            Example(small, ((6,),)),
            Example(small.replace(variant="td-s"), ((6,),)),
            Example(small, ((3,), (4,))),
        )

    def expand(self, inputs: Sequence[str]) -> Sequence[Node]:
        table = TableInputs(inputs, self.vocabulary_sizes, self.embedding_size)
        return [*table.nodes(self._numbers, self._codes), *self._front(), *self._hidden(), self._last()]

    @property
    def _tuned(self) -> bool:
        return self.variant == "td"

    def _codes(self) -> list[Node]:
        return [Node(layer=RobustScale(), activation=SmoothClip())]

    def _numbers(self) -> list[Node]:
        embedding = self.number_embedding or (PBLD() if self._tuned else Identity())
        if isinstance(embedding, Identity):
            return self._codes()
        return [*self._codes(), Node(layer=embedding, learning_rate=SLOW, weight_decay=SLOW)]

    def _front(self) -> list[Node]:
        return [Node(layer=Scale(), learning_rate=SCALE_RATE, weight_decay=SCALE_RATE)]

    def _hidden(self) -> list[Node]:
        rate = (DROPOUT if self._tuned else 0.0) if self.dropout is None else self.dropout
        nodes = []
        for size in self.hidden_features:
            nodes.append(Node(layer=self._linear(size)))
            if self._tuned:
                blended = Parametric(activation=self.activation)
                nodes.append(Node(layer=blended, learning_rate=SLOW, weight_decay=SLOW))
            else:
                nodes.append(Node(layer=self.activation))
            if rate:
                nodes.append(Node(layer=Dropout(rate=rate, schedule=FlatCosine())))
        return nodes

    def _linear(self, size: int) -> NTKLinear:
        return NTKLinear(out_features=size, bias_learning_rate=BIAS_RATE, from_data=self._tuned)

    def _last(self) -> Node:
        last = self._linear(self.out_features)
        if not self._tuned:
            last = last.replace(weight_initializer=Zeros(), bias_initializer=Zeros())
        return Node(layer=last, name="output")
