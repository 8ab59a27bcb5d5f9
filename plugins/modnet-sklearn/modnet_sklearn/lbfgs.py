"""The solver `lbfgs`: all weights at once by SciPy's L-BFGS-B, with the gradients of all rows."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import OptimizeResult, minimize
from sklearn.exceptions import ConvergenceWarning

import modnet
from modnet.arrays import Array
from modnet_sklearn.following import FRAMES

if TYPE_CHECKING:
    from modnet_sklearn.estimator import ModnetEstimator


class LBFGS:
    """A callback for a run of one step with one batch of all rows; it finds the weights in this step.

    Attributes:
        losses: the loss, with penalties, after each iteration.
    """

    def __init__(self, given: ModnetEstimator) -> None:
        self.given = given
        self.losses: list[float] = []
        self.result: OptimizeResult | None = None

    def modnet_reduce_gradients(self, run: modnet.Run, gradients: Array) -> None:
        weights = run.network.parameters.flat[: run.network.trainable_size]
        slopes = gradients[: len(weights)]

        def loss_of(tried: Array) -> tuple[float, Array]:
            np.copyto(weights, tried)
            return run.recompute(), slopes.astype(np.float64)

        def note(intermediate_result: OptimizeResult) -> None:
            self.losses.append(float(intermediate_result.fun))

        given = self.given
        options = {"maxiter": int(given.max_iter), "maxfun": int(given.max_fun), "gtol": float(given.tol)}
        start = weights.astype(np.float64)
        self.result = minimize(loss_of, start, jac=True, method="L-BFGS-B", callback=note, options=options)
        np.copyto(weights, self.result.x)
        gradients.fill(0)  # so that the step of the run changes nothing more

    def note(self) -> None:
        """The attributes that MLPClassifier has, and its warning."""
        given, result = self.given, self.result
        assert result is not None
        given.loss_curve_ += self.losses
        given.loss_, given.n_iter_ = float(result.fun), int(result.nit)
        given.best_loss_, given.validation_scores_, given.best_validation_score_ = given.loss_, None, None
        if result.status == 1:
            warnings.warn(
                f"lbfgs has not converged after {result.nit} iterations and {result.nfev} evaluations; "
                "increase max_iter or max_fun",
                ConvergenceWarning,
                stacklevel=4 + FRAMES,
            )
