"""modnet's networks as estimators of scikit-learn."""

from modnet_sklearn.classifier import ModnetClassifier
from modnet_sklearn.regressor import ModnetRegressor

__all__ = ["ModnetClassifier", "ModnetRegressor"]
