"""Models from bytes, streams, archives and resources, and into them: the same as by a path."""

import gzip
import io
import mmap
import sys
import tempfile
import zipfile
from contextlib import ExitStack
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

import modnet
from modnet.arrays import ALIGNMENT
from modnet.errors import ChecksumMismatch, MalformedFile, NotAModelFile, Truncated
from modnet.model.reader import read, read_header
from modnet.model.writer import Group, StreamedGroup, write

SPEC = {"network": {"input": [3], "layers": [{"type": "linear", "out_features": 2}, "batch_norm", "softmax"]}}
X = np.random.default_rng(0).standard_normal((5, 3))


@pytest.fixture
def network():
    return modnet.build(SPEC, seed=0)


@pytest.fixture
def path(network, tmp_path):
    modnet.save(network, tmp_path / "m.modnet")
    return tmp_path / "m.modnet"


class Dribble(io.RawIOBase):
    """A stream without positions that gives and takes a few bytes at a time, as a connection may."""

    name = "dribble"

    def __init__(self, content=b"", most=37):
        self.rest, self.most, self.taken = content, most, bytearray()

    def readable(self):
        return True

    def read(self, length):
        piece, self.rest = self.rest[: min(length, self.most)], self.rest[min(length, self.most) :]
        return piece

    def write(self, piece):
        self.taken += piece[: self.most]
        return min(len(piece), self.most)


def archive_of(path):
    with zipfile.ZipFile(path.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, "in/m.modnet")
    return zipfile.ZipFile(path.with_suffix(".zip"))


def zip_member(path):
    with archive_of(path) as archive:
        return archive.open("in/m.modnet")  # which keeps the archive open


def path_of_archive(path):
    with archive_of(path) as archive:
        return archive.filename


def spooled(path):
    file = tempfile.SpooledTemporaryFile()  # noqa: SIM115 - closed by `source_of`
    file.write(path.read_bytes())
    file.seek(0)
    return file


def mapped(path):
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


SOURCES = {
    "bytes": Path.read_bytes,
    "bytearray": lambda path: bytearray(path.read_bytes()),
    "memoryview": lambda path: memoryview(path.read_bytes()),
    "bytes that begin anywhere": lambda path: memoryview(b"x" + path.read_bytes())[1:],
    "array of bytes": lambda path: np.fromfile(path, np.uint8),
    "mapped file": mapped,
    "BytesIO": lambda path: io.BytesIO(path.read_bytes()),
    "open file": lambda path: path.open("rb"),
    "unbuffered file": lambda path: path.open("rb", buffering=0),
    "file open for changes": lambda path: path.open("r+b"),
    "gzip": lambda path: gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(path.read_bytes()))),
    "zip member": zip_member,
    "temporary file": spooled,
    "stream": lambda path: Dribble(path.read_bytes()),
    "zip path": lambda path: zipfile.Path(path_of_archive(path), "in/m.modnet"),
}


@pytest.fixture
def source_of():
    """source_of(kind, path); what is open is closed in the end."""
    with ExitStack() as stack:

        def made(kind, path):
            source = SOURCES[kind](path)
            if isinstance(source, io.IOBase | tempfile.SpooledTemporaryFile):
                stack.callback(source.close)
            return source

        yield made


@pytest.mark.parametrize("kind", SOURCES)
def test_every_source_gives_the_same_network(kind, path, network, source_of):
    loaded = modnet.load(source_of(kind, path))
    assert loaded.forward(X).tobytes() == network.forward(X).tobytes()
    assert loaded.id == network.id
    loaded.parameters["linear_1.weight"][...] = 0  # they are the network's own
    assert not loaded.parameters.flat[:6].any()
    assert modnet.load(path).id == network.id


@pytest.mark.parametrize(
    "kind", [kind for kind in SOURCES if "byte" in kind or ("file" in kind and "temp" not in kind)]
)
def test_arrays_are_used_where_they_are(kind, path, network, source_of):
    source = source_of(kind, path)
    loaded = modnet.load(source, mmap=True)
    assert loaded.forward(X).tobytes() == network.forward(X).tobytes()
    assert not loaded.parameters.flat.flags.writeable
    if kind in ("bytes", "bytearray", "memoryview", "array of bytes", "mapped file"):
        assert np.shares_memory(loaded.parameters.flat, np.frombuffer(source, np.uint8))
    assert loaded.parameters.flat.flags.aligned


@pytest.mark.parametrize("kind", ["BytesIO", "gzip", "zip member", "temporary file", "stream", "zip path"])
def test_what_cannot_be_mapped_says_why(kind, path, source_of):
    with pytest.raises(modnet.ModelFileError, match=r"mmap=True: a stream is read from front to end and cannot be"):
        modnet.load(source_of(kind, path), mmap=True)


def owner(array):
    """The array whose memory an array is a part of."""
    while (base := array.obj if isinstance(array, memoryview) else array.base) is not None:
        array = base
    return array


def test_the_bytes_of_a_stream_become_the_arrays(path):
    flat = modnet.load(io.BytesIO(path.read_bytes())).parameters.flat
    assert owner(flat).nbytes > flat.nbytes
    assert flat.ctypes.data % 64 == 0


def test_an_open_file_is_read_to_its_end(path):
    contents = read(path)
    groups = [Group(name, group.flat, group.layout) for name, group in contents.groups.items()]
    write(path, contents.header, [*groups, Group("optimizer.mean", np.zeros(9), [("w", 0, (9,))])])
    for source in (path.open("rb"), io.BytesIO(path.read_bytes())):
        with source as file:
            modnet.load(file)
            assert file.tell() == path.stat().st_size


def test_of_a_checkpoint_no_more_is_kept_than_the_network(path, network):
    contents = read(path)
    groups = [Group(name, group.flat, group.layout) for name, group in contents.groups.items()]
    slots = Group("optimizer.mean", np.zeros(1000, np.float32), [("w", 0, (1000,))])
    write(path, contents.header, [*groups, slots])
    loaded = modnet.load(io.BytesIO(path.read_bytes()))
    assert loaded.forward(X).tobytes() == network.forward(X).tobytes()
    assert owner(loaded.parameters.flat).nbytes == loaded.parameters.flat.nbytes + ALIGNMENT


FAULTS = {
    "empty": (lambda content: b"", NotAModelFile, "the file is empty"),
    "another format": (lambda content: b"PK\x03\x04" + bytes(100), NotAModelFile, "a zip archive"),
    "cut in the header": (lambda content: content[:100], Truncated, "the file ends inside the header"),
    "cut in the checksum": (lambda content: content[: content.rindex(b"\xc4\x20") + 9], Truncated, "checksum"),
    "cut in an array": (lambda content: content[:-1], Truncated, "its header declares"),
    "longer": (lambda content: content + b"xyz", MalformedFile, "3 bytes follow the last array"),
    "another header": (lambda content: content.replace(b"linear", b"linexr"), ChecksumMismatch, "header"),
    "another array": (lambda content: content[:-2] + b"xy", ChecksumMismatch, "do not match their checksum"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", ["bytes", "BytesIO", "open file", "zip member", "stream"])
def test_faults_are_told_as_those_of_a_file(fault, kind, path, source_of):
    change, error, message = FAULTS[fault]
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(error, match=message) as of_path:
        modnet.load(path)
    with pytest.raises(error) as caught:
        modnet.load(source_of(kind, path))
    assert (caught.value.what, caught.value.where) == (of_path.value.what, of_path.value.where)


def test_messages_name_the_source(path, source_of):
    names = {"bytes": "<bytes>", "bytearray": "<bytearray>", "BytesIO": "<BytesIO>", "open file": str(path)}
    names |= {"zip member": "in/m.modnet", "stream": "dribble", "zip path": f"{path.with_suffix('.zip')}/in/m.modnet"}
    path.write_bytes(path.read_bytes()[:-1])
    for kind, name in names.items():
        with pytest.raises(Truncated) as caught:
            modnet.load(source_of(kind, path))
        assert caught.value.path == name


class Endless(Dribble):
    """A stream that never ends."""

    def read(self, length):
        self.given = getattr(self, "given", 0) + length
        piece, self.rest = self.rest[:length], self.rest[length:]
        return piece + bytes(length - len(piece))


@pytest.mark.parametrize(("error", "keep"), [(NotAModelFile, 0), (MalformedFile, None)])
def test_a_stream_without_an_end_is_left(error, keep, path):
    stream = Endless(path.read_bytes()[:keep])
    with pytest.raises(error):
        modnet.load(stream)
    assert stream.given < 200_000


def test_nothing_is_allocated_for_what_a_stream_only_declares(path, network):
    groups = [StreamedGroup("parameters", np.dtype("<f4"), (), [("w", 0, (10**9,))])]
    with pytest.raises(modnet.ModelFileError):
        write(path, {}, groups)
    content = path.read_bytes()
    assert modnet.load(Dribble(content, most=len(content))).id == network.id


def test_a_file_is_read_from_where_it_stands(path, network, tmp_path):
    held = tmp_path / "held"
    held.write_bytes(b"before" + path.read_bytes())
    for kind in (io.BytesIO(held.read_bytes()), held.open("rb"), held.open("rb", buffering=0)):
        with kind as file:
            file.seek(6)
            assert modnet.load(file).id == network.id
            assert file.read() == b""
    with held.open("rb") as file:
        file.seek(6)
        assert modnet.load(file, mmap=True).forward(X).tobytes() == network.forward(X).tobytes()


def test_a_file_that_was_just_written_has_to_be_rewound(network):
    file = io.BytesIO()
    modnet.save(network, file)
    with pytest.raises(
        NotAModelFile, match=rf"after byte {file.tell():,}, its current position: go back with .seek\(0\)"
    ):
        modnet.load(file)
    file.seek(0)
    assert modnet.load(file).id == network.id


def test_what_is_written_but_not_flushed_is_read(network, tmp_path):
    with (tmp_path / "m").open("w+b") as file:
        modnet.save(network, file)
        file.seek(0)
        assert modnet.load(file).id == network.id


def test_text_and_other_objects_are_refused(path, network):
    with path.open(encoding="latin-1") as file, pytest.raises(NotAModelFile, match=r'this is open as text; .*"rb"'):
        modnet.load(file)
    with pytest.raises(NotAModelFile, match="open as text"):
        modnet.save(network, io.StringIO())
    for value in (None, 3, {"a": 1}, [b"x"]):
        with pytest.raises(TypeError, match=f"a model is read from .*found a {type(value).__name__}"):
            modnet.load(value)
    with pytest.raises(TypeError, match=r"a model is written to .*found a bytes"):
        modnet.save(network, b"m.modnet")


def test_streams_that_are_none(path):
    class Texts(Dribble):
        def read(self, length):
            return "text"

    class Greedy(Dribble):
        def read(self, length):
            return bytes(length + 1)

    for stream, message in ((Texts(), 'gives "text", not bytes'), (Greedy(), "where 65,536 were asked for")):
        with pytest.raises(NotAModelFile, match=message):
            modnet.load(stream)
    Texts.read = lambda *_: None
    with pytest.raises(NotAModelFile, match="has nothing to read yet"):
        modnet.load(Texts())


def test_the_error_of_a_stream_is_its_own(path):
    class Broken(Dribble):
        def read(self, length):
            raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError, match="gone"):
        modnet.load(Broken())


def test_resources_of_a_package(path, network, tmp_path, monkeypatch):
    package = tmp_path / "birds"
    package.mkdir()
    (package / "__init__.py").touch()
    path.rename(package / "m.modnet")
    with zipfile.ZipFile(tmp_path / "app.pyz", "w") as archive:
        archive.write(package / "__init__.py", "zipped_birds/__init__.py")
        archive.write(package / "m.modnet", "zipped_birds/m.modnet")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "app.pyz"), str(tmp_path), *sys.path])
    for name in ("birds", "zipped_birds"):
        assert modnet.load(resources.files(name) / "m.modnet").id == network.id
        with pytest.raises(FileNotFoundError):
            modnet.load(resources.files(name) / "n.modnet")


def test_parameters_are_taken_from_any_source(path, network):
    for source in (path, path.read_bytes(), io.BytesIO(path.read_bytes())):
        other = modnet.build(SPEC, seed=1)
        assert len(modnet.load_parameters(other, source).taken) == 6
        assert other.forward(X).tobytes() == network.forward(X).tobytes()


def test_headers_and_reports_of_sources(path):
    content = path.read_bytes()
    assert read_header(content).id == read_header(path).id
    assert (
        read(io.BytesIO(content)).groups["parameters"].flat.tobytes() == read(path).groups["parameters"].flat.tobytes()
    )


# Writing


@pytest.mark.parametrize("make", [io.BytesIO, Dribble])
def test_a_network_is_written_into_a_file(make, network, path):
    file = make()
    modnet.save(network, file)
    content = file.getvalue() if isinstance(file, io.BytesIO) else bytes(file.taken)
    assert content == path.read_bytes()
    assert network.id == read_header(path).id.hex()


def test_it_is_written_from_where_the_file_stands(network, path):
    file = io.BytesIO(b"before")
    file.seek(6)
    modnet.save(network, file)
    assert file.getvalue() == b"before" + path.read_bytes()


def test_a_zip_member_is_written(network, path, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive, archive.open("m.modnet", "w") as member:
        modnet.save(network, member)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.read("m.modnet") == path.read_bytes()


def test_a_mapped_network_is_written(network, path):
    file = io.BytesIO()
    modnet.save(modnet.load(path, mmap=True), file)
    assert file.getvalue() == path.read_bytes()


def test_nothing_is_written_of_what_could_not_be_loaded(network):
    network.card = network.card.replace(metadata={"a": object()})
    file = io.BytesIO()
    with pytest.raises(modnet.ModelFileError, match=r"<BytesIO>: header.metadata.a"):
        modnet.save(network, file)
    assert file.getvalue() == b""


def test_a_file_has_no_options(network):
    with pytest.raises(modnet.ModelFileError, match='"opset" is no option of model files, which have none'):
        modnet.save(network, io.BytesIO(), options={"opset": 18})


def test_arrays_that_change_while_they_are_written_are_noticed(network):
    class Meddling(io.BytesIO):
        def write(self, piece):
            network.parameters.flat[0] += 1
            return super().write(piece)

    with pytest.raises(modnet.ModelFileError, match="the arrays have been changed while"):
        modnet.save(network, Meddling())
