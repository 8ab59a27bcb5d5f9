"""Reading: what is handed out, what is refused before it is opened, what happens when the file changes meanwhile."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import pickle
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from modnet.errors import ChecksumMismatch, ModelFileError, NewerFormat, NotAModelFile, Truncated
from modnet.model import container, reader
from modnet.model.reader import read, read_header

from . import hostile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.modnet"
    path.write_bytes(hostile.assemble(hostile.document()))
    return path


def test_views_are_views_of_the_flat_array(path):
    group = read(path).groups["parameters"]
    assert len(group.flats) == 1
    assert group.flat is group.flats[0]
    assert group.flat.dtype == np.float32
    group.flat[:] = 9
    assert {name: view.shape for name, view in group.views.items()} == {
        "linear.weight": (3, 2),
        "linear.bias": (2,),
        "linear.nothing": (0, 5),
    }
    assert all((view == 9).all() for view in group.views.values())
    assert read(path).groups["state"].views["scale"].shape == ()


def test_mapped_arrays_are_the_same_aligned_and_read_only(path):
    loaded, mapped = read(path), read(path, mmap=True)
    assert mapped.header == loaded.header
    assert mapped.id == loaded.id
    assert list(mapped.groups) == list(loaded.groups)
    for name, group in mapped.groups.items():
        np.testing.assert_array_equal(group.flat, loaded.groups[name].flat)
        assert group.flat.ctypes.data % 64 == 0
        assert list(group.views) == list(loaded.groups[name].views)
        for view in (group.flat, *group.views.values()):
            assert not view.flags.writeable
            assert view.flags.aligned


def test_a_map_keeps_the_file_that_it_was_made_of(path, tmp_path):
    mapped = read(path, mmap=True)
    other = tmp_path / "other"
    other.write_bytes(hostile.small())
    os.replace(other, path)
    np.testing.assert_array_equal(mapped.groups["parameters"].flat, np.arange(8))
    assert list(read(path).groups) == ["p"]


def test_header_only(path):
    found = read_header(path)
    content = path.read_bytes()
    assert found.header == read(path).header
    assert found.id == read(path).id
    assert found.size == len(content)
    assert [(segment.group, segment.dtype.name, segment.length) for segment in found.segments] == [
        ("parameters", "float32", 32),
        ("state", "float64", 24),
        ("flags", "bool", 2),
    ]
    bias = found.views[1]
    assert (bias.name, bias.group, bias.dtype.name, bias.shape) == ("linear.bias", "parameters", "float32", (2,))
    assert struct.unpack_from("<2f", content, bias.offset) == (6.0, 7.0)


def test_header_only_does_not_look_at_payloads(path):
    content = bytearray(path.read_bytes())
    start = read_header(path).segments[0].offset
    content[start : start + 32] = bytes(32)
    path.write_bytes(content)
    assert read_header(path).views
    with pytest.raises(ChecksumMismatch, match=f"32 bytes from byte {start}"):
        read(path)


def test_the_mapped_payloads_are_not_looked_at_unless_asked(path):
    content = bytearray(path.read_bytes())
    content[-2:] = b"\x02\x02"
    path.write_bytes(content)
    read(path, mmap=True, verify=False)
    with pytest.raises(ChecksumMismatch, match="flags"):
        read(path, mmap=True)


def test_newer_version_says_what_to_do(path):
    content = bytearray(path.read_bytes())
    content[8] = 3
    path.write_bytes(content)
    with pytest.raises(NewerFormat, match="found format version 3, this modnet reads up to 1; install a newer modnet"):
        read(path)


def test_no_file_descriptor_is_left(path):
    folder = Path("/proc/self/fd")
    if not folder.exists():
        pytest.skip("no list of open files on this system")
    before = len(list(folder.iterdir()))
    read(path)
    read_header(path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Truncated):
        read(path)
    assert len(list(folder.iterdir())) == before


# Other formats


def made(write: Callable[[BytesIO], object]) -> bytes:
    buffer = BytesIO()
    write(buffer)
    return buffer.getvalue()


def zipped(name: str) -> bytes:
    def write(file):
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(name, b"")

    return made(write)


def keras() -> bytes:
    """The files of a model that Keras 3 has saved, in its order."""

    def write(file):
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("metadata.json", '{"keras_version": "3.4.1", "date_saved": "2024-07-01@12:00:00"}')
            archive.writestr("config.json", "{}")
            archive.writestr("model.weights.h5", b"")

    return made(write)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (
            made(lambda file: np.savez(file, **{"linear_1.weight": np.zeros(3)})),
            r"numpy arrays \(.npz\); .* numpy.load",
        ),
        (zipped("archive/data.pkl"), "a PyTorch file, .*; opening a pickle can run any code.* numpy.savez"),
        (zipped("metadata.json"), "a zip archive; unpack it first"),
        (made(lambda file: zipfile.ZipFile(file, "w").close()), "an empty zip archive"),
        (made(lambda file: np.save(file, np.zeros(3))), "an array in numpy's .npy format; read it with numpy.load"),
        (gzip.compress(b"a", mtime=0), "compressed with gzip; decompress it first"),
        (bz2.compress(b"a"), "compressed with bzip2; decompress it first"),
        (lzma.compress(b"a"), "compressed with xz; decompress it first"),
        (b"\x28\xb5\x2f\xfd\x24", "compressed with zstd; decompress it first"),
        (tarfile.TarInfo("a").tobuf(), "a tar archive; unpack it first"),
        (
            b"\x89HDF\r\n\x1a\n" + bytes(100),
            "an HDF5 file .*; modnet.load_parameters accepts its arrays, read with h5py",
        ),
        (b"GGUF\x03\x00\x00\x00" + bytes(100), r"a GGUF file; it needs a plugin .* \(hook modnet_import\)"),
        (struct.pack("<Q", 2) + b"{}", "a safetensors file; .* safetensors.numpy.load_file"),
        (b"\x08\x08\x12\x07pytorch\x1a\x051.0.0", "an ONNX model .*; the plugin modnet-onnx"),
        (
            b"x,y\n1,2\n" * 1000,
            "a text file that looks like a table; to predict for its rows: modnet predict MODEL TABLE",
        ),
        (b"x\ty\r\n1\t2\r\n3\t4\r\n", "a text file that looks like a table"),
        (
            '[network]\r\nname = "größe"\r\n'.encode(),
            "a text file that looks like a spec; check it with modnet check.*modnet train",
        ),
        (b'{\n "network": {"input": [2]}}', "a text file that looks like a spec; check it with modnet check"),
        (b"# pets\nnetwork:\n  input: [2]\n", "a text file that looks like a spec; check it with modnet check"),
        (b'{"a": 1}', "a text file in JSON; .* modnet check"),
        (b"<!DOCTYPE html>\n<html>", "a text file that looks like a web page; download the file itself"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git LFS .*git lfs pull"),
        (b"hello, world\n", "a text file$"),
        ("ä".encode() * 1000, "a text file$"),
        (b"a" + "ä".encode() * 1000, "a text file$"),  # 512 bytes end within a character
        (b"\x7fELF\x02\x01\x01\x00", "not in a format that modnet knows$"),
        (b"\xff" * 600, "not in a format that modnet knows$"),
        (
            b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02",
            "a PyTorch file of the old kind, a pickle; .* numpy.savez",
        ),
        *((pickle.dumps({"a": 1}, protocol=protocol), "a pickle; .* any code") for protocol in range(6)),
        *((pickle.dumps([1.5], protocol=protocol), "a pickle; .* any code") for protocol in range(2)),
        *((pickle.dumps(np.zeros(2), protocol=protocol), "a pickle; .* any code") for protocol in range(6)),
        (b"cat,dog\n1,2\n3,4\n", "a text file that looks like a table"),
        (b"classes\nand more\n", "a text file$"),
        (keras(), r"a Keras model \(.keras\), .* h5py from model.weights.h5"),
    ],
    # Not the contents: a zip archive has the time in it, and all processes have to collect the same tests.
    ids=lambda value: value if isinstance(value, str) else "content",
)
def test_other_formats_are_named_with_what_reads_them(content, text, tmp_path):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(NotAModelFile, match=rf"this is .*{text}") as caught:
        read(tmp_path / "file")
    assert len(caught.value.what) < 240
    assert "\n" not in caught.value.what


# Other things than files: most are in hostile.py


def test_symbolic_link_is_followed(path, tmp_path):
    (tmp_path / "link").symlink_to("model.modnet")
    assert read(tmp_path / "link").id == read(path).id
    assert read(str(tmp_path / "link")).id == read(path).id


# Changes while the file is open


@pytest.fixture
def after_the_checks(monkeypatch):
    """Calls a function between the last check of the header and the first look at a payload."""

    def register(function):
        def check(*arguments):
            original(*arguments)
            function()

        original = reader.check_frames
        monkeypatch.setattr(reader, "check_frames", check)

    return register


def test_file_becomes_shorter(path, after_the_checks):
    after_the_checks(lambda: os.truncate(path, path.stat().st_size - 1))
    with pytest.raises(Truncated, match="was shortened while it was being read"):
        read(path)


def test_file_becomes_shorter_before_it_is_mapped(path, after_the_checks):
    after_the_checks(lambda: os.truncate(path, 100))
    with pytest.raises(Truncated, match="was shortened while it was being read"):
        read(path, mmap=True)


def test_file_is_rewritten_in_place(path, after_the_checks):
    after_the_checks(lambda: path.write_bytes(bytes(path.stat().st_size)))
    with pytest.raises(ChecksumMismatch):
        read(path)


def test_file_is_replaced(path, after_the_checks, tmp_path):
    expected = read(path).groups["parameters"].flat
    (tmp_path / "other").write_bytes(hostile.small())
    after_the_checks(lambda: shutil.move(tmp_path / "other", path))
    np.testing.assert_array_equal(read(path).groups["parameters"].flat, expected)


def test_too_big_for_memory(path, monkeypatch):
    def empty(*_):
        raise MemoryError

    monkeypatch.setattr(reader.np, "empty", empty)
    with pytest.raises(ModelFileError, match="does not fit into memory"):
        read(path)


def test_payload_of_several_chunks(path, monkeypatch):
    monkeypatch.setattr(container, "CHUNK_LENGTH", 7)
    with pytest.raises(ChecksumMismatch):  # the chunks are part of the digest
        read(path)
    assert read(path, verify=False).groups["parameters"].flat.tolist() == list(range(8))
