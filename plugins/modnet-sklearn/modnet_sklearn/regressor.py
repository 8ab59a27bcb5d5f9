"""The regressor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import Tags

import modnet
from modnet.arrays import Array
from modnet.data.column_schema import ColumnSchema
from modnet_sklearn import arguments, columns
from modnet_sklearn.estimator import ModnetEstimator
from modnet_sklearn.scaling import TARGET, scale, scale_by_mean


@dataclass(eq=False, repr=False)
class ModnetRegressor(RegressorMixin, ModnetEstimator):
    """A network that predicts numbers, one or several for each row; its arguments are those of `ModnetEstimator`."""

    def _learn_target(self, X: Array, y: Any) -> None:
        self._width = 1 if y.ndim == 1 else y.shape[1]

    def _encoded(self, X: Array, y: Any) -> Array:
        target = np.asarray(y, np.float64).reshape(len(y), -1)
        if target.shape[1] != self._width:
            raise ValueError(f"y: expected {self._width} columns, as in the first fit; found {target.shape[1]}")
        return target

    def _usual_loss(self) -> Any:
        return "mse"

    def _score_name(self) -> str:
        return "r2"

    def _ending(self, penalty: float) -> list[Any]:
        last = arguments.linear(self._width, penalty)
        scaled = {"type": "unstandardize", "name": TARGET}
        if self._counts():
            return [last, "softplus", scaled]
        return [last, scaled] if self.standardize else [last]

    def _counts(self) -> bool:
        """Whether the loss is of counts, which have no mean to be subtracted."""
        loss = arguments.loss(self, self._usual_loss())
        return "poisson" in (loss, loss.get("type") if isinstance(loss, dict) else getattr(loss, "type", None))

    def _prepare_ending(self, network: modnet.Network, target: Array, weights: Array | None) -> None:
        if self._counts():
            scale_by_mean(network, TARGET, target, weights)
        elif self.standardize:
            scale(network, TARGET, target, weights)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    # Model files

    def _target_columns(self) -> list[ColumnSchema]:
        return columns.number_targets(self._names_of_targets)

    def _take(self, targets: Sequence[ColumnSchema], metadata: dict[str, Any]) -> None:
        if targets[0].categories or targets[0].quantiles:
            raise ValueError(
                f"the model predicts {targets[0].name}, not a number; load it with ModnetClassifier.from_modnet"
            )
        self._width = len(targets)
        self._names_of_targets = [column.name for column in targets]

    def predict(self, X: Any) -> Array:
        """The number of each row, (rows,); of several, (rows, outputs)."""
        predicted = self._outputs(X)
        return predicted[:, 0] if predicted.shape[1] == 1 else predicted
