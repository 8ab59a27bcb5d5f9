"""Old model files, which a distribution has to read for ever: written once for each version, checked from then on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.engine.build import build
from modnet.engine.network import Network
from modnet.kinds.component import Component, Example
from modnet.kinds.layer import Layer
from modnet.kinds.node import Node
from modnet.model.load import load
from modnet.model.save import save
from modnet.plugins.faults import raised_text
from modnet.plugins.registry import Registry, default_registry
from modnet.testing.contract import ContractError, Report, Row
from modnet.testing.given import Given
from modnet.testing.gradients import layer_inputs
from modnet.words import show

SUFFIX, BESIDE = ".modnet", ".npz"
"""Of a model file, and of the arrays that it was tried with: input names, and `output.NAME` for each output."""

OUTPUT = "output."

TOLERANCE = {"float32": 1e-4, "float64": 1e-9}
"""How far predictions may differ from the stored ones, relative to the greatest: machines round differently."""

OPENS, SAME = "opens", "same predictions"
REMEDY = {
    OPENS: "A file that was written by an older version must stay readable: rename a field with renamed_from, or "
    "raise the "
    "component's version and let upgrade give today's configuration.",
    SAME: "The same options have to compute the same for ever: give another computation a new type name, or a new "
    "field whose value upgrade sets as it was.",
}


@dataclass(frozen=True)
class _Found:
    """A file with what came of it."""

    path: Path
    rows: tuple[Row, ...]

    def report(self) -> Report:
        return Report(f"file {self.path}", "file", self.path.name, self.rows)


def check_files(*paths: str | PathLike[str], registry: Registry | None = None) -> list[Report]:
    """Proves that old model files are still read, and predict what they did.

    Each is opened: its components are there, what older versions wrote is a valid configuration after `upgrade`, and
    its arrays are those that the layers ask for. Where an .npz of the same name lies beside it, its inputs give the
    outputs that it holds; `write_file` writes both.

    Args:
        paths: files, or folders in which all files `*.modnet` are looked for, in folders within them too.
        registry: where components are looked up.

    Returns:
        A report for each file.

    Raises:
        ContractError: a file cannot be opened, or predicts something else; with every one.
        FileNotFoundError: there is no such path, or no model file in a folder.
    """
    reports = examine_files(*paths, registry=registry)
    broken = [report for report in reports if report.failures]
    if broken:
        raise ContractError(broken)
    return reports


def examine_files(*paths: str | PathLike[str], registry: Registry | None = None) -> list[Report]:
    """The same as `check_files`, but it only reports."""
    registry = registry or default_registry()
    return [_examined(path, registry).report() for place in paths for path in _files(Path(place))]


def _files(place: Path) -> Iterator[Path]:
    found = sorted(place.rglob(f"*{SUFFIX}")) if place.is_dir() else [place] if place.is_file() else []
    if not found:
        what = "has no model file" if place.is_dir() else "no such file or folder"
        raise FileNotFoundError(2, what, str(place))
    yield from found


def _examined(path: Path, registry: Registry) -> _Found:
    try:
        network = load(path, registry=registry)
        _ = network.card.training  # read by further training, but not by prediction
    except Exception as error:
        return _Found(path, (Row(OPENS, "failed", raised_text(error), REMEDY[OPENS]),))
    opened = Row(OPENS, "passed", ", ".join(sorted(_versions(network))))
    beside = path.with_suffix(BESIDE)
    if not beside.is_file():
        text = f"{beside.name}, with inputs and outputs, is missing next to it; modnet.testing.write_file writes it"
        return _Found(path, (opened, Row(SAME, "not applicable", text)))
    try:
        text = _compared(network, beside)
    except Exception as error:
        return _Found(path, (opened, Row(SAME, "failed", raised_text(error), REMEDY[SAME])))
    status: Any = "failed" if text else "passed"
    return _Found(path, (opened, Row(SAME, status, text, REMEDY[SAME] if text else "")))


def _versions(network: Network) -> set[str]:
    return {f"{node.layer.type} {node.layer.version}" for node in network.graph.nodes}


def _compared(network: Network, beside: Path) -> str:
    """How predictions differ from those that are stored, or ""."""
    with np.load(beside, allow_pickle=False) as stored:
        arrays = dict(stored)
    expected = {name.removeprefix(OUTPUT): array for name, array in arrays.items() if name.startswith(OUTPUT)}
    inputs = {name: array for name, array in arrays.items() if not name.startswith(OUTPUT)}
    for name, found in _outputs(network, inputs).items():
        wanted = expected.get(name)
        if wanted is None or wanted.shape != found.shape:
            return f"{beside.name} has no output {show(name)} of shape {found.shape}"
        greatest = max(1.0, float(np.abs(wanted).max(initial=0.0)))
        distance = float(np.abs(found - wanted).max(initial=0.0))
        if not distance <= TOLERANCE[str(network.dtype)] * greatest:
            size = f"whose greatest number is {float(np.abs(wanted).max(initial=0.0)):.3g}"
            return f"output {show(name)} differs by {distance:.3g} from the one in {beside.name}, {size}"
    return ""


def _outputs(network: Network, inputs: dict[str, Array]) -> dict[str, Array]:
    found = network.forward(inputs)
    return found if isinstance(found, dict) else {next(iter(network.outputs)): found}


def write_file(path: str | PathLike[str], component: Component | Example, *input_shapes: Any, seed: int = 0) -> Path:
    """Writes a model file of a layer and an .npz with its predictions, with which `check_files` tests later versions.

    Keep both in the tests, and write new ones, under other names, when the component's version rises.

    Args:
        path: the file, whose name has the version: `tests/files/scale-1.modnet`. It must not exist yet.
        component: a layer; or an `Example` of one, which may contain data.
        input_shapes: of one sample of each input, if it is not an `Example`.
        seed: of the parameters and the inputs.

    Returns:
        The path.

    Raises:
        FileExistsError: there is such a file. An old file is never written again.
        TypeError: it is no layer.
    """
    path = Path(path)
    beside = path.with_suffix(BESIDE)
    for each in (path, beside):
        if each.exists():
            raise FileExistsError(
                17, "the file exists, and old files are never overwritten; choose another name", str(each)
            )
    example = component if isinstance(component, Example) else Example(component, tuple(input_shapes))
    if not isinstance(example.component, Layer):
        raise TypeError(f"expected a layer, found {example.component!r}; save a network that uses it with modnet.save")
    network = _network_of(example, seed)
    inputs = dict(zip(network.inputs, _inputs(example, seed), strict=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    save(network, path)
    outputs = {f"{OUTPUT}{name}": array for name, array in _outputs(network, inputs).items()}
    arrays: dict[str, Any] = {**inputs, **outputs}
    np.savez(beside, **arrays)
    return path


def _network_of(example: Example, seed: int) -> Network:
    names = [f"in{number}" for number in range(len(example.input_shapes))]
    node = Node(example.component, inputs=tuple(names))
    shapes = dict(zip(names, example.input_shapes, strict=True))
    network = build({"network": {"input": shapes, "layers": [node]}}, seed=seed)
    rng = np.random.default_rng(seed)
    # Initial ones and zeros would not tell a parameter that is used from one that is not.
    network.parameters.flat += rng.uniform(-0.1, 0.1, network.parameters.flat.shape).astype(network.dtype)
    return network


def _inputs(example: Example, seed: int) -> Sequence[Array]:
    if example.data is not None:
        return Given(example).rows(5, seed)[0]
    return layer_inputs(example.component, *example.input_shapes, batch=5, dtype=np.float32, seed=seed)
