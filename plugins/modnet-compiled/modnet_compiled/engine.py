"""The engine: a network's programs, one for each shape of its samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modnet.arrays import Array
from modnet.engine.built import BuiltGraph
from modnet.errors import ShapeError
from modnet_compiled.library import Library, library
from modnet_compiled.network import Lowered
from modnet_compiled.placing import Constants, placed
from modnet_compiled.program import Program, Workspaces

Form = tuple[tuple[tuple[int, ...], bool], ...]
"""For each input the shape of a sample, and whether it was given in another dtype than that of the network."""

MOST_PROGRAMS = 256
"""How many shapes of samples an engine keeps the programs of."""

TRIAL = 64
"""A size that stands for variable axes when a network is loaded, to find out what cannot be compiled."""


def engine_of(network: BuiltGraph) -> Engine:
    """What computes the outputs of a network in native code.

    Raises:
        CannotCompile: parts of the network have no compiled form; the text names all of them.
        ModnetError: there is no C compiler, or it fails.
    """
    return Engine(network, library(network.dtype.name))


class Engine:
    """Computes the outputs of a network; any number of threads may call it.

    Args:
        network: the network.
        code: the native code for its dtype.

    Attributes:
        takes_any_number: nan and inf go through it as through the network's own layers.
        takes_raw: it wants the inputs as they were given, too.
    """

    takes_any_number = True
    takes_raw = True

    def __init__(self, network: BuiltGraph, code: Library) -> None:
        self._network, self._library = network, code
        self._constants, self._workspaces = Constants(code), Workspaces()
        self._programs: dict[Form, tuple[Program, list[int]]] = {}
        variable = any(None in shape for shape in network.inputs.values())
        sizes = [tuple(TRIAL if size is None else size for size in shape) for shape in network.inputs.values()]
        self._only = None
        try:
            made = self._program(tuple((shape, True) for shape in sizes))
        except ShapeError:
            if not variable:
                raise
            return  # the size on trial does not fit this network; what can be said is said in the first call
        self._only = None if variable or made[1] else made

    def __call__(self, inputs: Sequence[Array], raw: Sequence[Array]) -> list[Array]:
        """The outputs in order.

        Args:
            inputs: in order, in the dtypes that the network computes with.
            raw: the same as they were given.
        """
        program, wanted = self._only or self._program(
            tuple((array.shape[1:], array is not given) for array, given in zip(inputs, raw, strict=True))
        )
        given = [array if _is_plain(array) else array.copy() for array in inputs]
        if wanted:
            given += [np.array(raw[number], np.float64, order="C") for number in wanted]
        return program(given)

    def _program(self, form: Form) -> tuple[Program, list[int]]:
        """The program for samples of these forms, and which inputs it also wants as they were given."""
        found = self._programs.get(form)
        if found is None:
            if len(self._programs) >= MOST_PROGRAMS:
                self._programs.clear()
            lowered = Lowered(self._network, *zip(*form, strict=True))
            values = lowered.operations, lowered.inputs, lowered.outputs
            program = placed(*values, self._constants, self._workspaces, self._library)
            found = self._programs[form] = program, lowered.raw_numbers
        return found


def _is_plain(array: Array) -> bool:
    flags = array.flags
    return bool(flags.c_contiguous and flags.aligned)
