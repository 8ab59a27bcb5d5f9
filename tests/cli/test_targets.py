"""Targets and splits of a spec file, from the table to the predictions."""

import json
from pathlib import Path

import numpy as np
import pytest

import modnet

LAYERS = """
layers = [
  "standardize",
  { type = "linear", out_features = 16, activation = "relu", name = "trunk" },
"""


PARTS = ("train", "train", "train", "val", "test")


@pytest.fixture
def house(tmp_path, monkeypatch):
    """Writes a table of 240 houses, of 40 streets, and a spec for it."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    size, age = rng.uniform(20, 200, 240), rng.uniform(0, 90, 240)
    price, cost = 3e5 + 5e3 * size - 2e3 * age, 0.01 * size + 0.02 * rng.standard_normal(240)
    kind = np.where(size > 120, "villa", np.where(age > 45, "old flat", "flat"))
    pool = np.where(size + 20 * rng.standard_normal(240) > 150, "yes", "no")
    lines = [
        f"{s:.1f},{a:.1f},{p:.0f},{c:.4f},{k},{o},street {n % 40},{PARTS[n % 5]},"
        f"2024-{1 + n // 20:02}-{1 + n % 20:02},{1 + n % 3}"
        for n, (s, a, p, c, k, o) in enumerate(zip(size, age, price, cost, kind, pool, strict=True))
    ]
    Path("houses.csv").write_text("size,age,price,cost,kind,pool,street,part,day,w\n" + "\n".join(lines) + "\n")

    def write(layers, training, data):
        data = f'train = "houses.csv"\ninputs = ["size", "age"]\n{data}'
        Path("s.toml").write_text(
            f"[network]\ninput = [2]{LAYERS}{layers}\n[training]\nepochs = 30\n{training}\n[data]\n{data}\n"
        )

    return write


ONE = '  { type = "linear", out_features = 1 },\n  "unstandardize",\n]'


def test_a_price_and_a_cost_and_a_kind_at_once(house, run):
    house(
        """  { type = "linear", out_features = 2 },
  { type = "unstandardize", name = "money" },
  { type = "linear", out_features = 3, inputs = ["trunk"] },
  { type = "softmax", name = "kind" },
]
outputs = ["money", "kind"]""",
        'loss = { money = "mse", kind = { type = "cross_entropy", weight = 0.5 } }\n'
        'metrics = { money = ["r2"], kind = ["accuracy"] }\noptimizer = { type = "adam", learning_rate = 0.01 }',
        'target = { money = ["price", "cost"], kind = "kind" }\nvalidation = 0.2',
    )
    assert "stratified" in run("check", "s.toml").stdout
    run("train", "s.toml")
    metrics = json.loads(run("evaluate", "s.modnet", "houses.csv", "--json").stdout)["metrics"]
    assert metrics["money_r2"] > 0.85
    assert metrics["kind_accuracy"] > 0.85
    Path("new.csv").write_text("age,size\n10,150\n80,40\n")
    header, *rows = run("predict", "s.modnet", "new.csv").stdout.splitlines()
    assert header == "price,cost,kind,P(flat),P(old flat),P(villa)"
    assert [row.split(",")[2] for row in rows] == ["villa", "old flat"]
    first = modnet.load("s.modnet").predict({"age": 10.0, "size": 150.0})
    assert first["price"] == pytest.approx(1.03e6, rel=0.2)


def test_class_weights_by_name(house, run):
    spec = ('  { type = "linear", out_features = 1 },\n  "sigmoid",\n]', 'target = "pool"\nvalidation = 0.2')
    house(spec[0], 'loss = { type = "binary_cross_entropy", class_weights = { yes = 5.0 } }', spec[1])
    run("train", "s.toml")
    assert modnet.load("s.modnet").card.training.loss.class_weights == (1.0, 5.0)
    house(spec[0], 'loss = { type = "binary_cross_entropy", class_weights = "balanced" }', spec[1])
    run("train", "s.toml")
    no, yes = modnet.load("s.modnet").card.training.loss.class_weights
    assert yes > 1 > no > 0.5
    house(spec[0], 'loss = { type = "binary_cross_entropy", class_weights = { yse = 5.0 } }', spec[1])
    for command in ("check", "train"):
        told = run(command, "s.toml", status=2)
        text = told.stdout + told.stderr
        assert 'training.loss: class_weights: no class is called "yse"; did you mean "yes"?' in text
        assert "s.toml:11" in text


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            'test = 0.1\nsplit = { by = "group", column = "street" }',
            "168 to train, 48 to validate, 24 to test (by group street: 28, 8 and 4 of 40 groups)",
        ),
        (
            'test = 0.1\nsplit = { by = "time", column = "day" }',
            "168 to train, 48 to validate, 24 to test (by time day: validation from 2024-09-09, test from 2024-11-17)",
        ),
        ('split = { by = "column", column = "part" }', "144 to train, 48 to validate, 48 to test (by column part)"),
    ],
    ids=["group", "time", "column"],
)
def test_a_split_is_told_and_its_test_rows_are_measured_at_the_end(house, run, data, expected):
    data = f'target = "price"\nweights = "w"\n{data}' + ("" if "part" in data else "\nvalidation = 0.2")
    house(ONE, 'loss = "mse"\nmetrics = ["r2"]', data)
    assert f"240 rows: {expected}; 2 columns -> price" in run("check", "s.toml").stdout
    told = " ".join(run("train", "s.toml").stdout.split())
    assert f"240 rows: {expected}" in told
    card = modnet.load("s.modnet").card
    assert f"val r2 {card.metrics['validation_r2']:.3f}, test r2 {card.metrics['test_r2']:.3f}" in told
    found = modnet.read_data("s.toml")
    assert modnet.evaluate(modnet.load("s.modnet"), found.test)["r2"] == pytest.approx(card.metrics["test_r2"])
    assert found.test.weights is not None
    assert card.schema.columns() == ("size", "age")


def test_the_seed_of_the_training_leaves_the_split_alone(house, run):
    house(ONE, 'loss = "mse"', 'target = "price"\nvalidation = 0.2')
    first = modnet.read_data("s.toml").validation.inputs["input"]
    house(ONE, 'loss = "mse"\nseed = 3', 'target = "price"\nvalidation = 0.2')
    np.testing.assert_array_equal(modnet.read_data("s.toml").validation.inputs["input"], first)
    house(ONE, 'loss = "mse"', 'target = "price"\nvalidation = 0.2\nsplit_seed = 1')
    assert not np.array_equal(modnet.read_data("s.toml").validation.inputs["input"], first)


def test_evaluate_weighs_rows_where_the_column_is_there(house, run):
    house(ONE, 'loss = "mse"\nmetrics = ["mean_absolute_error"]', 'target = "price"\nweights = "w"')
    run("train", "s.toml")
    text = Path("houses.csv").read_text()
    rows = [line.split(",") for line in text.splitlines()[1:]]
    Path("without.csv").write_text("size,age,price\n" + "".join(",".join(row[:3]) + "\n" for row in rows))
    found = [
        json.loads(run("evaluate", "s.modnet", file, "--json").stdout)["metrics"]["mean_absolute_error"]
        for file in ("houses.csv", "without.csv")
    ]
    network = modnet.load("s.modnet")
    errors = np.array([abs(network.predict({"size": r[0], "age": r[1]})["price"] - float(r[2])) for r in rows])
    weights = np.array([float(row[-1]) for row in rows])
    np.testing.assert_allclose(found, [np.average(errors, weights=weights), errors.mean()], rtol=1e-4)
