"""What the estimators share: their arguments, and fitting and predicting by a network."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, column_or_1d, validate_data

import modnet
from modnet.arrays import Array
from modnet.training.train import prepare
from modnet_sklearn import arguments
from modnet_sklearn.convergence import Convergence, Joining
from modnet_sklearn.scaling import INPUT, scale

SEEDS = 2**31 - 1


@dataclass(eq=False, repr=False)
class ModnetEstimator(BaseEstimator):
    """The arguments that all estimators have, and fitting and predicting by a network.

    Attributes:
        network_: the trained `modnet.Network`.
        loss_curve_: the loss of each epoch.
        n_iter_: the number of epochs.
    """

    hidden_layer_sizes: Any = (100,)
    activation: Any = "relu"
    _: KW_ONLY
    solver: Any = "adam"
    alpha: float = 0.0001
    batch_size: Any = "auto"
    learning_rate: Any = "constant"
    learning_rate_init: float = 0.001
    power_t: float = 0.5
    max_iter: int = 200
    shuffle: bool = True
    random_state: Any = None
    tol: float = 1e-4
    verbose: Any = False
    warm_start: bool = False
    momentum: float = 0.9
    nesterovs_momentum: bool = True
    early_stopping: bool = False
    validation_fraction: float = 0.1
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    n_iter_no_change: float = 10
    loss: Any = None
    dropout: float = 0.0
    standardize: bool = True
    callbacks: Any = None
    spec: Any = None

    with_spec: ClassVar[tuple[str, ...]] = ("random_state", "verbose", "warm_start", "callbacks")
    """The arguments that have a meaning beside a spec."""

    # What each kind of estimator says

    def _learn_target(self, y: Array) -> None:
        """Finds out what is to be predicted, from the targets of the first fit."""
        raise NotImplementedError

    def _encoded(self, y: Array) -> Array:
        """The targets as the network's loss takes them."""
        raise NotImplementedError

    def _ending(self, penalty: float) -> list[Any]:
        """The last layers, as nodes of a spec."""
        raise NotImplementedError

    def _usual_loss(self) -> Any:
        raise NotImplementedError

    def _score_name(self) -> str:
        """The metric by which `early_stopping` finds the best epoch."""
        raise NotImplementedError

    def _prepare_ending(self, network: modnet.Network, target: Array, weights: Array | None) -> None:
        """Lets the last layers learn from the targets."""

    # Fitting

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:  # noqa: N803
        """Trains a network.

        Args:
            X: (samples, features), an array or a data frame of numbers.
            y: the targets, (samples,) or (samples, outputs).
            sample_weight: of each sample, (samples,). A row of weight 2 counts as two rows.

        Returns:
            The estimator itself.
        """
        again = self.warm_start and hasattr(self, "network_")
        return self._fit(X, y, sample_weight, again, None)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:  # noqa: N803
        """Trains for one epoch, with these rows; the optimizer goes on where the call before it stopped."""
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True: there are no rows to set aside")
        return self._fit(X, y, sample_weight, hasattr(self, "network_"), 1)

    def _fit(self, X: Any, y: Any, sample_weight: Any, again: bool, epochs: int | None) -> Any:  # noqa: N803
        arguments.check_arguments(self)
        X, y = self._checked(X, y, reset=not again)  # noqa: N806
        if not again:
            self._learn_target(y)
        target = self._encoded(y)
        weights = self._weights(sample_weight, X, y)
        if weights is not None and not weights.all():
            kept = weights > 0
            X, target, weights = X[kept], target[kept], weights[kept]  # noqa: N806
        draw = check_random_state(self.random_state)
        if not again:
            self._build(X, target, weights, int(draw.randint(SEEDS)))
        self._train(X, target, weights, draw, epochs)
        return self

    def _checked(self, X: Any, y: Any, reset: bool) -> tuple[Array, Array]:  # noqa: N803
        dtypes = (np.float64, np.float32)
        X, y = validate_data(self, X, y, reset=reset, dtype=dtypes, multi_output=True)  # noqa: N806
        return X, column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y

    def _weights(self, sample_weight: Any, X: Array, y: Array) -> Array | None:  # noqa: N803
        """The weights of the rows, float64 (rows,); None for ones."""
        if sample_weight is None:
            return None
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if not weights.any():
            raise ValueError("sample_weight: every weight is zero; expected some above zero")
        return weights

    def _build(self, X: Array, target: Array, weights: Array | None, seed: int) -> None:  # noqa: N803
        rows, features = X.shape
        batch = arguments.batch_size(self, rows)
        # One batch is fast in any dtype; in float64 a weight is a repeated row, to the last digits.
        dtype = "float64" if batch == rows else "float32"
        counted = float(rows if weights is None else weights.sum())
        penalty = float(self.alpha) / (2 * batch * counted / rows)
        scaled = [{"type": "standardize", "name": INPUT}] if self.standardize else []
        hidden = arguments.hidden_layers(self, arguments.sizes(self), penalty)
        layers = [*scaled, *hidden, *self._ending(penalty)]
        network = modnet.build({"network": {"input": [features], "layers": layers, "dtype": dtype}}, seed=seed)
        if scaled:
            scale(network, INPUT, X, weights)
        self._prepare_ending(network, target, weights)
        self.network_ = network
        self.loss_curve_: list[float] = []
        self.n_iter_, self.t_ = 0, 0
        self._slots: tuple[int, dict[str, Array]] | None = None

    def _train(self, X: Array, target: Array, weights: Array | None, draw: Any, epochs: int | None) -> None:  # noqa: N803
        X, target, weights, validation = self._validation(X, target, weights, draw)  # noqa: N806
        rows = len(X)
        incremental = epochs is not None
        given = {
            "loss": arguments.loss(self, self._usual_loss()),
            "optimizer": arguments.optimizer(self),
            "schedule": arguments.schedule(self, rows),
            "metrics": [self._score_name()] if validation is not None else None,
            "epochs": epochs or int(self.max_iter),
            "batch_size": arguments.batch_size(self, rows),
            "shuffle": bool(self.shuffle),
            "seed": int(draw.randint(SEEDS)),
            "callbacks": self._run_callbacks(validation is not None, incremental),
        }
        run = prepare(self.network_, X, target, given=given, sample_weights=weights, validation=validation)
        if incremental and self._slots is not None:
            run.optimization.steps, slots = self._slots
            for name, slot in slots.items():
                np.copyto(run.optimization.slots[name].flat, slot)
        history = run.fit()
        if incremental:
            slots = {name: slot.flat for name, slot in run.optimization.slots.items()}
            self._slots = run.optimization.steps, slots
        self._note(history, rows, incremental)

    def _validation(self, X: Array, target: Array, weights: Array | None, draw: Any) -> tuple[Any, ...]:  # noqa: N803
        """The rows to train on, and those that `early_stopping` sets aside, or None."""
        if not self.early_stopping:
            return X, target, weights, None
        given = [X, target] if weights is None else [X, target, weights]
        stratify = target if target.ndim == 1 and target.dtype.kind == "i" else None
        parts = train_test_split(*given, random_state=draw, test_size=self.validation_fraction, stratify=stratify)
        train, apart = parts[::2], parts[1::2]
        if len(apart[0]) < 2:
            raise ValueError("early_stopping: fewer than 2 rows are set aside; increase validation_fraction")
        return train[0], train[1], None if weights is None else train[2], tuple(apart)

    def _run_callbacks(self, validates: bool, incremental: bool) -> list[Any]:
        chosen = list(self.callbacks or ())
        if validates:
            stop = {"patience": int(self.n_iter_no_change) + 1, "minimum_delta": float(self.tol)}
            chosen.append({"type": "early_stopping", "monitor": f"validation_{self._score_name()}", **stop})
        elif not incremental:
            adaptive = self.solver == "sgd" and self.learning_rate == "adaptive"
            chosen.append(Joining(Convergence(float(self.tol), float(self.n_iter_no_change), adaptive)))
        return [*chosen, "progress"] if self.verbose else chosen

    def _note(self, history: modnet.History, rows: int, incremental: bool) -> None:
        """The attributes that MLPClassifier has."""
        losses = [float(value) for value in history["loss"]]
        self.loss_curve_ += losses
        self.loss_ = losses[-1]
        self.n_iter_ = self.n_iter_ + 1 if incremental else len(losses)
        self.t_ += rows * len(losses)
        name = f"validation_{self._score_name()}"
        scores = [float(value) for value in history[name]] if name in history else None
        self.validation_scores_ = scores
        self.best_validation_score_ = max(scores) if scores else None
        self.best_loss_ = None if scores else min(self.loss_curve_)
        if not incremental and not history.stopped:
            warnings.warn(
                f"max_iter = {self.max_iter} epochs are over, and the training has not converged yet; "
                "allow more by max_iter, or take a higher learning_rate_init",
                ConvergenceWarning,
                stacklevel=4,
            )

    # Predicting

    def _outputs(self, X: Any) -> Array:  # noqa: N803
        """What the network gives for rows, (rows, ...): float32 for float32, else float64."""
        check_is_fitted(self, "network_")
        X = validate_data(self, X, reset=False, dtype=(np.float64, np.float32))  # noqa: N806
        return self.network_.forward(X).astype(X.dtype, copy=False)

    # What MLPClassifier shows

    @property
    def coefs_(self) -> list[Array]:
        """The weights of each linear layer, (inputs, outputs)."""
        return self._parameters("weight")

    @property
    def intercepts_(self) -> list[Array]:
        """The biases of each linear layer, (outputs,)."""
        return self._parameters("bias")

    def _parameters(self, kind: str) -> list[Array]:
        if "network_" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__} is not fitted yet")
        return [array for name, array in self.network_.parameters.items() if name.endswith(f".{kind}")]


def given_names(estimator: ModnetEstimator) -> Sequence[str]:
    """The names of the features."""
    named = getattr(estimator, "feature_names_in_", None)
    return [f"x{number}" for number in range(estimator.n_features_in_)] if named is None else list(named)
