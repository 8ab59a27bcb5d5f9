"""Fedus, Zoph and Shazeer 2021, "Switch transformers", after Shazeer et al. 2017, arXiv:1701.06538."""

import numpy as np
import pytest

import modnet
from modnet import Layer, Parameter, ShapeError, field
from modnet.initializers import LecunNormal
from modnet.layers import Linear
from modnet.testing import check_component
from tests.research.passes import Step, close, network_of


class Switch(Layer, type="switch"):
    """Each sample goes to the one of n experts that a router prefers: y = p_i(x) E_i(x), p = softmax(x W).

    In training `balance` * n * sum f_i P_i is added to the loss, with f_i the part of the samples that went to expert
    i, a constant, and P_i the mean of its p. It is least where all have as much to do.

    Source: Fedus, Zoph and Shazeer 2021, arXiv:2101.03961, equations 2 and 4 to 6.
    """

    allocates = True
    divisible = False
    expert: Layer = Linear(out_features=4)
    experts: int = field(default=3, minimum=1)
    balance: float = field(default=0.01, minimum=0.0)

    def output_shape(self, *input_shapes):
        if len(input_shapes[0]) != 1:
            raise ShapeError("expects samples of one axis")
        return self.expert.output_shape(*input_shapes)

    def parameters(self, *input_shapes):
        of_expert = self.expert.parameters(*input_shapes)
        return {
            "router": Parameter((*input_shapes[0], self.experts), LecunNormal()),
            **{f"{number}.{name}": array for number in range(self.experts) for name, array in of_expert.items()},
        }

    def forward(self, context, x):
        p = x @ context.params["router"]
        p -= p.max(axis=1, keepdims=True)
        np.exp(p, out=p)
        p /= p.sum(axis=1, keepdims=True)
        chosen = p.argmax(axis=1)
        rows = [np.flatnonzero(chosen == number) for number in range(self.experts)]
        made = [self.expert.forward(context.child(str(number)), x[part]) for number, part in enumerate(rows)]
        y = context.buffer((len(x), *made[0].shape[1:]))
        for number, part in enumerate(rows):
            y[part] = p[part, number, None] * made[number]
        loads = np.array([len(part) for part in rows], x.dtype) / max(len(x), 1)
        context.save(x, p, rows, made, loads)
        if context.training and len(x):
            context.penalize(self.balance * self.experts * float(loads @ p.mean(axis=0)))
        return y

    def backward(self, context, gradient):
        x, p, rows, made, loads = context.saved
        of_x, of_p = context.buffer(x.shape), np.zeros_like(p)
        for number, part in enumerate(rows):
            of_p[part, number] = (gradient[part] * made[number]).sum(axis=1)
            inner = p[part, number, None] * gradient[part]
            of_x[part] = self.expert.backward(context.child(str(number)), inner)
        if context.training and len(x):
            of_p += loads * x.dtype.type(self.balance * self.experts / len(x))
        of_logits = p * (of_p - (p * of_p).sum(axis=1, keepdims=True))
        context.grads["router"][...] = x.T @ of_logits
        of_x += of_logits @ context.params["router"].T
        return of_x


def test_the_kit():
    check_component(Switch(balance=0.5), (5,))


def test_value_gradients_and_penalty_in_torch():
    torch = pytest.importorskip("torch", reason="torch (extra `parity`) is not installed")
    network = network_of(Switch(experts=3, balance=0.7), (5,))
    step = Step(network)
    tensors = {name: torch.tensor(array, requires_grad=True) for name, array in network.parameters.items()}
    x = torch.tensor(step.inputs[0], requires_grad=True)
    p = torch.softmax(x @ tensors["it.router"], dim=1)
    chosen = p.argmax(dim=1)
    each = torch.stack([x @ tensors[f"it.{i}.weight"] + tensors[f"it.{i}.bias"] for i in range(3)], dim=1)
    y = p.gather(1, chosen[:, None]) * each[torch.arange(len(x)), chosen]
    loads = torch.nn.functional.one_hot(chosen, 3).double().mean(dim=0)
    penalty = 0.7 * 3 * (loads * p.mean(dim=0)).sum()
    ((y * torch.tensor(step.given[0])).sum() + penalty).backward()
    close(step.outputs[0], y)
    close(step.penalty, penalty)
    close(step.gradients["in_0"], x.grad)
    for name, tensor in tensors.items():
        if name.startswith("it."):
            close(
                step.gradients[name.removeprefix("it.")],
                torch.zeros_like(tensor) if tensor.grad is None else tensor.grad,
            )


def test_in_prediction_nothing_is_added():
    assert Step(network_of(Switch(), (5,)), training=False).penalty == 0


def test_the_penalty_spreads_the_samples():
    def loads(balance):
        spec = {"network": {"input": [4], "layers": [modnet.Node(Switch(experts=4, balance=balance), name="it")]}}
        network = modnet.build(spec)
        network.parameters["it.router"][:] = 0
        network.parameters["it.router"][0] = [2, 0, 0, 0]  # nearly all prefer the first
        x = np.random.default_rng(0).uniform(0.5, 1.5, (400, 4)).astype(np.float32)
        optimizer = {"type": "adam", "learning_rate": 0.02}
        modnet.train(network, x, np.sin(3 * x), loss="mse", optimizer=optimizer, epochs=20)
        return np.bincount((x @ network.parameters["it.router"]).argmax(axis=1), minlength=4) / 400

    assert loads(1.0).max() < 0.6 < loads(0.0).max()
