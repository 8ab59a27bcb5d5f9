"""The gradient of what a network predicts with respect to its inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from modnet.arrays import Array
from modnet.engine.network import Network
from modnet.engine.passes import Pass


class InputGradients:
    """Sends samples forward, and a gradient of one output back to the inputs, exactly, by the layers' own `backward`.

    The layers are in the mode of prediction: dropout does nothing, norms use their running statistics. Nothing in the
    network changes. It is used by one thread at a time.

    Args:
        network: the network.
        output: the name of one of its outputs.
    """

    def __init__(self, network: Network, output: str) -> None:
        dtypes = network.input_dtypes()
        self._slots = [slot for slot, dtype in enumerate(dtypes) if dtype.kind == "f"]
        self._pass = Pass(
            network, [network.graph.outputs[output]], gradients=network.parameters.like(), towards=self._slots
        )

    def of(self, arrays: Sequence[Array], slope: Callable[[Array], Array]) -> list[Array | None]:
        """The gradient of each input, in order; for ids, and for an input that the output does not read, None.

        Args:
            arrays: the inputs in order, each (batch, *shape), as `Network.arrays` gives them.
            slope: from the output (batch, *shape) to the gradient of the requested number for it, of the same
                shape and dtype; this array may be overwritten.

        Returns:
            Arrays that are valid until the next call.
        """
        (output,) = self._pass.forward(arrays)
        found = self._pass.backward([slope(output)])
        return [found.get(slot) for slot in range(len(arrays))]
