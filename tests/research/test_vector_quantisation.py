"""Van den Oord, Vinyals and Kavukcuoglu 2017, "Neural discrete representation learning"."""

import numpy as np
import pytest

from modnet import Layer, Parameter, ShapeError, field
from modnet.initializers import Normal
from modnet.testing import check_component
from tests.research.passes import Step, close, network_of


class VectorQuantisation(Layer, type="vector_quantisation"):
    """The nearest of a few vectors, with the gradient of the identity (straight through).

    To the loss it adds mean (z - e)^2 for the codebook, with z taken for a constant, and `commitment` times the same
    for z, with e taken for a constant. Shapes: (features,) -> (features,).

    Source: van den Oord, Vinyals and Kavukcuoglu 2017, arXiv:1711.00937, equation 3.
    """

    true_gradient = False
    allocates = True
    divisible = False
    size: int = field(default=8, minimum=1)
    commitment: float = field(default=0.25, minimum=0.0)

    def output_shape(self, *input_shapes):
        (shape,) = input_shapes
        if len(shape) != 1 or shape[0] is None:
            raise ShapeError("expects vectors of fixed size")
        return shape

    def parameters(self, *input_shapes):
        return {"codebook": Parameter((self.size, *input_shapes[0]), Normal(standard_deviation=1.0), decay=False)}

    def forward(self, context, z):
        codebook = context.params["codebook"]
        distances = (codebook**2).sum(axis=1) - 2 * (z @ codebook.T)  # without |z|^2, which is the same for all
        codes = distances.argmin(axis=1)
        e = codebook[codes]
        difference = z - e
        context.save(codes, difference)
        if context.training and z.size:
            context.penalize((1 + self.commitment) * np.mean(difference**2, dtype=np.float64))
        return e

    def backward(self, context, gradient):
        codes, difference = context.saved
        of_codebook = context.grads["codebook"]
        of_codebook.fill(0)
        if context.training and difference.size:
            slope = difference * (2 / difference.size)
            np.subtract.at(of_codebook, codes, slope)
            gradient += self.commitment * slope
        return gradient


def test_the_kit():
    check_component(VectorQuantisation(size=5), (3,))


def test_torch_with_detached_parts():
    torch = pytest.importorskip("torch", reason="torch (extra `parity`) is not installed")
    network = network_of(VectorQuantisation(size=5, commitment=0.4), (3,))
    step = Step(network)
    z = torch.tensor(step.inputs[0], requires_grad=True)
    codebook = torch.tensor(network.parameters["it.codebook"], requires_grad=True)
    e = codebook[torch.cdist(z, codebook).argmin(dim=1)]
    quantised = z + (e - z).detach()
    penalty = torch.nn.functional.mse_loss(e, z.detach()) + 0.4 * torch.nn.functional.mse_loss(z, e.detach())
    ((quantised * torch.tensor(step.given[0])).sum() + penalty).backward()
    close(step.outputs[0], quantised)
    close(step.penalty, penalty)
    close(step.gradients["in_0"], z.grad)
    close(step.gradients["codebook"], codebook.grad)
