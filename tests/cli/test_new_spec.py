"""modnet new-spec"""

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
        (["points.npz", "--target", "y"], "expected a table (.csv, .tsv), found arrays"),
        (
            ["pets.csv", "--target", "kind", "--target", "size"],
            "column kind holds text; several targets have to be numbers",
        ),
    ],
)
def test_faults(run, arguments, message):
    assert message in run("new-spec", *arguments, status=2).stderr


def test_what_comes_next_can_be_typed(run, folder):
    shown = run("new-spec", "pets.csv", "--target", "kind", "-o", "my pets.toml").stdout
    assert shown == "my pets.toml\nnext: modnet train 'my pets.toml'\n"
    shown = run("train", "my pets.toml", "--set", "training.epochs=1").stdout
    assert shown.endswith("\nnext: modnet predict 'my pets.modnet' NEW.csv\n")
