"""A built network: nodes with known shapes, their parameters, and what a caller can do with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from modnet.arrays import Array, common_mask
from modnet.engine.built import BuiltGraph
from modnet.engine.card import ModelCard
from modnet.engine.graph import Graph, GraphNode
from modnet.engine.history import History
from modnet.engine.inputs import GivenInput, check_predictions
from modnet.engine.passes import FEWEST_ROWS, MOST_ROWS, PREDICTION_BYTES, Pass, Passes
from modnet.engine.stream import Stream
from modnet.engine.summary import Summary
from modnet.errors import DataError, Fault, SampleError, ShapeError
from modnet.kinds.context import Context
from modnet.kinds.layer import Layer
from modnet.memory import SMALL, require
from modnet.specs.model import Spec
from modnet.words import did_you_mean, show

if TYPE_CHECKING:
    import os

    from modnet.engine.rows import RowPredictor
    from modnet.pictures.svg import Drawing


class Network(BuiltGraph):
    """A network that can predict and be trained. Made by `modnet.build` or `modnet.load`.

    Attributes:
        card: what is known about it besides its arrays: its spec, training, schema, history, metrics and metadata.
        graph: its nodes, with shapes.
        dtype: of its parameters and of all computations.
        parameters: name -> array, `linear_1.weight`; all are views of one flat array. Those with weight decay come
            first, then the other trainable ones, then the frozen ones.
        state: name -> array that is kept without being trained, such as a running mean.
        layout: the names and shapes of its arrays; parameters and state are allocated when they are first used.
        seed: the seed with which the parameters are then drawn; None if they come from a file.
    """

    def __init__(self, card: ModelCard, graph: Graph) -> None:
        super().__init__(graph, card.spec.network.dtype)
        self.card = card
        self._passes = Passes()
        self._rows: RowPredictor | None = None
        self._other_pass: Callable[[], Pass] | None = None
        self._identity: Callable[[Network], str | None] | None = None
        self._given = GivenInput(graph.inputs)
        self._widest = max(math.prod(axis or 1 for axis in shape) for node in graph.nodes for shape in node.shapes)

    @property
    def id(self) -> str | None:
        """The id of the model file that it was loaded from or saved to last, 64 hexadecimal digits.

        None for a network that has never been saved, or whose arrays or card have been changed since. That is found out
        by hashing the arrays (1 ms for each megabyte), unless they cannot be changed: who wants it often keeps it.
        """
        return None if self._identity is None else self._identity(self)

    def identify(self, identity: Callable[[Network], str | None]) -> None:
        """Says how the id of this network is found: it has just been loaded or saved."""
        self._identity = identity

    @property
    def spec(self) -> Spec:
        """What it was built from: `card.spec`."""
        return self.card.spec

    @property
    def schema(self) -> Any:
        """The columns of the table that `predict` takes, or None: `card.schema`."""
        return self.card.schema

    @property
    def history(self) -> History:
        """The course of its last training, in this process or before it was saved: `card.history`."""
        return self.card.history

    def forward(self, x: Any, *, batch_size: int | None = None, out: Array | None = None) -> Any:
        """The outputs of the network for a batch of samples: arrays in, arrays out.

        Any number of threads may call it on one network at the same time.

        Args:
            x: an array (batch, *shape), or for several inputs a mapping from input name to array. Numbers of any type
                are converted to the network's dtype.
            batch_size: rows that pass through the network at a time; memory grows with it. By default between 64 and
                4096, so that the largest output of a node takes about 4 MiB.
            out: where to write the output of a network with one output, of its dtype.

        Returns:
            An array (batch, *output shape), or for several outputs a dict of them.

        Raises:
            ShapeError: x does not have the shape that the network expects.
            DataError: x cannot be converted; the prediction for a row is nan.
            TooLarge: it needs more memory than there is, or more work than anyone would wait for.
            ValueError: batch_size is less than 1.
        """
        if out is not None and len(self.graph.outputs) > 1:
            raise ShapeError(f"out is only possible for one output; this network has {len(self.graph.outputs)}")
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"batch_size: expected at least 1, found {batch_size}")
        outputs = self._predict(x, batch_size, out)
        return outputs[0] if len(outputs) == 1 else self._named(outputs)

    def predict(
        self,
        rows: Any,
        *,
        report: list[Fault] | None = None,
        faults: Literal["raise", "none"] = "raise",
        batch_size: int | None = None,
        out: Array | None = None,
    ) -> Any:
        """The predictions for rows of a table; for a network that was trained on arrays, the same as `forward`.

        A record (column -> value) becomes a record; a list of records a list; column -> values lists by name; a data
        frame (pandas, polars, pyarrow ...) one of its kind, with its index; and a structured array another. Columns are
        found by name; others are ignored. Rows (rows, columns) in the order of the columns become lists by name, but an
        array of numbers, or one (rows, width) that `encode` gave, becomes an array, that of `forward`; `decode` names
        what is in it.

        Args:
            rows: as above, or as for `forward`; None, nan, NaT and pandas.NA stand for missing values.
            report: a list that receives a `Fault` (row, column, value, message) for each value that was missing or
                unknown and was replaced, for each column that was ignored, and for each fault that is not raised.
            faults: what is done about values that cannot be used: "raise", or "none" to give no prediction (None, or
                what stands for it in a data frame) for their rows, and predictions for the others.
            batch_size, out: as for `forward`; `out` is not possible for rows of a table.

        Raises:
            DataError: a column is missing, or, unless `faults` is "none", a value is not valid for its column, or a
                prediction is nan; `problems` has each, with row and column.
            ShapeError, DataError, TooLarge, ValueError: as `forward`; also `faults` is neither.
        """
        predictor = self._row_predictor()
        if report is None and faults == "raise" and (predictor is None or predictor.are_encoded(rows)):
            return self.forward(rows, batch_size=batch_size, out=out)
        if predictor is None or out is not None:
            raise DataError(
                "report and faults are for rows of a table; this network was trained on arrays"
                if predictor is None
                else "out is not possible for rows of a table; use network.forward for arrays"
            )
        return predictor.predict(rows, lambda arrays: self._unchecked(arrays, batch_size), report, faults)

    def encode(self, rows: Any) -> Any:
        """Rows of a table as `forward` takes them, for those who encode once and predict often.

        Args:
            rows: in any form that `predict` takes.

        Returns:
            An array (rows, width), or for several inputs a dict of them: float64, or int64 if all numbers are ids.

        Raises:
            DataError: the network was not trained on a table; as `predict`.
        """
        predictor = self._row_predictor()
        if predictor is None:
            raise DataError("the network was trained on arrays and knows no columns; forward takes arrays as they are")
        encoded = predictor.encode(rows)
        return encoded if len(self.graph.inputs) > 1 else next(iter(encoded.values()))

    def decode(self, outputs: Any) -> dict[str, Array]:
        """What `forward` gives, as `predict` names it: the predicted classes and their probabilities, or numbers.

        Args:
            outputs: an array (rows, *output shape), or output name -> array.

        Returns:
            Column name -> array with a value for each row; names of classes are objects, as in `DataSchema.decode`.

        Raises:
            ShapeError: the width of an output is not that of its target.
            DataError: there are several outputs, and only one array; an unknown name.
        """
        names = list(self.graph.outputs)
        if not isinstance(outputs, Mapping):
            if len(names) > 1:
                raise DataError(f"the network has {len(names)} outputs; give a dict with {', '.join(map(show, names))}")
            outputs = {names[0]: outputs}
        for name in outputs:
            if name not in names:
                raise DataError(f"no output of the network is called {show(name)}{did_you_mean(str(name), names)}")
        schema = self.card.schema
        if schema is None:
            from modnet.data.schema import DataSchema  # not at the top: prediction from arrays needs none of it

            schema = DataSchema({}, {})
        found: dict[str, Array] = schema.decode(outputs)
        return found

    def _row_predictor(self) -> RowPredictor | None:
        """What predicts for rows of a table; None for a network that was trained on arrays."""
        schema, known = self.card.schema, self._rows
        if known is None or known.schema is not schema:
            if schema is None or not schema.inputs:
                return None
            from modnet.engine.rows import RowPredictor  # not at the top: a network without a table needs none of it

            # One assignment, so that threads see a whole one.
            known = self._rows = RowPredictor(schema, self.dtype)
        return known

    def _unchecked(self, arrays: Mapping[str, Array], batch_size: int | None) -> dict[str, Array]:
        """Output name -> array, in which there may be nan."""
        x = arrays if len(arrays) > 1 else next(iter(arrays.values()))
        return self._named(self._predict(x, batch_size, None, check=False))

    def _named(self, outputs: list[Array]) -> dict[str, Array]:
        return dict(zip(self.graph.outputs, outputs, strict=True))

    def arrays(self, x: Any) -> list[Array]:
        """The inputs in order, checked against the shapes that the network expects, not yet converted."""
        return self._given.arrays(x)

    def rows_at_a_time(self, arrays: list[Array]) -> int:
        """How many rows to predict at a time; variable axes of nodes are assumed to grow with those of the inputs."""
        stretch = max(
            math.prod(array.shape[1:]) / math.prod(axis or 1 for axis in shape)
            for array, shape in zip(arrays, self.inputs.values(), strict=True)
        )
        sample = max(1, int(stretch * self._widest * self.dtype.itemsize))
        return min(max(FEWEST_ROWS, PREDICTION_BYTES // sample), MOST_ROWS)

    def _predict(self, x: Any, batch_size: int | None, out: Array | None, check: bool = True) -> list[Array]:
        """The outputs in order; unless `check`, nan is not refused."""
        arrays = self.arrays(x)
        rows = len(arrays[0])
        passes = self._passes
        predictor = passes.borrow() or self._new_pass()
        try:
            cost = predictor.only_cost or predictor.cost(arrays)
            if batch_size is None:
                batch_size = rows if 0 < rows <= FEWEST_ROWS else self.rows_at_a_time(arrays)
                if batch_size * cost.row > SMALL:
                    batch_size = cost.rows_that_fit(batch_size)
            if batch_size * cost.row + cost.once > SMALL:
                cost.require(min(rows, batch_size))
            # Copies: the values are in the buffers of the pass, which another thread may use next.
            if rows <= batch_size and out is None:
                return [value.copy() for value in self._checked(predictor, arrays, arrays, 0, check)]
            results: list[Array] = []
            for start in range(0, max(rows, 1), batch_size):
                part = [array[start : start + batch_size] for array in arrays]
                values = self._checked(predictor, part, arrays, start, check)
                if not results:
                    results = [_output(out, (rows, *value.shape[1:]), value.dtype) for value in values]
                for result, value in zip(results, values, strict=True):
                    result[start : start + batch_size] = value
            return results
        finally:
            passes.give_back(predictor, rows)

    def _checked(self, predictor: Pass, part: list[Array], arrays: list[Array], start: int, check: bool) -> list[Array]:
        """The outputs for the rows from `start` on; errors name rows by their numbers in all of `arrays`."""
        try:
            values = predictor.forward(part)
        except SampleError as error:
            raise error.counted_from(start) from None
        if check:
            check_predictions(self, values, arrays, start)
        return values

    def _new_pass(self) -> Pass:
        return Pass(self, list(self.graph.outputs.values())) if self._other_pass is None else self._other_pass()

    def predict_by(self, make_pass: Callable[[], Pass]) -> None:
        """Lets passes of another kind compute `forward` and `predict` from now on, with the parameters as they are.

        The parameters and the state cannot be changed any more.

        Args:
            make_pass: makes a pass for the network's outputs, for one thread at a time.
        """
        for arrays in (self.parameters, self.state):
            for flat in arrays.flats:
                flat.flags.writeable = False
            arrays.adopt(*arrays.flats)
        self._other_pass, self._passes = make_pass, Passes()

    def stream(self, state: Mapping[str, Array] | Sequence[Mapping[str, Array]] | None = None) -> Stream:
        """Prediction of sequences piece by piece, where each piece continues the one before it.

        Args:
            state: the point from which to continue: a result of `Stream.state`, or a list of them, which continue in
                one batch, in this order. Layers that count steps (attention, positions) take sequences of as many
                steps only; recurrent layers take any.

        Raises:
            ShapeError: a layer needs the whole sequence at once, or the length of the sequences is fixed.
            DataError: the state is damaged or belongs to another network; the states differ in their number of steps.
        """
        return Stream(self, () if state is None else state)

    def prepare(self, batches: Callable[[], Iterable[tuple[Any, ...]]]) -> None:
        """Calls `prepare` of the layers that learn from data before training (standardize).

        Node by node, since a layer sees the outputs of the layers before it, which must be prepared by then.

        Args:
            batches: each call returns (inputs in order, output name -> target) for all of the training data. A third
                value, a bool array (batch, time) or None, says which steps of the targets have a weight; by default
                all.
        """
        ends = {name: set(self.graph.before_prediction(slot)) for name, slot in self.graph.outputs.items()}
        for node in self.graph.nodes:
            if not _learns_before_training(node):
                continue
            output = next((name for name, slots in ends.items() if not slots.isdisjoint(node.slots)), None)
            reader = Pass(self, list(node.inputs))
            context = Context(
                self.dtype,
                params=self.arrays_of(self.parameters, node, node.parameters),
                state=self.arrays_of(self.state, node, node.state),
                rng=np.random.default_rng([self.seed or 0, node.slot]),
                training=True,
            )

            def seen(
                node: GraphNode = node, output: str | None = output, reader: Pass = reader, context: Context = context
            ) -> Iterable[tuple[Array, Array | None]]:
                for inputs, targets, *weighted in batches():
                    values = reader.forward(inputs)
                    context.masks = tuple(reader.masks.get(source) for source in node.inputs)
                    context.raw = tuple(reader.raw(source, inputs) for source in node.inputs)
                    target = targets.get(output) if output else None
                    if target is not None:
                        # Weights of steps that do not match the target are refused later, with the losses.
                        fit = [steps for steps in weighted if steps is not None and steps.shape == target.shape[:2]]
                        context.masks = (common_mask((context.masks[0], *fit)), *context.masks[1:])
                    yield values[0], target

            node.layer.prepare(context, _Again(seen))

    def unprepared(self) -> list[str]:
        """The names of the nodes that learn from data before training and have not done so yet."""
        return [
            node.name
            for node in self.graph.nodes
            if _learns_before_training(node)
            and node.state
            and all(
                (self.state[f"{node.name}.{name}"] == state.fill).all()
                for name, state in node.state.items()
                if state.initializer is None
            )
        ]

    def summary(self) -> Summary:
        """The nodes with their shapes and sizes: an object with `.rows` that prints as a table."""
        return Summary.of(self)

    def plot(self, path: str | os.PathLike[str] | None = None) -> Drawing:
        """Draws the network: its nodes, and the shapes of one sample of what passes between them.

        Graphviz places the nodes if its program `dot` is installed; nothing else is needed. Activations are next to
        the layer before them. If there are more than 120 boxes, each composite is one.

        Args:
            path: the file to write: .svg, .dot, or with Graphviz .png and .pdf. By default the drawing is only
                returned; a notebook shows it.

        Returns:
            The drawing; `drawing.file()` is the SVG of a file, `drawing.inline()` an element for a page.

        Raises:
            DataError: the suffix is of no such format.
            ModnetError: Graphviz is not installed, or fails, and the format needs it.
            OSError: the file cannot be written.
        """
        from modnet.engine.drawing import plot  # not at the top: a process that predicts draws nothing

        return plot(self, path)

    def _repr_html_(self) -> str:
        from modnet.engine.notebook import network_html  # as above

        return network_html(self)

    def __repr__(self) -> str:
        shapes = " and ".join(str(shape) for shape in self.inputs.values())
        outputs = " and ".join(str(shape) for shape in self.outputs.values())
        size = f"{len(self.graph.nodes)} nodes, {self.parameters.size:,} parameters, {self.dtype}"
        return f"<Network {shapes} -> {outputs}: {size}>"

    def __getstate__(self) -> dict[str, Any]:
        # Made again by a copy or another process: passes hold only buffers and generators. An engine stays here.
        state = self.__dict__.copy()
        del state["_passes"], state["_rows"], state["_other_pass"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._passes = Passes()
        self._rows = self._other_pass = None


class _Again:
    """What a function returns; each iteration calls it again."""

    def __init__(self, ask: Callable[[], Iterable[tuple[Array, Array | None]]]) -> None:
        self._ask = ask

    def __iter__(self) -> Iterator[tuple[Array, Array | None]]:
        return iter(self._ask())


def _learns_before_training(node: GraphNode) -> bool:
    return type(node.layer.stands_for).prepare is not Layer.prepare and node.trainable and node.owner is None


def _output(out: Array | None, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    if out is None:
        require(math.prod(shape) * dtype.itemsize, "the output")
        return np.empty(shape, dtype)
    if out.shape != shape or out.dtype != dtype:
        raise ShapeError(f"out: expected {dtype} of shape {shape}, found {out.dtype} of shape {out.shape}")
    return out
