"""Weights of torch's models into networks and back: the same outputs, and the same steps of training from there."""

import numpy as np
import pytest

import modnet

torch = pytest.importorskip("torch", reason="pip install 'modnet-torch[torch]'")
import pairs  # noqa: E402
from modnet_torch import export_torch, load_state_dict, state_dict  # noqa: E402
from safetensors.torch import save_file  # noqa: E402


@pytest.fixture(params=pairs.PAIRS)
def pair(request):
    return pairs.PAIRS[request.param]()


def loaded(pair):
    network = modnet.build(pair.spec, seed=5)
    found = load_state_dict(network, pair.model.state_dict())
    assert not found.missing
    assert not found.left_over
    return network


def test_a_state_dict_gives_the_same_outputs(pair):
    np.testing.assert_allclose(loaded(pair).forward(pair.x), pair.predicted(), atol=1e-5)


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_so_does_a_file(pair, tmp_path, suffix):
    """A safetensors file has its arrays in another order than the model."""
    path = tmp_path / f"weights.{suffix}"
    if suffix == "pt":
        torch.save({"epoch": 3, "state_dict": pair.model.state_dict()}, path)
    else:
        save_file({name: tensor.contiguous() for name, tensor in pair.model.state_dict().items()}, path)
    network = modnet.build(pair.spec)
    load_state_dict(network, path)
    np.testing.assert_allclose(network.forward(pair.x), pair.predicted(), atol=1e-5)


def test_what_training_has_changed_goes_back(pair):
    """The network trains on, and the torch model takes its weights: the same outputs again."""
    network = loaded(pair)
    before = pair.predicted()
    y = np.random.default_rng(1).standard_normal(before.shape, np.float32)
    modnet.train(network, pair.x, y, loss="mse", epochs=3, batch_size=2, optimizer={"type": "adam"})
    like = pair.model.state_dict()
    pair.model.load_state_dict({n: torch.from_numpy(np.array(a)) for n, a in state_dict(network, like=like).items()})
    assert np.abs(pair.predicted() - before).max() > 1e-3
    np.testing.assert_allclose(network.forward(pair.x), pair.predicted(), atol=1e-5)


def test_both_take_the_same_steps_from_there(pair):
    """Three steps of gradient descent in each, without dropout."""
    network = loaded(pair)
    y = np.random.default_rng(1).standard_normal(pair.predicted().shape, np.float32)
    for module in pair.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    layers = [layer for layer in pair.spec["network"]["layers"] if getattr(layer, "get", str)("type") != "dropout"]
    without = modnet.build({"network": {**pair.spec["network"], "layers": layers}})
    modnet.load_parameters(without, network)
    modnet.train(
        without, pair.x, y, loss="mse", epochs=3, batch_size=99, optimizer={"type": "sgd", "learning_rate": 0.1}
    )
    for name, parameter in pair.model.named_parameters():
        if "bias_hh" in name:  # torch has two biases where one would do, which together take twice the step
            size = pair.model.rnn.hidden_size
            alone = torch.arange(len(parameter)) >= (2 * size if len(parameter) == 3 * size else 4 * size)
            parameter.register_hook(lambda gradient, alone=alone: gradient * alone)
    optimizer = torch.optim.SGD(pair.model.parameters(), 0.1)
    pair.model.train()
    for _ in range(3):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(pair.model(pair.theirs), torch.from_numpy(y)).backward()
        optimizer.step()
    pair.model.eval()
    np.testing.assert_allclose(without.forward(pair.x), pair.predicted(), atol=1e-5)


def test_an_exported_module_is_equal_and_trains(pair):
    network = loaded(pair)
    module = export_torch(network)
    with torch.no_grad():
        np.testing.assert_allclose(module(pair.theirs).numpy(), network.forward(pair.x), atol=1e-5)
    parameter = next(iter(module.parameters()))
    before = parameter.detach().clone()
    module.train()(pair.theirs).square().mean().backward()
    torch.optim.SGD(module.parameters(), 0.1).step()
    assert (parameter != before).any()
    again = modnet.build(pair.spec)
    found = load_state_dict(again, module.state_dict())
    assert {match.how for match in found.matching.matches} == {"name"}
    module.eval()
    with torch.no_grad():
        np.testing.assert_allclose(module(pair.theirs).numpy(), again.forward(pair.x), atol=1e-5)


def test_a_network_that_torch_has_trained_is_saved_whole(pair, tmp_path):
    network = loaded(pair)
    modnet.save(network, tmp_path / "network.safetensors")
    again = modnet.load(tmp_path / "network.safetensors")
    np.testing.assert_array_equal(again.forward(pair.x), network.forward(pair.x))
    assert again.spec.network == network.spec.network


def test_a_sequence_made_of_an_image_has_its_channels_last_and_the_table_says_so():
    class Columns(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(1, 3, 3, padding=1)
            self.lstm = torch.nn.LSTM(3 * 4, 5, batch_first=True)

        def forward(self, x):
            return self.lstm(self.conv(x).permute(0, 2, 1, 3).flatten(2))[0][:, -1]

    model = Columns()
    layers = [
        {"type": "conv2d", "out_channels": 3, "kernel_size": 3, "padding": 1, "name": "conv"},
        {"type": "reshape", "shape": [6, 12]},
        {"type": "lstm", "hidden_size": 5, "return_sequences": False, "name": "lstm"},
    ]
    network = modnet.build({"network": {"input": [6, 4, 1], "layers": layers}})
    weights = model.state_dict()
    weights["lstm.weight_ih_l0"] = weights["lstm.weight_ih_l0"].reshape(-1, 3, 4).transpose(1, 2).reshape(-1, 12)
    assert "reshape_1 joins channels with another axis, the channels last" in str(load_state_dict(network, weights))
    x = torch.randn(2, 1, 6, 4)
    expected = model(x).detach().numpy()
    np.testing.assert_allclose(network.forward(x.permute(0, 2, 3, 1).numpy()), expected, atol=1e-6)
