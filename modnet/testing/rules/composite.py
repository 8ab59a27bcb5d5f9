"""What a composite keeps beside its nodes: they are examined by themselves."""

from __future__ import annotations

import numpy as np

from modnet.component import Composite, Node
from modnet.network import Pass
from modnet.testing.contract import Broken, NotApplicable, Rules
from modnet.testing.gradients import LARGEST_ERROR, directional_slopes
from modnet.testing.rules.component import same
from modnet.testing.rules.engine import Trial
from modnet.testing.rules.layer import weights_for

RULES = Rules()


@RULES.rule(
    "expands",
    "expand(inputs) gives the nodes, the same each time, the last of them the output; it reads `inputs` by their "
    "names.",
    after=("named",),
)
def expands(trial: Trial) -> str:
    composite = trial.component
    assert isinstance(composite, Composite)
    names = [f"in{number}" for number in range(len(trial.shapes))]
    nodes = list(composite.expand(names))
    if not nodes or not all(isinstance(node, Node) for node in nodes):
        raise Broken(f"expand gives {nodes!r}, expected nodes")
    again = list(composite.expand(names))
    if nodes != again:
        raise Broken(f"expand gives {len(nodes)} nodes, and other {len(again)} the second time")
    network = trial.network()
    output = network.predict(trial.data(network))
    if not isinstance(output, np.ndarray):
        raise Broken("it ends in several outputs")
    return f"{len(network.graph.nodes)} nodes"


@RULES.rule("gradients of parameters", "The fault is in one of its nodes: examine them one by one.", after=("expands",))
def gradients_of_parameters(trial: Trial) -> str:
    network = trial.network("float64")
    if not network.trainable_size:
        raise NotApplicable("it has no parameters that are trained")
    flowing = network.parameters.like()
    run = Pass(network, list(network.graph.outputs.values()), training=True, gradients=flowing)
    inputs = network.arrays(trial.data(network))
    rng = np.random.default_rng(0)
    network.parameters.flat += rng.uniform(-0.1, 0.1, network.parameters.flat.shape)
    state = network.state.flat.copy()

    def forward() -> float:
        network.state.flat[...] = state
        for context in run.contexts.values():
            context.rng = np.random.default_rng(0)
        (output,) = run.forward(inputs)
        return float(np.vdot(weights_for(output), output))

    forward()
    run.backward([weights_for(run.forward(inputs)[0])])
    # The frozen ones come last, and nobody writes their gradients.
    trained = slice(network.trainable_size)
    claims = {"parameters": (network.parameters.flat[trained], flowing.flat[trained].copy())}
    slope = directional_slopes(forward, claims, rng)["parameters"]
    if not slope.error <= LARGEST_ERROR:
        raise Broken(f"{slope}; at most {LARGEST_ERROR:g} is expected")
    return f"relative error {slope.error:.1g}"


@RULES.rule("batches", "The fault is in one of its nodes: examine them one by one.", after=("expands",))
def batches(trial: Trial) -> str:
    network = trial.network("float64")
    data = trial.data(network, rows=8)
    whole = network.predict(data)
    for rows in (slice(0, 5), slice(5, 8), slice(0, 0), slice(0, 1)):
        found = network.predict({name: array[rows] for name, array in data.items()})
        same(found, whole[rows], f"predicting {rows.stop - rows.start} of 8 samples against all 8")
    return "0, 1, 3, 5, 8 samples"
