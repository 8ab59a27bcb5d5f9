"""Prediction from a numpy array to a numpy array: the time of a call, with threads that are already warm."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.peers import take_weights, torch_model, write_onnx
from benchmarks.problems import build, data
from benchmarks.rounds import Case, Contestant, Play, Settings, Turn


def cases(settings: Settings) -> list[Case]:
    return [
        Case(
            f"predict-{batch}",
            "call",
            [
                Contestant("modnet", partial(in_modnet, settings, batch)),
                Contestant("onnxruntime", partial(in_onnxruntime, settings, batch), ("onnxruntime", "onnx")),
                Contestant("torch, inference mode", partial(in_torch, settings, batch), ("torch",)),
            ],
        )
        for batch in (1, 64, 8192)
    ]


def batch_of(settings: Settings, size: int) -> Any:
    x, _ = data("mlp", settings)
    return np.resize(x, (size, x.shape[1]))


def repeated(call: Callable[[Any], Any], x: Any, settings: Settings) -> Play:
    """Calls for a while, having looked at the first result: all must agree with modnet's."""
    np.testing.assert_allclose(call(x), build("mlp").predict(x), atol=1e-5)
    enough = 0.02 if settings.quick else 0.5

    def play(seed: int) -> Turn:
        ends = [time.perf_counter()]
        while ends[-1] - ends[0] < enough:
            call(x)
            ends.append(time.perf_counter())
        each = [after - before for before, after in pairwise(ends)]
        return Turn((ends[-1] - ends[0]) / len(each), float(np.percentile(each, 95)))

    return play


def in_modnet(settings: Settings, batch: int) -> Play:
    return repeated(build("mlp").predict, batch_of(settings, batch), settings)


def in_onnxruntime(settings: Settings, batch: int) -> Play:
    import onnxruntime

    path = settings.folder / f"predict-{batch}.onnx"
    write_onnx(build("mlp"), path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = settings.threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return repeated(lambda x: session.run(None, {"x": x})[0], batch_of(settings, batch), settings)


def in_torch(settings: Settings, batch: int) -> Play:
    import torch

    model = torch_model("mlp")
    take_weights(model, build("mlp"))
    model.append(torch.nn.Softmax(dim=-1)).eval()

    def call(x: Any) -> Any:
        with torch.inference_mode():
            return model(torch.from_numpy(x)).numpy()

    return repeated(call, batch_of(settings, batch), settings)
