"""docs/format.md is true, and the readers beside it, which do without modnet, read what modnet writes."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import modnet
from modnet.data.column_schema import ColumnSchema
from modnet.engine import expansion
from modnet.kinds import layer
from modnet.model import container, stored
from modnet.model.reader import read_header

from . import hostile, surgery

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "format.md").read_text(encoding="utf-8")
GOLDEN = sorted((DOCS.parent / "tests" / "golden").glob("*.modnet"))

TYPES = {"int": int, "text": str, "bin": bytes, "list": list, "map": dict, "nil": type(None)}


# The page


def rows(head):
    """The cells of each row of the table that begins with that line."""
    _, _, rest = PAGE.partition(f"\n{head}\n")
    assert rest, head
    lines = rest.split("\n\n")[0].splitlines()[1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def keys(before):
    """Key -> type, of the first table of keys after some words."""
    _, _, rest = PAGE.partition(before)
    assert rest, before
    table = rest.partition("| key | type | |\n|---|---|---|\n")[2].split("\n\n")[0]
    return dict(re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", table, re.MULTILINE))


def test_constants():
    documented = {
        name: int(value.replace(",", "")) for name, value in re.findall(r"^\| `([A-Z_]+)` \| ([\d,]+) \|", PAGE, re.M)
    }
    names = [name for name in vars(container) if name.endswith("_LIMIT")]
    expected = {name: getattr(container, name) for name in ("ALIGNMENT", "FRAME_LENGTH", "ID_LENGTH", "CHUNK_LENGTH")}
    expected |= {name: getattr(container, name) for name in names}
    expected |= {name: getattr(stored, name) for name in ("NODE_LIMIT", "BYTES_FOR_A_NODE", "COMPONENTS_FOR_A_NODE")}
    expected |= {"PARTS_FOR_A_NODE": expansion.PARTS_FOR_A_NODE, "MOST_AXES": layer.MOST_AXES}
    assert documented == expected


def test_dtypes():
    documented = {name.strip("`"): int(size) for name, size, _ in rows("| dtype | bytes | |")}
    assert documented == {name: dtype.itemsize for name, dtype in container.DTYPES.items()}


def test_the_file_that_is_shown_byte_by_byte():
    content = hostile.small()
    shown = rows("| byte | content (hexadecimal) | |")
    starts = [int(start) for start, _, _ in shown]
    for (_, cell, _), start, end in zip(shown, starts, [*starts[1:], len(content)], strict=True):
        _, digits, rest = cell.split("`")
        expected = bytes.fromhex(digits)
        assert content[start:end].startswith(expected), start
        assert rest == " ..." or start + len(expected) == end


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """The header of a checkpoint of a network that knows the columns of its table."""
    folder = tmp_path_factory.mktemp("checkpoint")
    (golden,) = (path for path in GOLDEN if path.stem == "table")
    network = modnet.load(golden)
    callback = {"type": "checkpoint", "directory": str(folder)}
    modnet.train(network, np.ones((4, 5)), np.zeros(4, int), epochs=1, callbacks=[callback])
    (path,) = folder.iterdir()
    return surgery.apart(path.read_bytes())[0]


TABLES = {
    "## The header": lambda header: header,
    "`segments` lists": lambda header: header["segments"][0],
    "`needs` has": lambda header: header["needs"][0],
    "`schema` is": lambda header: header["schema"],
    "## The network": lambda header: header["spec"],
    "`spec.network`:": lambda header: header["spec"]["network"],
    "## Checkpoints": lambda header: header["training"],
}


@pytest.mark.parametrize("before", TABLES)
def test_keys_and_their_types(before, checkpoint):
    value = TABLES[before](checkpoint)
    documented = keys(before)
    assert list(documented) == list(value)
    for key, kinds in documented.items():
        assert type(value[key]) in [TYPES[kind.split()[0]] for kind in kinds.split(" or ")], key


def test_the_keys_of_a_component_and_of_a_column(checkpoint):
    component = checkpoint["needs"][0]["components"][0]
    assert sorted(component) == ["kind", "type", "version"]
    before, after = PAGE.partition("A column is a map of ")[2].split("### Figures")[0].split(", of:")
    documented = [*re.findall(r"`(\w+)`", before), *re.findall(r"^\| `(\w+)` \|", after, re.MULTILINE)]
    assert documented == list(ColumnSchema(name="a", kind="number").plain())
    for column in checkpoint["schema"]["inputs"]["input"]:
        assert set(column) <= set(documented)


def test_a_model_has_the_keys_of_a_checkpoint_but_for_training(checkpoint):
    for path in GOLDEN:
        header, _ = surgery.apart(path.read_bytes())
        is_old = "nodes" not in header["spec"]  # from before headers had the names of nodes, results and data
        later = ("results", "data") if is_old else ()
        assert list(header) == [key for key in checkpoint if key not in ("training", *later)]
        assert not (is_old and path.stem == "card")
        assert [segment["group"] for segment in header["segments"]] == ["parameters", "state"]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_file_is_its_header_and_its_payloads_put_together(path):
    assert surgery.signed(*surgery.apart(path.read_bytes())) == path.read_bytes()


# The readers

READERS = {"format_reader.py": [sys.executable], "format_reader.mjs": ["node"]}

NETWORKS = {
    "chain": ["relu", {"type": "linear", "out_features": 5}, "relu", {"type": "linear", "out_features": 3}, "softmax"],
    "activations": [
        {"type": "linear", "out_features": 4, "activation": "relu", "bias": False},
        {"type": "linear", "out_features": 6, "name": "middle", "activation": "relu"},
        {"type": "linear", "out_features": 2, "activation": "softmax"},
    ],
}


@pytest.fixture(params=READERS)
def command(request):
    """The reader's command."""
    if request.param.endswith(".mjs") and shutil.which("node") is None:
        pytest.skip("node is not installed")
    return [*READERS[request.param], DOCS / request.param]


def predictions(command, path, x):
    done = subprocess.run([*command, path, json.dumps(x)], capture_output=True, text=True, check=True)
    return [[float(number) for number in line.split()] for line in done.stdout.splitlines()]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layers", NETWORKS.values(), ids=NETWORKS)
def test_readers_without_modnet_predict_the_same(command, layers, dtype, tmp_path):
    network = modnet.build({"network": {"input": [3], "layers": layers, "dtype": dtype}}, seed=3)
    for name, array in network.parameters.items():
        array[...] += 0.1 * len(name)  # biases too
    modnet.save(network, tmp_path / "model.modnet")
    x = [[1.0, -2.0, 0.5], [0.0, 0.25, 3.0]]
    np.testing.assert_allclose(predictions(command, tmp_path / "model.modnet", x), network.predict(x), atol=1e-6)


@pytest.mark.parametrize("part", ["header", "array"])
def test_readers_notice_damage(command, part, tmp_path):
    path = tmp_path / "model.modnet"
    spec = {"network": {"input": [2], "layers": [{"type": "linear", "out_features": 1}], "dtype": "float64"}}
    modnet.save(modnet.build(spec), path)
    content = bytearray(path.read_bytes())
    content[20 if part == "header" else read_header(path).segments[0].offset] ^= 1
    path.write_bytes(content)
    done = subprocess.run([*command, path, "[[1, 2]]"], capture_output=True, text=True, check=False)
    assert done.returncode
    assert f"{part} is damaged" in done.stderr


@pytest.mark.parametrize("reader", READERS)
def test_readers_are_short_and_do_without_modnet(reader):
    lines = (DOCS / reader).read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 40
    assert not any(re.search(r"\b(import|from|require)\b.*\bmodnet\b(?!-reader-js)", line) for line in lines)
    assert f"[{reader}]({reader})" in PAGE
