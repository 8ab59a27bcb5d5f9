"""Looks for model files whose values make no sense and that are neither refused in words nor used within bounds.

    python tests/fuzz/semantic.py [SEED] [COUNT]

The header of a right file is changed where it means something (nodes, names, shapes, views, schema, needs, figures),
and signed anew. Every operation on the file has to end in a result or a `ModnetError`, within the memory that
docs/format.md promises and a few seconds. A find is printed with the seed that repeats it, and the exit status is 1.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # this is run as a script

import numpy as np  # noqa: E402
from click.testing import CliRunner  # noqa: E402

import modnet  # noqa: E402
from modnet.cli.app import cli  # noqa: E402
from modnet.engine.built import Layout  # noqa: E402
from modnet.engine.expansion import build_graph  # noqa: E402
from modnet.engine.passes import Pass  # noqa: E402
from modnet.model.container import Fault  # noqa: E402
from modnet.model.header import Header  # noqa: E402
from modnet.model.stored import read_spec  # noqa: E402
from tests.fuzz.seeds import GOLDEN  # noqa: E402
from tests.model import surgery  # noqa: E402
from tests.model.hostile import assemble  # noqa: E402

ALLOWANCE = 64 << 20
"""Bytes that any operation may take, beside 8 times the size of the file."""

SECONDS = 20
"""Of processor time for all operations on one file: many times what they take, as machines differ."""

LONGEST_MESSAGE = 10_000

WIDEST = 1 << 20
"""Numbers in an input for which a prediction is tried."""

NUMBERS = (0, -1, 1, 2, 3, 7, 1000, 10_000, 2**20, 2**31, 2**40, 2**53, 2**61, 2**63 - 1, 2**64 - 1, -(2**63))
TEXTS = (
    "",
    "a",
    "input",
    "relu_1",
    "linear_1",
    "\x1b[31m",
    "\u202e",
    "é" * 300,
    "x" * 100_000,
    "a.b." * 100,
    "=1+1",
    "variable",
)

Change = Callable[[dict[str, Any], Random], None]


# What is changed


def nodes_of(header: dict[str, Any]) -> list[Any]:
    return header["spec"]["network"]["layers"]  # type: ignore[no-any-return]


def tables(value: Any) -> Iterator[dict[str, Any]]:
    """All tables within a value."""
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from tables(item)


def a_number(header: dict[str, Any], random: Random) -> None:
    """Another number for an option, an axis or a place of the arrays."""
    part = random.choice([header["spec"], header["spec"], header["schema"], header["views"], header["segments"]])
    found = [(table, key) for table in tables(part) for key, value in table.items() if type(value) in (int, float)]
    found += [(table[key], at) for table in tables(part) for key in table for at in range(len_of(table[key]))]
    found += [(row, at) for row in header["views"] for at in (1, 2)] + [
        (row[3], at) for row in header["views"] for at in range(len(row[3]))
    ]
    container, key = random.choice(found)
    container[key] = random.choice(NUMBERS)


def len_of(value: Any) -> int:
    return len(value) if isinstance(value, list) and value and type(value[0]) is int else 0


def a_name(header: dict[str, Any], random: Random) -> None:
    """Another text for a name, an input or an output."""
    node = random.choice(list(tables(nodes_of(header))) or [{}])
    match random.randrange(5):
        case 0:
            node["name"] = random.choice(TEXTS)
        case 1:
            node["inputs"] = [random.choice(TEXTS) for _ in range(random.choice([0, 1, 2, 5000]))]
        case 2:
            node["shares"] = random.choice(TEXTS)
        case 3:
            header["spec"]["network"]["outputs"] = [random.choice(TEXTS) for _ in range(random.randrange(3))]
        case 4 if header["views"]:
            random.choice(header["views"])[0] = random.choice(TEXTS)


def more_nodes(header: dict[str, Any], random: Random) -> None:
    """Many copies of a node, or a composite around some, or several."""
    nodes = nodes_of(header)
    node = random.choice(nodes or ["relu"])
    at = random.randrange(len(nodes) + 1)
    match random.randrange(5):
        case 0:
            nodes[at:at] = [node] * random.choice([1, 10, 3000])
        case 1:
            for _ in range(random.choice([1, 1, 3, 20])):
                node = {"type": "repeat", "count": random.choice([1, 2, 100, 10_000]), "layers": [node]}
            nodes.insert(at, node)
        case 2:
            for _ in range(random.choice([1, 3, 30])):
                node = {"type": "residual", "layers": [node]}
            nodes.insert(at, node)
        case 3:
            nodes.insert(
                at, {"type": random.choice(["add", "concatenate"]), "inputs": ["input"] * random.choice([2, 4, 20_000])}
            )
        case 4:
            inner = {"type": "concatenate", "inputs": ["input"] * random.choice([2, 4, 1000])}
            nodes.insert(at, {"type": "repeat", "count": random.choice([2, 12, 2000]), "layers": [inner]})
    add_needs(header)


def another_layer(header: dict[str, Any], random: Random) -> None:
    """A layer that looks at the same numbers in another way, or makes many of few."""
    number, few = random.choice(NUMBERS), random.randrange(1, 5)
    node = random.choice(
        [
            {"type": "reshape", "shape": [number] + [1] * random.choice([0, 1, 70, 20_000])},
            {"type": "reshape", "shape": [-1, few]},
            {"type": "linear", "out_features": number},
            {"type": "embedding", "count": number, "features": few},
            {"type": "upsample2d", "scale_factor": number},
            {"type": "zero_pad2d", "padding": number},
            {"type": "max_pool2d", "pool_size": number, "stride": 1, "padding": "same"},
            {"type": "conv2d", "out_channels": few, "kernel_size": number, "padding": "same"},
            {"type": "conv1d", "out_channels": few, "kernel_size": 2, "dilation": number, "padding": "same"},
            "flatten",
        ]
    )
    nodes = nodes_of(header)
    nodes.insert(random.randrange(len(nodes) + 1), node)
    add_needs(header)


def another_input(header: dict[str, Any], random: Random) -> None:
    shape: Any = [random.choice([*NUMBERS, None, "variable"]) for _ in range(random.choice([0, 1, 2, 3, 70]))]
    if random.randrange(3) == 0:
        shape = {f"{random.choice(TEXTS)}{at}": shape for at in range(random.choice([1, 2, 3000]))}
    header["spec"]["network"]["input"] = shape


def a_schema(header: dict[str, Any], random: Random) -> None:
    """Columns of a table that fit, or nearly."""
    kind = random.choice(["number", "category", "text"])
    names = [random.choice(TEXTS) + str(at) for at in range(random.choice([1, 3, 3000]))]
    column = {
        "name": random.choice(TEXTS),
        "kind": kind,
        "categories": names,
        "encoding": "one_hot",
        "missing": "error",
    }
    header["schema"] = {"inputs": {"input": [column] * random.randrange(1, 4)}, "targets": {"output": [column]}}


def more_needs(header: dict[str, Any], random: Random) -> None:
    components = [
        {"kind": "layer", "type": f"{random.choice(TEXTS)}{at}", "version": 1}
        for at in range(random.choice([1, 50, 5000]))
    ]
    distribution = random.choice(["modnet-core", "modnet-conv", "numpy", "nobodys", "", *TEXTS])
    header["needs"].append({"distribution": distribution, "version": "1.0", "components": components})


def figures(header: dict[str, Any], random: Random) -> None:
    value = random.choice([[0.5] * 5, [[1, 2], [3, 4]], float("nan"), 10**18, "a", None, [[]] * 3000, {"a": {}}])
    name = random.choice(TEXTS)
    header[random.choice(["history", "metrics", "metadata", "made_by", "training", "further"])] = random.choice(
        [{name: value}, value]
    )


def add_needs(header: dict[str, Any]) -> None:
    """Lists what the changes may have added."""
    listed = {(c["kind"], c["type"]) for row in header["needs"] for c in row["components"]}
    wanted = {"modnet-core": ["repeat", "residual", "add", "concatenate", "reshape", "linear", "embedding", "flatten"]}
    wanted["modnet-conv"] = ["upsample2d", "zero_pad2d", "max_pool2d", "conv2d", "conv1d"]
    for distribution, names in wanted.items():
        kinds = [("layer", name) for name in names]
        if distribution == "modnet-core":
            kinds += [("activation", name) for name in ("relu", "identity")] + [
                ("initializer", n) for n in ("lecun_normal", "zeros")
            ]
        row = {"distribution": distribution, "version": "0.1.0"}
        components = [{"kind": kind, "type": name, "version": 1} for kind, name in kinds if (kind, name) not in listed]
        if components:
            header["needs"].append({**row, "components": components})


CHANGES: tuple[Change, ...] = (
    *(
        a_number,
        a_number,
        a_name,
        more_nodes,
        more_nodes,
        another_layer,
        another_layer,
        another_input,
        a_schema,
        more_needs,
    ),
    *(figures, surgery.change),
)


def with_its_arrays(header: dict[str, Any], payloads: tuple[bytes, ...]) -> bytes:
    """The file with the arrays that its network asks for, all zeros, so that what is wrong is met further on."""
    _, spec = read_spec("", Header.parse(header), 0, modnet.default_registry())
    layout = Layout.of(build_graph(spec, 10_000))
    if layout.nbytes(np.dtype(spec.dtype)) > ALLOWANCE // 8:
        return surgery.signed(header, payloads)
    parts, views, segments = [], [], []
    start = 0
    for group, shapes in (("parameters", layout.parameters), ("state", layout.state)):
        begin = start
        for name, shape in shapes.items():
            views.append([name, len(segments), start, list(shape)])
            start += int(np.prod(shape)) * np.dtype(spec.dtype).itemsize
        parts.append(bytes(start - begin))
        segments.append({"group": group, "dtype": spec.dtype, "offset": begin, "length": start - begin, "sha256": b""})
        start = -(-(start + 5) // 64) * 64
    return surgery.signed({**header, "segments": segments, "views": views}, tuple(parts))


def mutated(seeds: list[bytes], random: Random) -> bytes:
    header, payloads = surgery.apart(random.choice(seeds))
    if random.randrange(4):
        header["spec"].pop("nodes", None)  # with which few changes of the spec come further
    for _ in range(random.choice([1, 1, 2, 3])):
        # An earlier change may have taken away what this one changes.
        with suppress(KeyError, TypeError, IndexError, AttributeError, ValueError):
            random.choice(CHANGES)(header, random)
    if random.randrange(2):
        try:
            return with_its_arrays(header, payloads)
        except (modnet.ModnetError, Fault, MemoryError, TypeError, KeyError, AttributeError):
            pass
    try:
        return surgery.signed(header, payloads)
    except (ValueError, TypeError, OverflowError):
        return assemble({**header, "further": None}, payloads)


# What is done with it


def predicted(network: modnet.Network, x: dict[str, Any]) -> None:
    """Predicts, where that needs little: what it may take at most is what the machine has."""
    cost = Pass(network, list(network.graph.outputs.values())).cost(list(x.values()))
    if 2 * cost.row + cost.once < ALLOWANCE // 8 and cost.work < 10**10:
        network.predict(x)


def used(path: Path, other: Path) -> None:
    """Everything that can be done with a file. Raises what no user should see."""
    network = None
    message = ""
    try:
        network = modnet.load(path)
    except modnet.ModnetError as error:
        message = str(error)
    assert len(message) < LONGEST_MESSAGE
    if network is not None:
        saved = path.with_name("saved.modnet")
        try:
            modnet.save(network, saved)
            modnet.load(saved)
        except modnet.ModelFileError:
            pass  # such as more nodes than its arrays justify
        str(network.summary())
        with suppress(modnet.ModnetError):
            _ = network.card.training
        shapes = {name: tuple(2 if axis is None else axis for axis in shape) for name, shape in network.inputs.items()}
        if sum(int(np.prod(shape, dtype=object)) for shape in shapes.values()) <= WIDEST:
            with suppress(modnet.ModnetError), np.errstate(all="ignore"):
                predicted(network, {name: np.zeros((2, *shape), np.float32) for name, shape in shapes.items()})
    out = path.with_name("out.modnet")
    commands = (
        *(
            ["inspect", path],
            ["inspect", path, "--json"],
            ["verify", path],
            ["diff", path, other],
            ["diff", other, path],
        ),
        *(["edit", path, "-o", out, "--rename", "linear_1=hidden"], ["edit", path, "-o", out, "--cast", "float16"]),
        ["summary", path],
    )
    for command in commands:
        done = CliRunner().invoke(cli, [os.fspath(part) for part in command])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert "unexpected error" not in done.output, f"{command[0]}: {done.output[:500]}"
        if "--json" in command and done.exit_code == 0:
            json.loads(done.stdout)


def peak() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main(seed: int, count: int) -> int:
    """Tries files; gives how many finds there were."""
    seeds = [path.read_bytes() for path in sorted(GOLDEN.rglob("*.modnet"))]
    seeds = [content for content in seeds if len(content) < 100_000]
    finds = 0
    warnings.simplefilter("ignore")
    os.fsync = lambda descriptor: None  # type: ignore[assignment]  # none of these files has to survive a loss of power
    with TemporaryDirectory() as folder:
        path, other = Path(folder, "model.modnet"), Path(folder, "other.modnet")
        other.write_bytes(seeds[0])
        for content in seeds:  # what every process has that has done these things once
            path.write_bytes(content)
            used(path, other)
        for number in range(seed, seed + count):
            content = mutated(seeds, Random(number))
            path.write_bytes(content)
            before, start = peak(), time.process_time()
            found = ""
            try:
                used(path, other)
            except BaseException:
                found = traceback.format_exc(limit=-6)
            grown, seconds = peak() - before, time.process_time() - start
            if grown > ALLOWANCE + 8 * len(content) or seconds > SECONDS:
                found += f"{grown:,} bytes and {seconds:.1f} s of processor time for a file of {len(content):,} bytes"
            if found:
                finds += 1
                print(f"--- python tests/fuzz/semantic.py {number} 1\n{found}", flush=True)
    print(f"{count} files, {finds} finds", flush=True)
    return finds


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    raise SystemExit(bool(main(*numbers, *(0, 1000)[len(numbers) :])))
