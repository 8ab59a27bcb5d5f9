"""Values and all gradients against torch, over kinds, sizes, directions, precisions and lengths."""

import numpy as np
import pytest
from modnet_recurrent import GRU, LSTM, RNN
from torch_weights import from_torch

import modnet
from modnet.engine.passes import Pass
from modnet.testing import layer_context

torch = pytest.importorskip("torch", reason="torch (extra `parity`) is not installed")
torch.set_num_threads(1)

SIZES = [(1, 1, 1, 1), (1, 5, 3, 2), (4, 1, 2, 3), (3, 7, 5, 4), (8, 64, 16, 32), (32, 40, 20, 128)]
"""Batch, time, features, hidden."""

TOLERANCE = {"float32": 1e-5, "float64": 1e-12}

sizes = pytest.mark.parametrize("size", SIZES, ids=str)
kinds = pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])


def pair(kind, size, dtype, mask_value=None, bidirectional=False, bias=True, **options):
    """Our network and torch's module, with torch's weights."""
    *_, features, hidden = size
    torch.manual_seed(0)
    theirs = getattr(torch.nn, kind.upper())(
        features, hidden, batch_first=True, bias=bias, bidirectional=bidirectional, **options
    ).to(getattr(torch, dtype))
    layer = {"type": kind, "hidden_size": hidden, "bias": bias, **options}
    layers = [{"type": "bidirectional", "layer": layer, "name": "both"} if bidirectional else {**layer, "name": "one"}]
    if mask_value is not None:
        layers.insert(0, {"type": "masking", "value": mask_value})
    ours = modnet.build({"network": {"input": ["variable", features], "dtype": dtype, "layers": layers}})
    state = theirs.state_dict()
    for name in ("both.forward", "both.backward") if bidirectional else ("one",):
        weights = from_torch(state, reverse=name == "both.backward")
        modnet.load_parameters(ours, {f"{name}.{key}": value for key, value in weights.items()}, strict=False)
    return ours, theirs


def our_pass(network, x, gradient):
    """The output, and name -> gradient, with that of the input as "x": what the first layers give back, added up."""
    gradients = network.parameters.like()
    run = Pass(network, list(network.graph.outputs.values()), training=True, gradients=gradients)
    for context in run.contexts.values():
        context.needs_input_gradient = True
    seen = {}

    def keep(key, call):
        if key[1] == "forward":
            return call

        def backward(context, gradient):
            result = call(context, gradient)
            seen[key[0]] = result
            return result

        return backward

    run.instrument(keep)
    for _ in range(2):  # the second pass has the buffers of the first
        (y,) = run.forward([x])
        run.backward([gradient.copy()])
    of_input = sum(seen[slot] for slot, node in enumerate(network.graph.nodes, 1) if node.parameters)
    return y, {**gradients, "x": of_input}


def assert_close(found, expected, dtype):
    scale = max(1e-3, float(np.abs(expected).max(initial=0.0)))
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * scale)


def compare(ours, theirs, x, dtype, lengths=None):
    xs = torch.from_numpy(x.copy()).requires_grad_()
    packed = xs
    if lengths is not None:
        packed = torch.nn.utils.rnn.pack_padded_sequence(xs, lengths, batch_first=True, enforce_sorted=False)
    expected, _ = theirs(packed)
    if lengths is not None:
        expected, _ = torch.nn.utils.rnn.pad_packed_sequence(expected, batch_first=True, total_length=x.shape[1])
    gradient = np.random.default_rng(1).standard_normal(expected.shape).astype(dtype)
    expected.backward(torch.from_numpy(gradient))
    y, gradients = our_pass(ours, x, gradient)
    assert y.dtype == dtype
    assert_close(y, expected.detach().numpy(), dtype)
    assert_close(gradients["x"], xs.grad.numpy(), dtype)
    for reverse, node in enumerate([n for n in ours.graph.nodes if n.parameters]):
        their_gradients = {name: parameter.grad for name, parameter in theirs.named_parameters()}
        mapped = {name: grad.T.numpy() for name, grad in their_gradients.items() if name.startswith("weight")}
        suffix = "_l0" + "_reverse" * reverse
        assert_close(gradients[f"{node.name}.weight_input"], mapped[f"weight_ih{suffix}"], dtype)
        assert_close(gradients[f"{node.name}.weight_hidden"], mapped[f"weight_hh{suffix}"], dtype)
        if theirs.bias:
            assert_close(gradients[f"{node.name}.bias"], their_gradients[f"bias_ih{suffix}"].numpy(), dtype)
        if f"{node.name}.bias_hidden" in gradients:
            size = node.layer.hidden_size
            assert_close(
                gradients[f"{node.name}.bias_hidden"], their_gradients[f"bias_hh{suffix}"][2 * size :].numpy(), dtype
            )


def sequences(size, dtype, seed=0):
    batch, time, features, _ = size
    return np.random.default_rng(seed).standard_normal((batch, time, features)).astype(dtype)


@kinds
@sizes
@pytest.mark.parametrize("bidirectional", [False, True], ids=["forward", "both"])
def test_sequences(kind, size, dtype, bidirectional):
    ours, theirs = pair(kind, size, dtype.name, bidirectional=bidirectional)
    compare(ours, theirs, sequences(size, dtype), dtype.name)


@kinds
@sizes
@pytest.mark.parametrize("bidirectional", [False, True], ids=["forward", "both"])
def test_padded_sequences(kind, size, dtype, bidirectional):
    ours, theirs = pair(kind, size, dtype.name, mask_value=-9.0, bidirectional=bidirectional)
    x = sequences(size, dtype)
    lengths = np.random.default_rng(2).integers(1, x.shape[1] + 1, len(x))
    for sequence, length in zip(x, lengths, strict=True):
        sequence[length:] = -9.0
    compare(ours, theirs, x, dtype.name, lengths)


@kinds
def test_without_bias(kind, dtype):
    size = (3, 7, 5, 4)
    ours, theirs = pair(kind, size, dtype.name, bias=False)
    compare(ours, theirs, sequences(size, dtype), dtype.name)


def test_an_rnn_with_relu(dtype):
    size = (3, 7, 5, 4)
    ours, theirs = pair("rnn", size, dtype.name, nonlinearity="relu")
    compare(ours, theirs, sequences(size, dtype), dtype.name)


@kinds
@pytest.mark.parametrize("masked", [False, True])
def test_the_last_states_of_both_directions(kind, masked):
    size = (6, 9, 3, 4)
    layer = {"type": kind, "hidden_size": 4, "return_sequences": False}
    layers = [{"type": "masking"}, {"type": "bidirectional", "layer": layer, "name": "both"}]
    ours = modnet.build({"network": {"input": ["variable", 3], "dtype": "float64", "layers": layers}})
    theirs = getattr(torch.nn, kind.upper())(3, 4, batch_first=True, bidirectional=True).double()
    for name in ("forward", "backward"):
        weights = from_torch(theirs.state_dict(), reverse=name == "backward")
        modnet.load_parameters(ours, {f"both.{name}.{key}": value for key, value in weights.items()}, strict=False)
    x = sequences(size, np.float64)
    lengths = [9, 1, 4, 9, 2, 8] if masked else [9] * 6
    for sequence, length in zip(x, lengths, strict=True):
        sequence[length:] = 0
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        torch.from_numpy(x), lengths, batch_first=True, enforce_sorted=False
    )
    _, last = theirs(packed)
    hidden = last[0] if kind == "lstm" else last
    np.testing.assert_allclose(ours.predict(x), torch.cat([*hidden], dim=-1).detach(), rtol=1e-12, atol=1e-14)


@kinds
@sizes
@pytest.mark.parametrize("padded", [False, True], ids=["whole", "padded"])
@pytest.mark.parametrize("output", ["sequences", "last states"])
def test_a_given_initial_state(kind, size, dtype, padded, output):
    batch, time, features, hidden = size
    count = 2 if kind == "lstm" else 1
    options = {} if output == "sequences" else {"return_sequences": False}
    if options and kind == "lstm":
        options["return_state"] = True
    layer = {"rnn": RNN, "lstm": LSTM, "gru": GRU}[kind](hidden_size=hidden, **options)
    torch.manual_seed(0)
    theirs = getattr(torch.nn, kind.upper())(features, hidden, batch_first=True).to(getattr(torch, dtype.name))
    context = layer_context(layer, (time, features), (count * hidden,), dtype=dtype)
    for name, weight in from_torch(theirs.state_dict()).items():
        context.params[name][...] = weight
    x, initial = sequences(size, dtype), np.random.default_rng(3).standard_normal((batch, count * hidden)).astype(dtype)
    lengths = np.random.default_rng(2).integers(1, time + 1, batch) if padded else np.full(batch, time)
    context.masks = (np.arange(time) < lengths[:, None], None)

    xs, states = torch.from_numpy(x.copy()).requires_grad_(), torch.from_numpy(initial.copy()).requires_grad_()
    parts = [part[None].contiguous() for part in states.split(hidden, dim=1)]
    packed = torch.nn.utils.rnn.pack_padded_sequence(xs, lengths, batch_first=True, enforce_sorted=False)
    found, last = theirs(packed, tuple(parts) if kind == "lstm" else parts[0])
    if output == "sequences":
        expected, _ = torch.nn.utils.rnn.pad_packed_sequence(found, batch_first=True, total_length=time)
    else:
        expected = torch.cat([*last], dim=-1)[0] if kind == "lstm" else last[0]
    gradient = np.random.default_rng(1).standard_normal(expected.shape).astype(dtype)
    expected.backward(torch.from_numpy(gradient))

    for _ in range(2):  # the second pass has the buffers of the first
        context.begin()
        y = layer.forward(context, x, initial)
        of_x, of_initial = layer.backward(context, gradient.copy())
    assert_close(y, expected.detach().numpy(), dtype.name)
    assert_close(of_x, xs.grad.numpy(), dtype.name)
    assert_close(of_initial, states.grad.numpy(), dtype.name)
    assert_close(context.grads["weight_input"], theirs.weight_ih_l0.grad.T.numpy(), dtype.name)
    assert_close(context.grads["weight_hidden"], theirs.weight_hh_l0.grad.T.numpy(), dtype.name)
    assert_close(context.grads["bias"], theirs.bias_ih_l0.grad.numpy(), dtype.name)


@kinds
def test_an_encoder_and_a_decoder(kind):
    """The encoder's last state is the decoder's first, and the loss of the one trains the other."""
    state = {"return_state": True} if kind == "lstm" else {}
    layers = [
        {"type": kind, "hidden_size": 6, "return_sequences": False, **state, "inputs": ["source"], "name": "encoder"},
        {"type": kind, "hidden_size": 6, "inputs": ["target", "encoder"], "name": "decoder"},
    ]
    inputs = {"source": ["variable", 3], "target": ["variable", 2]}
    ours = modnet.build({"network": {"input": inputs, "dtype": "float64", "layers": layers}})
    encoder, decoder = (getattr(torch.nn, kind.upper())(width, 6, batch_first=True).double() for width in (3, 2))
    for name, module in (("encoder", encoder), ("decoder", decoder)):
        weights = from_torch(module.state_dict())
        modnet.load_parameters(ours, {f"{name}.{key}": value for key, value in weights.items()}, strict=False)
    source, target = sequences((4, 7, 3, 0), np.float64), sequences((4, 5, 2, 0), np.float64, seed=1)
    expected, _ = decoder(torch.from_numpy(target), encoder(torch.from_numpy(source))[1])
    gradient = np.random.default_rng(1).standard_normal(expected.shape)
    expected.backward(torch.from_numpy(gradient))
    gradients = ours.parameters.like()
    run = Pass(ours, list(ours.graph.outputs.values()), training=True, gradients=gradients)
    assert_close(run.forward([source, target])[0], expected.detach().numpy(), "float64")
    run.backward([gradient.copy()])
    for name, module in (("encoder", encoder), ("decoder", decoder)):
        assert_close(gradients[f"{name}.weight_input"], module.weight_ih_l0.grad.T.numpy(), "float64")
        assert_close(gradients[f"{name}.weight_hidden"], module.weight_hh_l0.grad.T.numpy(), "float64")


def test_two_layers_under_a_prefix():
    theirs = torch.nn.ModuleDict({"encoder": torch.nn.GRU(3, 4, num_layers=2, batch_first=True)}).double()
    layers = [{"type": "gru", "hidden_size": 4}] * 2
    ours = modnet.build({"network": {"input": ["variable", 3], "dtype": "float64", "layers": layers}})
    for number in range(2):
        weights = from_torch(theirs.state_dict(), number=number, prefix="encoder.")
        named = {f"gru_{number + 1}.{name}": array for name, array in weights.items()}
        modnet.load_parameters(ours, named, strict=False)
    x = sequences((2, 5, 3, 4), np.float64)
    expected, _ = theirs["encoder"](torch.from_numpy(x))
    np.testing.assert_allclose(ours.predict(x), expected.detach(), rtol=1e-12, atol=1e-14)
