"""What a prediction does to arrays, noted call by call, so that the next one need not ask the layers again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import length_hint
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.engine.graph import GraphNode
from modnet.kinds.context import Context, Shared
from modnet.kinds.layer import Layer

Call = tuple[int, Any, Any, Context, tuple[int, ...]]
"""Slot, forward, backward, context and sources of a node."""

COPIED = 1 << 14
"""Up to this size in bytes, an array that is a new one each time is copied to the place from which later calls read."""

MOST_PROGRAMS = 8
"""The number of input shapes for which a pass keeps programs."""


class Program:
    """The calls for inputs of certain shapes and dtypes.

    Attributes:
        held: the bytes of the pass's buffers; when they grow, the calls would keep the old ones alive.
        convert: whether inputs are converted into buffers.
        copied: (slot, array): inputs that are copied into that array.
        raw: whether a layer looks at the inputs as they were given.
        passed: the slots of inputs that are read where they are.
        calls: without arguments, in order.
        ends: (slot, number of the calls up to the end of this node), in order.
        filled: (slot, array) for each value that is the same array each time.
    """

    def __init__(self, convert: bool) -> None:
        self.held = 0
        self.convert = convert
        self.raw = False
        self.copied: list[tuple[int, Array]] = []
        self.passed: list[int] = []
        self.calls: list[Callable[[], object]] = []
        self.ends: list[tuple[int, int]] = []
        self.filled: list[tuple[int, Array]] = []

    def slot(self, done: int) -> int:
        """The node whose call failed, from the number of calls that were made."""
        return next((slot for slot, end in self.ends if done <= end), 0)


class Programs:
    """The programs of a pass that only predicts: a pass of the second batch of a shape is noted, later ones repeat it.

    Args:
        nodes, calls: of the pass, in order.
        values: of all slots; the pass reads its results there.
        converted: the inputs, in the dtypes of their slots.
        raw: (slot, inputs) -> what a layer with `raw_input` finds in `context.raw`.
        shared: what the contexts have in common.

    Attributes:
        at: the slot of the node that has failed; None if an input could not be converted.
    """

    def __init__(
        self,
        nodes: Sequence[GraphNode],
        calls: Sequence[Call],
        values: list[Any],
        converted: Callable[[Sequence[Array]], list[Array]],
        raw: Callable[[int, Sequence[Array]], Array | None],
        shared: Shared,
    ) -> None:
        self._nodes, self._calls, self._values = nodes, calls, values
        self._converted, self._raw, self._shared = converted, raw, shared
        self._known: dict[Any, Program | None] = {}
        self._filled: Program | None = None
        self._inputs: Sequence[Array] = ()
        self.at: int | None = None

    def __getstate__(self) -> dict[str, Any]:
        # A stream can be copied and pickled; its calls, which use arrays of this process, are recorded again.
        return self.__dict__ | {"_known": {}, "_filled": None}

    def forget(self) -> None:
        """The values of the slots have been changed by others."""
        self._filled = None

    def forward(self, inputs: Sequence[Array]) -> bool:
        """Computes the values of all slots; False if these shapes are new, and nothing was done."""
        self.at = None
        x = inputs[0]
        key: Any = (x.shape, x.dtype) if len(inputs) == 1 else tuple((array.shape, array.dtype) for array in inputs)
        program = self._known.get(key)
        if program is not None and program.held == self._shared.held:
            calls = iter(self._begun(program, inputs))
            try:
                for call in calls:
                    call()
            except Exception:
                self.at = program.slot(len(program.calls) - length_hint(calls))
                raise
            finally:
                self._inputs = ()
            return True
        if key not in self._known:
            if len(self._known) >= MOST_PROGRAMS:
                self._known.clear()
            self._known[key] = None
            return False
        self._known[key] = None  # should it fail now, the next pass records it again
        self._known[key] = self._noted(inputs)
        return True

    def _begun(self, program: Program, inputs: Sequence[Array]) -> list[Callable[[], object]]:
        """Puts the inputs in their places; the calls that are left to be made."""
        values = self._values
        if self._filled is not program:
            for slot, array in program.filled:
                values[slot] = array
            self._filled = program
        given = self._converted(inputs) if program.convert else inputs
        for slot, array in program.copied:
            array[...] = given[slot]  # faster than copyto
        if program.passed:
            for slot in program.passed:
                values[slot] = given[slot]
        if program.raw:
            self._inputs = inputs
        return program.calls

    def _noted(self, inputs: Sequence[Array]) -> Program:
        """Sends a batch forward, and notes what was done."""
        values, program = self._values, self._placed(inputs)
        moving = set(program.passed)
        self._inputs = inputs
        for node, call in zip(self._nodes, self._calls, strict=True):
            self.at = node.slot
            noted = None
            if self._can_note(node, program, moving):
                noted = self._noted_node(call)
            else:
                self._run(call)
            program.raw |= bool(call[3].raw)
            program.calls += [self._again(node, call, moving)] if noted is None else noted
            program.ends.append((node.slot, len(program.calls)))
        self._inputs = ()
        program.held = self._shared.held
        program.filled = [
            (slot, value) for slot, value in enumerate(values) if value is not None and slot not in moving
        ]
        self._filled = program
        return program

    def _placed(self, inputs: Sequence[Array]) -> Program:
        """A program without calls yet; the inputs are where its calls will read them."""
        given = self._converted(inputs)
        program = Program(any(one is not other for one, other in zip(given, inputs, strict=True)))
        for slot, array in enumerate(given):
            self._values[slot] = array
            if array is not inputs[slot]:
                continue
            if array.nbytes > COPIED:
                program.passed.append(slot)
            else:
                own = self._values[slot] = array.copy()
                program.copied.append((slot, own))
        return program

    def _can_note(self, node: GraphNode, program: Program, moving: set[int]) -> bool:
        if not moving.isdisjoint(node.inputs) or (node.layer.raw_input and program.convert) or not repeats(node.layer):
            return False
        # A reshape would copy an array with gaps, and the copy would not be recorded.
        return all(self._values[source].flags.c_contiguous for source in node.inputs)

    def _noted_node(self, call: Call) -> list[Callable[[], object]] | None:
        """Runs a node; its calls, or None if it does not repeat them."""
        slot, forward, _, context, sources = call
        context.begin()
        context.note()
        try:
            self._values[slot] = forward(context, *[self._values[source] for source in sources])
        finally:
            noted = context.noted()
        return noted

    def _run(self, call: Call) -> None:
        """Runs a node as a pass does that notes nothing."""
        slot, forward, _, context, sources = call
        context.begin()
        if context.raw:
            context.raw = tuple(self._raw(source, self._inputs) for source in sources)
        self._values[slot] = forward(context, *[self._values[source] for source in sources])
        if context.raw:
            context.raw = (None,) * len(sources)  # do not keep the caller's arrays in memory

    def _again(self, node: GraphNode, call: Call, moving: set[int]) -> Callable[[], object]:
        """What runs a node again that has just run, whose calls are not noted."""
        values, slot, found = self._values, node.slot, self._values[node.slot]
        steady = repeats(node.layer) and not any(np.may_share_memory(found, values[source]) for source in node.inputs)
        if node.layer.outputs or (found.nbytes > COPIED and not steady):
            moving.update(node.slots)
            return partial(self._run, call)
        # A layer that promises to repeat its calls writes into the same buffer each time, even if none is noted.
        kept = values[slot] = found if steady else found.copy()

        def run() -> None:
            self._run(call)
            if values[slot] is not kept:
                np.copyto(kept, values[slot])
                values[slot] = kept

        return run


def repeats(layer: Layer) -> bool:
    """Whether a layer promises to repeat its calls; the promise is not that of a `forward` in a class made from it."""
    if not layer.repeats:
        return False
    for cls in type(layer).__mro__:
        if "repeats" in vars(cls):
            return True
        if "forward" in vars(cls):
            return False
    return False
