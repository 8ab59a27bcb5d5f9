"""The inputs of a network for a table: numbers, one-hot codes and ids, brought together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from modnet.errors import ShapeError
from modnet.kinds.node import Node
from modnet.layers.composite import Chain
from modnet.layers.merge import Concatenate
from modnet.layers.shape import Flatten
from modnet.records import Record
from modnet.words import counted
from modnet_tabular.categories import CategoryEmbedding


class TableInputs(Record):
    """The names of a composite's inputs, and what they hold: numbers, one-hot codes, then ids.

    Attributes:
        names: the numbers; or first the numbers and then the codes; after them one for each of `vocabulary_sizes`.
        vocabulary_sizes: the number of ids of each input of ids.
        embedding_size: of the vectors for ids; None for one by the size of the vocabulary.
    """

    names: Sequence[str]
    vocabulary_sizes: Sequence[int]
    embedding_size: int | None

    def nodes(self, numbers: Callable[[], list[Node]], codes: Callable[[], list[Node]]) -> list[Node]:
        """The nodes that end in one vector of all inputs; arguments and errors as of `branches`."""
        branches = self.branches(numbers, codes)
        if len(branches) == 1:
            return branches
        names = tuple(str(branch.name) for branch in branches)
        return [*branches, Node(layer=Concatenate(), inputs=names)]

    def branches(self, numbers: Callable[[], list[Node]], codes: Callable[[], list[Node]]) -> list[Node]:
        """A named node for each input, which ends in a vector.

        Args:
            numbers, codes: make the nodes for the first input, and for the second.

        Raises:
            ShapeError: there are too few or too many inputs.
        """
        given, ids = self._parted()
        branches = [
            Node(layer=Chain(layers=tuple(make())), name=name, inputs=(source,))
            for source, make, name in zip(given, (numbers, codes), ("numbers", "codes"), strict=False)
        ]
        for place, (source, size) in enumerate(zip(ids, self.vocabulary_sizes, strict=True), 1):
            vector = (
                Node(layer=CategoryEmbedding(vocabulary_size=size, embedding_size=self.embedding_size)),
                Node(layer=Flatten()),
            )
            branches.append(Node(layer=Chain(layers=vector), name=f"ids_{place}", inputs=(source,)))
        return branches

    def _parted(self) -> tuple[Sequence[str], Sequence[str]]:
        """The inputs of numbers and codes, and those of ids."""
        others = len(self.names) - len(self.vocabulary_sizes)
        if not 0 <= others <= 2 or not self.names:
            sizes = len(self.vocabulary_sizes)
            raise ShapeError(
                f"expects one or two inputs, of numbers and of one-hot codes, and {counted(sizes, 'input')} of ids for "
                f"its {counted(sizes, 'vocabulary size')}, found {counted(len(self.names), 'input')}",
                "give vocabulary_sizes a number for each input of ids",
            )
        return self.names[:others], self.names[others:]
