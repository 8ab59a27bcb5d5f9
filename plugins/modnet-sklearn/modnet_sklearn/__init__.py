"""modnet's networks as estimators of scikit-learn."""

from modnet_sklearn.classifier import ModnetClassifier
from modnet_sklearn.exporting import network_of, to_modnet
from modnet_sklearn.regressor import ModnetRegressor
from modnet_sklearn.transformer import ModnetTransformer

__all__ = ["ModnetClassifier", "ModnetRegressor", "ModnetTransformer", "network_of", "to_modnet"]
