"""From the arguments of an estimator to the parts of a spec."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from modnet.words import show
from modnet_sklearn.convergence import Adaptive, InverseScaling

if TYPE_CHECKING:
    from modnet_sklearn.estimator import ModnetEstimator

MOST_AUTOMATIC = 200
"""The largest batch of batch_size="auto"."""

ACTIVATIONS = {"logistic": "sigmoid"}
"""What MLPClassifier calls otherwise."""

LOSSES = {"log_loss": "cross_entropy", "squared_error": "mse", "absolute_error": "mae"}
"""What scikit-learn calls otherwise."""

POSITIVE = {"learning_rate_init", "epsilon"}
FRACTIONS = {"momentum", "beta_1", "beta_2", "dropout"}


def check_arguments(given: ModnetEstimator) -> None:
    """Raises ValueError for a number that cannot be used; what modnet itself checks is left to it."""
    for name in ("max_iter", "max_fun", "n_iter_no_change"):
        _require(name, getattr(given, name), "a whole number >= 1", lambda value: value >= 1)
    for name in ("alpha", "tol", "power_t"):
        _require(name, getattr(given, name), "a number >= 0", lambda value: value >= 0)
    for name in POSITIVE:
        _require(name, getattr(given, name), "a number > 0", lambda value: value > 0)
    for name in FRACTIONS:
        _require(name, getattr(given, name), "a number >= 0 and below 1", lambda value: 0 <= value < 1)
    _require("validation_fraction", given.validation_fraction, "a number between 0 and 1", lambda value: 0 < value < 1)
    if given.callbacks is not None and not isinstance(given.callbacks, list | tuple):
        raise ValueError(f"callbacks: expected a list of callbacks; found {show(given.callbacks)}")
    if given.batch_size != "auto":
        _require("batch_size", given.batch_size, '"auto" or a whole number >= 1', lambda value: value >= 1)


def _require(name: str, value: Any, expected: str, holds: Any) -> None:
    whole = "whole" in expected and not isinstance(value, Integral) and value != float("inf")
    if isinstance(value, bool) or not isinstance(value, Real) or whole or not holds(value):
        raise ValueError(f"{name}: expected {expected}; found {show(value)}")


def sizes(given: ModnetEstimator) -> list[int]:
    """The sizes of the hidden layers."""
    found = given.hidden_layer_sizes
    listed = list(found) if isinstance(found, Iterable) and not isinstance(found, str) else [found]
    for size in listed:
        if isinstance(size, bool) or not isinstance(size, Integral) or size < 1:
            raise ValueError(f"hidden_layer_sizes: expected whole numbers > 0; found {show(size)} in {show(found)}")
    return [int(size) for size in listed]


def batch_size(given: ModnetEstimator, rows: int) -> int:
    """How many rows there are in a batch; lbfgs sees all of them."""
    if given.solver == "lbfgs":
        return rows
    return min(MOST_AUTOMATIC if given.batch_size == "auto" else int(given.batch_size), rows)


def hidden_layers(given: ModnetEstimator, units: Iterable[int], penalty: float) -> list[Any]:
    """Layers of these sizes, as nodes of a spec.

    Args:
        penalty: the factor of the squared weights in the loss.
    """
    activation = given.activation
    if isinstance(activation, str):
        activation = ACTIVATIONS.get(activation, activation)
    layers: list[Any] = []
    for size in units:
        layers.append({**linear(size, penalty), "activation": activation})
        if given.dropout:
            layers.append({"type": "dropout", "rate": float(given.dropout)})
    return layers


def linear(size: int, penalty: float) -> dict[str, Any]:
    """A linear layer, with first weights as MLPClassifier has them."""
    return {"type": "linear", "out_features": size, "weight_initializer": "glorot_uniform", "l2": penalty}


def loss(given: ModnetEstimator, usual: Any) -> Any:
    """The loss, as a spec has it."""
    chosen = usual if given.loss is None else given.loss
    return LOSSES.get(chosen, chosen) if isinstance(chosen, str) else chosen


def optimizer(given: ModnetEstimator) -> Any:
    """The optimizer, as a spec has it."""
    rate = float(given.learning_rate_init)
    if given.solver == "adam":
        moments = {"beta1": given.beta_1, "beta2": given.beta_2, "epsilon": given.epsilon}
        return {"type": "adam", "learning_rate": rate, **moments}
    if given.solver == "sgd":
        nesterov = bool(given.nesterovs_momentum and given.momentum > 0)
        return {"type": "sgd", "learning_rate": rate, "momentum": given.momentum, "nesterov": nesterov}
    return {"type": given.solver, "learning_rate": rate} if isinstance(given.solver, str) else given.solver


def schedule(given: ModnetEstimator, rows: int) -> Any:
    """The schedule of the learning rate; as in MLPClassifier `adaptive` and `invscaling` are only for sgd."""
    chosen = given.learning_rate
    if chosen == "constant" or (chosen in ("adaptive", "invscaling") and given.solver != "sgd"):
        return None
    if chosen == "adaptive":
        return Adaptive(float(given.tol), float(given.n_iter_no_change))
    return InverseScaling(float(given.power_t), rows) if chosen == "invscaling" else chosen


def check_spec_alone(given: ModnetEstimator) -> None:
    """Raises ValueError for an argument that says what the spec says."""
    allowed = {"spec", *given.with_spec}
    for name, field in type(given).__dataclass_fields__.items():
        if name not in allowed and getattr(given, name) != field.default:
            raise ValueError(
                f"{name} = {show(getattr(given, name))} is given beside a spec, which says this itself: write it into "
                f"the spec, or leave the spec out; beside a spec there may be {', '.join(given.with_spec)}"
            )
