"""Networks whose prediction is timed call by call, and how each contestant computes them.

A `Workload` is a network with what one call gets. An entry of `CONTESTANTS` makes a `Player` of it: another engine is
one more line there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

Table = dict[str, Any]

TOKENS = 60
"""How many steps a stream has gone through before its calls are timed."""


def linear(size: int, activation: str | None = None) -> Table:
    return {"type": "linear", "out_features": size} | ({"activation": activation} if activation else {})


def convolution(channels: int) -> list[Any]:
    kernel = {"type": "conv2d", "out_channels": channels, "kernel_size": 3, "padding": "same"}
    return [kernel, "batch_norm", "relu"]


BLOCK = {"type": "transformer_block", "features": 64, "heads": 4, "causal": True, "rotary": True, "bias": False}


@dataclass(frozen=True)
class Workload:
    """What is timed.

    Attributes:
        input: the shape of a sample.
        layers: of the network, as in a spec.
        shape: of the array that a call gets.
        streamed: whether a call is one step of a stream that has gone through `TOKENS` steps.
        ids: how many ids there are, for a network that takes ids.
    """

    input: tuple[Any, ...]
    layers: list[Any]
    shape: tuple[int, ...]
    streamed: bool = False
    ids: int = 0

    @cache  # noqa: B019  (there are few, and they live as long as the process)
    def network(self) -> Any:
        """The network in modnet; statistics of batch norm are no longer 0 and 1."""
        import modnet

        made = modnet.build({"network": {"input": list(self.input), "layers": self.layers}}, seed=0)
        rng = np.random.default_rng(1)
        for array in made.state.values():
            array[...] = rng.uniform(0.5, 1.5, array.shape)
        return made

    def given(self, steps: int = 0) -> Any:
        """The array of a call, or of one with so many steps."""
        shape = (self.shape[0], steps, *self.shape[2:]) if steps else self.shape
        rng = np.random.default_rng(2)
        return rng.integers(0, self.ids, shape) if self.ids else rng.random(shape).astype(np.float32)

    def __hash__(self) -> int:
        return id(self)


MLP = [linear(256, "relu"), linear(128, "relu"), linear(10), "softmax"]
DEEP = [*(linear(32, "relu") for _ in range(20)), linear(10), "softmax"]
CNN = [
    *(*convolution(16), "max_pool2d"),
    *(*convolution(32), "max_pool2d"),
    *(*convolution(64), "global_average_pool", linear(10), "softmax"),
]
LSTM = [{"type": "lstm", "hidden_size": 64}, linear(8)]
GPT = [
    {"type": "embedding", "vocabulary_size": 65, "embedding_size": 64},
    {"type": "repeat", "count": 4, "layers": [BLOCK]},
    *("layer_norm", linear(65), "softmax"),
]

WORKLOADS = {
    "mlp-1": Workload((784,), MLP, (1, 784)),
    "mlp-64": Workload((784,), MLP, (64, 784)),
    "deep-1": Workload((32,), DEEP, (1, 32)),
    "deep-64": Workload((32,), DEEP, (64, 32)),
    "cnn-1": Workload((28, 28, 1), CNN, (1, 28, 28, 1)),
    "cnn-64": Workload((28, 28, 1), CNN, (64, 28, 28, 1)),
    "lstm-1": Workload(("variable", 16), LSTM, (1, 1, 16)),
    "lstm-100": Workload(("variable", 16), LSTM, (1, 100, 16)),
    "lstm-step": Workload(("variable", 16), LSTM, (1, 1, 16), streamed=True),
    "gpt-token": Workload(("variable",), GPT, (1, 1), streamed=True, ids=65),
}
"""Name -> what is timed: 784-256-128-10, 20 layers of 32, three convolutions of 28 x 28 images, an LSTM of 64, and four
transformer blocks of 64 with rotary positions."""


@dataclass(frozen=True)
class Player:
    """A contestant with a workload.

    Attributes:
        call: what is timed; gives the outputs.
        begin: brings a stream to its first timed call.
    """

    call: Callable[[], Any]
    begin: Callable[[], None] = lambda: None


Prepare = Callable[[Workload, Path], Player]


@dataclass(frozen=True)
class Contestant:
    """
    Attributes:
        prepare: makes a player.
        needs: the modules without which it is skipped.
        unfit: workloads that it does not do.
        rounding: how far its outputs may be from the first contestant's.
    """

    prepare: Prepare
    needs: tuple[str, ...] = ()
    unfit: tuple[str, ...] = ()
    rounding: float = 1e-5


def of_modnet(workload: Workload, folder: Path, **options: Any) -> Player:
    """modnet with these options of `load`."""
    import modnet

    network, x = workload.network(), workload.given()
    if options:
        path = folder / "calls.modnet"
        modnet.save(network, path)
        network = modnet.load(path, **options)
    if not workload.streamed:
        return Player(lambda: network.forward(x))
    stream, before = network.stream(), workload.given(TOKENS)

    def begin() -> None:
        stream.reset()
        stream.predict(before)

    return Player(lambda: stream.predict(x), begin)


def of_torch(workload: Workload, folder: Path) -> Player:
    import torch

    from benchmarks.torch_calls import module_of

    module, states = module_of(workload)

    def whole(x: Any) -> Any:
        with torch.inference_mode():
            return module(torch.from_numpy(x)).numpy()

    def step(x: Any, *memory: Any) -> Any:
        with torch.inference_mode():
            y, *after = module(torch.from_numpy(x), *memory)
            return y.numpy(), *after

    return _continued(workload, step, states) if workload.streamed else _whole(workload, whole)


def of_onnxruntime(workload: Workload, folder: Path) -> Player:
    import onnxruntime

    from benchmarks.torch_calls import write_onnx

    path = folder / "calls.onnx"
    states = write_onnx(workload, path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    if not workload.streamed:
        return _whole(workload, lambda x: session.run(None, {"x": x})[0])
    names = [value.name for value in session.get_inputs()]
    first = [state.numpy() for state in states]
    return _continued(workload, lambda *given: session.run(None, dict(zip(names, given, strict=True))), first)


def _whole(workload: Workload, compute: Callable[[Any], Any]) -> Player:
    """A player without states; images go in as torch has them, channels first."""
    x = workload.given()
    if x.ndim == 4:
        x = np.ascontiguousarray(np.moveaxis(x, -1, 1))
    return Player(lambda: compute(x))


def _continued(workload: Workload, compute: Callable[..., Any], states: list[Any]) -> Player:
    """A player whose calls give their states to the next one."""
    x, before = workload.given(), workload.given(TOKENS)
    memory: list[Any] = []

    def advance(piece: Any) -> Any:
        y, *memory[:] = compute(piece, *memory)
        return y

    def begin() -> None:
        memory[:] = states
        for step in range(TOKENS):
            advance(before[:, step : step + 1])

    return Player(lambda: advance(x), begin)


CONTESTANTS: Mapping[str, Contestant] = {
    "modnet": Contestant(of_modnet),
    "modnet, folded": Contestant(partial(of_modnet, fold=True), unfit=("lstm-1", "lstm-100", "lstm-step", "gpt-token")),
    "modnet, compiled": Contestant(
        partial(of_modnet, engine="compiled"), ("modnet_compiled",), ("lstm-step", "gpt-token")
    ),
    "onnxruntime": Contestant(of_onnxruntime, ("onnxruntime", "onnx", "torch")),
    "torch, inference mode": Contestant(of_torch, ("torch",)),
}
"""The first is what the others' outputs are compared with."""
