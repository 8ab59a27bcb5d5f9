"""Rows of a table with a column of every kind, and a network for it."""

import datetime

import numpy as np

import modnet

HEAD = ["standardize", {"type": "linear", "out_features": 8, "activation": "relu"}]
CLASSES = [*HEAD, {"type": "linear", "out_features": 3}, "softmax"]
TRAINING = {"loss": "cross_entropy", "epochs": 3, "optimizer": "adam"}


def rows_of(count=120, seed=0):
    """Rows with a column of every kind, and what is to be predicted of them."""
    draw = np.random.default_rng(seed)
    first = datetime.date(2020, 1, 1)
    return [
        {
            "height": round(float(draw.normal(170, 10)), 2),
            "age": int(draw.integers(18, 80)) if i % 7 else None,
            "city": ["Rome", "Oslo", "Łódź"][i % 3],
            "member": bool(i % 2),
            "joined": (first + datetime.timedelta(days=i)).isoformat(),
            "tags": "; ".join(["red", "blue", "green"][: 1 + i % 3]),
            "size": ["small", "medium", "large"][int(draw.integers(3))],
        }
        for i in range(count)
    ]


ROWS = rows_of()
INPUTS = [{key: value for key, value in row.items() if key != "size"} for row in ROWS]


def people_network(epochs=3, width=17, **changes):
    data = {
        "target": "size",
        "columns": {
            "height": {"missing": "error"},
            "age": {"missing": "mean"},
            "city": {"unknown": "code", "missing": "most_frequent"},
            "member": {"kind": "boolean", "missing": "most_frequent"},
            "tags": {"kind": "labels", "separator": ";"},
        },
    }
    data["columns"].update(changes)
    spec = {"network": {"input": [width], "layers": CLASSES}, "training": {**TRAINING, "epochs": epochs}, "data": data}
    return modnet.train(spec, ROWS).network
