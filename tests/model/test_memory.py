"""How much memory a file can make a process use: measured from outside, as the peak of what is resident."""

from __future__ import annotations

import os
import struct
from hashlib import sha256
from pathlib import Path

import msgpack
import numpy as np
import pytest

import modnet
from modnet.model import container
from modnet.model.reader import read_header
from modnet.model.writer import Group, write

from . import hostile, surgery
from .endurance import growth, shared

pytest.importorskip("resource", reason="the system does not tell the peak of a process")
pytestmark = pytest.mark.slow

ALLOWANCE = 64 << 20

# What is refused


def with_list(item: bytes, count: int) -> bytes:
    """A header that has, beside what a right one has, a list of the same item again and again."""
    return with_value(b"\xdd" + struct.pack(">I", count) + item * count)


def with_value(value: bytes) -> bytes:
    return b"\x85" + msgpack.packb(hostile.document())[1:] + b"\xa1a" + value


def filled(item: bytes) -> bytes:
    return with_list(item, ((16 << 20) - 2000) // len(item))


def to_the_limit(item: bytes, values: int = 1) -> bytes:
    """As many items as are allowed, and then a file that ends too early."""
    return with_list(item, (container.VALUE_LIMIT - 200) // values)


def many_views(count: int) -> bytes:
    """Right to the last view but one."""
    header = hostile.document()
    header["segments"] = [{**header["segments"][0], "length": 4 * count}]
    header["views"] = [[f"node_{i}.weight", 0, 4 * i, [1, 1]] for i in range(count)]
    header["views"][-1][2] += 1
    return msgpack.packb(header)


HEADERS = {
    "empty maps": lambda: filled(b"\x80"),
    "empty lists": lambda: filled(b"\x90"),
    "integers": lambda: filled(b"\xcd\x7f\xff"),
    "floats": lambda: filled(msgpack.packb(0.1)),
    "short texts": lambda: filled(b"\xa2ab"),
    "short bins": lambda: filled(b"\xc4\x01a"),
    "maps in lists": lambda: filled(b"\x91\x81\xa1a\x80"),
    "lists of 1,000": lambda: filled(b"\xdc\x03\xe8" + b"\xa2ab" * 1000),
    "lists that begin and do not end": lambda: with_value((b"\xdc\xff\xff" + b"\xa2ab" * 60_000) * 85),
    "one map": lambda: with_value(b"\xdf" + struct.pack(">I", 1 << 20) + b"\xa1a\x80" * (1 << 20)),
    "claims in claims": lambda: with_value(b"\xdd\x00\xff\xff\xff" * 1000 + b"\xc0" * (15 << 20)),
    "claims in claims, too deep for the parser": lambda: with_value(b"\xdd\x00\xff\xff\xff" * (3 << 20)),
    "a text with one wide character": lambda: with_value(
        b"\xdb" + struct.pack(">I", 16_700_000) + "\U0001f600".encode() + b"a" * 16_699_996
    ),
    "a text with a wide character at its end": lambda: with_value(
        b"\xdb" + struct.pack(">I", 16_700_000) + b"a" * 16_699_996 + "\U0001f600".encode()
    ),
    "views, too many": lambda: many_views(200_000),
    "views, the last one wrong": lambda: many_views(container.VALUE_LIMIT // 7 - 10),
    "empty maps, as many as allowed": lambda: to_the_limit(b"\x80"),
    "nested maps, as many as allowed": lambda: to_the_limit(b"\x81\xa1a\x81\xa1a\x80", 5),
    "texts, as many as allowed": lambda: to_the_limit(b"\xa5a" + "\U0001f600".encode()),
    "integers, as many as allowed": lambda: to_the_limit(b"\xcf" + b"\xff" * 8),
    "keys, as many as allowed": lambda: with_value(
        b"\xdf\x00\x03\xd0\x00" + b"".join(b"\xa6%06x\xcb?\xb9\x99\x99\x99\x99\x99\x9a" % i for i in range(249_856))
    ),
}


@pytest.mark.parametrize("name", HEADERS)
def test_refusing_takes_eight_times_the_file_and_64_mb_at_most(name, tmp_path, monkeypatch):
    header = HEADERS[name]()
    assert len(header) <= container.HEADER_LIMIT
    content = header + b"\xc4\x20" + sha256(header).digest()  # and no payloads
    (tmp_path / "model.modnet").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    grown = growth(
        """
for function in (read, read_header, verify):
    try:
        found = function("model.modnet")
    except ModelFileError as error:
        print(error, file=sys.stderr)
    else:  # of a file that is cut, verify says what is left
        assert function is verify and not found.whole
"""
    )
    assert grown < 8 * len(content) + ALLOWANCE


RELU, LINEAR = {"type": "relu"}, {"type": "linear", "out_features": 1}
NEST = 18  # of repeats; deeper is no header


def repeated(layer, *counts):
    for count in counts:
        layer = {"type": "repeat", "count": count, "layers": [layer]}
    return [layer]


SPECS = {
    "repeat, nested": lambda: repeated(RELU, *[10_000] * NEST),
    "repeat, nested and only just allowed": lambda: repeated(RELU, *[9_990 // NEST] * NEST),
    "repeat, with many arrays": lambda: repeated("batch_norm", 9_990),
    "residual in repeat": lambda: repeated({"type": "residual", "layers": ["relu"]}, 9_990),
    "as many tables as a header can have": lambda: [RELU] * 160_000,
    "as many nodes as are made": lambda: [LINEAR] * 10_000,
}


@pytest.mark.parametrize("name", SPECS)
def test_refusing_to_load_takes_eight_times_the_file_and_64_mb_at_most(name, tmp_path):
    """The header has as many further values as are allowed."""
    path = tmp_path / "model.modnet"
    layers = ["relu", LINEAR, "batch_norm", {"type": "residual", "layers": ["relu"]}, *repeated("relu", 1)]
    modnet.save(modnet.build({"network": {"input": [2], "layers": layers}}), path)
    header = read_header(path).header
    header["spec"]["network"] = {"input": [2], "layers": SPECS[name]()}
    header["history"] = {"loss": [0.1] * (container.VALUE_LIMIT - 200 - count_of(header))}
    write(path, header, [])
    grown = growth(
        f"""
try:
    modnet.load({os.fspath(path)!r})
except ModelFileError as error:
    print(str(error)[:200], file=sys.stderr)
else:
    raise AssertionError
""",
        # What every process has once it has loaded a model.
        "modnet.load({!r})".format(os.fspath(Path(__file__).parents[1] / "golden/composites.modnet")),
    )
    assert grown < 8 * path.stat().st_size + ALLOWANCE


def count_of(value):
    """The values in a header's value, keys included."""
    if isinstance(value, dict):
        return 1 + sum(1 + count_of(item) for item in value.values())
    return 1 + sum(map(count_of, value)) if isinstance(value, list | tuple) else 1


# What is read and written


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 200 MB."""
    path = tmp_path_factory.mktemp("memory") / "large.modnet"
    flat = np.arange(50_000_000, dtype=np.float32)
    write(path, {}, [Group("parameters", flat, [(f"w{i}", i * 2_500_000, (2500, 1000)) for i in range(20)])])
    yield path
    path.unlink()


@pytest.mark.parametrize("arguments", ["", ", verify=False", ", mmap=True", ", mmap=True, verify=False"])
def test_reading_takes_the_file_and_64_mb_at_most(large, arguments):
    measured = f"groups = read({os.fspath(large)!r}{arguments}).groups; views = groups['parameters'].views"
    grown = growth(measured)
    assert grown < large.stat().st_size + ALLOWANCE
    if arguments == ", mmap=True, verify=False":
        assert grown < 8 << 20  # nothing of it has been used yet


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A network of 200 MB in a file: model("float32"), or in half of that: model("float16")."""
    folder = tmp_path_factory.mktemp("models")
    network = modnet.build({"network": {"input": [5000], "layers": [{"type": "linear", "out_features": 10_000}]}})
    modnet.save(network, folder / "float32")
    half = [Group("parameters", network.parameters.flat.astype(np.float16), network.parameters.layout)]
    half.append(Group("state", network.state.flat.astype(np.float16), network.state.layout))
    write(folder / "float16", read_header(folder / "float32").header, half)
    training = [*half, Group("optimizer.mean", network.parameters.flat, network.parameters.layout)]
    write(folder / "checkpoint", read_header(folder / "float32").header, training)
    yield lambda name: folder / name
    for path in folder.iterdir():
        path.unlink()


@pytest.mark.parametrize("name", ["float32", "float16", "checkpoint"])
def test_loading_takes_the_network_and_64_mb_at_most(name, model):
    grown = growth(f"network = modnet.load({os.fspath(model(name))!r})")
    assert grown < model("float32").stat().st_size + ALLOWANCE


def test_loading_a_mapped_model_takes_next_to_nothing(model):
    grown = growth(f"network = modnet.load({os.fspath(model('float32'))!r}, mmap=True)")
    assert grown < 16 << 20


STREAM = """
class Stream:
    def __init__(self, path):
        self.file = open(path, "rb")
    def read(self, length):
        return self.file.read(length)
"""


def test_a_model_that_comes_by_a_stream_is_there_once(model):
    grown = growth(f"network = modnet.load(Stream({os.fspath(model('float32'))!r}))", STREAM)
    assert grown < model("float32").stat().st_size + ALLOWANCE


def test_bytes_are_not_copied_where_they_are_mapped(model):
    before = f"content = open({os.fspath(model('float32'))!r}, 'rb').read()"
    assert growth("network = modnet.load(content, mmap=True)", before) < 16 << 20


def test_writing_into_a_file_that_is_open_takes_64_mb_at_most(model, tmp_path):
    before = f"network = modnet.load({os.fspath(model('float32'))!r})"
    assert growth(f"modnet.save(network, open({os.fspath(tmp_path / 'out')!r}, 'wb'))", before) < ALLOWANCE


def test_verifying_takes_64_mb_at_most(large):
    assert growth(f"assert verify({os.fspath(large)!r}).whole") < ALLOWANCE


@pytest.mark.parametrize("durable", [True, False])
def test_writing_takes_64_mb_at_most(tmp_path, durable):
    before = "flat = np.arange(50_000_000, dtype=np.float32); path = {!r}".format(os.fspath(tmp_path / "model.modnet"))
    measured = f"write(path, {{}}, [Group('parameters', flat, [('w', 0, (50_000_000,))])], durable={durable})"
    assert growth(measured, before) < ALLOWANCE
    (tmp_path / "model.modnet").unlink()


def test_as_many_views_as_are_allowed(tmp_path):
    path = tmp_path / "model.modnet"
    count = container.VALUE_LIMIT // 7 - 10
    views = [(f"node_{i}.weight", i, (1, 1)) for i in range(count)]
    write(path, {}, [Group("parameters", np.zeros(count, np.float32), views)])
    grown = growth(f"groups = read({os.fspath(path)!r}).groups; views = groups['parameters'].views")
    assert grown < path.stat().st_size + ALLOWANCE


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="no /proc/self/smaps_rollup on this system")
def test_processes_share_a_mapped_file(large):
    """What four of them hold of it, each page divided by the number of those who hold it, is the file once."""
    shares = shared(large, 4)
    assert sum(shares) < 1.2 * large.stat().st_size


# What the commands do with a file that is small


def changed(path, **values):
    network = modnet.build({"network": {"input": [2], "layers": ["relu", {"type": "linear", "out_features": 1}]}})
    modnet.save(network, path)
    header, payloads = surgery.apart(path.read_bytes())
    for key, value in values.items():
        if key == "layers":
            header["spec"]["network"]["layers"] = value
        else:
            header[key] = value
    path.write_bytes(surgery.signed(header, payloads))


def nested(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


SMALL = {
    "200,000 nodes": lambda: {"layers": ["relu"] * 200_000},
    "160,000 tables": lambda: {"layers": [{"type": "relu"}] * 160_000},
    "90,000 entries": lambda: {"metadata": {f"k{i}": i for i in range(90_000)}},
    "a text of controls": lambda: {"metadata": {"a": "\x01" * 8_000_000}},
    "a text that is wide": lambda: {"metadata": {"a": "\U0001f600" * 2_000_000}},
    "lists in lists": lambda: {"metadata": {"a": [nested(55) for _ in range(8000)]}},
    "many figures": lambda: {"metrics": {f"f{i}": 0.5 for i in range(240_000)}},
}


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("command", ["inspect", "inspect --json", "diff", "edit --rename relu_1=first"])
def test_looking_and_editing_take_eight_times_the_file_and_64_mb_at_most(command, name, tmp_path):
    pytest.importorskip("click", reason="the command line needs the extra cli")
    path, plain = tmp_path / "model.modnet", tmp_path / "plain.modnet"
    changed(path, **SMALL[name]())
    changed(plain)

    further = {"inspect": [], "diff": [os.fspath(plain)], "edit": ["-o", os.fspath(tmp_path / "edited.modnet")]}

    def lines(looked_at):
        arguments = [*command.split(), os.fspath(looked_at)] + further[command.split()[0]]
        return f"""
with open(os.devnull, "w") as sys.stdout:
    try:
        cli({arguments!r})
    except SystemExit as end:
        assert end.code in (0, 1, 2)
sys.stdout = sys.__stdout__
"""

    grown = growth(lines(path), f"import os\nfrom modnet.cli.app import cli\n{lines(plain)}")
    assert grown < 8 * path.stat().st_size + ALLOWANCE
