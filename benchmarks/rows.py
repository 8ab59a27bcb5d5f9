"""Prediction for rows of a table, from what a program has to classes and probabilities: the time of a call."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from functools import cache, partial
from itertools import pairwise
from typing import Any

import numpy as np

import modnet
from benchmarks.rounds import Case, Contestant, Play, Settings, Turn

ROWS = 100_000


def cases(settings: Settings) -> list[Case]:
    one = Case("rows-record", "call", contestants(settings, "record", 1))
    return [one, *(Case(f"rows-{form}", "call", contestants(settings, form, ROWS)) for form in FORMS)]


def contestants(settings: Settings, form: str, rows: int) -> list[Contestant]:
    return [
        Contestant("modnet", partial(in_modnet, settings, rows, form), (form,) if form in ("pandas", "polars") else ()),
        Contestant("modnet, encoded rows", partial(in_modnet_encoded, settings, rows)),
        Contestant("scikit-learn", partial(in_scikit_learn, settings, rows, form), ("sklearn", "pandas", "polars")),
    ]


def columns_of(rows: int) -> dict[str, Any]:
    """Five columns of numbers and two of texts."""
    rng = np.random.default_rng(0)
    return {
        "island": np.array(["Biscoe", "Dream", "Torgersen"])[rng.integers(0, 3, rows)],
        "bill_length_mm": rng.uniform(33, 58, rows),
        "bill_depth_mm": rng.uniform(13, 21, rows),
        "flipper_length_mm": rng.integers(172, 231, rows),
        "body_mass_g": rng.integers(2700, 6300, rows),
        "sex": np.array(["female", "male"])[rng.integers(0, 2, rows)],
        "year": rng.integers(2007, 2010, rows),
    }


def pandas_frame(rows: Any) -> Any:
    import pandas

    return pandas.DataFrame(rows)


def polars_frame(columns: dict[str, Any]) -> Any:
    import polars

    return polars.DataFrame(columns)


def records(columns: dict[str, Any]) -> list[dict[str, Any]]:
    lists = [values.tolist() for values in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


FORMS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "pandas": pandas_frame,
    "polars": polars_frame,
    "columns": dict,
    "records": records,
}
"""Form of many rows -> what makes it of column -> array."""


def rows_of(form: str, rows: int) -> Any:
    """Many rows in a form, or one record."""
    columns = columns_of(rows)
    return FORMS[form](columns) if form in FORMS else records(columns)[0]


TARGET = np.array(["Adelie", "Chinstrap", "Gentoo"])


@cache
def network() -> modnet.Network:
    """Trained on a few rows, since what it predicts does not matter here."""
    hidden = [{"type": "linear", "out_features": size, "activation": "relu"} for size in (32, 16)]
    layers = ["standardize", *hidden, {"type": "linear", "out_features": 3}, "softmax"]
    spec = {
        "network": {"input": [10], "layers": layers},
        "training": {"loss": "cross_entropy", "epochs": 1},
        "data": {"target": "species"},
    }
    made: modnet.Network = modnet.train(spec, {**columns_of(300), "species": TARGET[np.arange(300) % 3]}).network
    return made


def repeated(call: Callable[[], Any], settings: Settings) -> Play:
    enough = 0.02 if settings.quick else 0.5

    def play(seed: int) -> Turn:
        ends = [time.perf_counter()]
        while ends[-1] - ends[0] < enough:
            call()
            ends.append(time.perf_counter())
        each = [after - before for before, after in pairwise(ends)]
        return Turn((ends[-1] - ends[0]) / len(each), float(np.percentile(each, 95)))

    return play


def in_modnet(settings: Settings, rows: int, form: str) -> Play:
    trained, given = network(), rows_of(form, rows)
    return repeated(lambda: trained.predict(given), settings)


def in_modnet_encoded(settings: Settings, rows: int) -> Play:
    trained = network()
    encoded = trained.encode(columns_of(rows))
    return repeated(lambda: trained.forward(encoded), settings)


def in_scikit_learn(settings: Settings, rows: int, form: str) -> Play:
    """The pipeline that its user guide shows, with a network of the same size; it takes data frames only."""
    from sklearn.compose import ColumnTransformer
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    texts = ["island", "sex"]
    few = columns_of(300)
    encoder = ColumnTransformer(
        [
            ("numbers", StandardScaler(), [name for name in few if name not in texts]),
            ("texts", OneHotEncoder(handle_unknown="ignore"), texts),
        ]
    )
    pipeline = make_pipeline(encoder, MLPClassifier((32, 16), max_iter=1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        pipeline.fit(pandas_frame(few), TARGET[np.arange(300) % 3])
    given = rows_of(form, rows)
    if form in ("pandas", "polars"):
        return repeated(lambda: pipeline.predict_proba(given), settings)
    if form == "record":
        given = [given]
    return repeated(lambda: pipeline.predict_proba(pandas_frame(given)), settings)
