"""The classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from modnet.arrays import Array
from modnet.data.column_schema import ColumnSchema
from modnet_sklearn import arguments, columns
from modnet_sklearn.estimator import ModnetEstimator


@dataclass(eq=False, repr=False)
class ModnetClassifier(ClassifierMixin, ModnetEstimator):
    """A network that predicts classes, or several labels for each row.

    Args:
        class_weight: class -> weight, or "balanced"; in addition, the arguments of `ModnetEstimator`.

    Attributes:
        classes_: the classes, (classes,); for several labels their numbers.
    """

    _: KW_ONLY
    class_weight: Any = None

    with_spec: ClassVar[tuple[str, ...]] = (*ModnetEstimator.with_spec, "class_weight")

    def _learn_target(self, X: Array, y: Any) -> None:
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y")
        if kind == "multiclass-multioutput":
            raise ValueError("y: expected one class for each row, or 0 and 1 for each label; found several classes")
        self._several = kind == "multilabel-indicator"
        declared = self.__dict__.pop("_declared", None)
        found = np.unique(y) if declared is None else declared
        self.classes_ = np.arange(y.shape[1]) if self._several else found
        if len(self.classes_) < 2 and not self._several:
            raise ValueError(f"y: expected at least two classes; found one class, {self.classes_[0]!r}")

    def _encoded(self, X: Array, y: Any) -> Array:
        if self._several:
            if y.ndim != 2 or y.shape[1] != len(self.classes_):
                raise ValueError(f"y: expected {len(self.classes_)} labels, as in the first fit; found {np.shape(y)}")
            return np.asarray(y, np.float64)
        check_classification_targets(y)
        codes = np.searchsorted(self.classes_, y)
        codes[codes == len(self.classes_)] = 0
        unknown = self.classes_[codes] != y
        if unknown.any():
            raise ValueError(
                f"y has classes that the first call did not have: {np.unique(y[unknown]).tolist()}; expected some of "
                f"{self.classes_.tolist()}: name all classes in the first partial_fit(..., classes=...), or call fit"
            )
        return codes.astype(np.int64, copy=False)

    def _weights(self, sample_weight: Any, X: Array, y: Array) -> Array | None:
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

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Trains for one epoch with these rows; the optimizer continues where the previous call stopped.

        Args:
            X, y, sample_weight: as of `fit`.
            classes: all classes, (classes,), for the first call, if its rows do not have all of them.
        """
        self._declared = None if classes is None else np.unique(np.asarray(classes))
        return super().partial_fit(X, y, sample_weight)

    def predict(self, X: Any) -> Array:
        """The class of each row, (rows,); of several labels 0 and 1, (rows, labels)."""
        probabilities = self.predict_proba(X)
        if self._several:
            return (probabilities > 0.5).astype(np.int64)
        return self.classes_[probabilities.argmax(axis=1)]

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class, or label, (rows, classes)."""
        outputs = self._outputs(X)
        if self._several:
            return outputs
        if outputs.shape[1] == 1:
            return np.concatenate([1 - outputs, outputs], axis=1)
        # The sums of a network of float32 are 1 to its rounding alone, which scikit-learn's metrics warn of.
        return outputs / outputs.sum(axis=1, keepdims=True)

    def predict_log_proba(self, X: Any) -> Array:
        """The logarithms of `predict_proba`; of a probability of 0, -inf."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    # Model files

    def _target_columns(self) -> list[ColumnSchema]:
        if self._several:
            return [columns.labels_target(self._names_of_targets)]
        return [columns.class_target(self._names_of_targets[0], self.classes_)]

    def _metadata(self) -> dict[str, Any]:
        return {"classes": self.classes_.tolist()}

    def _take(self, targets: Sequence[ColumnSchema], metadata: dict[str, Any]) -> None:
        if not targets[0].categories:
            raise ValueError(
                f"the model predicts numbers ({targets[0].name}); load it with ModnetRegressor.from_modnet"
            )
        self._several = targets[0].kind == "labels"
        known = metadata.get("classes", ())
        fits = isinstance(known, list) and len(known) == len(targets[0].categories)
        self.classes_ = np.array(known if fits else targets[0].categories)
        self._names_of_targets = list(targets[0].categories) if self._several else [targets[0].name]
