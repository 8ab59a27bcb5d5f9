"""What torch is not asked about: the contract, gaps in masks, states, pieces, shapes."""

import numpy as np
import pytest
from modnet_recurrent import GRU, LSTM, RNN, Masking

import modnet
from modnet.testing import layer_context, layer_gradient_errors
from modnet.testing.distribution import offered_by

KINDS = [RNN, LSTM, GRU]
kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.type)


@pytest.mark.parametrize("offer", offered_by("modnet-recurrent", modnet.default_registry()), ids=str)
def test_the_contract(offer):
    offer.check()


def masked(kind):
    """The kind of layer with a mask of its own: gaps, padding, a sequence without any step, and a whole one."""

    class WithGaps(kind, type=kind.type):
        def forward(self, context, x, *initial):
            mask = np.array([[1, 0, 1, 1, 0], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]], bool)
            context.masks = (mask, None)[: 1 + len(initial)]
            return super().forward(context, x, *initial)

    return WithGaps


@kinds
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("start", ["zero", "learned", "given"])
def test_gradients_with_gaps_in_the_mask(kind, reverse, return_sequences, start):
    options = {"reverse": reverse, "return_sequences": return_sequences, "train_initial_state": start == "learned"}
    if kind is LSTM:
        options["return_state"] = not return_sequences
    shapes = [(5, 4), (3 * len(kind.state_names),)] if start == "given" else [(5, 4)]
    errors = layer_gradient_errors(masked(kind)(hidden_size=3, **options), *shapes)
    assert max(errors.values()) < 1e-6, errors


def test_gradients_of_an_rnn_with_relu():
    assert max(layer_gradient_errors(RNN(hidden_size=3, nonlinearity="relu"), (5, 4)).values()) < 1e-6


@kinds
@pytest.mark.parametrize("reverse", [False, True])
def test_stretches_of_any_length_give_the_same(kind, reverse, monkeypatch):
    """`retreat` goes through steps in stretches that fit into the cache."""
    layer, x = kind(hidden_size=3, reverse=reverse), numbers((2, 7, 4))
    gradients = []
    for cached in (1, 1 << 20, 3 * 2 * 3 * 4 * 8):
        monkeypatch.setattr("modnet_recurrent.recurrent.CACHED", cached)
        context = layer_context(layer, (7, 4))
        layer.forward(context, x)
        gradients.append(layer.backward(context, numbers((2, 7, 3), seed=1)).copy())
    np.testing.assert_allclose(gradients[0], gradients[1], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(gradients[2], gradients[1], rtol=1e-12, atol=1e-15)


def numbers(shape, dtype=np.float64, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def build(*layers, features=3, dtype="float64", seed=0):
    return modnet.build({"network": {"input": ["variable", features], "dtype": dtype, "layers": layers}}, seed=seed)


def node(kind, **options):
    return {"type": kind.type, "hidden_size": 4, **options}


@kinds
@pytest.mark.parametrize("reverse", [False, True])
def test_padding_changes_nothing(kind, reverse):
    network = build("masking", node(kind, reverse=reverse))
    x = numbers((2, 6, 3))
    padded = np.concatenate([x, np.zeros((2, 3, 3))], axis=1)
    y = network.predict(padded)
    np.testing.assert_allclose(y[:, :6], network.predict(x), rtol=1e-12, atol=1e-14)
    assert (y[:, 6:] == 0).all()


@kinds
@pytest.mark.parametrize("reverse", [False, True])
def test_the_last_state_is_that_of_the_last_step_that_is_not_masked(kind, reverse):
    whole = build("masking", node(kind, reverse=reverse))
    last = build("masking", node(kind, reverse=reverse, return_sequences=False))
    last.parameters.flat[...] = whole.parameters.flat
    x = numbers((3, 6, 3))
    x[0, 4:] = 0  # padded
    x[1, :2] = 0  # begins late
    sequences, states = whole.predict(x), last.predict(x)
    for row, (first_step, last_step) in enumerate([(0, 3), (2, 5), (0, 5)]):
        np.testing.assert_array_equal(states[row], sequences[row, first_step if reverse else last_step])


def test_a_step_without_a_mask_in_the_middle_is_passed_over():
    network = build("masking", node(GRU, return_sequences=False))
    x = numbers((1, 5, 3))
    x[:, 2] = 0
    np.testing.assert_allclose(network.predict(x), network.predict(np.delete(x, 2, axis=1)), rtol=1e-12)


@kinds
def test_the_mask_goes_on_to_the_next_layer(kind):
    network = build("masking", node(kind), node(kind, return_sequences=False))
    x = numbers((2, 5, 3))
    padded = np.concatenate([x, np.zeros((2, 2, 3))], axis=1)
    np.testing.assert_allclose(network.predict(padded), network.predict(x), rtol=1e-12)


def test_padding_of_an_embedding_is_skipped():
    layers = [{"type": "embedding", "vocabulary_size": 9, "embedding_size": 3, "padding": 0}, node(LSTM)]
    network = modnet.build({"network": {"input": ["variable"], "dtype": "float64", "layers": layers}})
    np.testing.assert_allclose(network.predict([[3, 4, 0, 0]])[:, :2], network.predict([[3, 4]]), rtol=1e-12)


def test_masks_of_two_layers_are_joined():
    network = build({"type": "masking", "value": 7.0}, "masking", node(GRU, return_sequences=False))
    x = numbers((1, 4, 3))
    padded = np.concatenate([x, np.zeros((1, 1, 3)), np.full((1, 1, 3), 7.0)], axis=1)
    np.testing.assert_allclose(network.predict(padded), network.predict(x), rtol=1e-12)


def test_masking_lets_everything_through():
    layer = Masking(value=-1.0)
    x = np.array([[[0.0, 0.0], [-1.0, -1.0], [-1.0, 0.0]]])
    context = layer_context(layer, (3, 2))
    assert layer.forward(context, x) is x
    assert context.output_mask.tolist() == [[True, False, True]]
    assert layer.backward(context, x) is x


@kinds
@pytest.mark.parametrize("piece", [1, 2, 3])
def test_pieces_of_a_stream_are_those_of_the_whole(kind, piece):
    network = build(node(kind, train_initial_state=True), node(kind))
    network.parameters[f"{kind.type}_1.initial_hidden"][...] = 0.3
    x = numbers((2, 6, 3))
    stream = network.stream()
    for _ in range(2):
        pieces = [stream.predict(x[:, start : start + piece]) for start in range(0, 6, piece)]
        np.testing.assert_allclose(np.concatenate(pieces, axis=1), network.predict(x), rtol=1e-12, atol=1e-14)
        stream.reset()


@kinds
@pytest.mark.parametrize("cuts", [(3,), (1, 2, 5), (2, 4)], ids=str)
def test_a_stream_passes_over_masked_steps(kind, cuts):
    """Gaps, a whole masked piece, a sequence that ends early and one that never begins."""
    network = build("masking", node(kind), node(kind))
    x = numbers((4, 7, 3))
    x[0, [1, 5]] = x[1, 2:4] = x[2, 4:] = x[3] = 0
    stream = network.stream()
    pieces = [stream.predict(piece) for piece in np.split(x, cuts, axis=1)]
    found, expected = np.concatenate(pieces, axis=1), network.predict(x)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    assert (found[3] == 0).all()
    without = np.delete(x[:1], [1, 5], axis=1)
    np.testing.assert_allclose(np.delete(found[:1], [1, 5], axis=1), network.predict(without), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "options",
    [{"reverse": True}, {"return_sequences": False}, {"return_sequences": False, "return_state": True}],
    ids=str,
)
def test_what_needs_the_whole_sequence_does_not_stream(options):
    with pytest.raises(modnet.ShapeError, match="needs whole sequences"):
        build(node(LSTM, **options)).stream()


@kinds
def test_a_sequence_without_steps(kind):
    network = build(node(kind), node(kind, return_sequences=False))
    assert (network.predict(np.zeros((2, 0, 3))) == 0).all()
    layer = kind(hidden_size=4)
    context = layer_context(layer, (0, 3))
    y = layer.forward(context, np.zeros((2, 0, 3)))
    assert layer.backward(context, y).shape == (2, 0, 3)
    assert all((gradient == 0).all() for gradient in context.grads.values())


@kinds
def test_without_steps_the_last_state_is_the_given_one(kind):
    state = {"return_state": True} if kind is LSTM else {}
    layer = kind(hidden_size=4, return_sequences=False, **state)
    given = numbers((2, 4 * len(kind.state_names)))
    context = layer_context(layer, (0, 3), given.shape[1:])
    np.testing.assert_array_equal(layer.forward(context, np.zeros((2, 0, 3)), given), given)
    gradient = numbers(given.shape, seed=1)
    np.testing.assert_array_equal(layer.backward(context, gradient.copy())[1], gradient)


@kinds
def test_a_sequence_goes_on_from_the_state_in_which_its_beginning_has_ended(kind):
    state = {"return_state": True} if kind is LSTM else {}
    first = {**node(kind, return_sequences=False, **state, name="beginning"), "inputs": ["before"]}
    second = {**node(kind, name="end", shares="beginning"), "inputs": ["after", "beginning"]}
    shapes = {"before": ["variable", 3], "after": ["variable", 3]}
    network = modnet.build({"network": {"input": shapes, "dtype": "float64", "layers": [first, second]}})
    whole = build(node(kind))
    whole.parameters.flat[...] = network.parameters.flat
    x = numbers((2, 7, 3))
    found = network.predict({"before": x[:, :4], "after": x[:, 4:]})
    np.testing.assert_allclose(found, whole.predict(x)[:, 4:], rtol=1e-12, atol=1e-14)


@kinds
def test_sequences_of_other_lengths_and_batches_share_the_buffers(kind):
    network, fresh = build(node(kind)), build(node(kind))
    for shape in ((4, 9, 3), (2, 3, 3), (4, 9, 3), (1, 1, 3), (3, 12, 3)):
        x = numbers(shape)
        np.testing.assert_array_equal(network.predict(x), fresh.predict(x))
        fresh = build(node(kind))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (["variable"], r'expects sequences, samples of shape \(time, features\).*an "embedding" before it'),
        ([8, 8, 3], r"expects sequences, samples of shape \(time, features\)"),
        ([5, "variable"], r"expects a last axis \(features\) of fixed size"),
    ],
    ids=str,
)
def test_shapes_that_do_not_fit(shape, message):
    with pytest.raises(modnet.SpecError, match=f"(?s){message}"):
        modnet.build({"network": {"input": shape, "layers": [node(LSTM)]}})


@pytest.mark.parametrize(
    ("kind", "options", "shape", "message"),
    [
        (GRU, {}, (3,), r"initial state \(the second input\) of shape \(4,\), hidden"),
        (GRU, {}, (None, 4), r"of shape \(4,\)"),
        (LSTM, {}, (4,), r"of shape \(8,\), hidden and cell side by side.*return_state = true gives one"),
        (LSTM, {"train_initial_state": True}, (8,), "expects one input with train_initial_state"),
    ],
    ids=str,
)
def test_initial_states_that_do_not_fit(kind, options, shape, message):
    with pytest.raises(modnet.ShapeError, match=f"(?s){message}"):
        kind(hidden_size=4, **options).output_shape((5, 3), shape)


def test_a_state_is_returned_in_place_of_the_sequence():
    with pytest.raises(modnet.ModnetError, match="set return_sequences = false"):
        LSTM(hidden_size=4, return_state=True)


def test_each_gate_begins_by_itself():
    network = build(node(LSTM), features=100)
    gates = np.split(network.parameters["lstm_1.weight_hidden"], 4, axis=1)
    for gate in gates:
        np.testing.assert_allclose(gate.T @ gate, np.eye(4), atol=1e-12)
    bound = np.sqrt(6 / (100 + 4))  # glorot_uniform of one gate, not of four
    largest = [np.abs(gate).max() for gate in np.split(network.parameters["lstm_1.weight_input"], 4, axis=1)]
    assert all(0.95 * bound < number <= bound for number in largest)
    assert network.parameters["lstm_1.bias"].tolist() == [0.0] * 4 + [1.0] * 4 + [0.0] * 8


@pytest.mark.parametrize("merge", ["concatenate", "add", "multiply"])
def test_both_directions_are_merged(merge):
    network = build({"type": "bidirectional", "layer": node(GRU), "merge": merge, "name": "both"})
    x = numbers((2, 5, 3))
    outputs = []
    for name in ("forward", "backward"):
        alone = build(node(GRU, reverse=name == "backward", name=name))
        for key, parameter in alone.parameters.items():
            parameter[...] = network.parameters[f"both.{key}"]
        outputs.append(alone.predict(x))
    merged = {"concatenate": lambda *both: np.concatenate(both, axis=-1), "add": np.add, "multiply": np.multiply}
    np.testing.assert_allclose(network.predict(x), merged[merge](*outputs), rtol=1e-12)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"type": "linear", "out_features": 3}, "layer is linear; expected rnn, lstm or gru"),
        (node(GRU, reverse=True), "leave reverse out"),
    ],
    ids=["linear", "reverse"],
)
def test_a_bidirectional_of_something_else_is_refused(layer, message):
    with pytest.raises(modnet.SpecError, match=message):
        build({"type": "bidirectional", "layer": layer})


def test_remembers_the_sign_of_the_first_step():
    """A task that needs memory: what was said 15 steps ago."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((600, 16, 2)).astype(np.float32)
    y = (x[:, 0, 0] > 0).astype(int)
    layers = [node(GRU, hidden_size=16, return_sequences=False), {"type": "linear", "out_features": 2}, "softmax"]
    network = build(*layers, features=2, dtype="float32")
    optimizer = {"type": "adam", "learning_rate": 0.01}
    modnet.train(network, x[:500], y[:500], loss="cross_entropy", optimizer=optimizer, epochs=25, seed=0)
    assert (network.predict(x[500:]).argmax(axis=1) == y[500:]).mean() > 0.9


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_a_single_sequence_gets_the_numbers_that_it_gets_in_a_batch(kind):
    layers = [{"type": kind, "hidden_size": 32}, {"type": kind, "hidden_size": 16, "return_sequences": False}]
    network = modnet.build({"network": {"input": ["variable", 5], "layers": layers}}, seed=0)
    for steps in (1, 3, 9, 600):
        x = np.random.default_rng(steps).standard_normal((2, steps, 5)).astype(np.float32)
        expected = network.forward(x)
        for _ in range(3):
            np.testing.assert_allclose(network.forward(x[:1]), expected[:1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_states_of_sequences_of_any_length_go_on_in_one_stream(kind):
    network = modnet.build({"network": {"input": ["variable", 3], "layers": [{"type": kind, "hidden_size": 16}]}})
    rng, streams = np.random.default_rng(0), []
    for steps in (2, 5):
        streams.append(network.stream())
        streams[-1].predict(rng.standard_normal((1, steps, 3)))
    together, x = network.stream(state=[stream.state() for stream in streams]), rng.standard_normal((2, 1, 3))
    expected = [stream.predict(x[number : number + 1]) for number, stream in enumerate(streams)]
    np.testing.assert_allclose(together.predict(x), np.concatenate(expected), rtol=1e-5, atol=1e-6)
