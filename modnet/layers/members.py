"""Layers of ensembles: their samples have an axis of members, (members, ...)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from modnet.arrays import Array, Shape, sum_rows
from modnet.configuration.fields import field
from modnet.errors import ShapeError
from modnet.kinds.component import Example
from modnet.kinds.layer import Layer, Parameter, State
from modnet.kinds.node import Composite, Node
from modnet.layers.linear import Linear

if TYPE_CHECKING:
    from modnet.kinds.context import Context

MOST_MEMBERS = 10_000
"""The most members of an ensemble."""


class EnsembleMean(Layer, type="ensemble_mean"):
    """The mean over the members of an ensemble: of their probabilities, or of their numbers.

    Shapes: (members, ...) -> (...). As the last layer it is used only in prediction: training measures the loss of
    each member separately, with the target of the sample.

    Source: Lakshminarayanan, Pritzel and Blundell 2017, arXiv:1612.01474, section 2.4.

    Raises:
        ShapeError: samples without an axis of members of fixed size.
    """

    only_in_prediction = True
    repeats = True
    scratch_output = True

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example(cls(), ((3, 4),)), Example(cls(), ((2, 5, 3),)))

    def output_shape(self, *input_shapes: Shape) -> Shape:
        (shape,) = input_shapes
        if not shape or not shape[0]:
            raise ShapeError("expects samples of shape (members, ...), with a first axis of fixed size")
        return shape[1:]

    def forward(self, context: Context, x: Array) -> Array:
        context.save(x.shape)
        y = context.buffer((len(x), *x.shape[2:]))
        context.do(np.add.reduce, x, axis=1, out=y)
        context.do(np.divide, y, x.shape[1], y)
        return y

    def backward(self, context: Context, gradient: Array) -> Array:
        (shape,) = context.saved
        result = context.buffer(shape)
        np.divide(gradient[:, None], shape[1], out=result)
        return result


class ToMembers(Layer, type="to_members"):
    """Gives each member of an ensemble the same: (...) -> (members, ...). Not available in specs."""

    repeats = True
    scratch_output = True
    members: int = field(minimum=1, maximum=MOST_MEMBERS)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        return (self.members, *input_shapes[0])

    def forward(self, context: Context, x: Array) -> Array:
        y = context.buffer((len(x), self.members, *x.shape[1:]), x.dtype)
        context.do(np.copyto, y, x[:, None])
        return y

    def backward(self, context: Context, gradient: Array) -> Array:
        summed: Array = np.add.reduce(gradient, axis=1)
        return summed


class PerMember(Composite, type="per_member"):
    """A separate layer for each member of an ensemble, with its own parameters and state.

    Shapes: (members, ...) -> (members, ...), or with `shared` (...) -> (members, ...). The arrays are those of the
    layer with a first axis of members, `per_member_1.linear_1.weight` (members, in, out); the first values of
    each member are drawn separately. A `linear` layer is one batched product, any other layer runs once for each
    member.

    Attributes:
        layer: the layer.
        members: how many there are.
        shared: whether all members read the same numbers, which then have no axis of members.
    """

    inputs = (1, None)
    layer: Layer
    members: int = field(minimum=1, maximum=MOST_MEMBERS)
    shared: bool = False

    @classmethod
    def examples(cls) -> Sequence[Example]:
        linear = Linear(out_features=3)
        return (
            Example(cls(layer=linear, members=2), ((2, 4),)),
            Example(cls(layer=linear, members=2, shared=True), ((4,),)),
        )

    def check(self) -> None:
        if isinstance(self.layer, Composite):
            raise ValueError(f"layer: {self.layer.type} stands for several nodes; write each of them as per_member")
        if self.layer.makes_mask:
            raise ValueError(f"layer: {self.layer.type} makes a mask of steps, and members have no masks")

    def expand(self, inputs: Sequence[str]) -> Sequence[Node]:
        return [Node(layer=for_members(self.layer, self.members, self.shared), inputs=tuple(inputs))]


def for_members(layer: Layer, members: int, shared: bool) -> Layer:
    """The layer that does for each member of an ensemble what the given one does for a single network."""
    cls = type(layer)
    if isinstance(layer, Linear) and (cls.forward, cls.backward) == (Linear.forward, Linear.backward):
        # Here and not in `linear`, which every process imports that predicts.
        return LinearMembers(layer=layer, members=members, shared=shared)
    found = layer.for_members(members, shared)
    if found is None and layer.featurewise:
        found = FeaturewiseMembers(layer=layer, members=members, shared=shared)
    if found is None and layer.takes_members:
        found = MembersAtOnce(layer=layer, members=members, shared=shared)
    return found or each_alone(layer, members, shared)


def each_alone(layer: Layer, members: int, shared: bool) -> Layer:
    """The layer that runs the given one once for each member."""
    return Members(layer=layer, members=members, shared=shared)


class Members(Layer, type="members"):
    """A layer that runs once for each member of an ensemble. Not available in specs: `per_member` is made of it."""

    scratch_output = True
    layer: Layer
    members: int = field(minimum=1, maximum=MOST_MEMBERS)
    shared: bool = False

    @property
    def stands_for(self) -> Layer:
        return self.layer.stands_for

    # Promises of the layer inside; what is not passed on is not promised.

    @property
    def inputs(self) -> tuple[int, int | None]:  # type: ignore[override]
        return self.layer.inputs

    @property
    def outputs(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.layer.outputs

    @property
    def integer_input(self) -> bool:  # type: ignore[override]
        return self.layer.integer_input

    @property
    def differentiable(self) -> bool:  # type: ignore[override]
        return self.layer.differentiable

    @property
    def makes_mask(self) -> bool:  # type: ignore[override]
        return self.layer.makes_mask

    @property
    def raw_input(self) -> bool:  # type: ignore[override]
        return self.layer.raw_input and self.shared

    @property
    def allocates(self) -> bool:  # type: ignore[override]
        return self.layer.allocates

    @property
    def true_gradient(self) -> bool:  # type: ignore[override]
        return self.layer.true_gradient

    @property
    def divisible(self) -> bool:  # type: ignore[override]
        return self.layer.divisible

    def output_shape(self, *input_shapes: Shape) -> Any:
        found = self.layer.output_shapes(*self._of_one(input_shapes))
        shapes = tuple((self.members, *shape) for shape in found)
        return shapes if self.outputs else shapes[0]

    def _of_one(self, shapes: Sequence[Shape]) -> list[Shape]:
        """The shapes of one member's inputs."""
        if self.shared:
            return list(shapes)
        if any(not shape or shape[0] != self.members for shape in shapes):
            raise ShapeError(f"expects samples of shape (members, ...) with {self.members} members")
        return [shape[1:] for shape in shapes]

    def parameters(self, *input_shapes: Shape) -> Mapping[str, Parameter]:
        return {
            name: parameter.for_members(self.members)
            for name, parameter in self.layer.parameters(*self._of_one(input_shapes)).items()
        }

    def state(self, *input_shapes: Shape) -> Mapping[str, State]:
        return {
            name: state.for_members(self.members)
            for name, state in self.layer.state(*self._of_one(input_shapes)).items()
        }

    def prepare(self, context: Context, batches: Iterable[tuple[Array, Array | None]]) -> None:
        seen = _Seen(context, batches)
        for member, child in enumerate(self._contexts(context)):
            self.layer.prepare(child, self._of_member(member, child, seen))

    def _of_member(self, member: int, child: Context, seen: _Seen) -> Iterator[tuple[Array, Array | None]]:
        for x, target, masks, raw in seen.batches():
            child.masks, child.raw = masks, raw
            yield x if self.shared else x[:, member], target

    def _contexts(self, context: Context) -> list[Context]:
        """The contexts of the members, each with its part of the arrays."""
        found: list[Context] = []
        for member in range(self.members):
            child = context.child(str(member))
            child.params = {name: array[member, ...] for name, array in context.params.items()}
            child.grads = {name: array[member, ...] for name, array in context.grads.items()}
            child.state = {name: array[member, ...] for name, array in context.state.items()}
            child.needs_input_gradient = context.needs_input_gradient
            found.append(child)
        return found

    def forward(self, context: Context, *inputs: Array) -> Any:
        contexts = self._contexts(context)
        context.save(contexts)
        made: list[Array] = []
        for member, child in enumerate(contexts):
            child.masks, child.raw = context.masks, context.raw
            given = inputs if self.shared else [x[:, member] for x in inputs]
            found = self.layer.forward(child, *given)
            found = found if self.outputs else (found,)
            if not made:
                made = [context.buffer((len(y), self.members, *y.shape[1:]), y.dtype) for y in found]
            for whole, y in zip(made, found, strict=True):
                whole[:, member] = y
        return tuple(made) if self.outputs else made[0]

    def backward(self, context: Context, gradient: Any) -> Any:
        (contexts,) = context.saved
        gradients = gradient if self.outputs else (gradient,)
        results: list[Array] = []
        for member, child in enumerate(contexts):
            given = [array[:, member] for array in gradients]
            found = self.layer.backward(child, tuple(given) if self.outputs else given[0])
            if not context.needs_input_gradient:
                continue
            self._gather(context, results, found if isinstance(found, tuple) else (found,), member)
        return (tuple(results) if len(results) > 1 else results[0]) if results else None

    def _gather(self, context: Context, results: list[Array], found: Sequence[Array], member: int) -> None:
        """Puts the gradients of a member's inputs into those of all; of shared inputs, they are summed."""
        if not results:
            whole = () if self.shared else (self.members,)
            results += [context.buffer((len(slope), *whole, *slope.shape[1:])) for slope in found]
        for result, slope in zip(results, found, strict=True):
            if not self.shared:
                result[:, member] = slope
            elif member:
                result += slope
            else:
                np.copyto(result, slope)

    def multiply_adds(self, *input_shapes: Shape) -> int:
        return self.members * self.layer.multiply_adds(*self._of_one(input_shapes))

    def scratch_size(self, *input_shapes: Shape) -> int:
        return self.layer.scratch_size(*self._of_one(input_shapes))


KEPT = 1 << 28
"""How many bytes of batches are kept from the first member that learns from them to the last."""

_SeenBatch = tuple[Array, Array | None, tuple[Array | None, ...], tuple[Array | None, ...]]


class _Seen:
    """The batches of a preparation, with their masks and raw inputs, for one member after the other.

    To make them, the data have to pass through all layers before; so they are kept, if they are not too large.
    """

    def __init__(self, context: Context, batches: Iterable[tuple[Array, Array | None]]) -> None:
        self._context, self._batches = context, batches
        self._kept: list[_SeenBatch] | None = None

    def batches(self) -> Iterator[_SeenBatch]:
        if self._kept is not None:
            yield from self._kept
            return
        kept: list[_SeenBatch] = []
        size = 0
        for x, target in self._batches:
            masks, raw = self._context.masks, self._context.raw
            size += x.nbytes
            if size <= KEPT:  # copies, since the arrays are used again for the next batch
                kept.append((x.copy(), _copy(target), tuple(map(_copy, masks)), tuple(map(_copy, raw))))
            yield x, target, masks, raw
        self._kept = kept if size <= KEPT else None


def _copy(array: Array | None) -> Array | None:
    return None if array is None else array.copy()


class FeaturewiseMembers(Members, type="featurewise_members"):
    """A layer that treats each feature by itself, for each member of an ensemble. Not available in specs.

    Where samples are vectors, the features of all members are those of one wide sample, and the layer runs once.
    """

    @property
    def scratch_output(self) -> bool:  # type: ignore[override]
        return self.layer.scratch_output

    def forward(self, context: Context, *inputs: Array) -> Any:
        (x,) = inputs
        if x.ndim != (2 if self.shared else 3):
            return super().forward(context, x)
        wide = context.child("wide")
        for name in ("params", "grads", "state"):
            arrays = getattr(context, name)
            setattr(wide, name, {key: array.reshape(-1, *array.shape[2:]) for key, array in arrays.items()})
        wide.needs_input_gradient = context.needs_input_gradient
        context.save(wide, x.shape)
        if self.shared:
            x, own = context.buffer((len(x), self.members, x.shape[1])), x
            np.copyto(x, own[:, None])
        y: Array = self.layer.forward(wide, x.reshape(len(x), x.shape[1] * x.shape[2]))
        return y.reshape(len(y), self.members, y.shape[1] // self.members)

    def backward(self, context: Context, gradient: Array) -> Any:
        if len(context.saved) == 1:
            return super().backward(context, gradient)
        wide, shape = context.saved
        found = self.layer.backward(wide, gradient.reshape(len(gradient), gradient.shape[1] * gradient.shape[2]))
        if not context.needs_input_gradient:
            return None
        if not self.shared:
            return found.reshape(shape)
        return np.add.reduce(found.reshape(len(found), self.members, shape[1]), axis=1)


class MembersAtOnce(Members, type="members_at_once"):
    """A layer that takes the arrays of all members of an ensemble as they are. Not available in specs."""

    @property
    def scratch_output(self) -> bool:  # type: ignore[override]
        return self.layer.scratch_output

    def forward(self, context: Context, *inputs: Array) -> Any:
        (x,) = inputs
        if any(array.ndim != x.ndim - (not self.shared) for array in context.params.values()):
            return super().forward(context, x)
        if self.shared:
            x, own = context.buffer((len(x), self.members, *x.shape[1:])), x
            np.copyto(x, own[:, None])
        return self.layer.forward(context, x)

    def backward(self, context: Context, gradient: Array) -> Any:
        if any(array.ndim != gradient.ndim - 1 for array in context.params.values()):
            return super().backward(context, gradient)
        found = self.layer.backward(context, gradient)
        return np.add.reduce(found, axis=1) if self.shared and found is not None else found


class LinearMembers(Members, type="linear_members"):
    """A `linear` layer for each member of an ensemble, as one batched product. Not available in specs.

    Shapes: (members, in) -> (members, out), and (members, time, in) -> (members, time, out); with `shared` without the
    first axis of the input. Parameters: weight (members, in, out), bias (members, out).

    Each product reads and writes every member's rows in place, in arrays (batch, members, ...): BLAS takes rows
    that are apart, so that nothing is copied. Backward, there are none for a member whose slopes are all 0, as they are
    when its training is over.
    """

    repeats = True
    scratch_output = True
    output_range = (-math.inf, math.inf)
    layer: Linear

    def forward(self, context: Context, *inputs: Array) -> Array:
        (x,) = inputs
        context.save(x)
        weight = context.params["weight"]
        steps = x.shape[1:-1] if self.shared else x.shape[2:-1]
        if not steps:
            context.output_mask = None  # as in `linear`
        y = context.buffer((len(x), self.members, *steps, weight.shape[-1]))
        context.do(np.matmul, self._by_member(x), _for_steps(weight, steps), np.swapaxes(y, 0, 1))
        if self.layer.bias:
            context.do(np.add, y, _for_steps(context.params["bias"], steps), y)
        return y

    def _by_member(self, x: Array) -> Array:
        """The rows of each member, (members, batch, ..., in); all rows if they are shared."""
        return x if self.shared else np.swapaxes(x, 0, 1)

    def backward(self, context: Context, gradient: Array) -> Array | None:
        (x,) = context.saved
        slopes, rows, learns = np.swapaxes(gradient, 0, 1), self._by_member(x), _who_learns(gradient)
        if gradient.ndim > 3:  # steps are rows like others; joining them copies where members are apart
            slopes = slopes.reshape(self.members, -1, slopes.shape[-1])
            rows = rows.reshape(*rows.shape[: 0 if self.shared else 1], -1, rows.shape[-1])
        _products(np.swapaxes(rows, -1, -2), slopes, context.grads["weight"], learns)
        if self.layer.bias:
            self._bias_gradient(gradient, slopes, context.grads["bias"])
        if not context.needs_input_gradient:
            return None
        result = context.buffer(x.shape)
        weight = _for_steps(np.swapaxes(context.params["weight"], -1, -2), gradient.shape[2:-1])
        if self.shared:
            return np.add.reduce(np.matmul(np.swapaxes(gradient, 0, 1), weight), axis=0, out=result)
        _products(np.swapaxes(gradient, 0, 1), weight, np.swapaxes(result, 0, 1), learns)
        return result

    def _bias_gradient(self, gradient: Array, slopes: Array, out: Array) -> None:
        if gradient.ndim > 3:
            np.add.reduce(slopes, axis=1, out=out)
        else:
            sum_rows(gradient.reshape(len(gradient), out.size), out.reshape(-1))


def _who_learns(gradient: Array) -> Array | None:
    """Which members have a slope that is not 0, of (batch, members, ...); None if all have."""
    if gradient[:1].any(axis=(0, *range(2, gradient.ndim))).all():  # as a rule, the first sample shows it
        return None
    found = np.asarray(gradient.any(axis=(0, *range(2, gradient.ndim))))
    return None if found.all() else found


def _products(left: Array, right: Array, out: Array, learns: Array | None) -> None:
    """left @ right for each member, (members, ...); 0 for the members that do not learn."""
    if learns is None:
        np.matmul(left, right, out=out)
        return
    for member, learning in enumerate(learns.tolist()):
        if learning:
            np.matmul(left[member] if left.ndim == out.ndim else left, right[member], out=out[member])
        else:
            out[member] = 0


def _for_steps(array: Array, steps: Shape) -> Array:
    """A parameter of members, (members, ...), with an axis of 1 after the first if there are steps."""
    return array[:, None] if steps else array
