"""Miyato et al. 2018, "Spectral normalization for generative adversarial networks"."""

import numpy as np
import pytest

from modnet import Layer, State, field
from modnet.initializers import Normal
from modnet.layers import Linear
from modnet.testing import check_component, layer_gradient_errors
from tests.research.passes import Step, close, network_of

TINY = 1e-12


class SpectralNorm(Layer, type="spectral_norm"):
    """A layer with its `weight` divided by an estimate of the greatest singular value, s = v W u.

    In training `power_iterations` improve it: u = W' v, v = W u, each made of length 1. The gradient takes u and v for
    constants, as torch's does.

    Source: Miyato et al. 2018, arXiv:1802.05957, algorithm 1.
    """

    true_gradient = False
    allocates = True
    layer: Layer = Linear(out_features=4)
    power_iterations: int = field(default=1, minimum=1)

    def output_shape(self, *input_shapes):
        return self.layer.output_shape(*input_shapes)

    def parameters(self, *input_shapes):
        return {f"layer.{name}": parameter for name, parameter in self.layer.parameters(*input_shapes).items()}

    def state(self, *input_shapes):
        rows, columns = self.layer.parameters(*input_shapes)["weight"].shape
        normal = Normal(standard_deviation=1.0)
        return {"u": State((columns,), initializer=normal), "v": State((rows,), initializer=normal)}

    def forward(self, context, x):
        weight, u, v = context.params["layer.weight"], context.state["u"], context.state["v"]
        if context.training:
            for _ in range(self.power_iterations):
                u[...] = _unit(weight.T @ v)
                v[...] = _unit(weight @ u)
        along = np.outer(_unit(v), _unit(u))
        norm = max(float(np.vdot(along, weight)), TINY)
        inner = context.child("layer")
        inner.params = {**inner.params, "weight": weight / np.asarray(norm, weight.dtype)}
        context.save(along, norm)
        return self.layer.forward(inner, x)

    def backward(self, context, gradient):
        along, norm = context.saved
        inner = context.child("layer")
        inner.needs_input_gradient = context.needs_input_gradient
        result = self.layer.backward(inner, gradient)
        slope = context.grads["layer.weight"]  # so far that of the weight which has been divided
        slope -= along * np.asarray(np.vdot(slope, inner.params["weight"]), slope.dtype)
        slope /= np.asarray(norm, slope.dtype)
        return result


def _unit(vector):
    return vector / max(float(np.sqrt(np.vdot(vector, vector))), TINY)


def test_the_kit():
    check_component(SpectralNorm(), (5,))


def test_in_prediction_the_gradient_is_the_derivative():
    errors = layer_gradient_errors(SpectralNorm(), (5,), training=False)
    assert max(errors.values()) < 1e-6


@pytest.mark.parametrize("iterations", [1, 4])
def test_torch_after_power_iterations(iterations):
    torch = pytest.importorskip("torch", reason="torch (extra `parity`) is not installed")
    network = network_of(SpectralNorm(power_iterations=iterations), (5,))
    module = torch.nn.Linear(5, 4, dtype=torch.float64)
    with torch.no_grad():
        module.weight.copy_(torch.tensor(network.parameters["it.layer.weight"].T.copy()))
        module.bias.copy_(torch.tensor(network.parameters["it.layer.bias"]))
    torch.nn.utils.parametrizations.spectral_norm(module, n_power_iterations=iterations)
    theirs = module.parametrizations.weight[0]
    network.state["it.u"] = theirs._u.numpy()
    network.state["it.v"] = theirs._v.numpy()
    step = Step(network)
    x = torch.tensor(step.inputs[0], requires_grad=True)
    y = module(x)
    y.backward(torch.tensor(step.given[0]))
    close(step.outputs[0], y)
    close(step.gradients["in_0"], x.grad)
    close(step.gradients["layer.weight"].T, module.parametrizations.weight.original.grad)
    close(step.gradients["layer.bias"], module.bias.grad)
    close(network.state["it.u"], theirs._u)
    module.eval()
    close(network.forward(step.inputs[0]), module(x))


def test_the_state_begins_with_numbers_of_the_seed():
    one, same, other = (network_of(SpectralNorm(), (5,), seed=seed) for seed in (3, 3, 4))
    assert one.state["it.u"].any()
    np.testing.assert_array_equal(one.state.flat, same.state.flat)
    assert not np.array_equal(one.state.flat, other.state.flat)
    plain = network_of(Linear(out_features=4), (5,), seed=3)
    np.testing.assert_array_equal(one.parameters["it.layer.weight"], plain.parameters["it.weight"])
    drawn = one.state.flat.copy()
    one.initialize(4)
    np.testing.assert_array_equal(one.state.flat, other.state.flat)
    one.initialize(3)
    np.testing.assert_array_equal(one.state.flat, drawn)
