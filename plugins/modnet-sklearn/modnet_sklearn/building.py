"""The network of an estimator, from its arguments or from its spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import modnet
from modnet.configuration.reading import Reader, Reading
from modnet.data.spec import DataSpec
from modnet.words import show
from modnet_sklearn import arguments
from modnet_sklearn.scaling import INPUT, scale

if TYPE_CHECKING:
    from modnet_sklearn.estimator import ModnetEstimator
    from modnet_sklearn.running import Rows


def has_network(spec: Any) -> bool:
    """Whether a spec says what the network is; a dict with only `data` leaves that to the arguments."""
    return spec is not None and not (isinstance(spec, Mapping) and spec and set(spec) <= {"data"})


def data_of(spec: Any) -> DataSpec | None:
    """The `[data]` of a spec, if it has any.

    Raises:
        modnet.SpecError: with all faults.
    """
    if spec is None or has_network(spec):
        return None if spec is None else read(spec, 1).data
    reading = Reading(Reader())
    data = DataSpec.from_table(spec["data"], ("data",), reading)
    reading.raise_problems()
    return cast(DataSpec, data)


def read(spec: Any, features: int) -> modnet.Spec:
    """The checked spec.

    Args:
        features: the width of the input, if the spec is a dict that does not say it.

    Raises:
        modnet.SpecError: with all faults.
    """
    if isinstance(spec, Mapping) and isinstance(spec.get("network"), Mapping):
        spec = {**spec, "network": {"input": [features], **spec["network"]}}
    checked, _ = modnet.read_spec(spec)
    return checked


def network_for(given: ModnetEstimator, rows: Rows, seed: int) -> modnet.Network:
    """A network with first weights, whose layers know mean and deviation of the rows."""
    if has_network(given.spec):
        arguments.check_spec_alone(given)
        network = modnet.build(read(given.spec, rows.X.shape[1]), seed=seed)
        require_one(network)
        return network
    count, features = rows.X.shape
    batch = arguments.batch_size(given, count)
    # One batch is fast in any dtype, and in float64 a weight is a repeated row to the last digits.
    dtype = "float64" if batch == count else "float32"
    penalty = float(given.alpha) / (2 * batch * rows.total / count)
    scaled = given.standardize and not given._sparse
    first = [{"type": "standardize", "name": INPUT}] if scaled else []
    layers = [*first, *given._hidden(penalty), *given._ending(penalty)]
    network = modnet.build({"network": {"input": [features], "layers": layers, "dtype": dtype}}, seed=seed)
    if scaled:
        scale(network, INPUT, rows.X, rows.weights)
    given._prepare_ending(network, rows.target, rows.weights)
    return network


def require_one(network: modnet.Network) -> None:
    """Raises ValueError for a network with several inputs or outputs, or whose samples are no rows."""
    for what, shapes in (("input", network.inputs), ("output", network.outputs)):
        if len(shapes) != 1 or len(next(iter(shapes.values()))) != 1:
            raise ValueError(
                f"an estimator needs a network with one {what}, a row of numbers; found {show(dict(shapes))}"
            )
