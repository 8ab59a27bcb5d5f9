"""TabM, and a plain network on embedded numbers, each as one layer of a spec."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from modnet.activations import Identity, ReLU
from modnet.configuration.fields import field
from modnet.initializers import Normal
from modnet.kinds.activation import Activation
from modnet.kinds.component import Example
from modnet.kinds.layer import Layer
from modnet.kinds.node import Composite, Node
from modnet.layers.linear import Linear
from modnet.layers.members import PerMember
from modnet.layers.noise import Dropout
from modnet_tabular.inputs import TableInputs
from modnet_tabular.members import MOST_MEMBERS, BatchEnsemble, RandomSigns
from modnet_tabular.numbers import uniform
from modnet_tabular.piecewise import PiecewiseLinear
from modnet_tabular.quantiles import QuantileTransform


class TabM(Composite, type="tabm"):
    """The network TabM: an ensemble whose members share all weights but a few factors, and their last layers.

    Numbers are given a normal distribution (`quantile_transform`) and embedded (`piecewise_linear`). Hidden layers are
    `batch_ensemble`, relu and dropout; each member has its own linear layer at the end. The output has an axis of
    members, (members, out_features): it is followed by "softmax" and "ensemble_mean", or "ensemble_mean" and
    "unstandardize". In training each member's loss is measured by itself, and predictions are the mean.

    Inputs as of `realmlp`: numbers; or numbers and one-hot codes; and after them ids. A table without numbers has
    `number_embedding = "identity"`, and its one-hot codes are the first input.

    Source: Gorishniy, Kotelnikov and Babenko 2024, "TabM: advancing tabular deep learning with parameter-efficient
    ensembling", arXiv:2410.24210; defaults of the package `tabm`.

    Attributes:
        out_features: the classes, or the numbers to predict.
        members: how many there are.
        hidden_features: of each hidden layer.
        activation: after each hidden layer.
        dropout: its rate.
        number_embedding: the layer that embeds the numbers. With "identity" they are not embedded; the paper then has
            three hidden layers.
        vocabulary_sizes: the number of ids of each input of ids, 0 for what is unknown among them.
        embedding_size: of the vectors for ids; by default by the size of the vocabulary, as of `embedding`.
    """

    inputs: ClassVar[tuple[int, int | None]] = (1, None)

    out_features: int = field(minimum=1)
    members: int = field(default=32, minimum=1, maximum=MOST_MEMBERS)
    hidden_features: tuple[int, ...] = (512, 512)
    activation: Activation = ReLU()
    dropout: float = field(default=0.1, minimum=0.0, below=1.0)
    number_embedding: Layer = PiecewiseLinear()
    vocabulary_sizes: tuple[int, ...] = ()
    embedding_size: int | None = field(default=None, minimum=1)

    @classmethod
    def examples(cls) -> Sequence[Example]:
        embedding = PiecewiseLinear(embedding_size=2, bins=3)
        small = cls(out_features=3, members=2, hidden_features=(5, 4), number_embedding=embedding, dropout=0.0)
        return (Example(small, ((4,),)), Example(small.replace(number_embedding=Identity()), ((3,), (4,))))

    def check(self) -> None:
        if not self.hidden_features:
            raise ValueError("hidden_features is empty; expected at least one")

    def expand(self, inputs: Sequence[str]) -> Sequence[Node]:
        table = TableInputs(inputs, self.vocabulary_sizes, self.embedding_size)
        nodes = table.branches(lambda: numbers(self.number_embedding), lambda: [Node(layer=Identity())])
        for place, size in enumerate(self.hidden_features):
            layer = BatchEnsemble(out_features=size, members=self.members)
            if place == 0:
                read = tuple(str(branch.name) for branch in nodes)
                nodes.append(Node(layer=self._first(layer, len(read)), inputs=read, activation=self.activation))
            else:
                nodes.append(Node(layer=layer, activation=self.activation))
            if self.dropout:
                nodes.append(Node(layer=Dropout(rate=self.dropout)))
        small = uniform(self.hidden_features[-1])
        last = Linear(out_features=self.out_features, weight_initializer=small, bias_initializer=small)
        return [*nodes, Node(layer=PerMember(layer=last, members=self.members), name="output")]

    def _first(self, layer: BatchEnsemble, branches: int) -> BatchEnsemble:
        """The first hidden layer, whose factors make the members differ: one for each number of the input."""
        if isinstance(self.number_embedding, Identity):
            return layer.replace(scale_initializer=RandomSigns())
        ids = len(self.vocabulary_sizes)
        of_numbers = [getattr(self.number_embedding, "embedding_size", 1)] if branches > ids else []
        sizes = (*of_numbers, *[1] * (branches - len(of_numbers)))
        return layer.replace(scale_initializer=Normal(standard_deviation=1.0), group_sizes=sizes)


def numbers(embedding: Layer) -> list[Node]:
    """The nodes for an input of numbers."""
    nodes = [Node(layer=QuantileTransform())]
    return nodes if isinstance(embedding, Identity) else [*nodes, Node(layer=embedding)]


class MLPPLE(Composite, type="mlp_ple"):
    """A plain network on embedded numbers: MLP-PLE.

    Numbers are given a normal distribution (`quantile_transform`) and embedded (`piecewise_linear`); linear layers with
    relu and dropout follow, and a linear one at the end. One network of this kind is fast; `members` of `[network]`
    makes an ensemble of it.

    Inputs as of `realmlp`: numbers; or numbers and one-hot codes; and after them ids. A table without numbers has
    `number_embedding = "identity"`, and its one-hot codes are the first input.

    Source: Gorishniy, Rubachev and Babenko 2022, arXiv:2203.05556.

    Attributes:
        out_features: the classes, or the numbers to predict.
        hidden_features: of each hidden layer.
        activation: after each hidden layer.
        dropout: its rate.
        number_embedding: the layer that embeds the numbers.
        vocabulary_sizes: the number of ids of each input of ids, 0 for what is unknown among them.
        embedding_size: of the vectors for ids; by default by the size of the vocabulary, as of `embedding`.
    """

    inputs: ClassVar[tuple[int, int | None]] = (1, None)

    out_features: int = field(minimum=1)
    hidden_features: tuple[int, ...] = (256, 256)
    activation: Activation = ReLU()
    dropout: float = field(default=0.1, minimum=0.0, below=1.0)
    number_embedding: Layer = PiecewiseLinear()
    vocabulary_sizes: tuple[int, ...] = ()
    embedding_size: int | None = field(default=None, minimum=1)

    @classmethod
    def examples(cls) -> Sequence[Example]:
        embedding = PiecewiseLinear(embedding_size=2, bins=3)
        small = cls(out_features=3, hidden_features=(5, 4), number_embedding=embedding, dropout=0.0)
        return (Example(small, ((4,),)), Example(small.replace(number_embedding=Identity()), ((3,), (4,))))

    def expand(self, inputs: Sequence[str]) -> Sequence[Node]:
        table = TableInputs(inputs, self.vocabulary_sizes, self.embedding_size)
        nodes = table.nodes(lambda: numbers(self.number_embedding), lambda: [Node(layer=Identity())])
        for size in self.hidden_features:
            nodes.append(Node(layer=Linear(out_features=size), activation=self.activation))
            if self.dropout:
                nodes.append(Node(layer=Dropout(rate=self.dropout)))
        return [*nodes, Node(layer=Linear(out_features=self.out_features), name="output")]
