"""The transformers of scikit-learn that a model file can have before the network, and what they make of features."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_selection import SelectorMixin
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

from modnet.arrays import Array
from modnet.data.column_schema import ColumnSchema
from modnet.data.values import category_key
from modnet_sklearn.features import Features

Step = Any
"""A fitted transformer, "passthrough" or "drop"."""


def faults_of(step: Step, name: str) -> Iterator[str]:
    """What of a step, or of the steps within it, cannot be in a model file, in words."""
    inner = parts_of(step)
    if inner is None:
        yield from _faults_alone(step, name)
        return
    for own, part in inner:
        yield from faults_of(part, f"{name}.{own}" if name else own)
    if isinstance(step, FeatureUnion) and step.transformer_weights:
        yield f"{name}: a FeatureUnion with transformer_weights"


def _faults_alone(step: Step, name: str) -> Iterator[str]:
    if isinstance(step, str) or step is None:
        return
    known = next((kind for kind in APPLY if isinstance(step, kind)), None)
    if known is None:
        yield f"{name}: {type(step).__name__}"
    elif refused := REFUSED.get(known, lambda _: "")(step):
        yield f"{name}: {type(step).__name__} with {refused}"


def parts_of(step: Step) -> list[tuple[str, Step]] | None:
    """The named steps within a step; None if it has none."""
    if isinstance(step, Pipeline):
        return list(step.steps)
    if isinstance(step, FeatureUnion):
        return list(step.transformer_list)
    if isinstance(step, ColumnTransformer):
        return [(name, transformer) for name, transformer, _ in step.transformers_]
    return None


def applied(step: Step, features: Features) -> Features:
    """The features that a fitted step makes of features.

    Raises:
        ValueError: it needs columns as they are in the table, and is given something else.
    """
    if step is None or isinstance(step, str):
        return features.mapped(np.zeros((len(features), 0))) if step == "drop" else features
    apply = next(apply for kind, apply in APPLY.items() if isinstance(step, kind))
    return apply(step, features)


def _one_after_another(step: Pipeline, features: Features) -> Features:
    for _, part in step.steps:
        features = applied(part, features)
    return features


def _side_by_side(step: FeatureUnion, features: Features) -> Features:
    return Features.joined([applied(part, features) for _, part in step.transformer_list], features.columns)


def _by_columns(step: ColumnTransformer, features: Features) -> Features:
    identity = np.eye(len(features))
    raw = features.raw()
    made = []
    for name, transformer, _ in step.transformers_:
        chosen = step._transformer_to_input_indices[name]
        if raw is not None:
            part = Features.of_columns(features.columns, [raw[place] for place in chosen])
        else:
            part = features.mapped(identity[:, list(chosen)])
        made.append(applied(transformer, part))
    return Features.joined([one for one in made if len(one)], features.columns)


def _standardized(step: StandardScaler, features: Features) -> Features:
    shifted = features if step.mean_ is None or not step.with_mean else features.shifted(step.mean_)
    return shifted if step.scale_ is None else shifted.scaled(1 / step.scale_)


def _between(step: MinMaxScaler, features: Features) -> Features:
    return features.shifted(-step.min_ / step.scale_).scaled(step.scale_)


def _by_quartiles(step: RobustScaler, features: Features) -> Features:
    shifted = features if step.center_ is None else features.shifted(step.center_)
    return shifted if step.scale_ is None else shifted.scaled(1 / step.scale_)


def _rotated(step: PCA, features: Features) -> Features:
    matrix = step.components_.T
    if step.whiten:
        matrix = matrix / np.sqrt(step.explained_variance_)
    return features.shifted(step.mean_).mapped(matrix)


def _selected(step: SelectorMixin, features: Features) -> Features:
    chosen = step.get_support(indices=True)
    raw = features.raw()
    if raw is not None:
        return Features.of_columns(features.columns, [raw[place] for place in chosen])
    return features.mapped(np.eye(len(features))[:, chosen])


def _imputed(step: SimpleImputer, features: Features) -> Features:
    columns = {}
    for position, value in zip(_raw(step, features), step.statistics_, strict=True):
        policy = "most_frequent" if step.strategy == "constant" else step.strategy
        columns[position] = _filled(features.columns[position], policy, value)
    return features.read_as(columns)


def _filled(column: ColumnSchema, policy: Any, value: Any) -> ColumnSchema:
    """The column with a value in its gaps. A text makes it a category; the following encoder knows the others."""
    if not isinstance(value, str):
        return column.replace(missing=policy, fill=float(value))
    return ColumnSchema(name=column.name, kind="category", categories=(value,), missing=policy, fill=value)


def _one_hot(step: OneHotEncoder, features: Features) -> Features:
    raw = _raw(step, features)
    parts: dict[int, Array] = {}
    kept = [_kept(step, place) for place in range(len(raw))]
    width, start = sum(map(len, kept)), 0
    unknown = "error" if step.handle_unknown == "error" else "code"
    columns = dict(features.columns)
    for position, categories, chosen in zip(raw, step.categories_, kept, strict=True):
        columns[position] = _category(columns[position], categories, "one_hot", unknown)
        parts[position] = np.zeros((len(categories), width))
        parts[position][chosen, start + np.arange(len(chosen))] = 1
        start += len(chosen)
    return Features(columns, parts, {}, np.zeros(width))


def _kept(step: OneHotEncoder, place: int) -> Array:
    """The categories of a column that have a feature."""
    dropped = None if step.drop_idx_ is None else step.drop_idx_[place]
    every = np.arange(len(step.categories_[place]))
    return every if dropped is None else np.delete(every, int(dropped))


def _ordinal(step: OrdinalEncoder, features: Features) -> Features:
    unknown = "error" if step.handle_unknown == "error" else "code"
    columns = {
        position: _category(features.columns[position], categories, "ordinal", unknown)
        for position, categories in zip(_raw(step, features), step.categories_, strict=True)
    }
    return features.read_as(columns)


def _category(column: ColumnSchema, values: Array, encoding: Any, unknown: Any) -> ColumnSchema:
    categories = tuple(value if isinstance(value, str) else category_key(str(value)) for value in values.tolist())
    fill = column.fill if column.fill is None or isinstance(column.fill, str) else category_key(str(column.fill))
    if fill is not None and fill not in categories:
        raise ValueError(f"column {column.name}: a missing value becomes {fill}, which the encoder does not know")
    named: dict[str, Any] = {"categories": categories, "encoding": encoding, "unknown": unknown}
    return ColumnSchema(name=column.name, kind="category", missing=column.missing, fill=fill, **named)


def _raw(step: Step, features: Features) -> list[int]:
    raw = features.raw()
    if raw is None:
        raise ValueError(f"{type(step).__name__}: expected columns as they are in the table; other steps are before it")
    return raw


def _imputing(step: SimpleImputer) -> str:
    if step.add_indicator:
        return "add_indicator"
    if not (isinstance(step.missing_values, float) and np.isnan(step.missing_values)):
        return f"missing_values = {step.missing_values!r}"
    lacking = [value for value in step.statistics_ if not isinstance(value, str) and not np.isfinite(value)]
    return "a column without any value" if lacking else ""


def _encoding(step: OneHotEncoder) -> str:
    grouped = step.min_frequency is not None or step.max_categories is not None
    if grouped or step.handle_unknown not in ("error", "ignore"):
        return "infrequent categories"
    return "a missing value as a category" if _has_gap(step) else ""


def _positions(step: OrdinalEncoder) -> str:
    if step.handle_unknown != "error" and step.unknown_value != -1:
        return f"unknown_value = {step.unknown_value!r}, expected -1"
    return "a missing value as a category" if _has_gap(step) else ""


def _has_gap(step: OneHotEncoder | OrdinalEncoder) -> bool:
    return any(value is None or value != value for values in step.categories_ for value in values.tolist())


APPLY: dict[type, Callable[[Any, Features], Features]] = {
    Pipeline: _one_after_another,
    FeatureUnion: _side_by_side,
    ColumnTransformer: _by_columns,
    StandardScaler: _standardized,
    MinMaxScaler: _between,
    MaxAbsScaler: lambda step, features: features.scaled(1 / step.scale_),
    RobustScaler: _by_quartiles,
    PCA: _rotated,
    TruncatedSVD: lambda step, features: features.mapped(step.components_.T),
    SelectorMixin: _selected,
    SimpleImputer: _imputed,
    OneHotEncoder: _one_hot,
    OrdinalEncoder: _ordinal,
    FunctionTransformer: lambda _, features: features,
}
"""Kind of transformer -> what it makes of features."""

REFUSED: dict[type, Callable[[Any], str]] = {
    MinMaxScaler: lambda step: "clip" if step.clip else "",
    SimpleImputer: _imputing,
    OneHotEncoder: _encoding,
    OrdinalEncoder: _positions,
    FunctionTransformer: lambda step: "a function" if step.func is not None else "",
}
"""Kind of transformer -> what of its options cannot be in a model file, in words; "" if nothing."""
