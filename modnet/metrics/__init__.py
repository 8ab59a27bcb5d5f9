"""The built-in metrics.

Each is exact over an epoch, however the epoch is cut into batches, and equals scikit-learn's function of that name.
Where scikit-learn warns that a value is undefined, the same value is given without a warning. A metric over no samples,
or over none with a weight, is nan; samples of weight 0 are as if they were not there, also where scikit-learn counts
their classes. Counts and sums are int64 and float64.

Classifying metrics take the classes from the last axis of the prediction. Its shapes: (batch, classes) or, with
positions, (batch, time, classes) and so on, every position counting with the weight of its sample; a single output is
the probability of class 1 of the two classes 0 and 1, and is class 1 above 0.5. Targets are labels of the prediction's
shape without its last axis, or have the prediction's shape: one-hot rows, or for a single output labels. They raise
ShapeError for other shapes and DataError for labels that are no classes.
"""

from modnet.metrics.classes import (
    F1,
    Accuracy,
    BalancedAccuracy,
    ConfusionMatrix,
    MatthewsCorrelation,
    Precision,
    Recall,
    TopKAccuracy,
)
from modnet.metrics.numbers import R2, MeanAbsoluteError, RootMeanSquaredError
from modnet.metrics.probabilities import AUC, CalibrationError, LogLoss

__all__ = [
    "AUC",
    "F1",
    "R2",
    "Accuracy",
    "BalancedAccuracy",
    "CalibrationError",
    "ConfusionMatrix",
    "LogLoss",
    "MatthewsCorrelation",
    "MeanAbsoluteError",
    "Precision",
    "Recall",
    "RootMeanSquaredError",
    "TopKAccuracy",
]
