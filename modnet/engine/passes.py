"""How a batch passes through a network, forward and backward."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from modnet.arrays import Array, Shape, beyond_error, common_mask
from modnet.engine.built import BuiltGraph
from modnet.engine.cost import Cost, cost_of
from modnet.engine.graph import GraphNode
from modnet.engine.parameters import FlatArray
from modnet.engine.program import Call, Programs
from modnet.engine.promises import gradients_fault, output_fault, several_fault
from modnet.errors import DataError, ShapeError, TrainingError
from modnet.kinds.activation import Activation
from modnet.kinds.context import Context, Shared
from modnet.kinds.schedule import Progress
from modnet.kinds.sharing import Share
from modnet.plugins.faults import broken, raise_fault
from modnet.words import show

if TYPE_CHECKING:
    from modnet.plugins.kernels import Kernels


FEWEST_ROWS, MOST_ROWS = 64, 4096
"""The least and the greatest number of rows in a part of a large prediction, without a batch_size."""

PREDICTION_BYTES = 4 << 20
"""How many bytes the output of one node may take in a part of a large prediction."""


MOST_COSTS = 256
"""How many shapes of samples a pass caches the cost of."""


IDLE_BYTES, SMALL_PASS = 64 << 20, 1 << 20
"""How many bytes the idle passes of predictions may hold together, and the size of a pass that is always kept."""


class Pass:
    """Sends batches through a network, again and again: one context for each node, with buffers that are reused.

    A pass is used by one thread at a time. It runs only the nodes on which the wanted slots depend.

    Args:
        network: the network.
        wanted: the slots whose values `forward` returns.
        training: whether the layers are in training mode.
        gradients: where `backward` writes the parameters' gradients; None for a pass without `backward`.
        rng: for layers that draw random numbers.
        kernels: faster code for some of the layers; without it, all run their own methods.
        towards: the slots of inputs whose gradient `backward` returns, in a pass with gradients.

    Attributes:
        masks: slot -> the mask of its sequences in the last `forward`, for those that have one.
        only_cost: the result of `cost` if samples can have only one shape.
    """

    def __init__(
        self,
        network: BuiltGraph,
        wanted: Sequence[int],
        *,
        training: bool = False,
        gradients: FlatArray | None = None,
        rng: np.random.Generator | None = None,
        kernels: Kernels | None = None,
        towards: Sequence[int] = (),
    ) -> None:
        self.network = network
        self.wanted = tuple(wanted)
        self._towards = frozenset(towards)
        self.gradients = gradients
        self._first = len(network.inputs)
        self._dtypes = network.input_dtypes()
        self._nodes = network.graph.behind(self.wanted)
        self._readers = Counter(source for node in self._nodes for source in node.inputs)
        self._values: list[Any] = [None] * network.graph.slot_count
        self._learning = self._nodes_to_learn() if gradients is not None else set()
        self._storages = self._shared_storages() if gradients is None else {}
        self._shared: list[tuple[Array, Array]] = []
        self._zeroed: list[Array] = []
        self._several = {node.slot: node.slots for node in self._nodes if node.layer.outputs}
        self._common = Shared()
        self._conversion = Context(network.dtype, shared=self._common)
        self._unread = Context(network.dtype, shared=self._common)
        self._seen = False
        self._gradients_seen = False
        self._costs: dict[tuple[Shape, ...], Cost] = {}
        self.only_cost: Cost | None = None
        self._masked = any(node.layer.makes_mask for node in self._nodes)
        self.masks: dict[int, Array] = {}
        self._raw: list[Context] = []
        self.contexts = {node.slot: self._context(node, training, rng) for node in self._nodes}
        self._calls: list[Call] = []
        for node in self._nodes:
            layer, context = node.layer, self.contexts[node.slot]
            methods: list[Any] = [layer.forward, layer.backward]
            if kernels is not None:
                methods = [kernels.method(layer, name, network.dtype) for name in ("forward", "backward")]
            if layer.outputs:
                methods[0] = self._spreading(node, methods[0])
            self._calls.append((node.slot, *methods, context, node.inputs))
            context.masks = (None,) * len(node.inputs)
            if layer.raw_input:
                context.raw = context.masks
                self._raw.append(context)
        self._programs: Programs | None = None
        if gradients is None and kernels is None and not (training or self._masked):
            self._programs = Programs(self._nodes, self._calls, self._values, self.converted, self.raw, self._common)

    @property
    def held(self) -> int:
        """The bytes of all buffers."""
        return self._common.held

    @property
    def penalty(self) -> float:
        """The sum of the penalties that layers have added to the loss in the last `forward`."""
        return self._common.penalty

    def ask_progress(self, ask: Callable[[], Progress] | None) -> None:
        """Lets layers know where a run stands: `ask` is called when one of them reads `context.progress`."""
        self._common.ask_progress = ask

    def take_share(self, share: Share | None) -> None:
        """Tells the layers of which part of a shared batch the next rows are; None for a whole batch."""
        self._common.share = share

    def _spreading(self, node: GraphNode, forward: Callable[..., Any]) -> Callable[..., Any]:
        """`forward` of a layer with several outputs: returns the first, and puts the others into their slots."""
        values, (_, *others) = self._values, node.slots

        def spread(*arguments: Any) -> Array:
            made = forward(*arguments)
            if fault := several_fault(made, node.layer.outputs):
                raise broken(node.label(), node.layer, fault)
            for slot, value in zip(others, made[1:], strict=True):
                values[slot] = value
            first: Array = made[0]
            return first

        return spread

    def _node(self, slot: int) -> GraphNode:
        return self.network.graph.node(slot)

    def _nodes_to_learn(self) -> set[int]:
        """The slots through which gradients flow: the inputs whose gradient is wanted, the outputs of nodes with
        trainable parameters, and those of all nodes after them.

        Raises:
            TrainingError: they would have to flow through a layer that has none.
        """
        learning = set(self._towards)
        for node in self._nodes:
            if not node.layer.differentiable and not learning.isdisjoint(node.inputs):
                raise TrainingError(
                    f"{node.label()} has no gradient, so nothing before it can be trained or explained by gradients; "
                    "freeze the nodes before it with trainable = false, or use outputs that do not depend on it"
                )
            if node.learns or _passes_gradients(node, learning):
                learning.update(node.slots)
        return learning

    def _context(self, node: GraphNode, training: bool, rng: np.random.Generator | None) -> Context:
        network = self.network
        grads: dict[str, Array] = {}
        if self.gradients is not None:
            grads = network.arrays_of(self.gradients, node, node.parameters)
            # `backward` overwrites gradients, so a node that shares parameters gets its own arrays, which are added
            # to the owner's after the pass. If the owner itself gets no gradient, its arrays start from zero.
            if node.owner is not None and node.slot in self._learning:
                own = {name: np.zeros_like(array) for name, array in grads.items()}
                self._shared += [(grads[name], own[name]) for name in own]
                if network.graph.owner(node).slot not in self._learning:
                    self._zeroed += grads.values()
                grads = own
        return Context(
            network.dtype,
            network.arrays_of(network.parameters, node, node.parameters),
            grads,
            network.arrays_of(network.state, node, node.state),
            rng,
            # A frozen batch_norm uses its running statistics and must not change them. Dropout has nothing to freeze.
            training and (node.trainable or not node.parameters),
            _passes_gradients(node, self._learning),
            self._may_overwrite_input(node, training or self.gradients is not None),
            self._storages.get(node.slot),
            self._common,
        )

    def _shared_storages(self) -> dict[int, list[Array]]:
        """Slot -> the storage of its node's buffers in a pass without `backward`.

        Two nodes share a storage if the output of the first has been read for the last time before the second runs. A
        layer without `scratch_output` may return views of its inputs, so these live as long as its output. An
        activation that overwrites its input needs no storage.
        """
        last: dict[int, float] = dict.fromkeys(self.wanted, math.inf)
        ends: dict[int, float] = {}
        for node in reversed(self._nodes):
            ends[node.slot] = max(last.get(slot, node.slot) for slot in node.slots)
            own = node.layer.scratch_output and not self._may_overwrite_input(node, False)
            until = node.slot if own else ends[node.slot]
            for source in node.inputs:
                last[source] = max(last.get(source, until), until)
        storages: dict[int, list[Array]] = {}
        free: list[list[Array]] = []
        ending: dict[float, list[int]] = {}
        for node in self._nodes:
            ending.setdefault(ends[node.slot], []).append(node.slot)
        for node in self._nodes:
            if not self._may_overwrite_input(node, False):
                storages[node.slot] = free.pop() if free else []
            free += [storages[ended] for ended in ending.get(node.slot, ()) if ended in storages]
        return storages

    def _may_overwrite_input(self, node: GraphNode, goes_back: bool) -> bool:
        source = node.inputs[0]
        if source < self._first or source in self.wanted:
            return False
        layer, maker = node.layer, self._node(source).layer
        if not maker.scratch_output or maker.outputs:  # one output may be a view of another
            return False
        if self._readers[source] != 1:
            return False
        if isinstance(layer, Activation):
            return not (goes_back and layer.needs_input)
        return layer.overwrites and not goes_back and len(node.inputs) == 1

    def cost(self, inputs: Sequence[Array]) -> Cost:
        """The cost of sending these through the network; computed once for each shape of samples.

        Raises:
            TooLarge: more work than anyone would wait for.
        """
        shapes = (inputs[0].shape[1:],) if len(inputs) == 1 else tuple(array.shape[1:] for array in inputs)
        found = self._costs.get(shapes)
        if found is None:
            if len(self._costs) >= MOST_COSTS:
                self._costs.clear()
            found = self._costs[shapes] = cost_of(self._nodes, shapes, self.network.dtype.itemsize)
            if not any(None in shape for shape in self.network.inputs.values()):
                self.only_cost = found
        return found

    def forward(self, inputs: Sequence[Array]) -> list[Array]:
        """The values of the wanted slots; they are valid until the next call.

        Raises:
            TooLarge: in the first call, if the batch needs more memory than there is, or too much work.
        """
        if self._programs is not None and self._seen and self._repeated(self._programs, inputs):
            return [self._values[slot] for slot in self.wanted]
        if not self._seen:
            self.cost(inputs).require(len(inputs[0]))
        values = self._values
        self._common.penalty = 0.0
        values[: self._first] = self.converted(inputs)
        if self._programs is not None:
            self._programs.forget()
        calls = self._with_masks() if self._masked else self._calls
        if not self._seen:
            calls = self._looked_over(calls)
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
        except Exception as error:
            self._blame(self._node(slot), error)
            raise
        for context in self._raw:
            context.raw = (None,) * len(context.raw)  # do not keep the caller's arrays in memory
        self._seen = True
        return [values[slot] for slot in self.wanted]

    def _repeated(self, programs: Programs, inputs: Sequence[Array]) -> bool:
        """Whether the values of all slots were computed by the calls that an earlier batch of these shapes has made."""
        try:
            return programs.forward(inputs)
        except Exception as error:
            if programs.at is not None:
                self._blame(self._node(programs.at), error)
            raise

    def _blame(self, node: GraphNode, error: Exception) -> None:
        """Raises a clearer error for one in a node's `forward`; returns if the error itself is clear."""
        if isinstance(error, ShapeError):
            given = " and ".join(str(self._values[source].shape) for source in node.inputs)
            message = f"{node.label()}: {error.message}; found {given} (with the batch axis)"
            raise ShapeError(message, error.hint) from error
        for before in self._nodes[: self._nodes.index(node)]:
            self._hold(before, error)  # the cause may be a wrong output of an earlier node: blame that one
        raise_fault(error, node.label())

    def converted(self, inputs: Sequence[Array]) -> list[Array]:
        """The inputs in the dtypes that their readers take; those that are converted are valid until the next call.

        Raises:
            DataError: a number cannot be converted.
        """
        self._conversion.begin()
        return [
            array if array.dtype == dtype else self._converted(array, dtype, slot)
            for slot, (array, dtype) in enumerate(zip(inputs, self._dtypes, strict=True))
        ]

    def _looked_over(self, calls: Iterable[Call]) -> Iterator[Call]:
        """The calls of a first pass; after each, the node's outputs are checked against its declarations.

        Raises:
            BrokenPlugin: they do not match.
        """
        for call in calls:
            yield call
            self._hold(self._node(call[0]))

    def _hold(self, node: GraphNode, cause: Exception | None = None) -> None:
        """Checks the outputs of a node against its declarations; `cause` is the error that a wrong one has led to."""
        for slot, shape, name in zip(node.slots, node.shapes, node.layer.outputs or ("",), strict=True):
            if fault := output_fault(self._values[slot], shape, self.network.dtype, name):
                raise broken(node.label(), node.layer, fault) from cause

    def _with_masks(self) -> Iterator[Call]:
        """The calls of the nodes; sets the masks in the context before each, and keeps the output's mask after it."""
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
                # The mask may be in a buffer and is needed longer than the output, whose storage other nodes reuse.
                mask = _copied(mask)
            # A layer that combines all steps, or makes other steps, has no mask after it.
            if slot in self._several:
                masks.update(self._masks_of_outputs(self._several[slot], mask))
            elif self._shape_of_one(slot)[1:2] == mask.shape[1:]:
                masks[slot] = mask

    def _shape_of_one(self, slot: int) -> tuple[int, ...]:
        """The shape of a value, or of each member's part of it."""
        shape: tuple[int, ...] = self._values[slot].shape
        return (shape[0], *shape[2:]) if self._node(slot).apart else shape

    def _masks_of_outputs(self, slots: range, mask: Any) -> Iterator[tuple[int, Array]]:
        """(slot, mask) for the outputs of a layer that has several."""
        for position, slot in enumerate(slots):
            shape = self._shape_of_one(slot)
            own = mask[position] if isinstance(mask, tuple) else mask
            # For (batch, n) as a further output, n may be a number of features that happens to be that of the steps.
            sequence = isinstance(mask, tuple) or not position or len(shape) > 2
            if own is not None and sequence and shape[1:2] == own.shape[1:]:
                yield slot, own

    def raw(self, slot: int, inputs: Sequence[Array]) -> Array | None:
        """The network's input as it was given, if a slot holds that input unchanged, converted to another dtype.

        Some nodes return their input itself, such as a layer that only makes a mask; these are followed back.
        """
        while slot >= self._first:
            source = self._node(slot).inputs[0]
            if self._values[slot] is not self._values[source]:
                return None
            slot = source
        return inputs[slot] if inputs[slot].dtype != self._dtypes[slot] else None

    def wanted_masks(self) -> list[Array | None]:
        """The masks of the wanted values in the last `forward`, (batch, time) or None; [] if no layer makes masks."""
        return [self.masks.get(slot) for slot in self.wanted] if self._masked else []

    def _converted(self, array: Array, dtype: np.dtype[Any], slot: int) -> Array:
        """The input, converted in a buffer to the dtype that its readers take."""
        converted = self._conversion.buffer(array.shape, dtype)
        to_ids = dtype.kind == "i" and array.dtype.kind == "f" and array.size > 0
        # Floats beyond the range of integers would become arbitrary ones. Comparisons with nan are False.
        fits = not to_ids or (float(array.min()) > -(2**62) and float(array.max()) < 2**62)
        if fits:
            try:
                with np.errstate(over="raise"):
                    np.copyto(converted, array, casting="unsafe")
            except FloatingPointError:
                raise beyond_error(list(self.network.inputs)[slot], array, dtype) from None
        if not fits or (to_ids and not np.array_equal(converted, array)):
            name = list(self.network.inputs)[slot]
            raise DataError(f"input {show(name)}: expected whole numbers (ids), found other numbers")
        return converted

    def backward(self, gradients: Sequence[Array]) -> dict[int, Array]:
        """Writes the gradient of every trainable parameter.

        Args:
            gradients: those of the first wanted slots; they may be overwritten. The other wanted slots have none.

        Returns:
            Slot -> gradient, valid until the next call, for those of `towards` that the gradients reach.
        """
        flowing: dict[int, Array] = {}
        self._flow(flowing, self.wanted[: len(gradients)], gradients)
        for array in self._zeroed:
            array.fill(0)
        self._unread.begin()
        self._flow_back(flowing)
        self._gradients_seen = True
        for total, own in self._shared:
            total += own
        return flowing

    def _flow_back(self, flowing: dict[int, Array]) -> None:
        """Takes gradients from node to node, the last one first."""
        slot, several = 0, self._several
        try:
            for slot, _, backward, context, sources in reversed(self._calls):
                if slot in several:
                    self._gather(flowing, several[slot])
                if slot not in flowing:
                    continue
                result = backward(context, flowing.pop(slot))
                if not context.needs_input_gradient:
                    continue
                if not self._gradients_seen:
                    self._look_over(slot, result)
                if len(sources) == 1 and sources[0] not in flowing and not isinstance(result, tuple):
                    flowing[sources[0]] = result  # the common case, which needs no search: this input has a gradient
                else:
                    self._flow(flowing, sources, _separate(result))
        except Exception as error:
            raise_fault(error, self._node(slot).label())
            raise

    def _look_over(self, slot: int, result: Any) -> None:
        """Checks, in the first pass, the gradients that a node returns for its inputs."""
        node = self._node(slot)
        inputs = [self._values[source] if source in self._learning else None for source in node.inputs]
        if fault := gradients_fault(result, inputs, self.network.dtype):
            raise broken(node.label(), node.layer, fault)

    def _gather(self, flowing: dict[int, Any], slots: range) -> None:
        """Collects the gradients of a layer's outputs as a tuple in its first slot; zeros for an unused output."""
        if not any(slot in flowing for slot in slots):
            return
        gradients = []
        for slot in slots:
            gradient = flowing.pop(slot, None)
            if gradient is None:
                gradient = self._unread.buffer(self._values[slot].shape)
                gradient.fill(0)
            gradients.append(gradient)
        flowing[slots[0]] = tuple(gradients)

    def _flow(self, flowing: dict[int, Array], slots: Sequence[int], gradients: Sequence[Array]) -> None:
        """Adds gradients to those of their slots, if anything at or before a slot is trained."""
        for slot, gradient in zip(slots, gradients, strict=True):
            if slot not in self._learning:
                continue
            if slot in flowing:
                flowing[slot] += gradient
            else:
                flowing[slot] = gradient

    def instrument(self, wrap: Callable[[tuple[int, str], Callable[..., Any]], Callable[..., Any]]) -> None:
        """Replaces every call by `wrap((slot, "forward" or "backward"), call)`, to time or inspect it."""
        self._programs = None
        self._calls = [
            (slot, wrap((slot, "forward"), forward), wrap((slot, "backward"), backward), context, sources)
            for slot, forward, backward, context, sources in self._calls
        ]

    def forget(self) -> None:
        """Drops the arrays of the last batch; the buffers stay."""
        self._values[:] = [None] * len(self._values)
        if self._programs is not None:
            self._programs.forget()
        for context in self.contexts.values():
            context.forget()

    def values(self) -> dict[str, Array]:
        """Name of an output (`linear_1`, `lstm_1.state`) -> its value in the last `forward`, None if it was not run."""
        return {node.output_name(slot): self._values[slot] for node in self._nodes for slot in node.slots}


class Passes:
    """The idle passes of a network's predictions. Each prediction borrows one, so that no two threads use the same.

    There are as many as there were predictions at the same time, which may be fewer than threads. A list's append and
    pop are atomic and need no lock; a lock that is held during a fork would never be released in the child.
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
        """Takes a pass back after a prediction of `rows` rows, or drops it if idle passes hold enough memory."""
        if rows > FEWEST_ROWS or used.held > SMALL_PASS:
            used.forget()
            held = [other.held for other in tuple(self._idle)]
            if held and used.held > SMALL_PASS and sum(held) + used.held > IDLE_BYTES:
                return
        self._idle.append(used)


def _passes_gradients(node: GraphNode, learning: set[int]) -> bool:
    """Whether gradients flow through a node to its inputs; ids have none."""
    return not node.layer.integer_input and any(source in learning for source in node.inputs)


def _copied(mask: Any) -> Any:
    """A copy of a mask, or of those of several outputs."""
    if isinstance(mask, tuple):
        return tuple(part if part is None else part.copy() for part in mask)
    return mask.copy()


def _separate(result: Any) -> list[Array]:
    """The gradients of a layer's inputs. Each may be overwritten later, so one array for several inputs is copied."""
    separate: list[Array] = []
    for gradient in result if isinstance(result, tuple) else (result,):
        separate.append(gradient.copy() if any(gradient is other for other in separate) else gradient)
    return separate
