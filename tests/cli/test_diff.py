"""modnet diff: what differs between two model files, on the screen."""

import json

import numpy as np
import pytest

from modnet.model.writer import Group, write


def test_a_file_and_itself(run, model):
    assert run("diff", model, model).stdout == "pets.modnet and pets.modnet are the same\n"


def test_another_training(run, model):
    run("train", "pets.toml", "-o", "other.modnet", "--set", "training.epochs=4", "--set", "network.layers.2.name=wide")
    lines = run("diff", model, "other.modnet", status=1).stdout.splitlines()
    assert 'only in B: network.layers[2].name: "wide"' in lines
    assert "training.epochs: 3 -> 4" in lines
    assert "only in A: linear_2.weight" in lines
    assert "only in B: wide.weight" in lines
    assert lines[lines.index("only in B: wide.bias") + 2].split() == ["array", "largest", "mean", "differing"]
    assert max(map(len, lines)) <= 80


def model_file(path, header=None, **arrays):
    flat = np.concatenate([np.ravel(array) for array in arrays.values()] or [np.zeros(0)])
    views, offset = [], 0
    for name, array in arrays.items():
        views.append((name, offset, np.shape(array)))
        offset += np.size(array)
    write(path, header or {}, [Group("parameters", flat, views)], durable=False)


def test_arrays(run):
    model_file("a.modnet", x=np.zeros(3), y=np.zeros((2, 2)), z=np.zeros(4), gone=np.zeros(1))
    model_file("b.modnet", x=np.float64([0, 0, 0.3]), y=np.full((2, 2), 2.0), z=np.zeros((2, 2)))
    assert run("diff", "a.modnet", "b.modnet", status=1).stdout.splitlines() == [
        "only in A: gone",
        "",
        "array   largest   mean   differing",
        "z       (4,) -> (2, 2)",
        "y             2      2   4 of 4",
        "x           0.3    0.1   1 of 3",
    ]


def test_types_of_numbers(run, model):
    run("edit", model, "-o", "half.modnet", "--cast", "float16")
    lines = run("diff", model, "half.modnet", status=1).stdout.splitlines()
    assert lines[0].split() == ["array", "largest", "mean", "differing"]
    assert lines[1].endswith("   float32 -> float16")


def test_only_the_header(run, model):
    run("edit", model, "-o", "other.modnet", "--set-metadata", "author=Ada")
    lines = run("diff", model, "other.modnet", status=1).stdout.splitlines()
    assert lines == ['only in B: metadata.author: "Ada"', "the arrays are the same"]


def test_much_is_cut_short(run):
    model_file("a.modnet", {"metadata": {f"key{i}": i for i in range(25)}}, **{f"w{i}": [0.0] for i in range(32)})
    model_file("b.modnet", {}, **{f"w{i}": [1.0 + i] for i in range(32)})
    lines = run("diff", "a.modnet", "b.modnet", status=1).stdout.splitlines()
    assert lines[0] == "only in A: metadata: a table"
    assert lines[3].split() == ["w31", "32", "32", "1", "of", "1"]
    assert (len(lines), lines[-1]) == (24, "and 12 arrays more")


@pytest.mark.parametrize(
    ("a", "b", "line"),
    [
        (list(range(9)), [*range(8), 0], "x: [0, 1, 2, 3, 4, 5, ...] in both, and different from item 8 on"),
        ("a" * 70 + "b", "a" * 70 + "c", f'x: "{"a" * 57}..." in both, and different from character 70 on'),
        (list(range(9)), list(range(8)), "x: [0, 1, 2, 3, 4, 5, ...] in both, and different from item 8 on"),
        ([True], [1], "x: [true] -> [1]"),
        (None, {"type": "adam"}, 'x: nothing -> a table with type = "adam"'),
        ("\x1b[2J", "", 'x: "\\x1b[2J" -> ""'),
        ("a" * 50, "b" * 50, f'x:\n  "{"a" * 50}"\n  -> "{"b" * 50}"'),
    ],
)
def test_values(run, a, b, line):
    model_file("a.modnet", {"x": a})
    model_file("b.modnet", {"x": b})
    assert run("diff", "a.modnet", "b.modnet", status=1).stdout == f"{line}\nthe arrays are the same\n"


def test_the_same_values_in_other_bytes(run):
    model_file("a.modnet", {"x": {"a": 1, "b": 2}})
    model_file("b.modnet", {"x": {"b": 2, "a": 1}})
    assert (
        run("diff", "a.modnet", "b.modnet").stdout
        == "a.modnet and b.modnet hold the same values, but not byte for byte\n"
    )


def test_json(run):
    a, b = ({"network": {"layers": [{"type": "dropout", "rate": rate}]}} for rate in (0.2, 0.5))
    model_file("a.modnet", {"x": 1, "spec": a}, w=[0.0, 0.0], gone=[1.0])
    model_file("b.modnet", {"spec": b}, w=[0.0, 3.0])
    report = json.loads(run("diff", "a.modnet", "b.modnet", "--json", status=1).stdout)
    assert report == {
        "a": "a.modnet",
        "b": "b.modnet",
        "same": False,
        "identical": False,
        "header": [{"path": "x", "a": 1}, {"path": "spec.network.layers[0].rate", "a": 0.2, "b": 0.5}],
        "only_in_a": [{"group": "parameters", "name": "gone"}],
        "only_in_b": [],
        "arrays": [
            {
                "group": "parameters",
                "name": "w",
                "dtypes": ["float64", "float64"],
                "shapes": [[2], [2]],
                "differing": 1,
                "largest": 3.0,
                "mean": 1.5,
            }
        ],
    }
