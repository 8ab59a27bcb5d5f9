"""Everyday mistakes with data at the command line: each is told in a line that says what to do, or is no mistake."""

import csv
import gzip
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.cli.test_predict_rows import alike

COMMANDS = ("predict", "predict in chunks", "evaluate", "new-spec", "check")


@pytest.fixture
def told(run, model):
    """told(command, file) runs a command with a file as its data: the status, and what is told."""

    def told(command, file):
        calls = {
            "predict": ["predict", model, file],
            "predict in chunks": ["predict", model, file, "--chunk", 7],
            "evaluate": ["evaluate", model, file],
            "new-spec": ["new-spec", file, "--target", "kind", "-o", "made.toml"],
            "check": ["check", "pets.toml", "--set", f"data.train={file}"],
        }
        Path("made.toml").unlink(missing_ok=True)
        result = run(*calls[command], status=None)
        assert "Traceback" not in result.output
        assert "unexpected error" not in result.output
        assert result.exit_code in (0, 2), result.output
        return result.exit_code, result.stdout if command == "check" else result.stderr

    return told


def table():
    return Path("pets.csv").read_text()


def with_commas(text):
    return "\n".join(line.replace(",", ";").replace(".", ",") for line in text.splitlines()) + "\n"


def excel():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return packed.getvalue()


def two_in_a_zip(text):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.csv", text)
        archive.writestr("b.csv", text)
    return packed.getvalue()


WRONG = {
    "empty": ("x.csv", lambda text: "", "x.csv: empty; expected a line with the names of the columns"),
    "renamed": ("x.csv", lambda text: text.replace("collar", "colar"), 'no column "collar" (did you mean "colar"?)'),
    "no names": ("x.csv", lambda text: text.partition("\n")[2], "the columns are "),
    "an Excel file called csv": (
        "x.csv",
        lambda text: excel(),
        'expected text, found an Excel workbook; name it "x.xlsx',
    ),
    "an Excel file": ("x.xlsx", lambda text: excel(), "x.xlsx"),
    "Parquet": ("x.parquet", lambda text: b"PAR1", "x.parquet"),
    "a page of an error": ("x.csv", lambda text: "<!DOCTYPE html>\n<html></html>\n", "found a web page"),
    "an answer of a service": ("x.json", lambda text: '{"error": "not found"}', "expected a list of records"),
    "binary": ("x.csv", lambda text: np.random.default_rng(0).bytes(5000), "x.csv: line "),
    "cut off": ("x.csv", lambda text: text[:-8], "(line 81): found 2 values, expected 3"),
    "compressed and cut off": ("x.csv.gz", lambda text: gzip.compress(text.encode())[:200], "compression is damaged"),
    "a row of another length": (
        "x.csv",
        lambda text: text.replace("\n", "\nx,1,2,3\n", 1),
        "row 1 (line 2): found 4 values",
    ),
    "two files in one": ("x.zip", two_in_a_zip, 'name one of them: "x.zip/a.csv"'),
    "a spec": ("x.toml", lambda text: "[network]\n", "it is a spec; expected data"),
    "a model": ("x.modnet", lambda text: Path("pets.modnet").read_bytes(), "it is a model file; expected data"),
    "a picture": ("x.png", lambda text: b"\x89PNG\r\n\x1a\n", "x.png"),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("name", "made", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_told_in_a_line(told, command, name, made, message):
    content = made(table())
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    status, text = told(command, name)
    if command in ("new-spec", "check") and message.startswith("no column"):
        return  # for these any names are right
    assert status == 2
    assert message in text
    assert not Path("made.toml").exists()
    assert len(text.splitlines()) <= 2


RIGHT = {
    "Windows": ("x.csv", lambda text: text.replace("red", "röd").encode("cp1252"), 'encoding = "cp1252"'),
    "UTF-16": ("x.csv", lambda text: text.encode("utf-16"), ""),
    "a byte order mark": ("x.csv", lambda text: text.encode("utf-8-sig"), ""),
    "compressed": ("x.csv.gz", lambda text: gzip.compress(text.encode()), ""),
    "compressed without saying so": ("x.csv", lambda text: gzip.compress(text.encode()), ""),
    "semicolons": ("x.csv", lambda text: text.replace(",", ";").encode(), ""),
    "tabs": ("x.txt", lambda text: text.replace(",", "\t").encode(), ""),
    "columns in another order": (
        "x.csv",
        lambda text: "".join(",".join(line.split(",")[::-1]) + "\n" for line in text.splitlines()).encode(),
        "",
    ),
    "additional columns": (
        "x.csv",
        lambda text: "".join(f"{line},{place % 7}\n" for place, line in enumerate(text.splitlines())).encode(),
        "",
    ),
    "line ends of Windows": ("x.csv", lambda text: text.replace("\n", "\r\n").encode(), ""),
    "no line end": ("x.csv", lambda text: text.rstrip("\n").encode(), ""),
}


@pytest.mark.parametrize("command", ["predict", "predict in chunks", "evaluate", "new-spec"])
@pytest.mark.parametrize(("name", "made", "note"), RIGHT.values(), ids=RIGHT)
def test_an_unusual_file_is_read_and_what_was_assumed_is_said(told, command, name, made, note):
    Path(name).write_bytes(made(table()))
    status, text = told(command, name)
    assert status == 0, text
    assert note in (Path("made.toml").read_text() if command == "new-spec" else text)


def test_a_model_and_its_data_that_are_swapped(run, model):
    for command in ("predict", "evaluate"):
        message = run(command, "pets.csv", model, status=2).stderr
        assert "pets.csv: this is a text file that looks like a table" in message
        assert "modnet predict MODEL TABLE" in message


@pytest.mark.parametrize("command", ["train", "check", "summary"])
def test_a_table_in_the_place_of_a_spec(run, command):
    result = run(command, "pets.csv", status=2)
    assert "for a first spec of a table: modnet new-spec pets.csv" in result.stdout + result.stderr


def test_a_folder_and_a_file_that_is_not_there(told):
    for command in ("predict", "predict in chunks", "evaluate", "new-spec"):
        Path("dir").mkdir(exist_ok=True)
        assert "dir: expected a file, found a folder" in told(command, "dir")[1]
        assert told(command, "pest.csv") == (2, 'error: pest.csv: no such file; did you mean "pets.csv"?\n')


def test_no_rows(told):
    Path("x.csv").write_text("kind,size,collar\n")
    for command in ("evaluate", "new-spec", "check"):
        assert "x.csv: no rows below the names of the columns" in told(command, "x.csv")[1]
    for command in ("predict", "predict in chunks"):
        assert told(command, "x.csv") == (0, "")


def test_a_decimal_comma_where_the_model_has_learnt_points(run, model):
    Path("x.csv").write_text(with_commas(table()))
    for options in ((), ("--chunk", 7)):
        message = run("predict", model, "x.csv", *options, status=2).stderr
        assert 'x.csv: row 1 (line 2), column size: expected a number, found "' in message
        assert message.endswith("; if numbers are written with a decimal comma, add:  --decimal ,\n")
        found = run("predict", model, "x.csv", *options, "--decimal", ",").stdout
        assert alike(found, run("predict", model, "pets.csv").stdout)


def test_how_a_file_is_written_can_be_said(run, model):
    text = "Pets of 2024\n\n" + table().replace(",", "|").replace("red", "röd")
    Path("x.csv").write_bytes(text.encode("cp1252"))
    options = ["--encoding", "cp1252", "--delimiter", "|", "--header", 3]
    for chunk in ((), ("--chunk", 7)):
        found = run("predict", model, "x.csv", *options, *chunk, "--keep", "collar").stdout
        assert {row["collar"] for row in csv.DictReader(io.StringIO(found))} == {"röd", "blue"}


def test_arrays_for_a_model_of_a_table(run, model):
    np.save("x.npy", np.zeros((3, 4)))
    message = run("predict", model, "x.npy", status=2).stderr
    assert message == 'error: x.npy: input "input": expected an array of shape (batch, 3), found (3, 4)\n'
    np.savez("x.npz", z=np.zeros((3, 4)))
    assert "x.npz: no array for the network's input" in run("predict", model, "x.npz", status=2).stderr


def test_targets_with_a_comma_between_them(run):
    rows = "".join(f"{place * 7 % 13}.5,{place}.25,{place * place}.75\n" for place in range(60))
    Path("more.csv").write_text("x,a,b\n" + rows)
    assert 'target = ["a", "b"]' in run("new-spec", "more.csv", "--target", "a, b").stdout


def test_a_row_of_another_length_ends_a_stream_before_others_are_answered(run, model):
    lines = ["size,collar", *["4,red"] * 20, "4,red,9", *["4,red"] * 20]
    Path("x.csv").write_text("\n".join(lines) + "\n")
    result = run("predict", model, "x.csv", "--chunk", 5, status=2)
    assert "x.csv: row 21 (line 22): found 3 values, expected 2: size, collar" in result.stderr
    assert len(result.stdout.splitlines()) <= 21


def test_files_that_a_plugin_would_write(run, model, monkeypatch):
    monkeypatch.setattr("modnet.cli.forms._writers", list)
    for ending, extra in ((".parquet", "parquet"), (".feather", "parquet"), (".xlsx", "excel")):
        message = run("predict", model, "pets.csv", "-o", f"x{ending}", status=2).stderr
        assert f"modnet-tables writes {ending} files:  pip install 'modnet-tables[{extra}]'" in message


def test_who_types_a_table_is_told_that_it_is_waited_for(run, model, monkeypatch):
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda self: True, raising=False)
    result = run("predict", model, "-", input=table())
    assert result.stderr.startswith("reading a table from standard input: type or paste it, then Ctrl-")
