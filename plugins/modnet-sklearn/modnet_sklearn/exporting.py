"""Pipelines as model files, which predict without scikit-learn."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np
from sklearn.feature_selection import SelectorMixin
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

import modnet
from modnet.arrays import Array
from modnet.data.column_schema import ColumnSchema
from modnet.layers.standardize import FAR
from modnet_sklearn.estimator import ModnetEstimator
from modnet_sklearn.features import Features
from modnet_sklearn.parts import with_arrays
from modnet_sklearn.steps import APPLY, applied, faults_of

CENTER, MAP = "pipeline_center", "pipeline_map"
"""The names of the nodes that do what the pipeline does before the network."""


def to_modnet(fitted: Any, path: str | PathLike[str]) -> None:
    """Writes a fitted pipeline, or estimator, as a model file: `modnet.load(path).predict(rows)` takes its raw rows.

    Args:
        fitted: a pipeline that ends with an estimator of modnet, such an estimator, or a search whose best one is that.

    Raises:
        ValueError: a step cannot be in a model file; all of them are listed, and nothing is written.
    """
    modnet.save(network_of(fitted), path)


def network_of(fitted: Any) -> modnet.Network:
    """The network of a fitted pipeline, that does what the steps before it do. Arguments and errors of `to_modnet`."""
    found = getattr(fitted, "best_estimator_", fitted)
    before, last = ([], found) if not isinstance(found, Pipeline) else (found.steps[:-1], found.steps[-1][1])
    if not isinstance(last, ModnetEstimator):
        raise ValueError(f"expected an estimator of modnet, or a pipeline that ends with one; found {last!r}")
    check_is_fitted(last, "n_iter_")
    if not before:
        return last.network_
    whole = Pipeline(before)
    faults = list(faults_of(whole, ""))
    if faults:
        known = ", ".join(sorted(kind.__name__ for kind in APPLY if kind is not SelectorMixin))
        raise ValueError(
            "\n  ".join(["these steps cannot be in a model file:", *faults])
            + f"\nit can have {known}, and selections of features"
        )
    if last._columns is not None:
        raise ValueError("the network reads texts or dates itself: put no other steps before it, or encode all of them")
    features = applied(whole, _columns_of(before[0][1]))
    return _with_steps(last.network_, features)


def _columns_of(step: Any) -> Features:
    """The columns that the first step was given."""
    names = getattr(step, "feature_names_in_", None)
    if names is None:
        names = [f"x{number}" for number in range(step.n_features_in_)]
    columns = {place: ColumnSchema(name=str(name), kind="number") for place, name in enumerate(names)}
    return Features.of_columns(columns, range(len(columns)))


def _with_steps(network: modnet.Network, features: Features) -> modnet.Network:
    """The network with layers before it that make these features of the columns."""
    used = features.used()
    columns = tuple(features.columns[position] for position in used)
    center, matrix, offset = features.whole()
    layers, arrays = _layers(center, matrix, offset, network.dtype)
    spec = network.card.spec.network
    (given,) = spec.input_shapes()
    last = layers[-1].name if layers else given
    own = [node if given not in (node.inputs or ()) else _reading(node, given, str(last)) for node in spec.layers]
    made = with_arrays(network, spec.replace(input=(len(center),), layers=(*layers, *own)), here=0, there=len(layers))
    for name, array in arrays.items():
        (made.parameters if name in made.parameters else made.state)[name] = array
    schema = network.card.schema.replace(inputs={next(iter(made.inputs)): columns})
    made.card = network.card.replace(spec=network.card.spec.replace(network=made.card.spec.network), schema=schema)
    return made


def _reading(node: modnet.Node, given: str, last: str) -> modnet.Node:
    return node.replace(inputs=tuple(last if name == given else name for name in node.inputs or ()))


def _layers(center: Array, matrix: Array, offset: Array, dtype: Any) -> tuple[list[modnet.Node], dict[str, Array]]:
    """The layers of (x - center) matrix + offset, and their arrays.

    Args:
        dtype: of the network.
    """
    standardize, linear = (modnet.default_registry().find(modnet.Layer, name) for name in ("standardize", "linear"))
    diagonal = np.diagonal(matrix)
    alone = matrix.shape[0] == matrix.shape[1] and diagonal.all() and not (matrix - np.diag(diagonal)).any()
    # What a number is divided by, so that the rest of the layers work with numbers of unit size.
    largest = np.abs(matrix).max(axis=1, initial=0)
    scales = 1 / diagonal if alone else 1 / np.where(largest > 0, largest, 1)
    center = center - offset * scales if alone else center
    layers: list[modnet.Node] = []
    arrays: dict[str, Array] = {}
    if center.any() or (scales != 1).any():
        layers.append(modnet.Node(standardize(), name=CENTER))
        rest = np.where(np.abs(center) > FAR * np.abs(scales), center - center.astype(dtype), 0)
        named = {"mean": center, "deviation": scales, "samples": np.array(1.0), "mean_rest": rest}
        arrays |= {f"{CENTER}.{name}": array for name, array in named.items()}
    if not alone:
        layers.append(modnet.Node(linear(out_features=len(offset)), name=MAP, trainable=False))
        arrays |= {f"{MAP}.weight": matrix * scales[:, None], f"{MAP}.bias": offset}
    return layers, arrays
