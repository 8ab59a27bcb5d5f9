"""Hochreiter and Schmidhuber 1997, "Long short-term memory", with three outputs."""

import numpy as np
import pytest

import modnet
from modnet import Layer, Parameter, ShapeError, field
from modnet.initializers import LecunNormal, Zeros
from modnet.testing import check_component
from tests.research.passes import Step, close, network_of


class LSTM(Layer, type="research_lstm"):
    """[i f g o] = x_t W + h V + b; c = s(f) c + s(i) tanh(g); h = s(o) tanh(c).

    Outputs: the sequence of h (time, size), and the last h and c, (size,) each. (The plugin modnet-recurrent has a fast
    one, with masks and streams.)

    Source: Hochreiter and Schmidhuber 1997, with the forget gate of Gers, Schmidhuber and Cummins 2000.
    """

    outputs = ("sequence", "hidden", "cell")
    allocates = True
    size: int = field(default=3, minimum=1)

    def output_shape(self, *input_shapes):
        (shape,) = input_shapes
        if len(shape) != 2 or shape[1] is None:
            raise ShapeError("expects sequences (time, features) of a fixed number of features")
        return (shape[0], self.size), (self.size,), (self.size,)

    def parameters(self, *input_shapes):
        return {
            "weight_input": Parameter((input_shapes[0][1], 4 * self.size), LecunNormal()),
            "weight_hidden": Parameter((self.size, 4 * self.size), LecunNormal()),
            "bias": Parameter((4 * self.size,), Zeros(), decay=False),
        }

    def forward(self, context, x):
        w, v, bias = (context.params[name] for name in ("weight_input", "weight_hidden", "bias"))
        h = c = np.zeros((len(x), self.size), x.dtype)
        sequence, steps = context.buffer((*x.shape[:2], self.size)), []
        ends = np.ones(x.shape[:2], bool) if context.masks[0] is None else context.masks[0]
        for t in range(x.shape[1]):
            z = x[:, t] @ w + h @ v + bias
            i, f, o = (0.5 + 0.5 * np.tanh(0.5 * part) for part in (z[:, : self.size], *self._second_and_last(z)))
            g = np.tanh(z[:, 2 * self.size : 3 * self.size])
            real = ends[:, t, None]
            c_new = np.where(real, f * c + i * g, c)  # a step behind the end leaves them as they are
            tanh_c = np.tanh(c_new)
            steps.append((h, c, i, f, g, o, tanh_c, real))
            h, c = np.where(real, o * tanh_c, h), c_new
            sequence[:, t] = np.where(real, h, 0)
        context.save(x, steps)
        return sequence, h, c

    def _second_and_last(self, z):
        return z[:, self.size : 2 * self.size], z[:, 3 * self.size :]

    def backward(self, context, gradient):
        x, steps = context.saved
        of_sequence, of_h, of_c = gradient
        w, v = context.params["weight_input"], context.params["weight_hidden"]
        for array in context.grads.values():
            array.fill(0)
        of_x = context.buffer(x.shape)
        for t, (h, c, i, f, g, o, tanh_c, real) in reversed(list(enumerate(steps))):
            at_h = np.where(real, of_h + of_sequence[:, t], 0)
            at_c = np.where(real, of_c + at_h * o * (1 - tanh_c**2), 0)
            gates = (at_c * g * i * (1 - i), at_c * c * f * (1 - f), at_c * i * (1 - g**2), at_h * tanh_c * o * (1 - o))
            of_z = np.concatenate(gates, axis=1)
            context.grads["weight_input"] += x[:, t].T @ of_z
            context.grads["weight_hidden"] += h.T @ of_z
            context.grads["bias"] += of_z.sum(axis=0)
            of_x[:, t] = of_z @ w.T
            of_h, of_c = np.where(real, of_z @ v.T, of_h), np.where(real, at_c * f, of_c)
        return of_x


def test_the_kit():
    report = check_component(LSTM(), (None, 4))
    assert "cell: relative error" in next(row.text for row in report.rows if row.rule == "gradients")


def test_torch():
    torch = pytest.importorskip("torch", reason="torch (extra `parity`) is not installed")
    network = network_of(LSTM(size=3), (5, 4))
    step = Step(network)
    module = torch.nn.LSTM(4, 3, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        module.weight_ih_l0.copy_(torch.tensor(network.parameters["it.weight_input"].T.copy()))
        module.weight_hh_l0.copy_(torch.tensor(network.parameters["it.weight_hidden"].T.copy()))
        module.bias_ih_l0.copy_(torch.tensor(network.parameters["it.bias"]))
        module.bias_hh_l0.zero_()
    x = torch.tensor(step.inputs[0], requires_grad=True)
    sequence, (hidden, cell) = module(x)
    torch.autograd.backward([sequence, hidden[0], cell[0]], [torch.tensor(array) for array in step.given])
    for found, expected in zip(step.outputs, (sequence, hidden[0], cell[0]), strict=True):
        close(found, expected)
    close(step.gradients["in_0"], x.grad)
    close(step.gradients["weight_input"].T, module.weight_ih_l0.grad)
    close(step.gradients["weight_hidden"].T, module.weight_hh_l0.grad)
    close(step.gradients["bias"], module.bias_ih_l0.grad)


def test_a_network_reads_the_outputs_that_it_wants():
    layers = [
        modnet.Node(LSTM(size=4), name="memory"),
        {"type": "linear", "out_features": 2, "name": "each_step", "inputs": ["memory"]},
        {"type": "concatenate", "name": "state", "inputs": ["memory.hidden", "memory.cell"]},
        {"type": "linear", "out_features": 1, "name": "whole"},
    ]
    network = modnet.build({"network": {"input": ["variable", 3], "layers": layers, "outputs": ["each_step", "whole"]}})
    assert network.outputs == {"each_step": (None, 2), "whole": (1,)}
    x = np.random.default_rng(0).standard_normal((64, 6, 3))
    y = {"each_step": np.cumsum(x, axis=1)[..., :2], "whole": x.sum(axis=(1, 2))[:, None]}
    loss = {"each_step": "mse", "whole": "mse"}
    optimizer = {"type": "adam", "learning_rate": 0.03}
    history = modnet.train(network, x, y, loss=loss, optimizer=optimizer, epochs=25)
    assert history["loss"][-1] < 0.5 * history["loss"][0]
