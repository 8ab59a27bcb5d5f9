"""One way in which the arrays of a node look in torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from modnet.arrays import Array

Arrays = Mapping[str, Array]
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Form:
    """The modules of torch that have the arrays of a node.

    Attributes:
        names: of the modules, after the name of the node; ".out_proj" is one within it.
        shapes: for each module, name -> shape of its arrays.
        read: the arrays of the modules -> those of the node.
        write: the arrays of the node -> those of the modules.
        roles: where models call the modules by names of their own, how such a name begins or ends, for each; empty
            where the names are torch's.
    """

    names: tuple[str, ...]
    shapes: tuple[Shapes, ...]
    read: Callable[[Sequence[Arrays]], dict[str, Array]]
    write: Callable[[Arrays], list[dict[str, Array]]]
    roles: tuple[str, ...] = ()
