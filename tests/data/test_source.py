"""Compressed files and archives, and files of kinds that nothing here reads."""

import bz2
import gzip
import lzma
import re
import sqlite3
import zipfile
from contextlib import closing

import numpy as np
import pytest

from modnet.data.files import read
from modnet.data.source import without_password
from modnet.errors import DataError

CSV = b"x,y\n1,a\n2,b\n"
PACK = {
    ".gz": lambda data: gzip.compress(data, mtime=0),
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    "": bytes,
}
TEXTS = {
    "a.csv": CSV,
    "a.tsv": CSV.replace(b",", b"\t"),
    "a.txt": CSV,
    "a.dat": CSV.replace(b",", b";"),
    "a.jsonl": b'{"x": 1, "y": "a"}\n{"x": 2, "y": "b"}\n',
    "a.json": b'[{"x": 1, "y": "a"}, {"x": 2, "y": "b"}]',
}


def archive(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in members.items():
            opened.writestr(name, data)
    return path


def texts(table):
    return {name: column.strings() for name, column in table.columns.items()}


EXPECTED = {"x": ["1", "2"], "y": ["a", "b"]}


def fault_of(path):
    """What is said of a file that cannot be read; of another one its name."""
    try:
        read(path)
    except DataError as error:
        return str(error)
    return str(path)


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("name", TEXTS)
def test_texts_in_every_compression(tmp_path, name, ending):
    path = tmp_path / f"{name}{ending}"
    path.write_bytes(PACK[ending](TEXTS[name]))
    assert texts(read(path)) == EXPECTED


@pytest.mark.parametrize("name", TEXTS)
def test_the_only_file_of_an_archive(tmp_path, name):
    beside = {"__MACOSX/._a": b"\0", "folder/.DS_Store": b"\0", "folder/": b""}
    assert texts(read(archive(tmp_path / "data.zip", {**beside, f"folder/{name}": TEXTS[name]}))) == EXPECTED
    assert texts(read(archive(tmp_path / f"{name}.zip", {name: TEXTS[name]}))) == EXPECTED


def test_a_file_of_an_archive_by_its_name(tmp_path):
    path = archive(tmp_path / "kaggle.zip", {"train.csv": CSV, "test.csv": b"x,y\n", "../../evil.csv": b"x\n"})
    assert texts(read(path / "train.csv")) == EXPECTED
    with pytest.raises(DataError, match=r"holds 3 files: train\.csv, .*name one of them: \"kaggle\.zip/train\.csv\"$"):
        read(path)
    with pytest.raises(DataError, match=r'holds no "tran\.csv"; did you mean "train\.csv"\?$'):
        read(path / "tran.csv")
    with pytest.raises(DataError, match="expected an archive of one data file, found none"):
        read(archive(tmp_path / "empty.zip", {}))


@pytest.mark.parametrize(
    ("name", "contents"), [("a.csv", gzip.compress(CSV, mtime=0)), ("a.csv.gz", CSV), ("a.csv.bz2", lzma.compress(CSV))]
)
def test_the_first_bytes_tell_the_compression_where_the_name_errs(tmp_path, name, contents):
    (tmp_path / name).write_bytes(contents)
    assert texts(read(tmp_path / name)) == EXPECTED


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".zip"])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_damage_is_a_fault_of_data(tmp_path, name, ending):
    path = tmp_path / f"{name}{ending}"
    data = b"".join(b'{"x": %d}\n' % number for number in range(2000)) if "json" in name else CSV * 1000
    whole = archive(path, {name: data}).read_bytes() if ending == ".zip" else PACK[ending](data)
    rng = np.random.default_rng(0)
    for end in (0, 7, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(DataError, match=re.escape(str(path))):
            read(path)
    for _ in range(40):
        damaged = bytearray(whole)
        damaged[rng.integers(6, len(whole))] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        assert str(path) in fault_of(path)


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".zip"])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json"])
def test_a_small_file_that_unpacks_to_very_much(tmp_path, monkeypatch, name, ending):
    monkeypatch.setattr("modnet.data.source.SMALL", 1 << 20)
    monkeypatch.setattr("modnet.data.source.HIGHEST_RATIO", 10)
    data = (b"a,b\n" if "csv" in name else b"") + b"\n" * (1 << 22)
    path = tmp_path / f"{name}{ending}"
    if ending == ".zip":
        archive(path, {name: data})
    else:
        path.write_bytes(PACK[ending](data))
    with pytest.raises(DataError, match=r"bytes unpack to [\d,]+ or more, over 10 times as many"):
        read(path)


def test_a_path_that_leads_into_a_file_that_holds_none(tmp_path):
    (tmp_path / "a.csv").write_bytes(CSV)
    with pytest.raises(DataError, match=r"a\.csv/x: no such file; .*a\.csv is a file, not a folder$"):
        read(tmp_path / "a.csv" / "x")


def test_a_password(tmp_path):
    path = archive(tmp_path / "a.zip", {"a.csv": CSV})
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"a\.csv is protected by a password; unpack the archive first"):
        read(path)


# Unknown kinds


@pytest.mark.parametrize(
    ("name", "contents", "message"),
    [
        ("a.parquet", b"PAR1", "modnet-tables reads .parquet files:  pip install 'modnet-tables[parquet]'"),
        ("a.png", b"\x89PNG", "modnet-tables reads .png files:  pip install 'modnet-tables[images]'"),
        ("a.xlsx", b"PK\3\4", "modnet-tables reads .xlsx files:  pip install 'modnet-tables[excel]'"),
        ("a.ods", b"PK\3\4", "modnet-tables reads .ods files:  pip install 'modnet-tables[spreadsheets]'"),
        ("a.dta", b"\0", "it is Stata's format; convert it:  python -c \"import pandas; pandas.read_stata('a.dta')"),
        ("a.rds", b"\0", "it is R's format; convert it:  Rscript -e \"write.csv(readRDS('a.rds'), 'a.csv'"),
        ("a.mat", b"\0", "it is MATLAB's format: scipy.io.loadmat reads it"),
        ("a.strange", b"PAR1....", 'it looks like Parquet; if it is, name it "a.parquet"'),
        ("a", b"SQLite format 3\0", 'it looks like a SQLite database; if it is, name it "a.sqlite"'),
        ("a", b'{"a": 1}\n{"a": 2}\n', 'it looks like JSON; if it is, name it "a.jsonl"'),
        ("a.log", b'[{"a": 1}]', 'it looks like JSON; if it is, name it "a.json"'),
        ("a.foo", b"x,y\n1,2\n", 'it looks like text; if it is, name it "a.csv"'),
        ("a.foo", b"\1\2\0", "unknown kind of data file; expected one of .csv .tsv, "),
        ("a.csv", b"PAR1\0\0", 'expected text, found Parquet; name it "a.parquet"'),
        ("a.csv", b"\xd0\xcf\x11\xe0\0", 'expected text, found an old Excel workbook; name it "a.xls"'),
        ("a.txt", b"<!DOCTYPE html>", "expected text, found a web page"),
        ("a.npy.gz", gzip.compress(b"", mtime=0), "a compressed .npy file; unpack it first"),
    ],
)
def test_what_to_do_about_another_kind(tmp_path, name, contents, message):
    (tmp_path / name).write_bytes(contents)
    with pytest.raises(DataError) as caught:
        read(tmp_path / name)
    assert message in str(caught.value)


def test_workbooks_and_arrays_under_a_wrong_name(tmp_path):
    with pytest.raises(DataError, match=r'expected text, found an Excel workbook; name it "a\.xlsx"$'):
        read(archive(tmp_path / "a.csv", {"xl/workbook.xml": b""}))
    with pytest.raises(DataError, match=r'it looks like arrays of numpy; if it is, name it "a\.npz"$'):
        read(archive(tmp_path / "a.bin", {"x.npy": b""}))


def test_folders_and_addresses(tmp_path):
    with pytest.raises(DataError, match=r"expected a file, found a folder, which is empty$"):
        read(tmp_path)
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(DataError, match="found a folder, with nothing in it that an installed plugin reads"):
        read(tmp_path)
    with pytest.raises(
        DataError, match=r"^postgresql://ann:\*\*\*@db/x: no installed plugin reads postgresql addresses"
    ):
        read("postgresql://ann:secret@db/x")
    with pytest.raises(DataError, match="download the file, and give its path"):
        read("https://example.org/a.csv")
    assert without_password("mysql://db/a:b@c") == "mysql://db/a:b@c"


def test_a_database_in_a_wrong_place(tmp_path):
    with closing(sqlite3.connect(tmp_path / "a.csv")) as base:
        base.execute("create table t (x)")
    with pytest.raises(DataError, match=r'expected text, found a SQLite database; name it "a\.sqlite"$'):
        read(tmp_path / "a.csv")
