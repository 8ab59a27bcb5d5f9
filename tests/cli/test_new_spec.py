"""modnet new-spec"""

import os
from pathlib import Path

import pytest


def test_it_prints_a_spec_that_trains(run):
    Path("first.toml").write_text(run("new-spec", "pets.csv", "--target", "kind").stdout)
    assert "no problems" in run("check", "first.toml").stdout
    assert "val accuracy 1.000" in run("train", "first.toml", "--set", "training.epochs=20").stdout


def test_paths_are_those_seen_from_the_spec(run, folder):
    (folder / "specs").mkdir()
    assert run("new-spec", "pets.csv", "--target", "kind", "-o", "specs/pets.toml").stdout == (
        "specs/pets.toml\nnext: modnet train specs/pets.toml\n"
    )
    assert 'train = "../pets.csv"' in Path("specs/pets.toml").read_text()
    run("check", "specs/pets.toml")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pets.csv"], "Missing option '--target'"),
        (["pets.csv", "--target", "knd"], 'pets.csv: no column "knd" (did you mean "kind"?)'),
        (["points.npz", "--target", "y"], "expected a table, found arrays"),
        (
            ["pets.csv", "--target", "kind", "--target", "size"],
            "column kind contains text, but several targets have to be numbers",
        ),
    ],
)
def test_faults(run, arguments, message):
    assert message in run("new-spec", *arguments, status=2).stderr


def test_a_file_whose_name_is_not_utf_8_is_refused(run, folder):
    name = os.fsdecode(b"caf\xe9.csv")
    (folder / name).write_bytes((folder / "pets.csv").read_bytes())
    result = run("new-spec", name, "--target", "kind", "-o", "s.toml", status=2)
    assert "this name is not valid UTF-8 and cannot be written in a spec; rename the file" in result.stderr
    assert not (folder / "s.toml").exists()


def test_a_line_break_in_the_name_of_a_file_puts_no_line_into_the_spec(run, folder):
    name = "pets.csv\nepochs = 0\n#.csv"
    (folder / name).write_bytes((folder / "pets.csv").read_bytes())
    run("new-spec", name, "--target", "kind", "-o", "s.toml")
    assert not any(line.startswith("epochs = 0") for line in (folder / "s.toml").read_text().splitlines())
    run("check", "s.toml")


def test_what_comes_next_can_be_typed(run, folder):
    shown = run("new-spec", "pets.csv", "--target", "kind", "-o", "my pets.toml").stdout
    assert shown == "my pets.toml\nnext: modnet train 'my pets.toml'\n"
    shown = run("train", "my pets.toml", "--set", "training.epochs=1").stdout
    assert shown.endswith("\nnext: modnet predict 'my pets.modnet' NEW.csv\n")


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (("kind", "kind"), 'pets.csv: the target "kind" is given twice; give each target once'),
        (("kind", "size", "collar"), "pets.csv: all 3 columns are targets; there has to be a column to predict from"),
    ],
)
def test_targets_that_leave_nothing_are_refused_in_plain_words(run, targets, message):
    told = run("new-spec", "pets.csv", *(word for name in targets for word in ("--target", name)), status=2).stderr
    assert told == f"error: {message}\n"


def test_a_table_of_one_column_has_nothing_to_predict_from(run):
    Path("one.csv").write_text("a\n1\n2\n")
    told = run("new-spec", "one.csv", "--target", "a", status=2).stderr
    assert told == "error: one.csv: its only column is the target; there has to be a column to predict from\n"
