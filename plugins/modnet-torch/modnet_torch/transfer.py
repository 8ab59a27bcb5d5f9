"""Weights of torch's modules into a network, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any

import numpy as np

import modnet
from modnet.arrays import Array
from modnet.engine.graph import GraphNode
from modnet.engine.network import Network
from modnet.errors import ParameterMismatch
from modnet.words import counted, in_columns, itemised, legible, shape_text
from modnet_torch.files import as_array, read_weights
from modnet_torch.form import Shapes
from modnet_torch.forms import feature_orders, joins_channels, mixing
from modnet_torch.matching import Matching, Seeker, match, seekers_of
from modnet_torch.modules import Module, is_weight, modules_of, whole


@dataclass(frozen=True)
class Transferred:
    """Which weights went into which node; printed, it is a table.

    Attributes:
        matching: the nodes with their modules, those without any, and the modules that are left over.
        ignored: names of arrays that are no weights, such as counters and masks.
        joining: the nodes that join the channels of an image with another axis into sequences. What reads them has its
            rows in this order, which may not be that of the model.
    """

    matching: Matching
    ignored: tuple[str, ...] = ()
    joining: tuple[str, ...] = ()

    @property
    def missing(self) -> list[str]:
        """The names of the nodes for which there are no weights."""
        return [seeker.node.name for seeker in self.matching.missing]

    @property
    def left_over(self) -> list[str]:
        """The names of the arrays that no node has taken."""
        return [name for module in self.matching.left_over for name in module.names.values()]

    def __str__(self) -> str:
        rows = [("node", "takes", "with", "by")]
        for each in self.matching.matches:
            taken = ", ".join(legible(module.name) or "(top)" for module in each.modules)
            arrays = "; ".join(map(_described, each.form.shapes))
            rows.append((legible(each.node.name), taken, arrays, each.how))
        lines = in_columns(rows, 4)
        lines += itemised((_wanted(seeker) for seeker in self.matching.missing), "missing: ")
        lines += itemised((_left(module) for module in self.matching.left_over), "left over: ")
        lines += itemised(map(legible, self.ignored), "not a weight: ")
        for name in map(legible, self.joining):
            lines.append(
                f"{name} joins channels with another axis, the channels last: where the model in torch has them first, "
                "reorder the weights of what reads it"
            )
        return "\n".join(lines)


def _described(shapes: Shapes) -> str:
    return ", ".join(f"{name} {shape_text(shape)}".strip() for name, shape in shapes.items())


def _wanted(seeker: Seeker) -> str:
    form = seeker.forms[0]
    arrays = "; ".join(_described(shapes) for shapes in form.shapes)
    return f"{legible(seeker.node.name)} ({seeker.node.type}) looks for {arrays}"


def _left(module: Module) -> str:
    return f"{legible(module.name) or '(top)'} has {_described(module.shapes)}"


def load_state_dict(
    network: Network,
    source: str | PathLike[str] | Mapping[str, Any],
    *,
    nodes: Mapping[str, str] | None = None,
    ignore: Iterable[str] | None = None,
    strict: bool = True,
) -> Transferred:
    """Copies the weights of a torch model into a network.

    Which module belongs to which node is guessed: by equal names, then by shapes, and by their order where several have
    the same shapes. What the network's spec says in its table `[weights]` counts more.

    Args:
        source: a file (`read_weights`), or a state_dict: name -> tensor or array.
        nodes: name of a node or composite -> name of a module or of one around several; by default as in the spec.
        ignore: names of modules that are not to be taken; by default as in the spec.
        strict: whether every node must find its weights, and all weights must be taken.

    Returns:
        What went where; `print` shows it as a table.

    Raises:
        WeightsMismatch: if strict, and anything is missing or left over; nothing is copied then.
        DataError: a name in `nodes` or `ignore` does not exist; a node mixes a flattened image with other numbers.
        ModelFileError, MissingExtra, OSError: as `read_weights`.
    """
    path = "the weights" if isinstance(source, Mapping) else fspath(source)
    given = source if isinstance(source, Mapping) else read_weights(source).arrays
    found = _found(network, path, given, nodes, ignore, strict)
    ours: dict[str, Array] = {**network.parameters, **network.state}
    for each in found.matching.matches:
        for name, array in each.form.read([module.arrays for module in each.modules]).items():
            ours[f"{each.node.name}.{name}"][...] = array
    return found


def _found(
    network: Network,
    path: str,
    given: Mapping[str, Any],
    nodes: Mapping[str, str] | None,
    ignore: Iterable[str] | None,
    strict: bool,
) -> Transferred:
    """Which weights belong to which node, by what is given, or else by the spec."""
    for node in mixing(network.graph, feature_orders(network.graph)):
        what = "reads a flattened image, whose numbers have another order in torch, together with other numbers"
        raise modnet.DataError(f"{legible(node.name)} ({node.type}) {what}; put a linear map before it")
    table = network.spec.weights
    chosen = nodes if nodes is not None else table.nodes if table else {}
    left_out = ignore if ignore is not None else table.ignore if table else ()
    arrays = {name: as_array(value) for name, value in given.items()}
    others = tuple(name for name, array in arrays.items() if not is_weight(name, array))
    joining = tuple(node.name for node in network.graph.nodes if joins_channels(node))
    found = Transferred(match(network.graph, modules_of(arrays), chosen, left_out), others, joining)
    if strict and (found.missing or found.left_over):
        raise WeightsMismatch(path, found)
    return found


class WeightsMismatch(modnet.ModelFileError):
    """Nodes without weights, or weights without a node.

    Attributes:
        transferred: which weights would have gone where.
    """

    def __init__(self, path: str | PathLike[str], transferred: Transferred) -> None:
        self.transferred = transferred
        missing, left = len(transferred.missing), len(transferred.left_over)
        both = [counted(missing, "node") + " without weights"] * bool(missing) + [f"{left:,} arrays left over"] * bool(
            left
        )
        hint = '[weights] in the spec says which belong together: nodes = { linear_1 = "fc1" }, ignore = ["aux"]'
        super().__init__(path, f"{' and '.join(both)}\n{transferred}\n{hint}")


def state_dict(
    network: Network,
    *,
    like: Mapping[str, Any] | None = None,
    nodes: Mapping[str, str] | None = None,
    ignore: Iterable[str] | None = None,
) -> dict[str, Array]:
    """The arrays of a network as torch has them: (out, in), channels first, in modules within modules.

    They have the names of the nodes, as in the module that `export_torch` makes; or those of a given model.

    Args:
        like: a state_dict of the model that is to take them: the inverse of `load_state_dict`. What is no weight in it,
            and what is ignored, stays as it is.
        nodes, ignore: as of `load_state_dict`.

    Returns:
        Name -> array; those of layers that torch does not have are as they are. Some are views of the network's own.

    Raises:
        WeightsMismatch: a node or a weight of `like` has no counterpart.
        DataError: the model has no place for a value, such as the shift of a norm without one.
    """
    if like is not None:
        return _written_like(network, like, _found(network, "the weights", like, nodes, ignore, True))
    found = {}
    for seeker in seekers_of(network.graph):
        node, form = seeker.node, seeker.forms[0]
        for module, own in zip(form.names, form.write(_arrays(network, node)), strict=True):
            found.update({whole(f"{node.name}{module}", name): array for name, array in own.items()})
    return found


def _arrays(network: Network, node: GraphNode) -> dict[str, Array]:
    parameters = {name: np.asarray(network.parameters[f"{node.name}.{name}"]) for name in node.parameters}
    return parameters | {name: np.asarray(network.state[f"{node.name}.{name}"]) for name in node.state}


def _written_like(network: Network, like: Mapping[str, Any], found: Transferred) -> dict[str, Array]:
    made = {name: as_array(value) for name, value in like.items()}
    writers: dict[str, str] = {}
    for each in found.matching.matches:
        for module, own in zip(each.modules, each.form.write(_arrays(network, each.node)), strict=True):
            for name, array in own.items():
                place = module.names[name]
                other = writers.setdefault(place, each.node.name)
                if other != each.node.name and not np.array_equal(made[place], array):
                    raise modnet.DataError(
                        f"{legible(place)} is that of {other} and of {each.node.name}, which now differ"
                    )
                made[place] = array
    return made


def restore(network: Network, path: str | PathLike[str], arrays: Mapping[str, Array]) -> None:
    """Fills a network with what `state_dict` gave of it; nothing is guessed.

    Raises:
        ParameterMismatch: an array is missing or has another shape, or there is one more.
    """
    ours: dict[str, Array] = {**network.parameters, **network.state}
    expected: dict[str, tuple[int, ...]] = {}
    seekers = seekers_of(network.graph)
    for seeker in seekers:
        for module, shapes in _modules(seeker):
            expected.update({whole(module, name): shape for name, shape in shapes.items()})
    wrong = {
        name: (str(arrays[name].shape), str(shape))
        for name, shape in expected.items()
        if name in arrays and arrays[name].shape != shape
    }
    missing, unexpected = [n for n in expected if n not in arrays], [n for n in arrays if n not in expected]
    if missing or unexpected or wrong:
        raise ParameterMismatch(path, missing, unexpected, wrong)
    for seeker in seekers:
        found = [{name: arrays[whole(module, name)] for name in shapes} for module, shapes in _modules(seeker)]
        for name, array in seeker.forms[0].read(found).items():
            ours[f"{seeker.node.name}.{name}"][...] = array


def _modules(seeker: Seeker) -> Iterator[tuple[str, Shapes]]:
    """The modules that `state_dict` writes for a node, and the shapes in them."""
    for name, shapes in zip(seeker.forms[0].names, seeker.forms[0].shapes, strict=True):
        yield f"{seeker.node.name}{name}", shapes
