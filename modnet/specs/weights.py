"""The `[weights]` table of a spec: which weights of another program's file are those of which node."""

from __future__ import annotations

from typing import ClassVar

from modnet.configuration.fields import Configuration, field
from modnet.words import show


class WeightsSpec(Configuration):
    """The `[weights]` table, for plugins that read the weights of other programs. Training and prediction ignore it.

    Attributes:
        nodes: the name of a node -> the name that its weights have in the file. That of a composite stands for all
            nodes in it, and a name in the file for all names that begin with it and a dot.
        ignore: names in the file that are not to be read, each with all names that begin with it and a dot.
    """

    called: ClassVar[str] = "weights"

    nodes: dict[str, str] = field(default={})
    ignore: tuple[str, ...] = ()

    def check(self) -> None:
        for name in self.ignore:
            if name in self.nodes.values():
                raise ValueError(f"ignore has {show(name)}, which nodes gives to a node")
