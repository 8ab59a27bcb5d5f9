"""What the estimators share: their arguments, fitting and predicting by a network, and model files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils import Tags, check_array, check_random_state
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

import modnet
from modnet.arrays import Array
from modnet.data.column_schema import ColumnSchema
from modnet.data.frames import is_frame
from modnet.memory import require
from modnet_sklearn import arguments, building, columns, running
from modnet_sklearn.following import CallbackSupportMixin, Fitted, with_callbacks

DTYPES = (np.float64, np.float32)
METADATA = "scikit-learn"
"""The name of what a model file knows of the estimator, among its metadata."""


@dataclass(eq=False, repr=False)
class ModnetEstimator(CallbackSupportMixin, BaseEstimator):
    """The arguments that all estimators have, and fitting and predicting by a network.

    Up to `max_fun` they are those of scikit-learn's MLPClassifier, with its defaults, and mean the same; `activation`,
    `solver` and `learning_rate` may also be an activation, optimizer or schedule of modnet: its name, a table of its
    options, or the component itself.

    Args:
        hidden_layer_sizes: the units of each hidden layer.
        activation: "relu", "tanh", "logistic", "identity", or another.
        solver: "adam", "sgd", "lbfgs", or another.
        alpha: the penalty alpha / 2 times the sum of squared weights, divided by the weight of a batch.
        batch_size: rows in a batch; "auto" is 200.
        learning_rate: "constant"; for sgd "adaptive" or "invscaling"; or a schedule.
        learning_rate_init: the learning rate of the solver.
        power_t: of "invscaling".
        max_iter: the most epochs, or iterations of lbfgs.
        shuffle: whether each epoch has the rows in another order.
        random_state: of first weights, order and noise.
        tol: by how much the loss has to improve, for `n_iter_no_change` epochs; or the score, with `early_stopping`.
        verbose: whether to show the epochs.
        warm_start: whether `fit` continues with the present weights.
        momentum, nesterovs_momentum: of sgd.
        early_stopping: whether `validation_fraction` of the rows are set aside; the epoch counts that is best there.
        validation_fraction: the share of these rows.
        beta_1, beta_2, epsilon: of adam.
        n_iter_no_change: the patience, in epochs.
        max_fun: the most evaluations of lbfgs.
        loss: any loss of modnet, its name or a table of its options; also what scikit-learn calls its losses.
        dropout: the share of units that each hidden layer leaves out in training.
        standardize: whether the network scales its input, and the targets of a regression, to mean 0 and deviation 1.
        callbacks: callbacks of modnet.
        spec: what the network and its training are, instead of the arguments above: the path of a spec, a dict, in
            which `network.input` may be left out, or a `modnet.Spec`. A dict with only `data` says how the columns of a
            frame are read, and leaves the rest to the arguments.

    Attributes:
        network_: the trained `modnet.Network`.
        loss_curve_, loss_, best_loss_: the loss of each epoch, of the last, and the smallest.
        validation_scores_, best_validation_score_: the scores of the rows set aside; None without.
        n_iter_, t_: the epochs, and the rows seen in them.
        coefs_, intercepts_: weights and biases of each layer.
        n_layers_, n_outputs_: of layers, with the input as one, and of numbers that the network gives.
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
    max_fun: int = 15_000
    loss: Any = None
    dropout: float = 0.0
    standardize: bool = True
    callbacks: Any = None
    spec: Any = None

    with_spec: ClassVar[tuple[str, ...]] = ("callbacks", "random_state", "verbose", "warm_start")
    """The arguments that have a meaning together with a spec."""

    # What each kind of estimator says

    def _learn_target(self, X: Array, y: Any) -> None:
        """Finds the targets, from the rows of the first fit."""
        raise NotImplementedError

    def _encoded(self, X: Array, y: Any) -> Array:
        """The targets as the network's loss takes them."""
        raise NotImplementedError

    def _hidden(self, penalty: float) -> list[Any]:
        """The layers between the first and the last, as nodes of a spec."""
        return arguments.hidden_layers(self, arguments.sizes(self), penalty)

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

    def _attributes_of(self, network: modnet.Network) -> dict[str, Any]:
        """The attributes of an estimator that predicts by a network."""
        return {"_network": network}

    def _target_columns(self) -> list[ColumnSchema]:
        """The columns of the targets, for the model file."""
        raise NotImplementedError

    def _metadata(self) -> dict[str, Any]:
        """What a model file has to know besides, as plain values."""
        return {}

    def _take(self, targets: Sequence[ColumnSchema], metadata: dict[str, Any]) -> None:
        """Learns from a model file what is predicted."""
        raise NotImplementedError

    # Fitting

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Trains a network.

        Args:
            X: (samples, features): an array, a sparse matrix, or a data frame, which may have columns of texts,
                categories and dates.
            y: the targets, (samples,) or (samples, outputs).
            sample_weight: of each sample, (samples,). A row of weight 2 counts as two rows.

        Returns:
            The estimator itself.

        Raises:
            ValueError: an argument or a value cannot be used (modnet's `SpecError`, `ShapeError` and `DataError` are
                ValueErrors).
            modnet.Diverged: the loss became nan or infinite.
        """
        return self._fit(X, y, sample_weight, again=self.warm_start and self._is_fitted(), incremental=False)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Trains for one epoch with these rows; the optimizer continues where the previous call stopped."""
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True: there are no rows to set aside")
        if self.solver == "lbfgs":
            raise ValueError('partial_fit needs a solver that goes batch by batch, such as "adam"; found "lbfgs"')
        return self._fit(X, y, sample_weight, again=self._is_fitted(), incremental=True)

    def _is_fitted(self) -> bool:
        return "_network" in vars(self)

    def _fit(self, X: Any, y: Any, sample_weight: Any, again: bool, incremental: bool) -> Self:
        arguments.check_arguments(self)
        fitted = Fitted(X, y, sample_weight)
        X, y = self._checked(X, y, reset=not again)
        if not again:
            self._names_of_targets = columns.target_names(fitted.y, y)
            self._learn_target(X, y)
        rows = running.Rows(X, self._encoded(X, y), self._weights(sample_weight, X, y)).counted()
        draw = check_random_state(self.random_state)
        if not again:
            self._network = building.network_for(self, rows, int(draw.randint(running.SEEDS)))
            self.loss_curve_: list[float] = []
            self.n_iter_, self.t_ = 0, 0
            self._optimizer: running.Slots | None = None
        self._range = rows.X.min(axis=0), rows.X.max(axis=0)
        self._network.card = self._network.card.replace(schema=None)
        if self.solver == "lbfgs":
            running.minimize(self, rows, draw)
        else:
            running.train(self, rows, draw, incremental, fitted)
        self.__dict__.update(self._attributes_of(self._network))
        return self

    def _checked(self, X: Any, y: Any, reset: bool) -> tuple[Array, Any]:
        """The rows as numbers, and the targets, both checked."""
        if reset:
            data = building.data_of(self.spec)
            mixed = columns.has_other_columns(X) or (data is not None and is_frame(X))
            self._columns = columns.learned(X, data) if mixed else None
            self._sparse = sparse.issparse(X)
        X = self._as_numbers(X, reset)
        if y is None and not self.__sklearn_tags__().target_tags.required:
            return X, None
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        y = check_array(y, ensure_2d=False, dtype=None, input_name="y", estimator=self)
        check_consistent_length(X, y)
        return X, column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y

    def _as_numbers(self, X: Any, reset: bool) -> Array:
        """Rows as the network takes them."""
        if self._columns is None:
            X = validate_data(self, X, reset=reset, dtype=DTYPES, accept_sparse="csr")
            return _dense(X)
        validate_data(self, X, reset=reset, skip_check_array=True)
        return columns.encoded(self._columns, X)

    def _weights(self, sample_weight: Any, X: Array, y: Array) -> Array | None:
        """The weights of the rows, float64 (rows,); None for ones."""
        if sample_weight is None:
            return None
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if not weights.any():
            raise ValueError("sample_weight: every weight is zero; expected some above zero")
        return weights

    # Predicting

    def _outputs(self, X: Any) -> Array:
        """What the network gives for rows, (rows, ...): float32 for float32, else float64."""
        check_is_fitted(self, "n_iter_")
        array = self._as_numbers(X, reset=False)
        return self._predictor().forward(array).astype(array.dtype, copy=False)

    def _predictor(self) -> modnet.Network:
        """The network that predicts, without the names of columns."""
        return self._network

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # What was trained

    @property
    def network_(self) -> modnet.Network:
        """The trained network, which knows the names of the columns and of the classes."""
        self._require_fitted()
        network = self._predictor()
        if network.card.schema is None:
            schema = self._columns or columns.numbers(self._feature_names(), self._range)
            schema = columns.with_targets(schema, self._target_columns(), network)
            metadata = {**network.card.metadata, METADATA: self._metadata()}
            network.card = network.card.replace(schema=schema, metadata=metadata)
        return network

    def _require_fitted(self) -> None:
        if not self._is_fitted():
            raise AttributeError(f"{type(self).__name__} is not fitted yet")

    def _feature_names(self) -> list[str]:
        named = getattr(self, "feature_names_in_", None)
        return [f"x{number}" for number in range(self.n_features_in_)] if named is None else list(named)

    @property
    def coefs_(self) -> list[Array]:
        """The weights of each linear layer, (inputs, outputs)."""
        return self._parameters("weight")

    @property
    def intercepts_(self) -> list[Array]:
        """The biases of each linear layer, (outputs,)."""
        return self._parameters("bias")

    @property
    def n_layers_(self) -> int:
        """The number of layers, with the input as one."""
        return len(self.coefs_) + 1

    @property
    def n_outputs_(self) -> int:
        """The numbers that the network gives for a row."""
        self._require_fitted()
        ((width,),) = self._network.outputs.values()
        return int(width or 0)

    def _parameters(self, kind: str) -> list[Array]:
        self._require_fitted()
        return [array for name, array in self._network.parameters.items() if name.endswith(f".{kind}")]

    # Model files

    def to_modnet(self, path: str | PathLike[str]) -> None:
        """Writes the network as a model file, which predicts without scikit-learn: `modnet.load(path).predict(rows)`.

        The file has the names of the columns and of the classes. What a pipeline does before the network is not in it;
        `modnet_sklearn.to_modnet(pipeline, path)` writes both.
        """
        check_is_fitted(self, "n_iter_")
        modnet.save(self.network_, path)

    @classmethod
    def from_modnet(cls, path: str | PathLike[str]) -> Self:
        """A fitted estimator with the network of a model file.

        Its `spec` is that of the file, so that a clone of it trains such a network.

        Raises:
            modnet.ModelFileError: the file cannot be read.
            ValueError: the network does not predict what this estimator predicts, or has several inputs or outputs.
        """
        network = modnet.load(path)
        building.require_one(network)
        schema = network.card.schema
        if schema is None or not schema.inputs:
            raise ValueError(f"{path}: the model does not know the columns that it was trained on")
        (read,) = schema.inputs.values()
        made = cls._of_network(network, dict(network.card.metadata.get(METADATA, {})))
        names = [str(column.name) for column in read]
        made._columns = None if all(map(columns.is_plain, read)) else schema
        made.n_features_in_ = len(names)
        if names != [f"x{number}" for number in range(len(names))]:
            made.feature_names_in_ = np.array(names, object)
        made.loss_curve_ = list(network.card.history.get("loss", ()))
        made.n_iter_, made.t_, made._optimizer, made._sparse = len(made.loss_curve_), 0, None, False
        return made

    @classmethod
    def _of_network(cls, network: modnet.Network, metadata: dict[str, Any]) -> Self:
        """An estimator with the network of a model file.

        Args:
            metadata: as `_metadata` gave it; empty if the file comes from elsewhere.
        """
        _ = network.card.training  # read, so that the spec has it
        made = cls(spec=network.card.spec)
        made._network = network
        targets = list(network.card.schema.targets.values())
        if not targets:
            raise ValueError(f"the model does not know what it predicts; expected a target of {cls.__name__}")
        made._take(targets[0], metadata)
        return made


def _dense(X: Any) -> Array:
    """An array of the rows of a sparse matrix.

    Raises:
        modnet.TooLarge: there is not so much memory.
    """
    if not sparse.issparse(X):
        return X
    require(X.shape[0] * X.shape[1] * X.dtype.itemsize, "the rows of the sparse matrix, as an array,")
    return X.toarray()
