"""Whole networks that torch has written: all of their operators become layers, with the outputs of onnxruntime."""

import numpy as np
import pytest

import modnet

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from architectures import ARCHITECTURES  # noqa: E402
from comparing import difference, expected, exported, found  # noqa: E402
from modnet_onnx.importing.reading import imported  # noqa: E402

BY_DYNAMO = (
    "mlp",
    "cnn",
    "mobilenet",
    "unet",
    "autoencoder",
    "lstm",
    "gru",
    "transformer",
    "gpt",
    "vision_transformer",
)


def made(name):
    torch.manual_seed(0)
    module, example = ARCHITECTURES[name]
    return module(), example()


@pytest.mark.parametrize("variable", [False, True], ids=["fixed", "variable"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_torchscript_exports(name, variable, tmp_path):
    module, example = made(name)
    model = exported(module, example, tmp_path, dynamo=False, variable=variable)
    check(model, example.numpy())


@pytest.mark.parametrize("name", BY_DYNAMO)
def test_what_dynamo_exports(name, tmp_path):
    pytest.importorskip("onnxscript")
    module, example = made(name)
    model = exported(module, example, tmp_path, dynamo=True, variable=name in ("cnn", "gpt"))
    check(model, example.numpy())


def check(model, x):
    result = imported(model)
    assert result.delegated == [], result.reasons
    assert difference(found(result, x), expected(model, x)) < 1e-5


def test_a_network_for_a_fixed_number_of_samples_takes_any(tmp_path):
    module, example = made("transformer")
    network = imported(exported(module, example, tmp_path, dynamo=False, variable=False)).network
    more = torch.randn(7, 6, 5)
    with torch.no_grad():
        assert np.allclose(network.forward(more.numpy()), module.eval()(more).numpy(), atol=1e-5)


@pytest.mark.parametrize("name", ["lstm_both_ways", "gpt"])
def test_sequences_of_any_length(name, tmp_path):
    module, example = made(name)
    result = imported(exported(module, example, tmp_path, dynamo=False, variable=True, steps=True))
    # What makes positions and masks of a length is left to onnx.
    assert bool(result.delegated) == (name == "gpt")
    for steps in (5, 6):
        x = example[:, :steps].numpy()
        with torch.no_grad():
            expected_here = module.eval()(torch.from_numpy(x)).numpy()
        assert np.allclose(result.network.forward(x), expected_here, atol=1e-5)


def test_parameters_keep_their_names(tmp_path):
    module, example = made("cnn")
    network = imported(exported(module, example, tmp_path, dynamo=True, variable=True)).network
    assert {"conv2.weight", "conv2.bias", "head.weight", "head.bias"} <= set(network.parameters)
    assert np.array_equal(network.parameters["head.weight"], module.head.weight.detach().numpy().T)


def test_images_change_their_axes_once(tmp_path):
    module, example = made("resnet18")
    network = imported(exported(module, example, tmp_path, dynamo=False, variable=True)).network
    assert [node.type for node in network.graph.nodes].count("transpose") == 1


@pytest.mark.parametrize("name", ["mlp", "cnn", "lstm", "gpt"])
def test_training_goes_on(name, tmp_path):
    module, example = made(name)
    network = imported(exported(module, example, tmp_path, dynamo=False, variable=True)).network
    x = np.concatenate([made(name)[1].numpy()] * 8)
    target = np.zeros_like(network.forward(x))
    target[..., 0] = 1
    before = {key: array.copy() for key, array in network.parameters.items()}
    history = modnet.train(network, x, target, loss="mse", optimizer={"type": "adam", "learning_rate": 0.01}, epochs=8)
    losses = history["loss"]
    assert losses[-1] < 0.8 * losses[0]
    still = [key for key, array in network.parameters.items() if np.array_equal(array, before[key])]
    assert still == []


def test_a_model_file_of_an_imported_network(tmp_path):
    module, example = made("gpt")
    exported(module, example, tmp_path, dynamo=False, variable=True)
    network = modnet.load(tmp_path / "model.onnx")
    modnet.save(network, tmp_path / "model.modnet")
    again = modnet.load(tmp_path / "model.modnet")
    assert np.array_equal(again.forward(example.numpy()), network.forward(example.numpy()))
