"""Reading tables and arrays, and what is said of files that cannot be read."""

import gzip
import io
import os
import re
import struct
import zipfile

import numpy as np
import pytest

from modnet.data.files import read, read_table
from modnet.data.table import Table
from modnet.errors import DataError


def table_of(text, **options):
    return read_table(io.BytesIO(text.encode()), "new.csv", **options)


def idx(kind, shape, elements):
    return bytes((0, 0, kind, len(shape))) + struct.pack(f">{len(shape)}I", *shape) + elements


# Tables


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found_from_the_first_line(delimiter):
    table = table_of(f'"species, or kind"{delimiter}mass{delimiter}sex\n"a;b"{delimiter}1{delimiter}m\n')
    assert list(table.columns) == ["species, or kind", "mass", "sex"]


@pytest.mark.parametrize(
    ("name", "contents"),
    [
        ("a.csv", b"x,y\n1,2\n"),
        ("a.CSV", b"x,y\n1,2\n"),
        ("a.csv", b"\xef\xbb\xbfx,y\r\n1,2\r\n"),
        ("a.csv", b'"x","y"\n\n"1","2"\n\n'),
        ("a.csv", b"x,y\r1,2"),
        ("a.tsv", b"x\ty\n1\t2\n"),
        ("a.csv.gz", gzip.compress(b"x,y\n1,2\n", mtime=0)),
        ("a.tsv.gz", gzip.compress(b"x\ty\n1\t2\n", mtime=0)),
    ],
)
def test_spellings_of_one_table(tmp_path, name, contents):
    (tmp_path / name).write_bytes(contents)
    table = read(tmp_path / name)
    assert {key: column.strings() for key, column in table.columns.items()} == {"x": ["1"], "y": ["2"]}


def test_quotes_may_hold_delimiters_quotes_and_lines():
    table = table_of('"a, b",c\n"x\ny","say ""no"""\n1,2\n')
    assert table.columns["a, b"].strings() == ["x\ny", "1"]
    assert table.columns["c"].strings() == ['say "no"', "2"]
    assert table.place(1, "c") == "new.csv: row 2 (line 4), column c"


def test_rows_that_are_taken_keep_their_numbers():
    part = table_of("x\n5\n6\n7\n8\n").take([1, 3]).take(np.array([1]))
    assert part.columns["x"].strings() == ["8"]
    assert part.place(0, "x") == "new.csv: row 4 (line 5), column x"
    assert Table({"x": ["1"]}).place(0, "x") == "table: row 1, column x"


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"", "new.csv: empty; expected a line with the names of the columns, then rows"),
        (b"\n\n", "new.csv: empty; expected a line with the names of the columns, then rows"),
        (b"x,y\n1,2\n3\n4,5\n", "new.csv: row 2 (line 3): found 1 value, expected 2: x, y"),
        (b"x,y\n1,2,3\n", "new.csv: row 1 (line 2): found 3 values, expected 2: x, y"),
        (
            b"x,y\n1,2\n3\n4,5\n6\n",
            "new.csv: row 2 (line 3): found 1 value, expected 2: x, y; 2 rows of another length in all",
        ),
        (
            b"x,y\n\xc3\xa4,2\nk\xe4se,3\n",
            "new.csv: line 3: not UTF-8 (invalid continuation byte); save the file as UTF-8, or give its encoding "
            '(encoding = "..." in [data])',
        ),
        (b'x,y\n1,2\n3,"4\n5,6\n', "new.csv: line 3: a quote is opened here and never closed"),
        (
            b'x,y\n"1"2,3\n',
            "new.csv: line 2: text after a closing quote; a quote within a value in quotes is written twice",
        ),
        (
            b"x,y\n1,2\n3,\0\n",
            "new.csv: line 3: found a NUL byte, which is in no text; if this is a table in UTF-16, say "
            'encoding = "utf-16" in [data], or save it as UTF-8',
        ),
    ],
)
def test_faulty_tables(contents, message):
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        read_table(io.BytesIO(contents), "new.csv")


def test_a_table_may_have_no_rows():
    table = table_of("x,y\n")
    assert {key: column.strings() for key, column in table.columns.items()} == {"x": [], "y": []}
    with pytest.raises(DataError, match=r"^new\.csv: no rows below the names of the columns$"):
        table.require_rows()


def test_columns_of_different_lengths_are_no_table():
    with pytest.raises(DataError, match="the columns differ in length"):
        Table({"x": ["1"], "y": []})


def test_columns_that_are_missing_are_all_named():
    message = (
        'new.csv: no column "Mass" (did you mean "mass"?), no columns "y", "zzz"; the columns are species, mass, sex'
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        table_of("species,mass,sex\na,1,m\n").require(["species", "y", "Mass", "zzz"])


# Arrays


IDX_ELEMENTS = [(0x08, "u1"), (0x09, "i1"), (0x0B, "i2"), (0x0C, "i4"), (0x0D, "f4"), (0x0E, "f8")]


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "a.idx", "a.idx.gz", "x-ubyte.gz", "unsaid", "unsaid.gz"])
@pytest.mark.parametrize(("kind", "dtype"), IDX_ELEMENTS)
def test_idx(tmp_path, name, kind, dtype):
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    contents = idx(kind, array.shape, array.astype(f">{dtype}").tobytes())
    (tmp_path / name).write_bytes(gzip.compress(contents) if name.endswith(".gz") else contents)
    found = read(tmp_path / name)
    np.testing.assert_array_equal(found, array)
    assert found.dtype == np.dtype(dtype)
    assert found.dtype.isnative


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"", "not an IDX file: expected 00 00, a type and a number of axes, found nothing"),
        (b"\x1f\x8e\x08\x00", "not an IDX file: expected 00 00, a type and a number of axes, found 1f 8e 08 00"),
        (idx(0x0A, (1,), b"\0"), "unknown IDX element type 0a; expected one of 08, 09, 0b, 0c, 0d, 0e"),
        (idx(0x08, (), b"\0"), "expected an IDX file with 1 to 32 axes, found 0"),
        (b"\0\0\x08\xff" + bytes(1020), "expected an IDX file with 1 to 32 axes, found 255"),
        (b"\0\0\x08\x02\0\0\0\x01", "truncated: 8 bytes, too short for 2 axes"),
        (
            idx(0x0C, (3,), bytes(11)),
            "truncated: found 19 bytes, expected 20 for int32 elements of shape (3,)",
        ),
        (
            idx(0x08, (2, 2), bytes(5)),
            "too long: found 17 bytes, expected 16 for uint8 elements of shape (2, 2)",
        ),
        (
            idx(0x0E, (2**32 - 1,) * 3, b""),
            f"truncated: found 16 bytes, expected {16 + 8 * (2**32 - 1) ** 3:,} for float64 elements "
            "of shape (4294967295, 4294967295, 4294967295)",
        ),
    ],
)
def test_faulty_idx(tmp_path, contents, message):
    path = tmp_path / "a.idx"
    path.write_bytes(contents)
    with pytest.raises(DataError, match=f"^{re.escape(f'{path}: {message}')}$"):
        read(path)


def test_npz_gives_named_arrays(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", x=np.eye(2), y=np.array(["cat", "dog"]))
    found = read(tmp_path / "a.npz")
    assert found.keys() == {"x", "y"}
    np.testing.assert_array_equal(found["x"], np.eye(2))
    assert found["y"].tolist() == ["cat", "dog"]


def test_npy_is_mapped_and_read_only(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(6).reshape(3, 2))
    found = read(tmp_path / "a.npy")
    assert isinstance(found, np.memmap)
    assert not found.flags.writeable
    np.testing.assert_array_equal(found, [[0, 1], [2, 3], [4, 5]])


def write_objects_npz(path):
    np.savez(path, y=np.array([{}, []], dtype=object))


def write_other_npz(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("notes.txt", "no array")


def write_torn_npz(path):
    np.savez(path, x=np.arange(100))
    contents = bytearray(path.read_bytes())
    contents[200] ^= 0xFF
    path.write_bytes(contents)


def write_torn_npy(path):
    np.save(path, np.arange(100))
    path.write_bytes(path.read_bytes()[:-8])


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("a.npz", write_objects_npz, "array y: contains Python objects, or is not in numpy's format"),
        ("a.npz", write_other_npz, "notes.txt is not an array"),
        ("a.npz", write_torn_npz, "array x: cannot be read: Bad CRC-32 for file 'x.npy'"),
        ("a.npz", lambda path: path.write_bytes(b"PK"), "not an npz file, or a truncated one"),
        ("a.npy", lambda path: np.save(path, np.array([{}], dtype=object)), "contains Python objects"),
        ("a.npy", lambda path: path.write_bytes(b"no"), "contains Python objects, or is not in numpy's format"),
        ("a.npy", lambda path: path.write_bytes(b""), "contains Python objects, or is not in numpy's format"),
        ("a.npy", write_torn_npy, "cannot be read: truncated: found 920 bytes; its header declares more"),
        (
            "a.csv.gz",
            lambda path: path.write_bytes(b"\0x,y\n1,2\n"),
            "expected a .gz file, found another kind, or a damaged one",
        ),
        ("a.idx.gz", lambda path: path.write_bytes(gzip.compress(bytes(99))[:-9]), "the gzip compression is damaged"),
        ("a.csv", lambda path: path.mkdir(), "expected a file, found a folder"),
        (
            "a.strange",
            lambda path: path.write_bytes(b"\1\2\3\0"),
            "unknown kind of data file; expected one of .csv .tsv, .tab .psv .txt .dat .data, .jsonl .ndjson, .json, "
            ".sqlite .sqlite3 .db .db3, .npz, .npy, .idx *-ubyte",
        ),
    ],
)
def test_unreadable_files(tmp_path, name, write, message):
    path = tmp_path / name
    write(path)
    with pytest.raises(DataError, match=re.escape(f"{path}: {message}")):
        read(path)


def npy(header, data=bytes(24), version=1, length=None):
    text = header.encode()
    size = len(text) if length is None else length
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", size) + text + data


def described(shape="(2, 3)", descr="'<f4'", fortran="False"):
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n"


@pytest.mark.parametrize("suffix", ["npy", "npz"])
@pytest.mark.parametrize(
    "contents",
    [
        npy("{'descr': '<f4', 'shape': (2, 3"),
        npy("'''"),
        npy("-" * 9000 + "1"),
        npy("(" * 9000),
        npy("{1: 2, 'a': 3}"),
        npy("{[]: 1}"),
        npy("{}"),
        npy("3"),
        npy(described("(True, 3)")),
        npy(described("(-1,)")),
        npy(described("3")),
        npy(described("(2.0,)")),
        npy(described("(1,)" + " " * 9999)),
        npy(described(f"({2**70},)")),
        npy(described(f"({'9' * 5000},)")),
        npy(described(f"(0, {2**62}, {2**62})")),
        npy(described("(" + "1, " * 65 + ")")),
        npy(described(descr="'|O'")),
        npy(described(descr="[('a', '<f4')]")),
        npy(described(descr="'nonsense'")),
        npy(described(descr="'<f4,<f4'")),
        npy(described(descr="b'<f4'")),
        npy(described(fortran="2")),
        npy(described(), bytes(23)),
        npy("{}", version=2, length=0xFFFFFFFF),
        npy("{}", version=9),
        npy("{'\u00e9': 1}", version=3),
        npy("", b"")[:9],
        b"\x80\x04N.",
    ],
)
def test_hostile_arrays_are_faulty_data(tmp_path, suffix, contents):
    path = tmp_path / f"a.{suffix}"
    if suffix == "npy":
        path.write_bytes(contents)
    else:
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("x.npy", contents)
    with pytest.raises(DataError, match=re.escape(str(path))):
        read(path)


@pytest.mark.parametrize("suffix", ["npy", "npz"])
@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(6, dtype=">i2"),
        np.zeros((0, 3)),
        np.float32(3),
        np.array(["cat", "dög"]),
        np.array([b"a"]),
        np.array([True]),
        np.array(["2020-01-01"], "M8[D]"),
        np.array([1j]),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_arrays_of_every_kind_come_back(tmp_path, suffix, array):
    path = tmp_path / f"a.{suffix}"
    if suffix == "npy":
        np.save(path, array)
    else:
        np.savez_compressed(path, x=array)
    found = read(path) if suffix == "npy" else read(path)["x"]
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype


def test_an_archive_that_lies_is_faulty_data(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(100))
    sound = (tmp_path / "a.npz").read_bytes()
    directory = sound.index(b"PK\x01\x02")
    changes = {"encrypted": (8, b"\x01\0"), "method": (10, b"\x63\0"), "bzip2": (10, b"\x0c\0"),
               "lzma": (10, b"\x0e\0"), "deflate": (10, b"\x08\0"), "smaller": (24, b"\x10\0")}  # fmt: skip
    for at, content in changes.values():
        damaged = bytearray(sound)
        for start in (0 if at < 20 else None, directory):
            if start is not None:
                place = start + at - (2 if start == 0 else 0)
                damaged[place : place + 2] = content
        (tmp_path / "a.npz").write_bytes(damaged)
        with pytest.raises(DataError, match="array x: "):
            read(tmp_path / "a.npz")


@pytest.mark.parametrize("name", ["a.csv.gz", "a.idx.gz", "a.npz"])
def test_a_small_file_that_unpacks_to_very_much_is_refused_before(tmp_path, monkeypatch, name):
    monkeypatch.setattr("modnet.data.source.SMALL", 1 << 20)
    path = tmp_path / name
    zeros = b"a,b\n" + b"0,0\n" * (1 << 19)
    if name.endswith("npz"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("x.npy", zeros)
    else:
        path.write_bytes(gzip.compress(zeros))
    with pytest.raises(DataError, match=r"bytes unpack to [12],\d{3},\d{3} or more, over 100 times as many; if"):
        read(path)
    monkeypatch.undo()
    if "csv" in name:
        assert len(read(path)) == 1 << 19


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("name", ["a.csv", "a.npz", "a.npy", "a.idx", "a.csv.gz", "a"])
def test_a_pipe_is_no_data_file(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(DataError, match="expected a file, found a pipe or device"):
        read(tmp_path / name)


def test_a_missing_file_names_what_is_near(tmp_path):
    (tmp_path / "penguins.csv").write_text("x\n1\n")
    with pytest.raises(DataError, match=r'penguin\.csv: no such file; did you mean "penguins\.csv"\?$'):
        read(tmp_path / "penguin.csv")
    with pytest.raises(DataError, match=r"no such file; the folder .*nowhere does not exist$"):
        read(tmp_path / "nowhere" / "penguins.csv")


def test_readers_are_asked_first_and_the_first_result_wins(tmp_path):
    asked = []

    def reader(name, result):
        def ask(path, options):
            asked.append(name)
            return result if path.suffix == ".parquet" else None

        return ask

    readers = [reader("a", None), reader("b", Table({"x": ["1"]})), reader("c", Table({"x": ["2"]}))]
    (tmp_path / "new.parquet").write_bytes(b"PAR1")
    (tmp_path / "new.csv").write_text("x\n3\n")
    assert read(tmp_path / "new.parquet", readers).columns["x"].strings() == ["1"]
    assert asked == ["a", "b"]
    assert read(tmp_path / "new.csv", readers).columns["x"].strings() == ["3"]


def test_what_a_reader_has_to_say_is_said_once():
    said = ("line 1: no row of the table, left out: 'Report'", "line 9, after the last row and an empty line, left out")
    table = Table({"a": [1, 2]}, "new.csv", notes=said * 2)
    assert table.notes == said
    assert table.take([0]).notes == Table.joined([table, table]).notes == said
