"""RealMLP and TabM beside pytabkit, on real tables: `python benchmark.py --kinds td-s td --splits 3`.

Both are given the same rows for training, for the choice of the epoch, and for the test. Times are processor times of
one thread. Needs the extra `parity`, and `ISLP` for some of the tables, which are left out without it.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytabkit
import torch
from sklearn import datasets
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import train_test_split

import modnet

KINDS = ("td-s", "td", "tabm")
RATES = {("td-s", True): 0.04, ("td-s", False): 0.07, ("td", True): 0.04, ("td", False): 0.2}
SMALL_TABM = {"hidden_features": [128, 128], "members": 16}


class Problem(NamedTuple):
    """A table with its target, and the rows to train with, to choose the epoch by, and to test on."""

    name: str
    classes: bool
    table: pd.DataFrame
    target: np.ndarray
    rows: tuple[np.ndarray, np.ndarray, np.ndarray]


def tables() -> Iterator[tuple[str, bool, pd.DataFrame, np.ndarray]]:
    for name in ("breast_cancer", "wine", "digits", "diabetes"):
        found = getattr(datasets, f"load_{name}")(as_frame=True)
        yield name, name != "diabetes", found.data, found.target.to_numpy()
    try:
        from ISLP import load_data
    except ImportError:
        return
    for name, target in (("OJ", "Purchase"), ("Hitters", "Salary"), ("Auto", "mpg"), ("Carseats", "Sales")):
        table = load_data(name).dropna().reset_index(drop=True)
        y = table.pop(target)
        classes = y.dtype.kind not in "if"
        table = table.drop(columns=[column for column in ("name", "StoreID") if column in table])
        for column in table.select_dtypes(exclude="number"):
            table[column] = table[column].astype(str).astype("category")
        yield name, classes, table, (y.astype("category").cat.codes if classes else y).to_numpy()


def problems(splits: int) -> Iterator[tuple[int, Problem]]:
    for name, classes, table, target in tables():
        for seed in range(splits):
            kept, test = _two(np.arange(len(target)), target, 0.25, classes, seed)
            fitted, chosen = _two(kept, target, 0.2, classes, seed)
            yield seed, Problem(name, classes, table, target, (fitted, chosen, test))


def _two(rows: np.ndarray, target: np.ndarray, share: float, classes: bool, seed: int) -> Any:
    return train_test_split(rows, test_size=share, random_state=seed, stratify=target[rows] if classes else None)


def ours(kind: str, problem: Problem, seed: int) -> tuple[np.ndarray, float]:
    """Predictions for the test rows, and the seconds of the training."""
    arrays = {"numbers": problem.table.select_dtypes("number").to_numpy(float)}
    categories = problem.table.select_dtypes("category")
    if categories.shape[1]:
        arrays["codes"] = pd.get_dummies(categories).to_numpy(float)
    fitted, chosen, test = problem.rows
    network = modnet.build(spec_of(kind, problem, {name: x.shape[1] for name, x in arrays.items()}, seed))
    y = problem.target if problem.classes else problem.target[:, None].astype(float)

    def of(rows: np.ndarray) -> Any:
        return {name: x[rows] for name, x in arrays.items()} if len(arrays) > 1 else arrays["numbers"][rows]

    start = time.process_time()
    modnet.train(network, of(fitted), y[fitted], validation=(of(chosen), y[chosen]))
    return network.forward(of(test)), time.process_time() - start


def spec_of(kind: str, problem: Problem, inputs: dict[str, int], seed: int) -> dict[str, Any]:
    classes = problem.classes
    outputs = int(problem.target.max()) + 1 if classes else 1
    stopping = {"type": "early_stopping", **({"monitor": "validation_accuracy"} if classes else {})}
    training: dict[str, Any] = {"loss": "cross_entropy" if classes else "mse", "batch_size": 256, "seed": seed}
    training["metrics"] = ["accuracy"] if classes else []
    if kind == "tabm":
        layer = {"type": "tabm", "number_embedding": "identity", **SMALL_TABM}
        ending = ["softmax", "ensemble_mean"] if classes else ["ensemble_mean", "unstandardize"]
        training |= {"optimizer": {"type": "adam", "learning_rate": 2e-3}, "epochs": 1000}
        training["callbacks"] = [{**stopping, "patience": 17}]
    else:
        layer = {"type": "realmlp", "variant": kind, "activation": "selu" if classes else "mish"}
        ending = ["softmax"] if classes else ["unstandardize", "clip_to_target"]
        decay = (
            {"weight_decay": 0.02, "weight_decay_schedule": "flat_cosine"} if kind == "td" else {"weight_decay": 0.0}
        )
        optimizer = {"type": "adamw", "learning_rate": RATES[kind, classes], "beta2": 0.95, **decay}
        training |= {"optimizer": optimizer, "schedule": "coslog4", "epochs": 256, "drop_last": True}
        training["callbacks"] = [{**stopping, "patience": 256, "latest": True}]
        if classes:
            training["loss"] = {"type": "cross_entropy", "label_smoothing": 0.1}
    layers = [{**layer, "out_features": outputs, "inputs": list(inputs)}, *ending]
    shapes = {name: [width] for name, width in inputs.items()}
    return {"network": {"input": shapes, "layers": layers}, "training": training}


def theirs(kind: str, problem: Problem, seed: int) -> tuple[np.ndarray, float]:
    name = {"td-s": "RealMLP_TD_S", "td": "RealMLP_TD", "tabm": "TabM_D"}[kind]
    options = {"d_block": 128, "n_blocks": 2, "tabm_k": 16} if kind == "tabm" else {}
    model = getattr(pytabkit, f"{name}_{'Classifier' if problem.classes else 'Regressor'}")
    made = model(device="cpu", n_threads=1, random_state=seed, **options)
    fitted, chosen, test = problem.rows
    rows = np.concatenate([fitted, chosen])
    start = time.process_time()
    made.fit(problem.table.iloc[rows], problem.target[rows], val_idxs=np.arange(len(fitted), len(rows)))
    seconds = time.process_time() - start
    predict = made.predict_proba if problem.classes else made.predict
    return np.reshape(predict(problem.table.iloc[test]), (len(test), -1)), seconds


def score(problem: Problem, prediction: np.ndarray) -> float:
    expected = problem.target[problem.rows[2]]
    if problem.classes:
        return float(accuracy_score(expected, prediction.argmax(1)))
    return float(r2_score(expected, prediction[:, 0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=["td-s", "td"])
    parser.add_argument("--splits", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    contestants: dict[str, Callable[..., tuple[np.ndarray, float]]] = {"modnet": ours, "pytabkit": theirs}
    print("table, split, network: accuracy or R2 of modnet and pytabkit, and the ratio of the processor times")
    for seed, problem in problems(given.splits):
        for kind in given.kinds:
            found = {name: contestant(kind, problem, seed) for name, contestant in contestants.items()}
            scores = "  ".join(f"{score(problem, prediction):.3f}" for prediction, _ in found.values())
            ratio = found["modnet"][1] / found["pytabkit"][1]
            print(f"{problem.name:14} {seed}  {kind:5} {scores}  {ratio:.2f}", flush=True)


if __name__ == "__main__":
    main()
