"""The built-in metrics.

Each is exact over an epoch, independent of the division into batches, and equals scikit-learn's function of that name.
Where scikit-learn warns that a value is undefined, the same value is returned without a warning. Without samples, or
without samples of a weight above 0, a metric is nan; samples of weight 0 are ignored, even where scikit-learn counts
their classes. Counts and sums are int64 and float64.

Metrics of classification take the classes from the last axis of the prediction. Its shapes: (batch, classes) or, with
positions, (batch, time, classes) and so on, where every position has the weight of its sample; a single output is the
probability of class 1 of the two classes 0 and 1, and means class 1 above 0.5. Targets are labels of the prediction's
shape without its last axis, or have the prediction's shape: one-hot rows, or labels for a single output. They raise
ShapeError for other shapes and DataError for labels that are not classes.

Where the loss takes each number of the output for the probability of a label of its own (binary_cross_entropy with
more than one number), they are metrics of several labels, each of which is present (1) or absent (0): `accuracy` is
the share of labels that are right, and the others are the mean of their values for the labels, which is scikit-learn's
average "macro" of rows of labels.
"""

from typing import TYPE_CHECKING

from modnet.plugins.builtin import lazily

if TYPE_CHECKING:  # written by docs/generate.py
    from modnet.metrics.classes import F1 as F1
    from modnet.metrics.classes import Accuracy as Accuracy
    from modnet.metrics.classes import BalancedAccuracy as BalancedAccuracy
    from modnet.metrics.classes import ConfusionMatrix as ConfusionMatrix
    from modnet.metrics.classes import MatthewsCorrelation as MatthewsCorrelation
    from modnet.metrics.classes import Precision as Precision
    from modnet.metrics.classes import Recall as Recall
    from modnet.metrics.classes import TopKAccuracy as TopKAccuracy
    from modnet.metrics.numbers import R2 as R2
    from modnet.metrics.numbers import MeanAbsoluteError as MeanAbsoluteError
    from modnet.metrics.numbers import RootMeanSquaredError as RootMeanSquaredError
    from modnet.metrics.probabilities import AUC as AUC
    from modnet.metrics.probabilities import AveragePrecision as AveragePrecision
    from modnet.metrics.probabilities import CalibrationError as CalibrationError
    from modnet.metrics.probabilities import LogLoss as LogLoss

__getattr__ = lazily(__name__)
