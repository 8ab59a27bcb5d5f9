"""The contestants: each is a function of a split that gives what it predicts for the test rows, and what it took."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.tables.files import Split
from benchmarks.tables.prepare import Prepared


class Answer(NamedTuple):
    """What a contestant predicts for the test rows.

    Attributes:
        predicted: numbers (rows,), or probabilities (rows, classes).
        classes: texts of the classes in the order of the columns; () for numbers.
        fit, predict: seconds of processor time of this process, all threads.
        wall: seconds of both.
        facts: what else is worth knowing.
    """

    predicted: Any
    classes: Sequence[str]
    fit: float
    predict: float
    wall: float
    facts: dict[str, Any]


Contestant = Callable[[Split, Path], Answer]
"""From a split and a folder for files to the answer."""


class Clock:
    """Processor time in laps, and the time on the wall."""

    def __init__(self) -> None:
        self.begin, self.last = time.perf_counter(), time.process_time()

    def lap(self) -> float:
        before, self.last = self.last, time.process_time()
        return self.last - before

    def wall(self) -> float:
        return time.perf_counter() - self.begin


def _finish(model: Any, prepare_and_fit: Callable[[Prepared], Any], split: Split) -> Answer:
    """Times an estimator of scikit-learn's shape; preparing the table is part of fitting."""
    clock = Clock()
    prepared = Prepared(split)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        test = prepare_and_fit(prepared)
        fit = clock.lap()
        predicted = model.predict_proba(test) if split.task == "classes" else model.predict(test)
    stopped = any("ConvergenceWarning" in warning.category.__name__ for warning in caught)
    facts = {"not converged": True} if stopped else {}
    classes = [str(name) for name in model.classes_] if split.task == "classes" else []
    return Answer(np.asarray(predicted), classes, fit, clock.lap(), clock.wall(), facts)


def scikit_learn(make: Callable[[str, int], Any], scaled: bool, split: Split, folder: Path) -> Answer:
    """An estimator behind a ColumnTransformer."""
    model = make(split.task, split.number)

    def fit(prepared: Prepared) -> Any:
        transformer = prepared.transformer(scaled)
        model.fit(transformer.fit_transform(prepared.train), prepared.answers)
        return transformer.transform(prepared.test)

    return _finish(model, fit, split)


def boosting(split: Split, folder: Path) -> Answer:
    """Histogram gradient boosting with its own categories and gaps."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    made = HistGradientBoostingClassifier if split.task == "classes" else HistGradientBoostingRegressor
    model = made(categorical_features="from_dtype", random_state=split.number)

    def fit(prepared: Prepared) -> Any:
        train, test = prepared.as_categories()
        model.fit(train, prepared.answers)
        return test

    return _finish(model, fit, split)


def pytabkit(name: str, split: Split, folder: Path) -> Answer:
    """A network of pytabkit with its defaults: a fifth of the training rows is for validation.

    It makes its own scaling and embeddings; it takes no gaps in numbers, so they become the median.
    """
    import torch
    from pytabkit import models

    torch.set_num_threads(1)
    kind = "Classifier" if split.task == "classes" else "Regressor"
    made = getattr(models.sklearn.sklearn_interfaces, f"{name}_{kind}")
    model = made(device="cpu", n_threads=1, random_state=split.number, verbosity=0)

    def fit(prepared: Prepared) -> Any:
        train, test = prepared.as_categories()
        middle = train[prepared.numbers].median().fillna(0)
        train, test = (frame.fillna(middle).astype(dict.fromkeys(prepared.numbers, float)) for frame in (train, test))
        model.fit(train, prepared.answers)
        return test

    return _finish(model, fit, split)


def _mlp(task: str, seed: int) -> Any:
    """Numbers are learnt standardized: as they come, prices of thousands would not be reached within 200 epochs."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.preprocessing import StandardScaler

    if task == "classes":
        return MLPClassifier(random_state=seed)
    return TransformedTargetRegressor(MLPRegressor(random_state=seed), transformer=StandardScaler())


def _forest(task: str, seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    return (RandomForestClassifier if task == "classes" else RandomForestRegressor)(random_state=seed)


def _linear(task: str, seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge

    return LogisticRegression(max_iter=1000) if task == "classes" else Ridge()


PEERS: dict[str, Contestant] = {
    "linear": partial(scikit_learn, _linear, True),
    "forest": partial(scikit_learn, _forest, False),
    "boosting": boosting,
    "mlp": partial(scikit_learn, _mlp, True),
    "realmlp-s": partial(pytabkit, "RealMLP_TD_S"),
    "realmlp": partial(pytabkit, "RealMLP_TD"),
    "tabm": partial(pytabkit, "TabM_D"),
}
"""In the order of their cost. MLP, forest and linear have the defaults of scikit-learn, except for more iterations of
the logistic regression, which would not converge."""

EFFORTS = ("quick", "good", "best")


def modnet(effort: str, split: Split, folder: Path) -> Answer:
    """What new-spec suggests for a csv file of the training rows, trained and asked as it stands.

    Raises:
        ValueError: new-spec failed, or the network predicts something else.
    """
    from click.testing import CliRunner

    from modnet import train
    from modnet.cli.app import cli

    data, spec = folder / "train.csv", folder / "table.toml"
    split.train.to_csv(data, index=False)
    clock = Clock()
    call = ["new-spec", str(data), "--target", split.target, "-o", str(spec), "--effort", effort]
    done = CliRunner().invoke(cli, call, prog_name="modnet")
    if done.exit_code:
        raise ValueError(f"modnet {' '.join(call)}: {done.output.strip()}")
    history = train(str(spec))
    fit = clock.lap()
    found = history.network.predict(split.test[split.features], faults="none")
    predict, wall = clock.lap(), clock.wall()
    likely = [name for name in found if name.startswith("P(")]
    if bool(likely) != (split.task == "classes"):
        raise ValueError(f"modnet predicts {list(found)}, expected {split.task}")
    predicted = found[likely or split.target].to_numpy(float)
    facts = {
        "epochs": history.epochs,
        "parameters": sum(parameter.size for parameter in history.network.parameters.values()),
        "unanswered": int(np.isnan(predicted).reshape(len(predicted), -1).any(axis=1).sum()),
    }
    return Answer(predicted, [name[2:-1] for name in likely], fit, predict, wall, facts)
