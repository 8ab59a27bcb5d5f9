"""Every wrong file is refused by the right error, and nothing else ever comes out."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import msgpack
import numpy as np
import pytest
from click.testing import CliRunner

import modnet
from modnet.cli.app import cli
from modnet.errors import MESSAGE_LIMIT, MalformedFile, ModelFileError, Truncated
from modnet.model import container
from modnet.model.damage import verify
from modnet.model.reader import read, read_header
from modnet.model.writer import Group, write

from . import hostile

FILES = list(hostile.files())
MODELS = list(hostile.models())
PLACES = list(hostile.places())


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile") / "model.modnet"


def test_the_right_file_is_read(path):
    hostile.put(path, hostile.assemble(hostile.document()))
    contents = read(path)
    assert contents.header == {"spec": {"network": {"input": [3], "layers": ["linear"]}}}
    np.testing.assert_array_equal(contents.groups["parameters"].views["linear.bias"], [6, 7])
    np.testing.assert_array_equal(contents.groups["state"].flat, [0.5, -1.0, 2.0])
    assert contents.groups["flags"].flat.tolist() == [True, False]


def test_the_writer_makes_the_same_bytes_as_the_independent_maker(path):
    flat = np.array([1.0, -2.0, 0.0, 0.5], np.float32)
    write(path, {"s": {"a": 1.5}}, [Group("p", flat, [("w", 0, (2, 2))])])
    assert path.read_bytes() == hostile.small()


def test_names_are_unique():
    for rows in (FILES, MODELS, PLACES):
        names = [(row.number, row.name) for row in rows]
        assert len(set(names)) == len(names)


def test_every_kind_is_made_here_or_by_a_test_that_is_there():
    assert {row.number for row in (*FILES, *MODELS, *PLACES)} | hostile.ELSEWHERE.keys() == hostile.KINDS.keys()
    for place in hostile.ELSEWHERE.values():
        file, test = place.split("::")
        assert f"def {test}(" in (Path(__file__).parent / file).read_text(encoding="utf-8")


def test_the_table_has_all_of_them():
    rows = list(hostile.table())
    assert len(rows) >= 2 + len(FILES) + len(MODELS) + len(PLACES)
    assert rows[2] == "| 1 | empty | empty | NotAModelFile | the file is empty |"
    assert all(row.isprintable() and row.count("|") - row.count("\\|") == 6 for row in rows)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_refused(file, path):
    hostile.put(path, file.content)
    for arguments in ({}, {"mmap": True}):
        with pytest.raises(ModelFileError) as caught:
            read(path, **arguments)
        told(file, caught.value, path)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 1000


def told(file, error, path):
    """Checks class and message of an error."""
    assert type(error) is file.error
    message = str(error)
    if isinstance(error, ModelFileError):
        assert error.path == os.fspath(path)
        message = message.removeprefix(f"{path}: ")
    assert file.is_told_by(message), message
    assert len(str(error)) <= MESSAGE_LIMIT
    assert all(line.isprintable() for line in message.split("\n"))


@pytest.mark.parametrize("file", MODELS, ids=lambda file: f"{file.number} {file.name}")
def test_a_model_that_makes_no_sense_is_refused(file, path):
    """To read it is right, to make a network of it is not; and that costs no more than its file, not even 12 TB."""
    hostile.put(path, file.content)
    read(path)
    for mmap in (False, True, False):  # the first time modules are imported
        tracemalloc.start()
        with pytest.raises(file.error) as caught:
            modnet.load(path, mmap=mmap, registry=modnet.Registry(list))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        told(file, caught.value, path)
    assert peak < 8 * len(file.content) + (64 << 20)


def test_the_right_model_is_loaded(path):
    hostile.put(path, hostile.assemble(hostile.model(), hostile.PAYLOADS[:1]))
    assert modnet.load(path, registry=modnet.Registry(list)).predict([[1.0, 2.0, 3.0]]).shape == (1, 2)


@pytest.mark.parametrize("command", ["predict", "evaluate", "summary", "inspect", "verify", "card", "diff", "edit"])
def test_no_command_lets_a_file_move_the_terminal(command, tmp_path, path, monkeypatch):
    """Neither where it is refused nor where it is shown."""
    monkeypatch.chdir(tmp_path)
    Path("table.csv").write_text("a,b,c\n1,2,3\n")
    hostile.put(Path("right.modnet"), hostile.assemble(hostile.model(), hostile.PAYLOADS[:1]))
    further = {"predict": ["table.csv"], "evaluate": ["table.csv"], "diff": ["right.modnet"]}
    further["edit"] = ["-o", "out.modnet", "--drop-history"]
    for file in (*MODELS, *FILES):
        if file.number != 87 or len(file.content) > 100_000:
            continue
        hostile.put(Path("model.modnet"), file.content)
        done = CliRunner().invoke(cli, [command, "model.modnet", *further.get(command, [])])
        assert done.exit_code in (0, 1, 2)
        assert "unexpected error" not in done.output
        assert all(line.isprintable() for line in done.output.split("\n")), file.name
        assert len(done.output) < 100_000


@pytest.mark.skipif(os.name != "posix", reason="the files of this system are other ones")
@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place.number} {place.name}")
def test_what_is_no_readable_file_is_refused(place, bound_folder):
    path = place.make(bound_folder)
    if path is None:
        pytest.skip("there is no such thing on this system")
    for function in (read, read_header, verify, modnet.load):
        with pytest.raises(place.error) as caught:
            function(path)
        assert type(caught.value) is place.error
        assert place.message.format(path=path) in str(caught.value)
    for inner in bound_folder.iterdir():
        if not inner.is_symlink():
            inner.chmod(0o700)


def test_the_permission_is_what_was_missing(bound_folder):
    path = bound_folder / "model.modnet"
    path.write_bytes(hostile.small())
    assert read(path).groups
    path.chmod(0)
    with pytest.raises(PermissionError):
        read(path)


def test_claims_cost_no_memory(path):
    """Ten times the file and half a megabyte are enough to refuse any of them."""
    for file in FILES:
        hostile.put(path, file.content)
        tracemalloc.start()
        with pytest.raises(ModelFileError):
            read(path)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 10 * len(file.content) + 500_000, file.name


def test_every_cut(path):
    content = hostile.small()
    for length in range(len(content)):
        hostile.put(path, content[:length])
        for arguments in ({}, {"mmap": True}):
            with pytest.raises(ModelFileError) as caught:
                read(path, **arguments)
            assert length == 0 or type(caught.value) is Truncated
        with pytest.raises(ModelFileError):
            read_header(path)


def test_every_bit(path):
    content = hostile.small()
    for place in range(len(content)):
        for bit in range(8):
            changed = bytearray(content)
            changed[place] ^= 1 << bit
            hostile.put(path, changed)
            with pytest.raises(ModelFileError):
                read(path, mmap=bool(bit % 2))


def test_one_segment_may_be_broken_and_the_header_still_readable(path):
    content = bytearray(hostile.assemble(hostile.document()))
    content[-1] ^= 1
    hostile.put(path, content)
    assert [view.name for view in read_header(path).views][-1] == "seen"
    assert read(path, verify=False).groups["flags"].flat.tolist() == [True, True]
    with pytest.raises(ModelFileError, match="flags"):
        read(path)


def test_bools_are_looked_at_without_verification_too(path):
    hostile.put(path, next(file.content for file in FILES if file.name == "bool of 2"))
    with pytest.raises(MalformedFile, match="bool"):
        read(path, verify=False)


def test_values_are_counted_before_they_are_made(path, monkeypatch):
    hostile.put(path, hostile.assemble({"modnet": 1, "a": [{}] * 100, "segments": [], "views": []}, ()))
    monkeypatch.setattr(container, "VALUE_LIMIT", 109)  # the map, four keys, four values, and the hundred
    read(path)
    monkeypatch.setattr(container, "VALUE_LIMIT", 108)
    monkeypatch.setattr(msgpack, "unpackb", None)
    with pytest.raises(MalformedFile, match="header: more than 108 values, which is the limit"):
        read(path)


def test_long_header(path, monkeypatch):
    header = {**hostile.document(), "a": ["x" * 999] * 3000}  # needs the third read
    hostile.put(path, hostile.assemble(header))
    assert len(read(path).header["a"]) == 3000
    monkeypatch.setattr(container, "HEADER_LIMIT", 2_000_000)
    with pytest.raises(MalformedFile, match="longer than 2000000 bytes"):
        read(path)


def test_other_keys_are_kept_and_own_keys_are_not_handed_out(path):
    hostile.put(path, hostile.assemble({**hostile.document(), "future": [1, None, {"a": -(2**63), "b": 2**64 - 1}]}))
    header = read(path).header
    assert list(header) == ["spec", "future"]
    assert header["future"] == [1, None, {"a": -(2**63), "b": 2**64 - 1}]


def test_nan_and_infinity_are_plain(path):
    hostile.put(path, hostile.assemble({**hostile.document(), "metrics": [float("nan"), float("inf")]}))
    assert str(read(path).header["metrics"]) == "[nan, inf]"


def test_deep_enough(path):
    raw = b"\x85" + msgpack.packb(hostile.document())[1:] + b"\xa1a" + b"\x91" * 62 + b"\x90"
    hostile.put(path, hostile.assemble(raw))
    read(path)
