"""The classifier."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from modnet.arrays import Array
from modnet_sklearn import arguments
from modnet_sklearn.estimator import ModnetEstimator


@dataclass(eq=False, repr=False)
class ModnetClassifier(ClassifierMixin, ModnetEstimator):
    """A network that predicts classes, or several labels for each row.

    Attributes:
        classes_: the classes, (classes,).
    """

    _: KW_ONLY
    class_weight: Any = None

    def _learn_target(self, y: Array) -> None:
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y")
        if kind == "multiclass-multioutput":
            raise ValueError("y: expected one class for each row, or 0 and 1 for each label; found several classes")
        self._several = kind == "multilabel-indicator"
        self.classes_ = np.arange(y.shape[1]) if self._several else np.unique(y)
        if len(self.classes_) < 2 and not self._several:
            raise ValueError(f"y: expected at least two classes; found one class, {self.classes_[0]!r}")

    def _encoded(self, y: Array) -> Array:
        if self._several:
            return np.asarray(y, np.float64)
        codes = np.searchsorted(self.classes_, y)
        codes[codes == len(self.classes_)] = 0
        unknown = self.classes_[codes] != y
        if unknown.any():
            raise ValueError(f"y: the classes {np.unique(y[unknown])} were not there in the first fit: {self.classes_}")
        return codes.astype(np.int64, copy=False)

    def _weights(self, sample_weight: Any, X: Array, y: Array) -> Array | None:  # noqa: N803
        weights = super()._weights(sample_weight, X, y)
        if self.class_weight is None:
            return weights
        by_class = compute_sample_weight(self.class_weight, y)
        return by_class if weights is None else by_class * weights

    def _ending(self, penalty: float) -> list[Any]:
        return [arguments.linear(len(self.classes_), penalty), "sigmoid" if self._several else "softmax"]

    def _usual_loss(self) -> Any:
        return "binary_cross_entropy" if self._several else "cross_entropy"

    def _score_name(self) -> str:
        return "accuracy"

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Any:  # noqa: N803
        """Trains for one epoch.

        Args:
            classes: all classes, (classes,), in the first call; later calls may leave it out.
        """
        return super().partial_fit(X, y, sample_weight)

    def predict(self, X: Any) -> Array:  # noqa: N803
        """The class of each row, (rows,); of several labels 0 and 1, (rows, labels)."""
        probabilities = self._outputs(X)
        if self._several:
            return (probabilities > 0.5).astype(np.int64)
        return self.classes_[probabilities.argmax(axis=1)]

    def predict_proba(self, X: Any) -> Array:  # noqa: N803
        """The probability of each class, or label, (rows, classes)."""
        return self._outputs(X)

    def predict_log_proba(self, X: Any) -> Array:  # noqa: N803
        """The logarithms of `predict_proba`."""
        probabilities = self._outputs(X)
        return np.log(probabilities, out=probabilities)
