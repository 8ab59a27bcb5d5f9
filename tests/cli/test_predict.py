"""modnet predict: tables and arrays in, names and arrays out."""

import csv
import io
import subprocess
from pathlib import Path

import numpy as np
import pytest

import modnet
from tests.cli.test_train import start


def rows(text, delimiter=","):
    return list(csv.reader(io.StringIO(text), delimiter=delimiter))


@pytest.fixture
def new(folder):
    (folder / "new.csv").write_text("size,collar,name\n4.1,red,Tom\n9.2,blue,Rex\n")
    return "new.csv"


@pytest.fixture
def arrays(run):
    run("train", "points.toml")
    return "points.modnet"


def test_a_table_gives_names_and_probabilities(run, model, new):
    header, first, second = rows(run("predict", model, new).stdout)
    assert header == ["kind", "P(cat)", "P(dog)"]
    assert (first[0], second[0]) == ("cat", "dog")
    assert float(first[1]) + float(first[2]) == pytest.approx(1)


def test_standard_input(run, model, new):
    from_file = run("predict", model, new).stdout
    assert run("predict", model, "-", input=Path(new).read_text()).stdout == from_file


@pytest.mark.parametrize(("name", "delimiter"), [("out.csv", ","), ("out.tsv", "\t")])
def test_a_table_as_output(run, model, new, name, delimiter):
    assert run("predict", model, new, "-o", name).stdout == ""
    assert rows(Path(name).read_text(), delimiter) == rows(run("predict", model, new).stdout)


def test_arrays_give_labels_and_probabilities(run, arrays):
    header, *found = rows(run("predict", arrays, "points.npz").stdout)
    assert header == ["class", "P(0)", "P(1)", "P(2)"]
    assert len(found) == 60


def test_arrays_as_output(run, arrays):
    np.save("x.npy", np.load("points.npz")["x"])
    run("predict", arrays, "x.npy", "-o", "out.npz")
    expected = modnet.load(arrays).predict(np.load("x.npy"))
    np.testing.assert_array_equal(np.load("out.npz")["output"], expected)


def test_numbers_keep_their_digits(run, arrays):
    _, *found = rows(run("predict", arrays, "points.npz").stdout)
    expected = modnet.load(arrays).predict(np.load("points.npz")["x"])
    np.testing.assert_allclose(np.array([row[1:] for row in found], float), expected, rtol=1e-6)


def test_several_numbers_have_the_name_of_their_output(run, folder):
    np.savez("points.npz", x=np.zeros((4, 2)), y=np.zeros((4, 3)))
    layers = 'network.layers=[{type = "linear", out_features = 3}]'
    run("train", "points.toml", "--set", layers, "--set", "training.loss=mse", "--set", "training.metrics=[]")
    assert rows(run("predict", "points.modnet", "points.npz").stdout)[0] == ["output_0", "output_1", "output_2"]


def test_what_is_no_row_needs_arrays(run, folder):
    np.savez("points.npz", x=np.zeros((4, 2, 2)), y=np.zeros((4, 2, 3)))
    layers = 'network.layers=[{type = "linear", out_features = 3}]'
    options = ["--set", "network.input=[2, 2]", "--set", "training.loss=mse", "--set", "training.metrics=[]"]
    run("train", "points.toml", "--set", layers, *options)
    message = run("predict", "points.modnet", "points.npz", status=2).stderr
    assert "output has samples of shape (2, 3), which do not fit into a row of a table; give -o FILE.npz" in message
    run("predict", "points.modnet", "points.npz", "-o", "out.npz")
    assert np.load("out.npz")["output"].shape == (4, 2, 3)


def test_no_rows_are_no_fault(run, model):
    Path("none.csv").write_text("size,collar\n")
    assert run("predict", model, "none.csv").stdout == "kind,P(cat),P(dog)\n"
    Path("none.csv").write_text("kind,size,collar\n")
    assert "no rows below the names" in run("evaluate", model, "none.csv", status=2).stderr
    np.savez("none.npz", x=np.zeros((0, 2)))
    run("train", "points.toml")
    assert run("predict", "points.modnet", "none.npz").stdout == "class,P(0),P(1),P(2)\n"


@pytest.mark.parametrize("name", ["=cmd|'/C calc'!A0", "@SUM(1)", "+1+1", "-2+3", "\t=1", "\r=1", "＝1"])
def test_a_class_that_looks_like_a_formula_is_none_in_a_spreadsheet(run, name):
    Path("pets.csv").write_text(_table_with(name))
    run("train", "pets.toml", "--set", "training.epochs=1")
    result = run("predict", "pets.modnet", "pets.csv")
    rows = [*csv.reader(io.StringIO(result.stdout, newline=""))]
    assert {row[0] for row in rows[1:]} <= {"dog", f"'{name}".replace("\t", "\\t").replace("\r", "\\r")}
    assert "spreadsheets would take these names for formulas, so an apostrophe is put before them" in result.stderr


@pytest.mark.parametrize("name", ["-1", "+1.5", "-1e3", "-", "+", "a=b", "'=1"])
def test_numbers_and_signs_are_no_formulas(run, name):
    Path("pets.csv").write_text(_table_with(name))
    run("train", "pets.toml", "--set", "training.epochs=1")
    result = run("predict", "pets.modnet", "pets.csv")
    assert {row[0] for row in csv.reader(io.StringIO(result.stdout))} <= {"kind", "dog", name}
    assert result.stderr == ""


def test_a_class_moves_no_terminal(run):
    name = "a\x1b[2Jb\x9b\x07"
    Path("pets.csv").write_text(_table_with(name))
    run("train", "pets.toml", "--set", "training.epochs=1")
    for command in ("predict", "evaluate", "inspect", "summary"):
        arguments = ["pets.modnet"] + ["pets.csv"] * (command in ("predict", "evaluate"))
        result = run(command, *arguments)
        assert (result.stdout + result.stderr).replace("\n", "").isprintable(), command


def _table_with(name):
    rows = [[name if number % 2 else "dog", number, ("red", "blue")[number // 2 % 2]] for number in range(80)]
    written = io.StringIO(newline="")
    csv.writer(written).writerows([["kind", "size", "collar"], *rows])
    return written.getvalue()


def test_a_reader_who_leaves_gets_no_traceback(run, model):
    rows_of_new = "4.1,red\n" * 20_000
    Path("long.csv").write_text("size,collar\n" + rows_of_new)
    process = start("predict", model, "long.csv", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == "kind,P(cat),P(dog)\n"
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    process.wait(timeout=300)


def test_a_number_that_float32_cannot_hold_is_named_by_its_line(run, model):
    Path("new.csv").write_text("size,collar\n3.0,red\n1e39,blue\n")
    assert run("predict", model, "new.csv", status=2).stderr == (
        'error: new.csv: input "input", feature 0: found 1e+39 in row 2 (line 3), beyond what float32 can hold '
        '(3.4e+38); rescale it, or set dtype = "float64" in [network]\n'
    )
