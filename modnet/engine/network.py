"""A built network: nodes with known shapes, their parameters, and what a caller can do with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from modnet.arrays import Array, Shape, as_numbers, common_mask
from modnet.engine.card import ModelCard
from modnet.engine.graph import Graph, GraphNode
from modnet.engine.parameters import FlatArray
from modnet.engine.passes import FEWEST_ROWS, MOST_ROWS, PREDICTION_BYTES, Pass, Passes, has_nan
from modnet.engine.stream import Stream
from modnet.errors import DataError, SampleError, ShapeError
from modnet.kinds.context import Context
from modnet.kinds.layer import Layer
from modnet.memory import SMALL, require, too_large
from modnet.words import did_you_mean, show

if TYPE_CHECKING:
    from modnet.engine.summary import Summary
    from modnet.model.transfer import Transfer
    from modnet.training.profiling import Profile


@dataclass(frozen=True)
class Layout:
    """Which arrays a network has; nothing is allocated.

    Attributes:
        parameters, state: name -> shape, in order.
        decayed_size: elements at the front of the parameters that weight decay applies to.
        trainable_size: elements at the front that are trained.
    """

    parameters: dict[str, tuple[int, ...]]
    state: dict[str, tuple[int, ...]]
    decayed_size: int
    trainable_size: int

    @classmethod
    def of(cls, graph: Graph) -> Layout:
        owners = [node for node in graph.nodes if node.owner is None]
        found = [
            (node.trainable, parameter.decay, f"{node.name}.{name}", parameter.shape)
            for node in owners
            for name, parameter in node.parameters.items()
        ]
        found.sort(key=lambda item: (not item[0], item[0] and not item[1]))
        return cls(
            {name: shape for _, _, name, shape in found},
            {f"{node.name}.{name}": state.shape for node in owners for name, state in node.state.items()},
            sum(math.prod(shape) for trainable, decay, _, shape in found if trainable and decay),
            sum(math.prod(shape) for trainable, _, _, shape in found if trainable),
        )

    @property
    def parameter_count(self) -> int:
        """The elements of all parameters."""
        return sum(map(math.prod, self.parameters.values()))

    def nbytes(self, dtype: np.dtype[Any]) -> int:
        """What all arrays take in memory."""
        return (self.parameter_count + sum(map(math.prod, self.state.values()))) * dtype.itemsize


class Network:
    """A network that can predict and be trained. Made by `modnet.build` or `modnet.load`.

    Attributes:
        card: what is known of it beside its arrays: its spec, training, schema, history, metrics and metadata.
        graph: its nodes, with shapes.
        dtype: of its parameters and of everything that it computes.
        parameters: name -> array, `linear_1.weight`; all are views of one flat array. Those that weight decay applies
            to come first, then the other trainable ones, then the frozen ones.
        decayed_size, trainable_size: how many elements at the front of it weight decay applies to, and are trained.
        state: name -> array that is kept without being trained, such as running means.
        layout: which arrays it has; parameters and state are allocated when they are first asked for.
        seed: what the parameters are then drawn with; None where they come from elsewhere.
    """

    def __init__(self, card: ModelCard, graph: Graph) -> None:
        self.card = card
        self.graph = graph
        self.dtype = np.dtype(card.spec.network.dtype)
        self.layout = Layout.of(graph)
        self.decayed_size = self.layout.decayed_size
        self.trainable_size = self.layout.trainable_size
        self.seed: int | None = None
        self._passes = Passes()
        # The shape of a sample where there is one input with no variable axis: most arrays need no other check.
        self._lone_input = next(iter(graph.inputs.values())) if len(graph.inputs) == 1 else None
        self._widest = max(math.prod(axis or 1 for axis in node.shape) for node in graph.nodes)

    # What needs shapes alone (summary, check) never asks for the arrays, and they are never allocated.

    @cached_property
    def parameters(self) -> FlatArray:
        if self.seed is None:
            return self._allocated(self.layout.parameters)
        require(self.layout.nbytes(self.dtype), "the network with all its arrays")
        made = self._allocated(self.layout.parameters)
        self._draw(made, self.seed)
        return made

    @cached_property
    def state(self) -> FlatArray:
        made = self._allocated(self.layout.state)
        self._fill(made)
        return made

    def _allocated(self, shapes: Mapping[str, tuple[int, ...]]) -> FlatArray:
        try:
            return FlatArray(shapes.items(), self.dtype)
        except (MemoryError, ValueError):  # numpy has the one for what the system refuses, the other for 2^63 bytes
            raise too_large(self.layout.nbytes(self.dtype), "the network with all its arrays") from None

    @property
    def inputs(self) -> dict[str, Shape]:
        """Input name -> shape of one sample."""
        return self.graph.inputs

    @property
    def outputs(self) -> dict[str, Shape]:
        """Output name -> shape of one sample."""
        return {name: self.graph.shape(slot) for name, slot in self.graph.outputs.items()}

    def initialize(self, seed: int) -> None:
        """Draws new parameters and resets the state. The same seed gives the same values.

        Raises:
            ValueError: the seed is no whole number >= 0.
        """
        self._draw(self.parameters, checked_seed(seed))
        self.reset_state()

    def _draw(self, arrays: FlatArray, seed: int) -> None:
        rng = np.random.default_rng(seed)
        for node in self.graph.nodes:
            if node.owner is None:
                for name, parameter in node.parameters.items():
                    parameter.initializer.initialize(arrays[f"{node.name}.{name}"], *parameter.fans(), rng)

    def reset_state(self) -> None:
        """Gives every array of the state its first value."""
        self._fill(self.state)

    def _fill(self, arrays: FlatArray) -> None:
        for node in self.graph.nodes:
            if node.owner is None:
                for name, state in node.state.items():
                    arrays[f"{node.name}.{name}"].fill(state.fill)

    def predict(self, x: Any, *, batch_size: int | None = None, out: Array | None = None) -> Any:
        """The outputs for a batch of samples.

        Any number of threads may call it at once on one network.

        Args:
            x: an array (batch, *shape), or for several inputs a mapping from input name to array. Numbers of any type
                are converted to the network's dtype. Where the network knows the table that it was trained on, a table
                also will do: a mapping from column name to values.
            batch_size: rows that pass through the network at a time; memory grows with it. By default between 64 and
                4096, so that the largest output of a node takes about 4 MiB.
            out: where to write the output of a network with one output, of its dtype.

        Returns:
            An array (batch, *output shape), or for several outputs a dict of them. For a table, a dict from column name
            to values, with class names.

        Raises:
            ShapeError: x does not have the shape that the network expects.
            DataError: x cannot be converted, or is no table of the right columns; the prediction for a row is nan.
            TooLarge: it needs more memory than there is, or endless time.
            ValueError: batch_size is less than 1.
        """
        if self.card.schema is not None and isinstance(x, Mapping) and self._is_table(x):
            from modnet.data.schema import predict_table

            return predict_table(
                self.card.schema, x, lambda arrays: self._named(self._predict(arrays, batch_size, None))
            )
        if out is not None and len(self.graph.outputs) > 1:
            raise ShapeError(f"out is for one output; this network has {len(self.graph.outputs)}")
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"batch_size: expected at least 1, found {batch_size}")
        try:
            outputs = self._predict(x, batch_size, out)
        except DataError as error:
            if self.card.schema is None or not self.card.schema.inputs or isinstance(x, Mapping):
                raise
            hint = "the model was trained on a table: pass a mapping from column name to values, or encoded numbers"
            raise DataError(f"{error}; {hint}") from None
        return outputs[0] if len(outputs) == 1 else self._named(outputs)

    def _is_table(self, x: Mapping[str, Any]) -> bool:
        """Whether a mapping is a table, and not arrays by input. A column may be called as an input is."""
        if not set(self.inputs) <= set(x):
            return True
        columns = {column.name for columns in self.card.schema.inputs.values() for column in columns}
        return bool(columns) and columns <= set(x) and all(np.ndim(x[name]) == 1 for name in self.inputs)

    def _named(self, outputs: list[Array]) -> dict[str, Array]:
        return dict(zip(self.graph.outputs, outputs, strict=True))

    def arrays(self, x: Any) -> list[Array]:
        """The inputs in order, checked against the shapes that the network expects, not yet converted."""
        if type(x) is np.ndarray and x.ndim and x.shape[1:] == self._lone_input and x.dtype.kind in "biuf":
            return [x]
        names = list(self.inputs)
        if isinstance(x, Mapping):
            for name in x:
                if name not in self.inputs:
                    raise DataError(f"the network has no input {show(name)}{did_you_mean(str(name), names)}")
            missing = [name for name in names if name not in x]
            if missing:
                raise DataError(f"the network needs the input {', '.join(map(show, missing))}")
            given = [x[name] for name in names]
        elif len(names) > 1:
            raise DataError(f"the network has {len(names)} inputs; give a dict with {', '.join(map(show, names))}")
        else:
            given = [x]
        arrays = [as_numbers(value, f"input {show(name)}") for name, value in zip(names, given, strict=True)]
        for name, array in zip(names, arrays, strict=True):
            self._check_input(name, array)
        if len(arrays) > 1 and len({len(array) for array in arrays}) > 1:
            raise DataError(
                "the inputs differ in length: "
                + ", ".join(f"{n} has {len(a)}" for n, a in zip(names, arrays, strict=True))
            )
        return arrays

    def _check_input(self, name: str, array: Array) -> None:
        shape = self.inputs[name]
        found = array.shape[1:]
        if found == shape and array.ndim:
            return
        if array.ndim == len(shape) + 1 and all(e in (None, f) for e, f in zip(shape, found, strict=True)):
            return
        expected = ", ".join(["batch", *("any" if axis is None else str(axis) for axis in shape)])
        hint = ""
        if array.shape == shape:
            hint = "that is one sample; for a batch of one pass x[None]"
        elif len(array.shape) == len(shape) + 2 and array.shape[-1] == 1:
            hint = "the last axis of 1 is too many: x[..., 0]"
        elif len(array.shape) == len(shape) and shape[-1:] == (1,):
            hint = "an axis of 1 is missing at the end: x[..., None]"
        elif len(shape) > 1 and found == (shape[-1], *shape[:-1]):
            hint = "channels come last: np.moveaxis(x, 1, -1)"
        raise ShapeError(f"input {show(name)}: expected an array of shape ({expected}), found {array.shape}", hint)

    def input_dtypes(self) -> list[np.dtype[Any]]:
        """What the inputs are converted to: integers where all their readers take ids, else the network's dtype."""
        takes_ids = [False] * len(self.inputs)
        read = set()
        for node in self.graph.nodes:
            for slot in node.inputs:
                if slot < len(takes_ids):
                    takes_ids[slot] = node.layer.integer_input and (takes_ids[slot] or slot not in read)
                    read.add(slot)
        return [np.dtype(np.intp) if ids else self.dtype for ids in takes_ids]

    def rows_at_a_time(self, arrays: list[Array]) -> int:
        """How many rows to predict at a time; axes of variable size are taken to be as long as in the inputs."""
        stretch = max(
            math.prod(array.shape[1:]) / math.prod(axis or 1 for axis in shape)
            for array, shape in zip(arrays, self.inputs.values(), strict=True)
        )
        sample = max(1, int(stretch * self._widest * self.dtype.itemsize))
        return min(max(FEWEST_ROWS, PREDICTION_BYTES // sample), MOST_ROWS)

    def _predict(self, x: Any, batch_size: int | None, out: Array | None) -> list[Array]:
        """The outputs in order."""
        arrays = self.arrays(x)
        rows = len(arrays[0])
        passes = self._passes
        predictor = passes.borrow() or Pass(self, list(self.graph.outputs.values()))
        try:
            cost = predictor.only_cost or predictor.cost(arrays)
            if batch_size is None:
                batch_size = rows if 0 < rows <= FEWEST_ROWS else self.rows_at_a_time(arrays)
                if batch_size * cost.row > SMALL:
                    batch_size = cost.rows_that_fit(batch_size)
            if batch_size * cost.row + cost.once > SMALL:
                cost.require(min(rows, batch_size))
            if rows <= batch_size and out is None:
                return [value.copy() for value in self._checked(predictor, arrays, arrays, 0)]
            results: list[Array] = []
            for start in range(0, max(rows, 1), batch_size):
                part = [array[start : start + batch_size] for array in arrays]
                values = self._checked(predictor, part, arrays, start)
                if not results:
                    results = [_output(out, (rows, *value.shape[1:]), value.dtype) for value in values]
                for result, value in zip(results, values, strict=True):
                    result[start : start + batch_size] = value
            return results
        finally:
            passes.give_back(predictor, rows)

    def _checked(self, predictor: Pass, part: list[Array], arrays: list[Array], start: int) -> list[Array]:
        """The outputs for the rows from `start` on; errors count the rows as in all of `arrays`."""
        try:
            values = predictor.forward(part)
        except SampleError as error:
            raise error.counted_from(start) from None
        if has_nan(values):
            raise self._no_prediction(values, arrays, start)
        return values

    def _no_prediction(self, values: list[Array], arrays: list[Array], start: int) -> DataError:
        """The error for an output of nan, with its row: it is no prediction, and would be taken for one."""
        name, value = next(
            (name, value) for name, value in zip(self.graph.outputs, values, strict=True) if has_nan([value])
        )
        row = start + int(np.argwhere(np.isnan(value))[0][0])
        what = f"the prediction for row {row}" + (f" (output {show(name)})" if len(values) > 1 else "") + " is nan"
        for known, array in zip(self.inputs, arrays, strict=True):
            places = np.argwhere(~np.isfinite(array[row]))
            if len(places):
                place = tuple(int(index) for index in places[0])
                where = f" at {place[0] if len(place) == 1 else place}" if place else ""
                return DataError(f"{what}: that row of input {show(known)} holds {array[row][place]}{where}")
        broken = [key for key, array in (*self.parameters.items(), *self.state.items()) if np.isnan(array).any()]
        reason = f"{broken[0]} of the network holds nan" if broken else "numbers became too large on the way"
        return DataError(f"{what}: its input is finite, but {reason}")

    def stream(self) -> Stream:
        """Prediction of sequences piece by piece, each going on where the one before has ended.

        Raises:
            ShapeError: a layer needs the whole sequence at once, or its length is fixed.
        """
        return Stream(self)

    def prepare(self, batches: Callable[[], Iterable[tuple[Any, ...]]]) -> None:
        """Lets the layers that learn from data before training (standardize) do so.

        Args:
            batches: gives (inputs in order, output name -> target) for all of the training data, each time anew. A
                third value, a bool array (batch, time) or None, says which steps of the targets have a weight; all by
                default.
        """
        for position, node in enumerate(self.graph.nodes):
            if not _learns_before_training(node):
                continue
            slot = position + len(self.inputs)
            output = next((name for name, at in self.graph.outputs.items() if at == slot), None)
            reader = Pass(self, list(node.inputs))
            context = Context(self.dtype, state=self.arrays_of(self.state, node, node.state), training=True)

            def seen(
                node: GraphNode = node, output: str | None = output, reader: Pass = reader, context: Context = context
            ) -> Iterable[tuple[Array, Array | None]]:
                for inputs, targets, *weighted in batches():
                    values = reader.forward(inputs)
                    context.masks = tuple(reader.masks.get(source) for source in node.inputs)
                    context.raw = tuple(reader.raw(source, inputs) for source in node.inputs)
                    target = targets.get(output) if output else None
                    if target is not None:
                        # Weights of steps that do not fit the target are refused where the losses are computed.
                        fit = [steps for steps in weighted if steps is not None and steps.shape == target.shape[:2]]
                        context.masks = (common_mask((context.masks[0], *fit)), *context.masks[1:])
                    yield values[0], target

            node.layer.prepare(context, seen())

    def parameters_behind(self, slots: Iterable[int]) -> set[str]:
        """The names of the parameters that what some slots hold depends on; those of others no gradient reaches."""
        nodes, first = self.graph.nodes, len(self.inputs)
        behind = set(slots)
        for slot in range(len(nodes) + first - 1, first - 1, -1):
            if slot in behind:
                behind.update(nodes[slot - first].inputs)
        found = [nodes[slot - first] for slot in behind if slot >= first]
        owners = [node if node.owner is None else nodes[node.owner] for node in found]
        return {f"{owner.name}.{name}" for owner in owners for name in owner.parameters}

    def unprepared(self) -> list[str]:
        """The names of the nodes that learn from data before training and have not done so yet."""
        return [
            node.name
            for node in self.graph.nodes
            if _learns_before_training(node)
            and all((self.state[f"{node.name}.{name}"] == state.fill).all() for name, state in node.state.items())
        ]

    def arrays_of(self, array: FlatArray, node: GraphNode, names: Iterable[str]) -> dict[str, Array]:
        """The views that belong to a node: its own, or those of the node it shares with."""
        owner = node if node.owner is None else self.graph.nodes[node.owner]
        return {name: array[f"{owner.name}.{name}"] for name in names}

    def load_parameters(self, source: Any, *, rename: Mapping[str, str] | None = None, strict: bool = True) -> Transfer:
        """Takes over the parameters and state of another model, by name and shape.

        Args:
            source: the path of a model file, a network, or a mapping from name to array.
            rename: name there -> name here; a node's name renames all of its arrays.
            strict: whether every array must find its counterpart.

        Returns:
            A report with `.taken`, `.missing`, `.left_over` and `.mismatched`, which prints as text.

        Raises:
            ParameterMismatch: if strict and anything is missing, left over or of another shape; nothing is taken then.
        """
        # Upwards on the list of floors, but here is where people look for it.
        from modnet.model.transfer import load_parameters

        return load_parameters(self, source, rename or {}, strict)

    def summary(self) -> Summary:
        """The nodes with their shapes and sizes: an object with `.rows` that prints as a table."""
        from modnet.engine.summary import Summary

        return Summary.of(self)

    def profile(self, x: Any, y: Any = None, *, batch_size: int | None = None, repeats: int = 30) -> Profile:
        """Times the parts of training steps: an object that prints as a table. Arguments as for `train`."""
        from modnet.training.profiling import profile

        return profile(self, x, y, batch_size=batch_size, repeats=repeats)

    def __repr__(self) -> str:
        shapes = " and ".join(str(shape) for shape in self.inputs.values())
        outputs = " and ".join(str(shape) for shape in self.outputs.values())
        size = f"{len(self.graph.nodes)} nodes, {self.parameters.size:,} parameters, {self.dtype}"
        return f"<Network {shapes} -> {outputs}: {size}>"

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        del state["_passes"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._passes = Passes()


def checked_seed(seed: int) -> int:
    if isinstance(seed, bool | np.bool_) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed: expected a whole number >= 0, found {show(seed)}")
    return int(seed)


def _learns_before_training(node: GraphNode) -> bool:
    return type(node.layer).prepare is not Layer.prepare and node.trainable and node.owner is None


def _output(out: Array | None, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    if out is None:
        require(math.prod(shape) * dtype.itemsize, "the output")
        return np.empty(shape, dtype)
    if out.shape != shape or out.dtype != dtype:
        raise ShapeError(f"out: expected {dtype} of shape {shape}, found {out.dtype} of shape {out.shape}")
    return out
