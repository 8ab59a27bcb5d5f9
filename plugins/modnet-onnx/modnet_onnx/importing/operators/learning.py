"""The operators of classical machine learning, of the domain ai.onnx.ml."""

from __future__ import annotations

import numpy as np

from modnet.activations.sigmoid import Sigmoid
from modnet.activations.softmax import Softmax
from modnet_onnx.importing.laying import arithmetic, through
from modnet_onnx.importing.operators.products import linear
from modnet_onnx.importing.step import Step, converts
from modnet_onnx.importing.values import NotNative, Value

ML = "ai.onnx.ml"


@converts("Scaler", domain=ML)
def scaler(step: Step) -> None:
    found = step.value()
    for name, operation in (("offset", "subtract"), ("scale", "multiply")):
        array = np.asarray(step.attribute(name) or [0.0 if name == "offset" else 1.0])
        more = Value("", found.dtype, array.shape, array)
        found = arithmetic(step.builder, operation, found, more)  # type: ignore[arg-type]
    step.give(found)


@converts("LinearRegressor", domain=ML)
def linear_regressor(step: Step) -> None:
    if step.attribute("post_transform", "NONE") != "NONE":
        raise NotNative("it changes its output")
    outputs = step.attribute("targets", 1)
    weight = np.asarray(step.attribute("coefficients"), np.float64).reshape(outputs, -1).T
    bias = np.asarray(step.attribute("intercepts") or [0.0] * outputs, np.float64)
    step.give(linear(step, step.value(), weight, bias, ""))


@converts("ZipMap", domain=ML)
def zip_map(step: Step) -> None:
    """A dict from class to probability for each row: the probabilities side by side, in the order of the classes."""
    step.give(step.value())


@converts("LinearClassifier", domain=ML)
def linear_classifier(step: Step) -> None:
    if step.wants(0):
        raise NotNative("its classes are wanted, which are no numbers with a gradient")
    labels = step.attribute("classlabels_ints") or step.attribute("classlabels_strings")
    weight = np.asarray(step.attribute("coefficients"), np.float64).reshape(len(labels), -1).T
    bias = np.asarray(step.attribute("intercepts") or [0.0] * len(labels), np.float64)
    found = linear(step, step.value(), weight, bias, "")
    activations = {"NONE": None, "SOFTMAX": Softmax(), "LOGISTIC": Sigmoid()}
    if step.attribute("post_transform", "NONE") not in activations or len(labels) < 3:
        raise NotNative("it is for two classes, or changes its output")
    layer = activations[step.attribute("post_transform", "NONE")]
    step.give(found if layer is None else through(step.builder, found, layer), 1)
