"""scikit-learn's own checks of estimators."""

import pytest
from modnet_sklearn import ModnetClassifier, ModnetRegressor, ModnetTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks([ModnetClassifier(), ModnetRegressor(), ModnetTransformer()])
def test_check(estimator, check):
    check(estimator)
