"""A built network: nodes with known shapes, their parameters, and how a batch passes through them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from modnet.arrays import Array, Shape, as_numbers, beyond_error, common_mask
from modnet.engine.graph import Graph, GraphNode, build_graph
from modnet.engine.parameters import FlatArray
from modnet.errors import DataError, SampleError, ShapeError, SpecError, TooLarge
from modnet.kinds.activation import Activation
from modnet.kinds.context import Context
from modnet.kinds.layer import Layer
from modnet.memory import SMALL, limit, require, too_large
from modnet.plugins.registry import Registry
from modnet.specs.model import Spec, TrainingSpec
from modnet.words import did_you_mean, show

if TYPE_CHECKING:
    from modnet.engine.summary import Summary
    from modnet.model.transfer import Transfer
    from modnet.plugins.kernels import Kernels
    from modnet.specs.reader import SpecLike
    from modnet.training.profiling import Profile

PREDICTION_BYTES = 4 << 20
"""What the output of one node may take while `predict` sends a large input through the network in parts."""

FEWEST_ROWS, MOST_ROWS = 64, 4096
"""The least and the greatest number of rows in such a part, unless `predict` is told another."""

MOST_COSTS = 256
"""For so many shapes of samples a pass remembers what they take."""

WORK_LIMIT, WORK_OF_A_NUMBER = 10**14, 100
"""What one sample may cost: multiply-adds, and numbers that a node gives, each of which is written to memory and read
from there and so takes the time of many. That is a quarter of an hour on a fast processor; a few bytes of a file (an
image that is enlarged in every node) can ask for years.
"""

IDLE_BYTES, SMALL_PASS = 64 << 20, 1 << 20
"""What the passes of predictions may hold together while nobody uses them, and what a pass holds that always stays."""


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


class StoredTraining(Protocol):
    """The training of a model file, not yet read: components that only training needs are not loaded to predict."""

    def read(self) -> TrainingSpec:
        """Raises PluginError for a component that cannot be had."""
        ...


class Network:
    """A network that can predict and be trained. Made by `modnet.build` or `modnet.load`.

    Attributes:
        spec: what it was built from.
        graph: its nodes, with shapes.
        dtype: of its parameters and of everything that it computes.
        parameters: name -> array, `linear_1.weight`; all are views of one flat array. Those that weight decay applies
            to come first, then the other trainable ones, then the frozen ones.
        decayed_size, trainable_size: how many elements at the front of it weight decay applies to, and are trained.
        state: name -> array that is kept without being trained, such as running means.
        schema: the columns, categories and class names of the table that it was trained on, or None.
        history: how it was trained: name -> value for each epoch, a list; where it is long and the network was loaded,
            an array for a figure that is one in each epoch.
        metrics: the final figures: name -> value.
        metadata: the user's own, plain values.
        stored_training: how a network from a model file was trained, until somebody asks for it.
        layout: which arrays it has; parameters and state are allocated when they are first asked for.
        seed: what the parameters are then drawn with; None where they come from elsewhere.
    """

    def __init__(self, spec: Spec, graph: Graph) -> None:
        self.spec = spec
        self.graph = graph
        self.dtype = np.dtype(spec.network.dtype)
        self.layout = Layout.of(graph)
        self.decayed_size = self.layout.decayed_size
        self.trainable_size = self.layout.trainable_size
        self.schema: Any = None
        self.history: dict[str, Any] = {}
        self.metrics: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.stored_training: StoredTraining | None = None
        self.seed: int | None = None
        self._passes = _Passes()
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
    def training(self) -> TrainingSpec | None:
        """How it is trained, as the spec or the model file says.

        Raises:
            PluginError: a plugin that only training needs is not installed or broken.
        """
        if self.spec.training is None and self.stored_training is not None:
            self.spec = self.spec.replace(training=self.stored_training.read())
        return self.spec.training

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
        self._draw(self.parameters, _checked_seed(seed))
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
        if self.schema is not None and isinstance(x, Mapping) and self._is_table(x):
            from modnet.data.schema import predict_table

            return predict_table(self.schema, x, lambda arrays: self._named(self._predict(arrays, batch_size, None)))
        if out is not None and len(self.graph.outputs) > 1:
            raise ShapeError(f"out is for one output; this network has {len(self.graph.outputs)}")
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"batch_size: expected at least 1, found {batch_size}")
        try:
            outputs = self._predict(x, batch_size, out)
        except DataError as error:
            if self.schema is None or not self.schema.inputs or isinstance(x, Mapping):
                raise
            hint = "the model was trained on a table: pass a mapping from column name to values, or encoded numbers"
            raise DataError(f"{error}; {hint}") from None
        return outputs[0] if len(outputs) == 1 else self._named(outputs)

    def _is_table(self, x: Mapping[str, Any]) -> bool:
        """Whether a mapping is a table, and not arrays by input. A column may be called as an input is."""
        if not set(self.inputs) <= set(x):
            return True
        columns = {column.name for columns in self.schema.inputs.values() for column in columns}
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
        if _has_nan(values):
            raise self._no_prediction(values, arrays, start)
        return values

    def _no_prediction(self, values: list[Array], arrays: list[Array], start: int) -> DataError:
        """The error for an output of nan, with its row: it is no prediction, and would be taken for one."""
        name, value = next(
            (name, value) for name, value in zip(self.graph.outputs, values, strict=True) if _has_nan([value])
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
        self._passes = _Passes()


def build(
    spec: SpecLike,
    *,
    seed: int | None = None,
    dtype: str | None = None,
    registry: Registry | None = None,
) -> Network:
    """A network with fresh parameters.

    Args:
        spec: the path of a spec file, the same as a dict, or a `Spec`. A dict may hold components in place of tables.
        seed: of the initial parameters; by default the spec's `training.seed`, or 0.
        dtype: "float32" or "float64", in place of the spec's.
        registry: where components are looked up; by default the process's own.

    Raises:
        SpecError: with every fault of the spec, and where it stands.
        PluginError: a component is broken.
        TooLarge: the arrays need more memory than there is.
        ValueError: the seed is no whole number >= 0.
    """
    network = plan(spec, seed=seed, dtype=dtype, registry=registry)
    _ = network.parameters, network.state
    return network


def plan(
    spec: SpecLike, *, seed: int | None = None, dtype: str | None = None, registry: Registry | None = None
) -> Network:
    """What `build` gives, but for that the arrays are allocated and drawn when they are first asked for.

    Who needs shapes alone never asks for them, and so may look at networks of any size. Raises as `build`.
    """
    from modnet.specs.reader import located_error, read_spec  # a network from a model file has no use for it

    checked, source = read_spec(spec, registry, {"network.dtype": dtype} if dtype else None)
    try:
        graph = build_graph(checked.network)
    except SpecError as error:
        raise located_error(error, source) from None
    network = Network(checked, graph)
    if seed is None:
        seed = checked.training.seed if checked.training else 0
    network.seed = _checked_seed(seed)
    return network


def _checked_seed(seed: int) -> int:
    if isinstance(seed, bool | np.bool_) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed: expected a whole number >= 0, found {show(seed)}")
    return int(seed)


@dataclass(frozen=True)
class Cost:
    """What it takes at least to send samples of one shape through a network.

    Attributes:
        row: bytes for each sample: the inputs and the output of the node that has the most.
        once: bytes beside that, however many samples there are.
        work: multiply-adds for a sample, and WORK_OF_A_NUMBER for each number that a node gives.
        label: of the node that needs the most memory.
    """

    row: int
    once: int
    work: int
    label: str

    def rows_that_fit(self, most: int) -> int:
        """So many samples, or as many as there is memory for; 1 at least."""
        available = limit()
        return most if available is None else max(1, min(most, (available - self.once) // max(self.row, 1)))

    def require(self, rows: int) -> None:
        """Raises TooLarge where so many samples at a time need more memory than there is."""
        hint = "a smaller batch_size needs less" if rows > 1 else ""
        require(rows * self.row + self.once, f"{self.label} for {rows} sample{'s' * (rows != 1)}", hint)


_Call = tuple[int, Any, Any, Context, tuple[int, ...]]
"""Slot, forward, backward, context and sources of a node."""


class Pass:
    """The way of batches through a network, again and again: one context for each node, with its buffers.

    A pass is used by one thread at a time. It runs the nodes that the wanted slots depend on, and no others.

    Args:
        network: the network.
        wanted: the slots whose values `forward` gives.
        training: whether the layers are told that this is training.
        gradients: where `backward` writes the parameters' gradients; None for a pass that only goes forward.
        rng: for layers that draw random numbers.
        kernels: faster code for some of the layers; without it they run on their own.

    Attributes:
        masks: slot -> the mask of its sequences in the last `forward`, for those that have one.
        held: one number, the bytes of all buffers; the contexts count it up.
        only_cost: what `cost` has found where samples have one shape, so that it need not be asked again.
    """

    def __init__(
        self,
        network: Network,
        wanted: Sequence[int],
        *,
        training: bool = False,
        gradients: FlatArray | None = None,
        rng: np.random.Generator | None = None,
        kernels: Kernels | None = None,
    ) -> None:
        self.network = network
        self.wanted = tuple(wanted)
        self.gradients = gradients
        self._first = len(network.inputs)
        self._dtypes = network.input_dtypes()
        self._order = self._ancestors()
        self._readers = Counter(source for slot in self._order for source in self._node(slot).inputs)
        self._values: list[Any] = [None] * (self._first + len(network.graph.nodes))
        self._learning = self._nodes_to_learn() if gradients is not None else set()
        self._storages = self._shared_storages() if gradients is None else {}
        self._shared: list[tuple[Array, Array]] = []
        self._zeroed: list[Array] = []
        self.held = [0]
        self._conversion = Context(network.dtype, meter=self.held)
        self._seen = False
        self._costs: dict[tuple[Shape, ...], Cost] = {}
        self.only_cost: Cost | None = None
        self._masked = any(self._node(slot).layer.makes_mask for slot in self._order)
        self.masks: dict[int, Array] = {}
        self._raw: list[Context] = []
        self.contexts = {slot: self._context(slot, training, rng) for slot in self._order}
        self._calls: list[_Call] = []
        for slot in self._order:
            layer = self._node(slot).layer
            methods: list[Any] = [layer.forward, layer.backward]
            if kernels is not None:
                methods = [kernels.method(layer, name, network.dtype) for name in ("forward", "backward")]
            self._calls.append((slot, *methods, self.contexts[slot], self._node(slot).inputs))
            self.contexts[slot].masks = (None,) * len(self._node(slot).inputs)
            if layer.raw_input:
                self.contexts[slot].raw = self.contexts[slot].masks
                self._raw.append(self.contexts[slot])

    def _node(self, slot: int) -> GraphNode:
        return self.network.graph.nodes[slot - self._first]

    def _ancestors(self) -> list[int]:
        needed = set(self.wanted)
        for slot in range(len(self.network.graph.nodes) + self._first - 1, self._first - 1, -1):
            if slot in needed:
                needed.update(self._node(slot).inputs)
        return sorted(slot for slot in needed if slot >= self._first)

    def _nodes_to_learn(self) -> set[int]:
        """The slots through which gradients flow: nodes that have trainable parameters at or before them."""
        learning: set[int] = set()
        for slot in self._order:
            node = self._node(slot)
            if (node.parameters and node.trainable) or any(source in learning for source in node.inputs):
                learning.add(slot)
        return learning

    def _context(self, slot: int, training: bool, rng: np.random.Generator | None) -> Context:
        network, node = self.network, self._node(slot)
        grads: dict[str, Array] = {}
        if self.gradients is not None:
            grads = network.arrays_of(self.gradients, node, node.parameters)
            if node.owner is not None and slot in self._learning:
                own = {name: np.zeros_like(array) for name, array in grads.items()}
                self._shared += [(grads[name], own[name]) for name in own]
                if node.owner + self._first not in self._learning:
                    self._zeroed += grads.values()
                grads = own
        return Context(
            network.dtype,
            network.arrays_of(network.parameters, node, node.parameters),
            grads,
            network.arrays_of(network.state, node, node.state),
            rng,
            # A frozen batch_norm keeps its running statistics and uses them; dropout has nothing to freeze.
            training and (node.trainable or not node.parameters),
            any(source in self._learning for source in node.inputs),
            self._may_overwrite_input(slot, training),
            self._storages.get(slot),
            self.held,
        )

    def _shared_storages(self) -> dict[int, list[Array]]:
        """Slot -> where its node keeps its buffers in a pass that only goes forward.

        Nodes share a storage where the one's output has been read for the last time before the other is reached. A
        layer that does not say that its output is its own may give views of its inputs. An activation that overwrites
        its input needs no storage.
        """
        last: dict[int, float] = dict.fromkeys(self.wanted, math.inf)
        for slot in reversed(self._order):
            own = self._node(slot).layer.scratch_output and not self._may_overwrite_input(slot, False)
            until = slot if own else last.get(slot, slot)
            for source in self._node(slot).inputs:
                last[source] = max(last.get(source, source), until)
        storages: dict[int, list[Array]] = {}
        free: list[list[Array]] = []
        ending: dict[float, list[int]] = {}
        for slot in self._order:
            ending.setdefault(last.get(slot, slot), []).append(slot)
        for slot in self._order:
            if not self._may_overwrite_input(slot, False):
                storages[slot] = free.pop() if free else []
            free += [storages[ended] for ended in ending.get(slot, ()) if ended in storages]
        return storages

    def _may_overwrite_input(self, slot: int, training: bool) -> bool:
        source = self._node(slot).inputs[0]
        if source < self._first or source in self.wanted or not self._node(source).layer.scratch_output:
            return False
        layer = self._node(slot).layer
        return isinstance(layer, Activation) and self._readers[source] == 1 and not (training and layer.needs_input)

    def cost(self, inputs: Sequence[Array]) -> Cost:
        """What it takes to send these through; looked at once for samples of one shape.

        Raises:
            TooLarge: more work than anybody waits for.
        """
        shapes = (inputs[0].shape[1:],) if len(inputs) == 1 else tuple(array.shape[1:] for array in inputs)
        found = self._costs.get(shapes)
        if found is None:
            if len(self._costs) >= MOST_COSTS:
                self._costs.clear()
            found = self._cost(shapes)
            if found.work > WORK_LIMIT:
                count = f"{found.work:.2g}" if found.work < 10**300 else "10^300"
                raise TooLarge(f"one sample takes {count} multiply-adds, and {WORK_LIMIT:.0e} is the limit")
            self._costs[shapes] = found
            if not any(None in shape for shape in self.network.inputs.values()):
                self.only_cost = found
        return found

    def _cost(self, inputs: tuple[Shape, ...]) -> Cost:
        shapes: dict[int, Shape] = dict(enumerate(inputs))
        most = (0, 0, "the input")
        work = 0
        itemsize = self.network.dtype.itemsize
        for slot in self._order:
            node = self._node(slot)
            given = [shapes[source] for source in node.inputs if source in shapes]
            if len(given) < len(node.inputs):
                continue
            layer, shape = node.layer, node.shape
            if any(None in known for known in node.input_shapes):
                try:
                    shape = layer.output_shape(*given)
                except ShapeError:  # such as a sequence that is too short; the layer itself says more of it
                    continue
            shapes[slot] = shape
            numbers = _numbers(shape)
            row = (numbers + sum(_numbers(shapes[source]) for source in set(node.inputs))) * itemsize
            most = max(most, (row, layer.scratch_size(*given) * itemsize, node.label()), key=lambda item: sum(item[:2]))
            work += layer.multiply_adds(*given) + WORK_OF_A_NUMBER * numbers
        return Cost(*most[:2], work, most[2])

    def forward(self, inputs: Sequence[Array]) -> list[Array]:
        """The values of the wanted slots; they are valid until the next call.

        Raises:
            TooLarge: from the first call, where the batch needs more memory than there is, or endless time.
        """
        if not self._seen:
            self.cost(inputs).require(len(inputs[0]))
        values = self._values
        self._conversion.begin()
        for slot, (array, dtype) in enumerate(zip(inputs, self._dtypes, strict=True)):
            values[slot] = array if array.dtype == dtype else self._converted(array, dtype, slot)
        calls = self._with_masks() if self._masked else self._calls
        slot = 0
        try:
            for slot, forward, _, context, sources in calls:
                context.begin()
                if context.raw:
                    context.raw = tuple(self.raw(source, inputs) for source in sources)
                if len(sources) == 1:
                    values[slot] = forward(context, values[sources[0]])
                else:
                    values[slot] = forward(context, *[values[source] for source in sources])
        except ShapeError as error:
            node = self._node(slot)
            given = " and ".join(str(values[source].shape) for source in node.inputs)
            message = f"{node.label()}: {error.message}; it was given {given}, the batch first"
            raise ShapeError(message, error.hint) from error
        for context in self._raw:
            context.raw = (None,) * len(context.raw)  # the caller's arrays may be large, and are not ours to keep
        if not self._seen:
            self._check_shapes()
        return [values[slot] for slot in self.wanted]

    def _with_masks(self) -> Iterator[_Call]:
        """The calls of the nodes; before each its context is given masks, and after it the output's mask is kept."""
        masks: dict[int, Array] = {}
        self.masks = masks
        for call in self._calls:
            slot, _, _, context, sources = call
            context.masks = tuple(masks.get(source) for source in sources)
            context.output_mask = common = common_mask(context.masks)
            yield call
            mask = context.output_mask
            if mask is None:
                continue
            if self.gradients is None and mask is not common:
                # It may lie in a buffer, and outlives the output, whose storage then goes to other nodes.
                mask = mask.copy()
            # A layer that takes all steps together, or makes others of them, ends the mask's way.
            if self._values[slot].shape[1:2] == mask.shape[1:]:
                masks[slot] = mask

    def raw(self, slot: int, inputs: Sequence[Array]) -> Array | None:
        """What was given to the network, in another dtype than its readers take, where a slot has that and no more.

        A node gives its input itself where it only looks at it, as one that makes a mask does.
        """
        while slot >= self._first:
            source = self._node(slot).inputs[0]
            if self._values[slot] is not self._values[source]:
                return None
            slot = source
        return inputs[slot] if inputs[slot].dtype != self._dtypes[slot] else None

    def wanted_masks(self) -> list[Array | None]:
        """Which steps of the wanted values count in the last `forward`, (batch, time) or None; [] without any masks."""
        return [self.masks.get(slot) for slot in self.wanted] if self._masked else []

    def _converted(self, array: Array, dtype: np.dtype[Any], slot: int) -> Array:
        """The input in a buffer of the dtype that its readers take."""
        converted = self._conversion.buffer(array.shape, dtype)
        to_ids = dtype.kind == "i" and array.dtype.kind == "f" and array.size > 0
        # What is too large for an integer would become another one; nan compares as False.
        fits = not to_ids or (float(array.min()) > -(2**62) and float(array.max()) < 2**62)
        if fits:
            try:
                with np.errstate(over="raise"):
                    np.copyto(converted, array, casting="unsafe")
            except FloatingPointError:
                raise beyond_error(list(self.network.inputs)[slot], array, dtype) from None
        if not fits or (to_ids and not np.array_equal(converted, array)):
            name = list(self.network.inputs)[slot]
            raise DataError(f"input {show(name)}: expected whole numbers (ids), found others")
        return converted

    def _check_shapes(self) -> None:
        """Holds each layer, once, to the shape that it has announced."""
        for slot in self._order:
            node, found = self._node(slot), self._values[slot].shape[1:]
            if len(found) != len(node.shape) or any(e not in (None, f) for e, f in zip(node.shape, found, strict=True)):
                raise ShapeError(f"{node.label()}: its output_shape says {node.shape}, its forward gives {found}")
        self._seen = True

    def backward(self, gradients: Sequence[Array]) -> None:
        """Writes the gradient of every trainable parameter.

        Args:
            gradients: those of the first wanted slots; they may be overwritten. Slots beyond them have none.
        """
        flowing: dict[int, Array] = {}
        for slot, gradient in zip(self.wanted, gradients, strict=False):
            self._flow(flowing, slot, gradient)
        for array in self._zeroed:
            array.fill(0)
        for slot, _, backward, context, sources in reversed(self._calls):
            if slot not in flowing:
                continue
            result = backward(context, flowing.pop(slot))
            if not context.needs_input_gradient:
                continue
            for source, gradient in zip(sources, _separate(result), strict=True):
                self._flow(flowing, source, gradient)
        for total, own in self._shared:
            total += own

    def _flow(self, flowing: dict[int, Array], slot: int, gradient: Array) -> None:
        if slot in self._learning:
            if slot in flowing:
                flowing[slot] += gradient
            else:
                flowing[slot] = gradient

    def instrument(self, wrap: Callable[[tuple[int, str], Callable[..., Any]], Callable[..., Any]]) -> None:
        """Replaces every call by `wrap((slot, "forward" or "backward"), call)`, to time it or to look at it."""
        self._calls = [
            (slot, wrap((slot, "forward"), forward), wrap((slot, "backward"), backward), context, sources)
            for slot, forward, backward, context, sources in self._calls
        ]

    def forget(self) -> None:
        """Lets go of the arrays of the last batch; the buffers stay."""
        self._values = [None] * len(self._values)
        for context in self.contexts.values():
            context.saved = ()

    def values(self) -> dict[str, Array]:
        """Node name -> its output in the last `forward`, as far as it was run."""
        return {self._node(slot).name: self._values[slot] for slot in self._order}


class _Passes:
    """The passes of a network's predictions. Each prediction borrows one, so that no two use the same at once.

    So there are as many as there were predictions at once, not as many as threads. A list's append and pop need no
    lock, which a process that forks could leave taken for ever.
    """

    def __init__(self) -> None:
        self._idle: list[Pass] = []

    def borrow(self) -> Pass | None:
        """The pass that was used last, whose buffers may still be in the cache; None if all are in use."""
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def give_back(self, used: Pass, rows: int) -> None:
        """Takes a pass back that has seen so many rows, or drops it where enough memory is idle already."""
        if rows > FEWEST_ROWS or used.held[0] > SMALL_PASS:
            used.forget()
            held = [other.held[0] for other in tuple(self._idle)]
            if held and used.held[0] > SMALL_PASS and sum(held) + used.held[0] > IDLE_BYTES:
                return
        self._idle.append(used)


class Stream:
    """Prediction of sequences piece by piece; made by `Network.stream`. Used by one thread at a time."""

    def __init__(self, network: Network) -> None:
        for name, shape in network.inputs.items():
            if not shape or shape[0] is not None:
                hint = 'give it the shape ["variable", ...]'
                raise ShapeError(f"input {show(name)} is no sequence of any length, so it cannot come in pieces", hint)
        for node in network.graph.nodes:
            if not node.layer.streams:
                raise ShapeError(f"{node.label()} needs whole sequences, so the network cannot have them in pieces")
        self.network = network
        self._pass = Pass(network, list(network.graph.outputs.values()))
        self.reset()

    def reset(self) -> None:
        """Forgets what came before: the next piece is the first of its sequence."""
        self._batch: int | None = None
        for context in self._pass.contexts.values():
            context.memory = {}

    def predict(self, x: Any) -> Any:
        """The outputs for the next piece of each sequence; the batch must be the same for all pieces.

        Args:
            x: an array (batch, time, ...), or for several inputs a mapping from input name to array; time may be 1.

        Returns:
            An array (batch, time, ...), or for several outputs a dict of them.

        Raises:
            ShapeError, DataError: as `Network.predict`.
        """
        arrays = self.network.arrays(x)
        if self._batch not in (None, len(arrays[0])):
            raise ShapeError(
                f"the pieces before were of {self._batch} sequences, this one is of {len(arrays[0])}",
                "reset() begins new ones",
            )
        self._batch = len(arrays[0])
        values = self._pass.forward(arrays)
        if _has_nan(values):
            raise self.network._no_prediction(values, arrays, 0)
        outputs = {name: value.copy() for name, value in zip(self.network.graph.outputs, values, strict=True)}
        return outputs if len(outputs) > 1 else next(iter(outputs.values()))


def _numbers(shape: Shape) -> int:
    return math.prod(axis or 1 for axis in shape)


def _has_nan(values: list[Array]) -> bool:
    for value in values:  # noqa: SIM110  a generator takes as long as the rest of this
        # To argmax nan is the greatest, and of few numbers it is found sooner than any sum or maximum.
        if value.size and (greatest := value.item(value.argmax())) != greatest:
            return True
    return False


def _learns_before_training(node: GraphNode) -> bool:
    return type(node.layer).prepare is not Layer.prepare and node.trainable and node.owner is None


def _separate(result: Any) -> list[Array]:
    """The gradients of a layer's inputs, each an array that may be overwritten: a layer may give one for several."""
    separate: list[Array] = []
    for gradient in result if isinstance(result, tuple) else (result,):
        separate.append(gradient.copy() if any(gradient is other for other in separate) else gradient)
    return separate


def _output(out: Array | None, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    if out is None:
        require(math.prod(shape) * dtype.itemsize, "the output")
        return np.empty(shape, dtype)
    if out.shape != shape or out.dtype != dtype:
        raise ShapeError(f"out: expected {dtype} of shape {shape}, found {out.dtype} of shape {out.shape}")
    return out
