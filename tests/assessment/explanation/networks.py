"""Networks on small tables, for the tests of explanations."""

import numpy as np

import modnet


def linear(size, **options):
    return {"type": "linear", "out_features": size, **options}


def classes(rows=120, **network):
    """A table of three columns, one of them a category, whose last says nothing; and a network on it."""
    rng = np.random.default_rng(0)
    size, colour = rng.normal(5, 2, rows), rng.choice(["red", "green", "blue"], rows)
    kind = np.where(size + 3 * (colour == "red") > 6.5, "cat", "dog")
    table = {"size": size, "colour": colour.tolist(), "noise": rng.normal(0, 1, rows), "kind": kind.tolist()}
    spec = {
        "network": {
            "input": [5],
            "layers": [
                "standardize",
                linear(16, activation="tanh"),
                linear(2),
                "softmax",
            ],
            **network,
        },
        "training": {
            "loss": "cross_entropy",
            "metrics": ["accuracy", "confusion_matrix"],
            "epochs": 40,
            "batch_size": 16,
            "optimizer": {"type": "adam", "learning_rate": 0.02},
        },
        "data": {"target": "kind", "inputs": ["size", "colour", "noise"]},
    }
    return modnet.train(spec, table).network, table


def numbers(rows=200, dtype="float64"):
    """Arrays whose target is 3 a - 2 b + a c, and a network on them."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((rows, 4))
    y = (3 * x[:, 0] - 2 * x[:, 1] + x[:, 0] * x[:, 2])[:, None]
    spec = {
        "network": {
            "input": [4],
            "dtype": dtype,
            "layers": [
                linear(24, activation="tanh"),
                linear(1),
            ],
        },
        "training": {
            "loss": "mse",
            "metrics": ["r2"],
            "epochs": 60,
            "batch_size": 20,
            "optimizer": {"type": "adam", "learning_rate": 0.02},
        },
    }
    return modnet.train(spec, x, y).network, x, y


def ids(rows=150):
    """A table with a date, a category as an id, and a number; and a network on it with an embedding."""
    rng = np.random.default_rng(2)
    days = np.datetime64("2024-01-01") + rng.integers(0, 300, rows).astype("m8[D]")
    shop, amount = rng.choice([f"shop {n}" for n in range(6)], rows), rng.normal(0, 1, rows)
    sold = amount + 2.0 * (shop == "shop 2") + (days - np.datetime64("2024-01-01")).astype(int) / 100
    table = {"day": days, "shop": shop.tolist(), "amount": amount, "sold": sold}
    spec = {
        "network": {
            "input": {"numbers": [4], "shop": [1]},
            "layers": [
                {"type": "standardize", "inputs": ["numbers"], "name": "scaled"},
                {"type": "embedding", "vocabulary_size": 7, "embedding_size": 3, "inputs": ["shop"]},
                {"type": "flatten", "name": "vector"},
                {"type": "concatenate", "inputs": ["scaled", "vector"]},
                linear(12, activation="tanh"),
                linear(1),
            ],
        },
        "training": {"loss": "mse", "epochs": 30, "optimizer": {"type": "adam", "learning_rate": 0.02}},
        "data": {
            "target": "sold",
            "inputs": {"numbers": ["day", "amount"], "shop": ["shop"]},
            "columns": {
                "day": {"kind": "date", "parts": ["day", "month"]},
                "shop": {"kind": "category", "encoding": "embedding"},
            },
        },
    }
    return modnet.train(spec, table).network, table
