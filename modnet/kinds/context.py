"""What one layer sees during one pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from operator import call
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from modnet.arrays import Array, aligned_empty
from modnet.kinds.schedule import Progress
from modnet.kinds.sharing import Share
from modnet.words import show


class Arrays(dict[str, Array]):
    """Name -> array. A layer writes into the arrays; another array in place of one would be lost."""

    def __setitem__(self, name: str, value: Array) -> None:
        if self.get(name) is not value:  # `grads[name] += ...` gives the same array back
            raise TypeError(
                f"the array {show(name)} of the context cannot be replaced; write into it: [{show(name)}][...] = ..."
            )

    def __reduce__(self) -> tuple[type[Arrays], tuple[dict[str, Array]]]:
        """For `copy` and `pickle`, which otherwise fill a dict item by item."""
        return type(self), (dict(self),)


class Shared:
    """What the contexts of one pass have in common.

    Attributes:
        held: the bytes of all their buffers. Contexts may share storage, so bytes are counted when storage grows.
        penalty: the sum of what layers have added to the loss in this pass.
        ask_progress: returns the progress of the run, None outside training. A function, because most steps
            have no layer that asks.
        share: the part of the batch that passes here, where several processes share it; None for a whole batch.
    """

    __slots__ = ("ask_progress", "held", "penalty", "share")

    def __init__(self) -> None:
        self.held = 0
        self.penalty = 0.0
        self.ask_progress: Callable[[], Progress] | None = None
        self.share: Share | None = None


class Context:
    """Everything that a layer needs while it runs, in addition to its configuration.

    A context belongs to one node of one pass, and is used by one thread at a time.

    Attributes:
        params: name -> parameter, to be read only, except in a layer's `prepare`.
        grads: name -> gradient of that parameter, to be overwritten by `backward`.
        state: name -> array that the layer keeps between passes; a layer may write into it only if `training`.
        dtype: the network's dtype, that of parameters and buffers.
        rng: the source of random numbers of this pass.
        training: whether this pass is part of training.
        needs_input_gradient: False if the value that `backward` returns is not used.
        may_overwrite_input: whether the output may be written over the (first) input.
        saved: what `forward` has saved for `backward`.
        masks: for each input, a bool array (batch, time) that is False if a sequence has ended, or None.
        output_mask: the same for the output. Before `forward` it is the common mask of all inputs that have one; a
            layer can set it.
        raw: for each input of a layer with `raw_input`, the array that was given to the network, if it has another
            dtype than the network and reaches the layer unchanged; otherwise None. () for other layers.
        memory: what the layer keeps from one piece of a sequence to the next, for `Network.stream`; None elsewhere.
        progress: the progress of the run, for a layer that follows a schedule; None without a run.
        do: `do(function, *arguments, **options)` calls a function on arrays and gives what it gives; for a layer that
            `repeats` the call is noted, so that the engine can make it again. Arguments are arrays and what does not
            depend on the batch; results go into arrays, as by `out=`.

    For a layer with several outputs, one `output_mask` applies to each output that is a sequence of that length; a
    tuple has one mask, or None, for each output.
    """

    __slots__ = (
        "_children",
        "_cursor",
        "_noted",
        "_rng",
        "_shared",
        "_storage",
        "_views",
        "do",
        "dtype",
        "grads",
        "masks",
        "may_overwrite_input",
        "memory",
        "needs_input_gradient",
        "output_mask",
        "params",
        "raw",
        "saved",
        "state",
        "training",
    )

    def __init__(
        self,
        dtype: DTypeLike,
        params: Mapping[str, Array] | None = None,
        grads: Mapping[str, Array] | None = None,
        state: Mapping[str, Array] | None = None,
        rng: np.random.Generator | None = None,
        training: bool = False,
        needs_input_gradient: bool = True,
        may_overwrite_input: bool = False,
        storage: list[Array] | None = None,
        shared: Shared | None = None,
    ) -> None:
        self.dtype = np.dtype(dtype)
        self.params: Mapping[str, Array] = params or {}
        self.grads: Mapping[str, Array] = Arrays(grads or {})
        self.state: Mapping[str, Array] = Arrays(state or {})
        self._rng = rng
        self.training = training
        self.needs_input_gradient = needs_input_gradient
        self.may_overwrite_input = may_overwrite_input
        self.saved: tuple[Any, ...] = ()
        self.masks: tuple[Array | None, ...] = (None,)
        self.output_mask: Any = None
        self.raw: tuple[Array | None, ...] = ()
        self.memory: dict[str, Any] | None = None
        self.do: Callable[..., Any] = call
        self._noted: list[Callable[[], Any]] | None = None
        self._cursor = 0
        self._views: list[Array] = []
        self._storage: list[Array] = [] if storage is None else storage
        self._shared = Shared() if shared is None else shared
        self._children: dict[str, Child] = {}

    @property
    def rng(self) -> np.random.Generator:
        """The source of random numbers of this pass."""
        if self._rng is None:
            # Made late: importing numpy.random takes half as long as importing numpy, and few predictions need it.
            self._rng = np.random.default_rng(0)
        return self._rng

    @rng.setter
    def rng(self, rng: np.random.Generator) -> None:
        self._rng = rng

    @property
    def progress(self) -> Progress | None:
        """The progress of the run; None without a run."""
        ask = self._shared.ask_progress
        return None if ask is None else ask()

    @progress.setter
    def progress(self, progress: Progress | None) -> None:
        self._shared.ask_progress = None if progress is None else lambda: progress

    @property
    def penalty(self) -> float:
        """The sum of what the layers have added to the loss since this pass began."""
        return self._shared.penalty

    @penalty.setter
    def penalty(self, penalty: float) -> None:
        self._shared.penalty = penalty

    def penalize(self, value: float) -> None:
        """Adds a number to the loss of the batch, such as the cost of an uneven load among experts.

        Call it in `forward`; `backward` then has to add the gradient of this number to the gradients that it returns
        and writes. The loss is a mean over the batch, so the number is one for the whole batch, too.
        """
        self._shared.penalty += float(value)

    @property
    def share(self) -> Share | None:
        """Which part of a batch the rows of this pass are, where several processes share it; None for a whole batch."""
        return self._shared.share

    @share.setter
    def share(self, share: Share | None) -> None:
        self._shared.share = share

    def sum_of_batch(self, array: Array) -> Array:
        """The sum of an array over all parts of the batch, where several processes share it; else the array itself.

        For a layer that computes something of all rows of a batch, such as their mean: every process calls this with
        the sum over its own rows, which is overwritten, and continues with that of all.
        """
        share = self._shared.share
        return array if share is None else share.add_up(array)

    def child(self, name: str) -> Child:
        """The context of a layer inside this layer; always the same one for the same name.

        Pass it to `forward` and `backward` of the inner layer. Its parameters and state are those that this layer has
        declared as `name.weight` and so on. Buffers, random numbers, penalties, masks and memory come from this
        context.
        """
        found = self._children.get(name)
        if found is None:
            found = self._children[name] = Child(self, name)
        return found

    @property
    def nbytes(self) -> int:
        """What the buffers take in memory."""
        return sum(storage.nbytes for storage in self._storage)

    def begin(self) -> None:
        """Starts a pass: the next call of `buffer` is the first again."""
        self._cursor = 0

    def forget(self) -> None:
        """Drops what was saved, so that its arrays can be freed; the buffers stay."""
        self.saved = ()
        for child in self._children.values():
            child.forget()

    def save(self, *values: Any) -> None:
        """Keeps values for `backward`, where they are `context.saved`."""
        self.saved = values

    def cannot_repeat(self) -> None:
        """Says that a layer that `repeats` does not do so for these inputs: the next pass asks it again."""
        self._noted = None

    def note(self) -> None:
        """From now on `do` notes its calls."""
        self._noted = []
        self.do = self._do_and_note

    def noted(self) -> list[Callable[[], Any]] | None:
        """The calls since `note`, without arguments; None if they cannot be repeated. Ends the noting."""
        self.do = call
        return self._noted

    def _do_and_note(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        if self._noted is not None:
            self._noted.append(partial(function, *arguments, **options))
        return function(*arguments, **options)

    def buffer(self, shape: tuple[int, ...], dtype: DTypeLike | None = None) -> Array:
        """An uninitialised array, which the same call in the next pass returns again.

        A pass is a `forward` and the `backward` after it; calls are matched by their order, so make the same calls in
        each pass. The array is aligned to a cache line. For a smaller batch it is the first part of the previous
        array; a larger batch gets a new one.

        Args:
            shape: with the batch axis.
            dtype: by default the network's.
        """
        position = self._cursor
        self._cursor = position + 1
        if position < len(self._views):
            view = self._views[position]
            # The common case of a steady batch size first: this runs for every buffer of every step.
            if view.shape == shape and view.dtype == (self.dtype if dtype is None else dtype):
                return view
        return self._renew(position, shape, self.dtype if dtype is None else np.dtype(dtype))

    def _renew(self, position: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        size = math.prod(shape) * dtype.itemsize
        if position == len(self._storage):
            self._storage.append(aligned_empty(size, np.dtype(np.uint8)))
            self._shared.held += size
        storage = self._storage[position]
        if storage.size < size:
            self._shared.held += size - storage.size
            storage = self._storage[position] = aligned_empty(size, np.dtype(np.uint8))
        view = storage[:size].view(dtype).reshape(shape)
        self._views[position : position + 1] = [view]  # replaces the view, or appends it: at the end the slice is empty
        return view


class Child(Context):
    """The context of a layer inside another layer (the outer one); made by `Context.child`.

    Attributes:
        masks: those of the outer layer, until that layer sets others for this one.
        output_mask: that of the outer layer.
        needs_input_gradient: True; the outer layer sets it to its own value if the inner layer reads its input.
    """

    __slots__ = ("_masks", "_name", "_parent")

    def __init__(self, parent: Context, name: str) -> None:
        # Without Context.__init__, which would set what are properties of the parent here.
        self._parent = parent
        self._name = name
        self._masks: tuple[Array | None, ...] | None = None
        self.dtype = parent.dtype
        self.params = _below(parent.params, name)
        self.grads = Arrays(_below(parent.grads, name))
        self.state = Arrays(_below(parent.state, name))
        self.needs_input_gradient = True
        self.may_overwrite_input = False
        self.saved = ()
        self.raw = ()
        self._shared = parent._shared
        self._children = {}

    @property
    def do(self) -> Callable[..., Any]:  # type: ignore[override]
        return self._parent.do

    def cannot_repeat(self) -> None:
        self._parent.cannot_repeat()

    def begin(self) -> None:
        """Nothing: the buffers are those of the parent, whose pass has begun."""

    def buffer(self, shape: tuple[int, ...], dtype: DTypeLike | None = None) -> Array:
        return self._parent.buffer(shape, dtype)

    @property
    def nbytes(self) -> int:
        return 0

    # Properties, not copies: the engine sets these on the parent for each pass.

    @property
    def rng(self) -> np.random.Generator:
        return self._parent.rng

    @rng.setter
    def rng(self, rng: np.random.Generator) -> None:
        self._parent.rng = rng

    @property
    def training(self) -> bool:  # type: ignore[override]
        return self._parent.training

    @property
    def masks(self) -> tuple[Array | None, ...]:
        return self._parent.masks if self._masks is None else self._masks

    @masks.setter
    def masks(self, masks: tuple[Array | None, ...]) -> None:
        self._masks = masks

    @property
    def output_mask(self) -> Any:
        return self._parent.output_mask

    @output_mask.setter
    def output_mask(self, mask: Any) -> None:
        self._parent.output_mask = mask

    @property
    def memory(self) -> dict[str, Any] | None:  # type: ignore[override]
        memory = self._parent.memory
        return None if memory is None else memory.setdefault(self._name, {})


def _below(arrays: Mapping[str, Array], name: str) -> dict[str, Array]:
    return {key[len(name) + 1 :]: array for key, array in arrays.items() if key.startswith(f"{name}.")}
