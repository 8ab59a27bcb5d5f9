"""modnet edit: its options, on the model file of a table."""

from pathlib import Path

import numpy as np
import pytest

import modnet
from modnet.model.reader import read_header
from modnet.model.writer import Group, write


def test_all_at_once(run, model):
    result = run(
        *("edit", model, "-o", "small.modnet", "--cast", "float64", "--drop-history", "--rename", "linear_1=hidden"),
        *("--rename", "softmax_1=kinds", "--set-metadata", "author=Ada = A.", "--set-metadata", "version=1.10"),
    )
    before, after = (f"{Path(path).stat().st_size / 1000:.1f} kB" for path in (model, "small.modnet"))
    assert result.stdout == f"small.modnet  {after}, was {before}\n"
    network = modnet.load("small.modnet")
    assert network.card.metadata == {"author": "Ada = A.", "version": "1.10"}
    assert network.card.history == {}
    assert "hidden.weight" in network.parameters
    assert run("predict", "small.modnet", "pets.csv").stdout.splitlines()[0] == "kind,P(cat),P(dog)"
    old, new = (np.genfromtxt(run("predict", path, "pets.csv").stdout.splitlines(), delimiter=",", skip_header=1)
                for path in (model, "small.modnet"))  # fmt: skip
    np.testing.assert_allclose(new[:, 1:], old[:, 1:], rtol=1e-4)


def test_in_place(run, model):
    run("edit", model, "-o", model, "--set-metadata", "author=Ada")
    run("edit", model, "-o", model, "--set-metadata", "year=1843", "--remove-metadata", "author")
    assert modnet.load(model).card.metadata == {"year": "1843"}


def test_a_checkpoint_becomes_a_model(run, model):
    groups = [Group("optimizer.mean", np.zeros(3), [("x", 0, (3,))])]
    write("step.modnet", {**read_header(model).header, "training": {"step": 1, "epoch": 1}}, groups, durable=False)
    run("edit", "step.modnet", "-o", "out.modnet", "--drop-resume-state")
    found = read_header("out.modnet")
    assert found.views == []
    assert "training" not in found.header
    assert found.header["spec"] == read_header(model).header["spec"]


@pytest.mark.parametrize("name", ["pets.csv", "pets.toml"])
def test_no_other_file_is_overwritten(run, model, name):
    before = Path(name).read_bytes()
    assert "is not overwritten" in run("edit", model, "-o", name, "--drop-history", status=2).stderr
    assert Path(name).read_bytes() == before


def test_arrays_of_another_file_and_metadata_that_is_no_text(run, model):
    run("edit", model, "-o", "other.modnet", "--set-metadata-json", "runs=[1, 2.5]", "--set-metadata", "version=1.10")
    other = modnet.load("other.modnet")
    assert other.card.metadata == {"runs": [1, 2.5], "version": "1.10"}
    other.parameters["linear_1.bias"] = range(8)
    modnet.save(other, "other.modnet")
    run("edit", model, "-o", "merged.modnet", "--take", "linear_1=other.modnet")
    assert modnet.load("merged.modnet").parameters["linear_1.bias"].tolist() == [*range(8)]


def test_fold(run, model):
    shown = run("edit", model, "-o", "fast.modnet", "--fold").stdout
    assert "folded  standardize_1: into linear_1\n" in shown
    old, new = (run("predict", path, "pets.csv").stdout.splitlines() for path in (model, "fast.modnet"))
    assert new[0] == old[0] == "kind,P(cat),P(dog)"
    probabilities = [np.genfromtxt(lines[1:], delimiter=",")[:, 1:] for lines in (old, new)]
    np.testing.assert_allclose(*probabilities, rtol=1e-4)
    assert modnet.load("fast.modnet").schema == modnet.load(model).schema
    assert "nothing in it can be folded" in run("edit", "fast.modnet", "-o", "again.modnet", "--fold").stdout
    alone = run("edit", model, "-o", "a.modnet", "--fold", "--drop-history", status=2).stderr
    assert "--fold builds a new network" in alone


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--set-metadata-json", "a=b"], "a=b: expected JSON, such as 3, [1, 2]"),
        (["--set-metadata-json", "a"], "expected KEY=JSON, such as year=1843"),
        (["--set-metadata-json", "a=1", "--set-metadata", "a=1"], "a is given twice"),
        (["--take", "linear_1"], "expected NODE=FILE, such as linear_1=other.modnet"),
        (["--take", "linear_1=nothing.modnet"], "nothing.modnet: no such file"),
    ],
)
def test_what_cannot_be_taken_or_set(run, model, option, message):
    assert message in run("edit", model, "-o", "out.modnet", *option, status=2).stderr
